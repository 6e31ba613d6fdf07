import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/lib/json.ts';
import { canaryManager } from '../../../src/agent/effects/writes.ts';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { type Metrics, Stage } from '../../model/loop/stage.ts';

/** What happens in a release whose step to this share loses the status that was to say so, in order: shares, and `look` for each look. */
async function story(
  analysis: Json,
  lost: string,
  metrics: (weight: number) => Metrics = () => 'good',
): Promise<readonly string[]> {
  const stage = new Stage({ replicas: 2, podStartMs: 500, spec: aCanarySpec({ threshold: 2, ...analysis }) });
  stage.push({});
  stage.start();
  await stage.run(60_000);
  const told: string[] = [];
  const place = (): string => `${stage.routes.weight}${stage.routes.isMirrored ? ' mirrored' : ''}`;
  let isLost = false;
  stage.onMeasured = (what) => {
    if (what === 'asked') stage.metrics = metrics(stage.routes.weight);
    if (what === 'answered') told.push('look');
  };
  stage.onWritten = ({ before, after }) => {
    if (after?.kind === 'VirtualService' && told.at(-1) !== place()) told.push(place());
    if (
      after?.kind === 'Deployment' &&
      after.metadata.name === 'app-primary' &&
      before?.metadata.generation !== after.metadata.generation
    )
      told.push('promoted');
  };
  stage.cluster.onRequest = ({ kind }, manager) => {
    if (isLost || told.length === 0 || place() !== lost || kind !== 'Canary' || manager !== canaryManager) return;
    isLost = true;
    // The Canary is edited amid the look, so that its status is refused.
    stage.edit('Canary', 'app', ({ spec, ...canary }) => ({
      ...canary,
      spec: { ...(spec as Json), progressDeadlineSeconds: 90 },
    }));
  };
  stage.push({ version: 1 });
  stage.wakeSync();
  await stage.run(300_000);
  expect(isLost).toBe(true);
  expect(stage.outcomes.map(({ verdict }) => verdict)).toHaveLength(2);
  return told;
}

describe('a step that is taken, and whose status does not reach the cluster', () => {
  const steps = ['20', 'look', '40', 'look', '60', 'look', 'promoted', '0'];
  it.each(['20', '40', '60'])('is judged like any other before the next: %s', async (lost) => {
    expect(await story({ stepWeights: [20, 40, 60] }, lost)).toEqual(steps);
  });

  it('is judged where requests are mirrored, too', async () => {
    const analysis = { mirror: true, stepWeights: [20, 40] };
    const wanted = ['0 mirrored', 'look', '20', 'look', '40', 'look', 'promoted', '0'];
    for (const lost of ['20', '40']) expect(await story(analysis, lost), lost).toEqual(wanted);
  });

  it('is no step where users went home: what was found bad is not asked for again', async () => {
    const bad = (weight: number): Metrics => (weight >= 40 ? 'bad' : 'good');
    const told = await story({ stepWeights: [20, 40, 60] }, '0', bad);
    expect(told).toEqual(['20', 'look', '40', 'look', 'look', '0']);
  });
});
