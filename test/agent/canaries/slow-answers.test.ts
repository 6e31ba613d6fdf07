import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/lib/json.ts';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { intervalMs, Stage } from '../../model/loop/stage.ts';

/** An app whose release is under way, before its metrics are asked for the first time. They take four seconds to answer. */
async function underAnalysis(analysis: Json): Promise<Stage> {
  const stage = new Stage({
    replicas: 2,
    podStartMs: 500,
    spec: aCanarySpec({ threshold: 2, ...analysis }),
  });
  stage.push({});
  stage.start();
  await stage.run(90_000);
  stage.push({ version: 1 });
  stage.wakeSync();
  stage.metricsLateMs = 4_000;
  while (stage.status.phase !== 'Progressing') await stage.run(100);
  return stage;
}

const scaleUp = (stage: Stage, name: string): void =>
  stage.edit('Deployment', name, (object) => ({ ...object, spec: { ...(object['spec'] as Json), replicas: 4 } }));

describe('a metric that answers slowly', () => {
  it.each<[string, Json, (stage: Stage) => void]>([
    ['more pods of the canary', { iterations: 4 }, (stage) => scaleUp(stage, 'app')],
    ['more pods of the canary with users', { stepWeight: 20, maxWeight: 60 }, (stage) => scaleUp(stage, 'app')],
    ['more pods of the primary', { iterations: 4 }, (stage) => scaleUp(stage, 'app-primary')],
  ])('is asked once an interval where nothing comes of its answer because of %s', async (_of, analysis, change) => {
    const stage = await underAnalysis(analysis);
    const pausesMs: number[] = [];
    let answeredMs: number | undefined;
    stage.onMeasured = (what) => {
      const nowMs = stage.clock.elapsed();
      if (what === 'answered') answeredMs = nowMs;
      else if (answeredMs !== undefined) pausesMs.push(nowMs - answeredMs);
      // Its pods start while the metric is answered, and some do not answer yet when it is.
      if (what === 'asked' && answeredMs === undefined) stage.clock.after(3_600, () => change(stage));
    };
    await stage.run(150_000);
    expect(pausesMs.length).toBeGreaterThan(1);
    expect(Math.min(...pausesMs)).toBeGreaterThanOrEqual(intervalMs - 25);
    expect(stage.outcomes.at(-1)).toMatchObject({ verdict: 'promoted' });
  });
});
