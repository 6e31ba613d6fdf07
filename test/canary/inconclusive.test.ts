import { describe, expect, it } from 'vitest';
import { lastFailedCheckOf } from '../../src/canary/evidence.ts';
import { metricEvent, textOf as reasonText } from '../../src/canary/evidence-text.ts';
import { judge } from '../../src/canary/phases/judge.ts';
import type { Effect, InconclusiveAction, InconclusivePolicy, Sample } from '../../src/canary/types.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';

type Members = Readonly<Record<string, unknown>>;

const value = (number: number): Sample => ({ kind: 'value', value: number });
const noTraffic: Sample = { kind: 'no-data', cause: 'noTraffic', reason: 'the result is NaN' };
const noSeries: Sample = { kind: 'no-data', cause: 'noSeries', reason: 'no values found' };
const unreachable: Sample = { kind: 'unreachable', text: 'Prometheus query failed: connection refused' };

/** A release under analysis whose metrics say what the test says. */
function release(
  samples: (name: string, second: number) => Sample,
  {
    policy,
    more,
    defaults,
    seconds = 60,
    isDown = () => false,
    restarts = () => false,
  }: {
    policy?: Members;
    /** More of `spec.analysis`. */
    more?: Members;
    defaults?: InconclusivePolicy;
    seconds?: number;
    /** Whether the primary's new pods do not answer. */
    isDown?: (second: number) => boolean;
    /** Whether the agent starts anew: all is gone that it only remembered. */
    restarts?: (second: number) => boolean;
  } = {},
): { rollout: Rollout; said: string[]; conditions: unknown } {
  const metrics = [
    { name: 'request-success-rate', thresholdRange: { min: 99 } },
    { name: 'errors', query: 'up', thresholdRange: { max: 1 } },
  ];
  const analysis = {
    interval: '10s',
    threshold: 3,
    stepWeight: 10,
    metrics,
    ...(policy ? { inconclusive: policy } : {}),
    ...more,
  };
  const world = createModelCluster({
    canarySpec: {
      provider: 'traefik',
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      progressDeadlineSeconds: 60,
      analysis,
    },
  });
  let startMs = 0;
  const start = (): Rollout =>
    createRollout({
      world,
      answer: (question) =>
        question.kind === 'metric'
          ? samples(question.metric.name, (world.nowMs - startMs) / 1_000)
          : { kind: 'passed' },
      ...(defaults ? { settings: { inconclusive: defaults } } : {}),
    });
  let rollout = start();
  rollout.run(world.nowMs + 15_000);
  startMs = world.nowMs;
  world.setImage('example.org/app:2.0.0');
  for (let second = 1; second <= seconds; second += 1) {
    if (restarts(second)) rollout = start();
    rollout.run(world.nowMs + 1_000);
    world.downDeployments[isDown(second) ? 'add' : 'delete']('app-primary');
  }
  const said = rollout.ticks.flatMap(({ effects }) =>
    effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : [])),
  );
  const { conditions } = world.canary['status'] as { readonly conditions?: unknown };
  return { rollout, said, conditions };
}
const reasonOf = (effect: Effect | undefined): string =>
  effect?.kind === 'end-release' && effect.failedCheck ? reasonText(effect.failedCheck) : '';
const good = (name: string): Sample => value(name === 'errors' ? 0 : 100);

describe('a check that finds nothing out [R73]', () => {
  it('says which of three things has happened', () => {
    const textOf = (sample: Sample, action: InconclusiveAction): string => {
      const names = { canary: 'app.demo', target: 'app.demo', metricsProvider: 'traefik' };
      const metric = { name: 'request-success-rate', interval: '1m', range: { min: 99 } };
      const { found } = judge(metric, 'success-rate', sample, () => action);
      return metricEvent({ name: metric.name, found }, names, action)?.message ?? '';
    };
    const all = [noTraffic, noSeries, unreachable].flatMap((sample) =>
      (['fail', 'hold', 'pass'] as const).map((action) => textOf(sample, action)),
    );
    // An outage says the same whatever is done: it is a fact, and a hold is told beside it.
    expect(new Set(all).size).toBe(7);
    expect(textOf(noSeries, 'fail')).toBe(
      'Halt advancement no values found for traefik metric request-success-rate probably app.demo is not receiving traffic: no values found',
    );
    expect(all.filter((text) => text.startsWith('Halt advancement no values found'))).toHaveLength(1);
  });

  it('counts as failed where a provider answers, and not where none does', () => {
    expect(release(() => noTraffic, { seconds: 35 }).rollout.status.failedChecks).toBe(2);
    expect(release(() => noSeries, { seconds: 35 }).rollout.status.failedChecks).toBe(2);
    expect(release(() => unreachable, { seconds: 35 }).rollout.status).toMatchObject({
      phase: 'Progressing',
      failedChecks: 0,
      canaryWeight: 10,
    });
  });

  it('does what the Canary says, else what the settings say', () => {
    const defaults: InconclusivePolicy = { noTraffic: 'hold', noSeries: 'pass', unreachable: 'fail' };
    const after = (sample: Sample, policy?: Members) =>
      release((name) => (name === 'errors' ? value(0) : sample), {
        defaults,
        seconds: 35,
        ...(policy ? { policy } : {}),
      }).rollout.status;
    expect(after(noTraffic)).toMatchObject({ failedChecks: 0, canaryWeight: 10 });
    expect(after(noSeries)).toMatchObject({ failedChecks: 0, canaryWeight: 30 });
    expect(after(unreachable)).toMatchObject({ failedChecks: 2, canaryWeight: 10 });
    expect(after(noSeries, { noSeries: 'fail' })).toMatchObject({ failedChecks: 2 });
    expect(after(noTraffic, { noSeries: 'fail' })).toMatchObject({ failedChecks: 0, canaryWeight: 10 });
  });

  it('neither counts among failed checks in a row nor begins them anew, while it is held', () => {
    const run = (at: (second: number) => Sample, more: Members) =>
      release((name, second) => (name === 'errors' ? value(0) : at(second)), { more, policy: { noSeries: 'hold' } });
    const failed = value(42);
    const held = (second: number): Sample => (second < 25 || second > 35 ? failed : noSeries);
    expect(run(held, { threshold: 9, consecutive: 2 }).said).toContainEqual(
      expect.stringContaining('failed checks in a row reached 2'),
    );
    const passed = (second: number): Sample => (Math.floor(second / 10) % 2 === 0 ? failed : value(100));
    expect(run(passed, { threshold: 9, consecutive: 2 }).rollout.status.phase).toBe('Progressing');
  });

  it('does not hide another one that fails', () => {
    const { rollout } = release((name) => (name === 'errors' ? value(50) : unreachable), { seconds: 70 });
    expect(rollout.status.phase).toBe('Failed');
    const ended = rollout.ticks.flatMap(({ effects }) => effects).find(({ kind }) => kind === 'end-release');
    expect(ended).toMatchObject({
      verdict: 'rolled-back',
      failedCheck: {
        name: 'errors',
        found: { kind: 'measured', metric: 'query', measurement: { value: 50, unit: 'own', max: 1, broken: 'max' } },
      },
    });
    expect(reasonOf(ended)).toBe('errors 50.00 > 1');
  });

  it('is held no longer because the agent starts anew', () => {
    const endsAt = (restarts?: (second: number) => boolean): number => {
      let seconds = 60;
      while (
        release(() => unreachable, { seconds, ...(restarts ? { restarts } : {}) }).rollout.status.phase !== 'Failed'
      )
        seconds += 10;
      return seconds;
    };
    const undisturbed = endsAt();
    expect(undisturbed).toBeLessThan(120);
    expect(endsAt((second) => second % 25 === 0)).toBeLessThanOrEqual(undisturbed + 10);
    expect(endsAt((second) => second === 70)).toBeLessThanOrEqual(undisturbed + 10);
  });

  it('says in the status since when it is held, and nothing of it afterwards', () => {
    const conditionsAt = (seconds: number): unknown =>
      release((name, second) => (second < 45 ? unreachable : good(name)), { seconds }).conditions;
    expect(conditionsAt(40)).toMatchObject([
      { type: 'Promoted', status: 'Unknown', reason: 'Progressing' },
      { type: 'Held', status: 'True', reason: 'MetricsUnknown', lastTransitionTime: '2026-01-01T00:00:35Z' },
      { type: 'Analysis' },
    ]);
    expect(conditionsAt(70)).toMatchObject([{ type: 'Promoted' }, { type: 'Analysis' }]);
    expect(conditionsAt(70)).toHaveLength(2);
  });

  it('says once that it is held, and how that ends', () => {
    const { said } = release(() => unreachable, { seconds: 55 });
    expect(said.filter((text) => text.startsWith('Hold '))).toEqual([
      'Hold app.demo until metrics are known again, nothing counts; it is rolled back after 1m0s',
    ]);
  });

  it.each<[string, (second: number) => Sample, string]>([
    ['nobody ever answers', () => unreachable, 'metrics unreachable for 1m10s'],
    ['there is never any traffic', () => noTraffic, 'no traffic to measure for request-success-rate'],
    [
      'one follows the other',
      (second) => (Math.floor(second / 10) % 2 === 0 ? unreachable : noTraffic),
      'metrics unreachable for 1m20s',
    ],
  ])('does not hold for ever where %s', (_what, samples, reason) => {
    const policy = { noTraffic: 'hold', noSeries: 'hold' };
    const { rollout } = release((_name, second) => samples(second), { policy, seconds: 200 });
    expect(rollout.status.phase).toBe('Failed');
    const ended = rollout.ticks.flatMap(({ effects }) => effects).find(({ kind }) => kind === 'end-release');
    expect(ended).toMatchObject({ verdict: 'rolled-back' });
    expect(reasonOf(ended)).toBe(reason);
  });

  it('does not hold for ever where the primary is waited for in between', () => {
    const { rollout, said } = release(() => unreachable, { seconds: 200, isDown: (second) => second % 40 > 30 });
    expect(rollout.status.phase).toBe('Failed');
    expect(said.filter((text) => text.startsWith('Hold '))).toHaveLength(1);
    expect(said.some((text) => text.includes('app-primary.demo not ready'))).toBe(true);
  });

  it('stands in the evidence as what it is, and is no failed check where it only held', () => {
    const { rollout } = release((name) => (name === 'errors' ? unreachable : good(name)), { seconds: 35 });
    const evidence = rollout.ticks.flatMap(({ decision }) => (decision.evidence ? [decision.evidence] : []));
    const { checks = [] } = evidence.at(-1) ?? {};
    expect(checks).toMatchObject([
      { name: 'request-success-rate', passed: true },
      { name: 'errors', passed: false, inconclusive: 'hold' },
    ]);
    expect(lastFailedCheckOf(evidence)).toBeUndefined();
    const counted = release(() => noTraffic, { seconds: 35 }).rollout.ticks;
    expect(
      lastFailedCheckOf(counted.flatMap(({ decision }) => (decision.evidence ? [decision.evidence] : []))),
    ).toEqual({
      name: 'request-success-rate',
      found: { kind: 'no-data', metric: 'success-rate', cause: 'noTraffic', reason: 'the result is NaN' },
    });
  });
});

describe('a value', () => {
  it('is compared as it is, not cut to whole milliseconds [R74]', () => {
    const verdict = (ms: number, max: number) =>
      judge({ name: 'request-duration', interval: '1m', range: { max } }, 'duration', value(ms), () => 'fail').kind;
    expect([verdict(0.4, 0.5), verdict(0.6, 0.5), verdict(500, 500), verdict(501, 500)]).toEqual([
      'passed',
      'failed',
      'passed',
      'failed',
    ]);
  });
});
