import { describe, expect, it } from 'vitest';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { Stage } from '../../model/loop/stage.ts';

async function atRest(): Promise<Stage> {
  const stage = new Stage({ replicas: 2, podStartMs: 500, spec: aCanarySpec({ threshold: 1, stepWeights: [20, 40] }) });
  stage.push({});
  stage.start();
  await stage.run(120_000);
  expect(stage.status.phase).toBe('Initialized');
  return stage;
}

/** Twenty Deployments of others are changed, and the controllers have looked at so many of them. */
function others(stage: Stage, looked: number, whose = 'other'): void {
  for (let index = 0; index < 20; index += 1) {
    // Of their own controller, so that the one of the stage leaves them alone.
    const object = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace: 'demo', name: `${whose}-${index}` },
      spec: { replicas: 1 },
      status: { observedGeneration: index < looked ? 1_000 : 0 },
    };
    stage.cluster.put(object, 'deployment-controller');
  }
}

const begun = (stage: Stage): number => stage.told.filter((text) => text.startsWith('New revision detected!')).length;

describe('a release, where the controllers of the cluster are behind', () => {
  it('begins when they are so no more', async () => {
    const stage = await atRest();
    others(stage, 0);
    stage.push({ version: 1 });
    stage.wakeSync();
    await stage.run(30_000);
    expect([begun(stage), stage.status.phase]).toEqual([0, 'Initialized']);
    others(stage, 20);
    await stage.run(2_000);
    expect([begun(stage), stage.status.phase]).toEqual([1, 'Progressing']);
    await stage.run(200_000);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'promoted']);
  });

  it('is taken back in time, and led on in time, where it has begun before', async () => {
    for (const metrics of ['bad', 'good'] as const) {
      const stage = await atRest();
      stage.push({ version: 1 });
      stage.wakeSync();
      for (let s = 0; stage.routes.weight < 20 && s < 60; s += 1) await stage.run(1_000);
      expect(stage.routes.weight).toBe(20);
      others(stage, 0);
      stage.metrics = metrics;
      const weights = new Set<number>();
      for (let s = 0; s < 45; s += 1) {
        await stage.run(1_000);
        weights.add(stage.routes.weight);
      }
      expect([...weights]).toEqual(metrics === 'bad' ? [20, 0] : [20, 40, 0]);
    }
  });

  it('begins even so where nobody ever looks at them', async () => {
    const stage = await atRest();
    others(stage, 0);
    stage.push({ version: 1 });
    stage.wakeSync();
    await stage.run(50_000);
    expect(begun(stage)).toBe(0);
    await stage.run(20_000);
    expect(begun(stage)).toBe(1);
  });

  it('says so where it has waited for a minute', async () => {
    const stage = await atRest();
    others(stage, 0);
    stage.push({ version: 1 });
    stage.wakeSync();
    for (let s = 0; s < 110; s += 1) {
      await stage.run(1_000);
      if (s === 40 || s === 80) others(stage, 0, `more-${s}`);
    }
    expect(begun(stage)).toBe(0);
    const said = stage.noted.filter((text) => text.includes('waits for its turn'));
    expect(said).toEqual([
      'The new revision of app.demo waits for its turn: the cluster does not keep pace with the releases that are under way',
    ]);
  });
});
