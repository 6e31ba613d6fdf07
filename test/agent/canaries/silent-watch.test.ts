import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/lib/json.ts';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { Stage } from '../../model/loop/stage.ts';

const spec = aCanarySpec({ threshold: 2, stepWeight: 20, maxWeight: 60 });
const edit = (stage: Stage, change: Json): void =>
  stage.edit('Canary', 'app', (canary) => ({ ...canary, spec: { ...(canary['spec'] as Json), ...change } }));

/** Amid a release its watches have been silent, and the Canary was changed meanwhile: what it wrote was refused. */
async function heardAgain(change: Json): Promise<Stage> {
  const stage = new Stage({ replicas: 1, podStartMs: 500, spec });
  stage.push({});
  stage.start();
  await stage.run(60_000);
  stage.push({ version: 1 });
  stage.wakeSync();
  while (stage.status.canaryWeight === 0) await stage.run(100);
  stage.cluster.freeze(true);
  edit(stage, change);
  await stage.run(15_000);
  stage.cluster.freeze(false);
  return stage;
}

describe('a Canary that was changed while its watch was silent', () => {
  it.each<[string, Json, Json]>([
    ['could not be understood', { progressDeadlineSeconds: -1 }, { progressDeadlineSeconds: 60 }],
    ['could not be read at all', { service: {} }, { service: { port: 80 } }],
    ['was of no known provider', { provider: 'nobody' }, { provider: 'istio' }],
  ])('goes on as soon as it is mended, where it %s', async (_what, broken, mended) => {
    const stage = await heardAgain(broken);
    edit(stage, mended);
    await stage.run(90_000);
    expect(stage.outcomes.at(-1)).toMatchObject({ verdict: 'promoted' });
  });

  it('takes its users home at once when its pods die, however long it is until its next look', async () => {
    const stage = await heardAgain({ analysis: { ...spec.analysis, interval: '10m' } });
    await stage.run(20_000);
    expect(stage.routes.weight).toBeGreaterThan(0);
    stage.pods.down('app', true);
    await stage.run(1_000);
    expect(stage.routes.weight).toBe(0);
  });
});
