import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/lib/json.ts';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { imageOf } from '../../model/loop/pods.ts';
import { Stage } from '../../model/loop/stage.ts';

/** An app at rest with four pods. */
async function atRest(analysis: Json, podStartMs = 1_000): Promise<Stage> {
  const stage = new Stage({
    replicas: 4,
    podStartMs,
    spec: aCanarySpec({ threshold: 2, ...analysis }),
  });
  stage.push({});
  stage.start();
  await stage.run(120_000);
  expect(stage.status.phase).toBe('Initialized');
  return stage;
}

const steps = { stepWeight: 20, maxWeight: 60 };
/** What is true at each second until it rests. */
async function watch(stage: Stage, look: () => void): Promise<void> {
  stage.wakeSync();
  for (let s = 0; s < 400; s += 1) {
    await stage.run(1_000);
    look();
  }
}

describe('a canary of which only a part of the pods answers', () => {
  it('gets no users, however little else is wrong, and is given up at its deadline', async () => {
    const stage = await atRest({ ...steps, primaryReadyThreshold: 50 });
    stage.pods.health('app:1', 'half');
    stage.push({ version: 1 });
    await watch(stage, () => {
      expect([stage.routes.weight, imageOf(stage.cluster.peek('Deployment', 'app-primary'))]).toEqual([0, 'app:0']);
    });
    expect(stage.outcomes.slice(1)).toMatchObject([{ verdict: 'rolled-back', failedCheck: { name: 'readiness' } }]);
  });

  it('gets users once as many answer as the canary asks for, and the primary is waited for until it has what it asks for', async () => {
    const stage = await atRest({ ...steps, canaryReadyThreshold: 50 });
    stage.pods.health('app:1', 'half');
    stage.push({ version: 1 });
    let most = 0;
    await watch(stage, () => (most = Math.max(most, stage.routes.weight)));
    expect(most).toBeGreaterThanOrEqual(60);
    // The primary of the new version never comes up: its users stay with the canary, and the release is taken back.
    expect(stage.outcomes.slice(1)).toMatchObject([{ verdict: 'rolled-back', failedCheck: { name: 'promotion' } }]);
  });

  it.each<[string, Json]>([
    ['in steps', steps],
    ['with a gradual promotion', { ...steps, stepWeightPromotion: 30 }],
    ['at once, blue/green', { iterations: 2 }],
  ])('gets no more of them when its promotion fails, as long as the primary answers: %s', async (_how, analysis) => {
    for (const isPrimaryDown of [false, true]) {
      const stage = await atRest(analysis);
      stage.push({ version: 1 });
      stage.wakeSync();
      while (stage.status.phase !== 'Promoting') await stage.run(500);
      stage.pods.health('app:1', 'half');
      if (isPrimaryDown) stage.pods.down('app-primary', true);
      const { weight: before } = stage.routes;
      let most = before;
      // Git takes it back half a second later.
      stage.onWritten = () => (most = Math.max(most, stage.routes.weight));
      while (stage.outcomes.length < 2) await stage.run(1_000);
      expect(most).toBe(isPrimaryDown ? 100 : before);
    }
  });

  it('gets them when its last pod has come up, not when its first one has', async () => {
    const stage = await atRest(steps, 12_000);
    stage.push({ version: 1 });
    let isUsed = false;
    await watch(stage, () => {
      const { up, wanted } = stage.pods.fresh('app');
      if (!isUsed && stage.routes.weight > 0) expect([up, wanted]).toEqual([4, 4]);
      isUsed ||= stage.routes.weight > 0;
    });
    expect(isUsed).toBe(true);
    expect(stage.outcomes.slice(1)).toMatchObject([{ verdict: 'promoted' }]);
  });
});

describe('a mirror', () => {
  it.each([
    ['of a canary', { stepWeight: 20, maxWeight: 60, mirror: true }],
    ['of a blue/green release', { iterations: 5, mirror: true }],
  ])('%s ends when the analysis is skipped from now on', async (_name, analysis) => {
    const stage = await atRest(analysis);
    stage.push({ version: 1 });
    stage.wakeSync();
    for (let s = 0; !stage.routes.isMirrored && s < 60; s += 1) await stage.run(1_000);
    expect(stage.routes).toEqual({ weight: 0, isMirrored: true });
    stage.edit('Canary', 'app', (canary) => ({
      ...canary,
      spec: { ...(canary['spec'] as Json), skipAnalysis: true },
    }));
    for (let s = 0; stage.status.phase === 'Progressing' && s < 60; s += 1) await stage.run(500);
    // Before the primary gets the version, not some time after.
    expect([stage.status.phase, stage.routes.isMirrored]).toEqual(['Promoting', false]);
    await stage.run(120_000);
    expect([stage.status.phase, stage.routes.isMirrored]).toEqual(['Succeeded', false]);
  });

  it('ends with its release also where the primary did not answer when the analysis was skipped', async () => {
    const stage = await atRest({ ...steps, mirror: true });
    stage.push({ version: 1 });
    stage.wakeSync();
    for (let s = 0; !stage.routes.isMirrored && s < 60; s += 1) await stage.run(1_000);
    stage.pods.down('app-primary', true);
    stage.edit('Canary', 'app', (canary) => ({
      ...canary,
      spec: { ...(canary['spec'] as Json), skipAnalysis: true },
    }));
    await stage.run(25_000);
    stage.pods.down('app-primary', false);
    for (let s = 0; stage.status.phase !== 'Succeeded' && s < 200; s += 1) await stage.run(1_000);
    expect([stage.status.phase, stage.routes.isMirrored]).toEqual(['Succeeded', false]);
  });
});
