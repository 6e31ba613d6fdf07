import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/lib/clock.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import { appFiles, appPath, canaryYaml, toTag } from './apps.ts';
import { canary, editByHand } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, onceMore, type Stage } from './stage.ts';

const intervalMs = 2_000;
const speed = 8;

/** When a metric was asked, and when the answer went out. */
interface Look {
  readonly askedMs: number;
  readonly answeredMs: number;
}

/** A metrics server that answers as late as it is told to, and remembers when. */
async function startMetrics(clock: Clock) {
  const looks: Look[] = [];
  const state = { lateMs: 0, value: 1 };
  const server: TestServer = await startServer((_request, response) => {
    const askedMs = clock.elapsed();
    const { lateMs, value } = state;
    setTimeout(() => {
      looks.push({ askedMs, answeredMs: clock.elapsed() });
      const result = [{ metric: {}, value: [0, `${value}`] }];
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
    }, lateMs / speed);
  });
  return Object.assign(state, { server, looks });
}

/** From each answer to the next question. */
const gaps = (looks: readonly Look[]): readonly number[] =>
  looks.slice(1).map(({ askedMs }, at) => askedMs - (looks[at]?.answeredMs ?? askedMs));

/** One metric and one question for it: a question is a look. */
const canaryFile = canaryYaml({ interval: '2s', steps: '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]', threshold: 50 })
  .replace('request-success-rate', 'errors')
  .replace(
    '        thresholdRange:\n          min: 99',
    '        query: sum(errors)\n        thresholdRange:\n          max: 5',
  );
const files = { ...appFiles(), 'apps/podinfo/canary.yaml': canaryFile };

/** Nobody else does anything for so long that the loop cannot. */
function stall(ms: number): void {
  for (const endMs = performance.now() + ms / speed; performance.now() < endMs; );
}

describe('looks that judge a release', onceMore, () => {
  it('are an interval apart, from the last answer, whatever stalls or wakes the agent', async () => {
    let skewMs = 0;
    const steady = fastClock(speed);
    const clock: Clock = { ...steady, now: () => steady.now() + skewMs };
    const metrics = await startMetrics(steady);
    const next = async (stage: Stage, count = 2): Promise<void> => {
      const from = metrics.looks.length;
      await stage.until('the next looks', () => metrics.looks.length >= from + count);
    };
    try {
      const options = { files, clock, flags: { 'metrics-server': metrics.server.url } };
      await onStage(options, async (stage) => {
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        await stage.until('the first step', () => canary(stage).weight > 0);
        metrics.looks.length = 0;
        await next(stage);
        const quick = gaps(metrics.looks);
        // A server that takes most of the interval, or more than it.
        for (const lateMs of [1_600, 3_000]) {
          metrics.lateMs = lateMs;
          await next(stage);
        }
        metrics.lateMs = 0;
        metrics.value = 9;
        await next(stage, 1);
        // All timers that came due meanwhile fire together.
        stall(3 * intervalMs);
        await next(stage);
        // Somebody sets the clock, and wakes the agent at once.
        for (const jumpMs of [60_000, -90_000]) {
          skewMs += jumpMs;
          await editByHand(stage, 'Deployment', 'podinfo', { metadata: { annotations: { seen: `${jumpMs}` } } });
          await next(stage);
        }
        // Somebody writes the Canary at every turn: the status meets conflicts.
        const counted = canary(stage).failedChecks;
        const from = metrics.looks.length;
        for (let note = 0; metrics.looks.length < from + 3; note += 1) {
          await editByHand(stage, 'Canary', 'podinfo', { metadata: { annotations: { note: `${note}` } } });
          await sleep(5);
        }
        metrics.value = 1;
        await stage.until('what failed is counted', () => canary(stage).failedChecks >= counted + 3);
        // An agent that starts knows of the last look from the status.
        await stage.agent.stop();
        await stage.start();
        await next(stage);
        expect(canary(stage).failedChecks).toBeLessThanOrEqual(metrics.looks.length);
        expect(Math.min(...gaps(metrics.looks))).toBeGreaterThanOrEqual(intervalMs - 60);
        // Answers that are quick stretch it by what they take.
        expect(Math.max(...quick)).toBeLessThan(1.5 * intervalMs);
        await stage.edit('quick to its end', 'apps/podinfo/canary.yaml', (text) =>
          text.replace(/stepWeights: .*/, 'stepWeights: [20]'),
        );
        expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
        await expectSound(stage);
      });
    } finally {
      await metrics.server.close();
    }
  });
});
