import { beforeAll, describe, expect, it } from 'vitest';
import { lookedOf } from '../../src/outlets/happening.ts';
import { createCanarySeries } from '../../src/outlets/canary-series.ts';
import { createTelemetry } from '../../src/outlets/telemetry.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import type { Answer, CanarySpec, Question } from '../../src/canary/types.ts';
import { NAME } from '../../src/sandbox/metrics/labels.ts';
import { currentRules } from '../../src/sandbox/metrics/promql/evaluate.ts';
import { createQueryEngine } from '../../src/sandbox/metrics/query.ts';
import { createSeriesStore } from '../../src/sandbox/metrics/series-store.ts';
import { createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';
import { appKey } from '../helpers/key.ts';

type Members = Readonly<Record<string, unknown>>;

const metrics = [
  { name: 'request-success-rate', thresholdRange: { min: 99 } },
  { name: 'request-duration', thresholdRange: { max: 500 } },
];
const steps: Members = { interval: '10s', threshold: 2, stepWeight: 50, maxWeight: 50, metrics };

/** A canary, what its series say, and a Prometheus that scrapes them once a second. */
interface Watched {
  readonly world: ModelCluster;
  readonly rollout: Rollout;
  readonly spec: () => CanarySpec;
  rate: number;
  run(seconds: number): Promise<void>;
  /** Values of an instant query. */
  ask(query: string): readonly number[];
}

function watch(spec: Members = {}, analysis: Members = steps): Watched {
  const canarySpec = {
    provider: 'traefik',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis,
    ...spec,
  };
  const world = createModelCluster({ canarySpec });
  const telemetry = createTelemetry('1.2.3', 'traefik');
  const series = createCanarySeries(telemetry);
  const store = createSeriesStore(Number.POSITIVE_INFINITY);
  const engine = createQueryEngine(store, currentRules);
  const parsed = (): CanarySpec => parseCanary(world.canary, { provider: 'traefik', minIntervalMs: 10_000 });
  const answer = (question: Question): Answer => {
    if (question.kind !== 'metric') return { kind: 'passed' };
    const value = question.metric.name === 'request-duration' ? 250 : watched.rate;
    series.measured({ spec: parsed(), metric: question.metric.name, value });
    return { kind: 'value', value };
  };
  const rollout = createRollout({ world, answer });
  const scrape = async (): Promise<void> => {
    for (const family of await telemetry.registry.getMetricsAsJSON())
      for (const sample of family.values) {
        const { metricName = family.name } = sample as { metricName?: string };
        const labels = Object.entries(sample.labels).map(([name, value]) => [name, String(value)]);
        store.append({ [NAME]: metricName, ...Object.fromEntries(labels) }, world.nowMs, sample.value);
      }
  };
  const watched: Watched = {
    world,
    rollout,
    spec: parsed,
    rate: 100,
    async run(seconds) {
      const endMs = world.nowMs + seconds * 1_000;
      while (world.nowMs < endMs) {
        const before = rollout.ticks.length;
        rollout.run(world.nowMs + 1_000);
        for (const { status, decision } of rollout.ticks.slice(before))
          series.show(lookedOf(parsed(), status, world.see(), decision, 0.02));
        await scrape();
      }
    },
    ask(query) {
      const value = engine.instant(query, world.nowMs);
      return value.type === 'vector' ? value.samples.map((sample) => sample.value) : [];
    },
  };
  return watched;
}

const status = 'flagger_canary_status{name="app",namespace="demo"}';
const weightOf = (workload: string): string => `flagger_canary_weight{workload="${workload}",namespace="demo"}`;

describe('what /metrics says of a canary', () => {
  it('goes with it from the first version to a promotion [CM09] [CM12]', async () => {
    const watched = watch();
    await watched.run(15);
    expect(watched.ask(status)).toEqual([1]);
    expect(watched.ask('flagger_canary_total{namespace="demo"}')).toEqual([1]);
    watched.world.setImage('example.org/app:2.0.0');
    await watched.run(15);
    expect(watched.ask(status)).toEqual([0]);
    await watched.run(6);
    const weights = ['app-primary', 'app'].map((name) => watched.ask(weightOf(name))[0] ?? 0);
    expect(weights).toEqual([50, 50]);
    await watched.run(60);
    expect(watched.ask(status)).toEqual([1]);
    expect(['app-primary', 'app'].flatMap((name) => watched.ask(weightOf(name)))).toEqual([100, 0]);
    expect(
      watched.ask('flagger_canary_successes_total{deployment_strategy="canary",analysis_status="completed"}'),
    ).toEqual([1]);
    expect(watched.ask('flagger_canary_failures_total')).toEqual([]);
    // Seconds, as Flagger shows them.
    expect(watched.ask('flagger_canary_metric_analysis{metric="request-duration",name="app"}')).toEqual([0.25]);
    expect(watched.ask('flagger_canary_metric_analysis{metric="request-success-rate",name="app"}')).toEqual([100]);
  });

  it('tells of a rollback [CM10]', async () => {
    const watched = watch();
    await watched.run(15);
    watched.world.setImage('example.org/app:2.0.0');
    watched.rate = 40;
    await watched.run(60);
    expect(watched.ask(status)).toEqual([2]);
    expect(['app-primary', 'app'].flatMap((name) => watched.ask(weightOf(name)))).toEqual([100, 0]);
    const labels = 'name="app",namespace="demo",deployment_strategy="canary",analysis_status="completed"';
    expect(watched.ask(`flagger_canary_failures_total{${labels}}`)).toEqual([1]);
  });

  it('tells of a release without analysis [CM11]', async () => {
    const watched = watch({ skipAnalysis: true });
    await watched.run(15);
    watched.world.setImage('example.org/app:2.0.0');
    await watched.run(60);
    expect(
      watched.ask('flagger_canary_successes_total{deployment_strategy="canary",analysis_status="skipped"}'),
    ).toEqual([1]);
  });

  it('names the phase where Flagger has one number for many [R75]', async () => {
    const webhooks = [{ name: 'gate', type: 'confirm-rollout', url: 'http://gate.test' }];
    const watched = watch({}, { ...steps, webhooks });
    await watched.run(15);
    expect(watched.ask('serin_canary_phase{phase="Initialized"}')).toEqual([1]);
    watched.world.setImage('example.org/app:2.0.0');
    await watched.run(12);
    expect(watched.ask('serin_canary_phase{phase="Progressing"}')).toEqual([1]);
    expect(watched.ask('count(serin_canary_phase == 1 and serin_canary_phase{phase="Progressing"})')).toEqual([1]);
  });

  it('is gone when it is gone [R41]', async () => {
    const watched = watch();
    await watched.run(15);
    watched.world.setImage('example.org/app:2.0.0');
    await watched.run(60);
    const telemetry = createTelemetry('1', 'x');
    const series = createCanarySeries(telemetry);
    const { decision, status: last } = watched.rollout.ticks.at(-1) ?? {};
    if (!decision || !last) throw new Error('nothing happened');
    const seen = { ...watched.world.see(), answers: new Map() };
    series.show(lookedOf(watched.spec(), last, seen, decision, 0.1));
    series.measured({ spec: watched.spec(), metric: 'request-duration', value: 5 });
    expect(await telemetry.registry.metrics()).toContain('namespace="demo"');
    series.forget(appKey('demo/app'));
    expect(await telemetry.registry.metrics()).not.toContain('namespace="demo"');
  });
});

describe("the queries of Flagger's dashboards", () => {
  const watched = watch();
  beforeAll(async () => {
    await watched.run(15);
    watched.world.setImage('example.org/app:2.0.0');
    watched.rate = 40;
    await watched.run(60);
    watched.rate = 100;
    watched.world.setImage('example.org/app:3.0.0');
    await watched.run(70);
  });
  it.each<[string, number | undefined]>([
    ['flagger_info{version="1.2.3",mesh_provider="traefik"} [CR01]', 1],
    ['flagger_canary_status{namespace=~"demo",name=~"app"} == 1 [CR02]', 1],
    ['sum(flagger_canary_total) by (namespace) [CR03]', 1],
    [
      'histogram_quantile(0.99, sum(rate(flagger_canary_duration_seconds_bucket{name="app"}[1m])) by (le)) [CR04]',
      undefined,
    ],
    ['flagger_canary_duration_seconds_count{name="app",namespace="demo"} [CR04]', undefined],
    ['flagger_canary_metric_analysis{name="app",metric="request-success-rate"} [CR05]', 100],
    ['sum(flagger_canary_successes_total{name="app",analysis_status="completed"}) [CR06]', 1],
    ['sum(flagger_canary_failures_total{name="app"}) [CR07]', 1],
    ['flagger_canary_weight{workload="app-primary",namespace="demo"}', 100],
    ['flagger_canary_weight{workload="app",namespace="demo"}', 0],
  ])('find data: %s', (named, expected) => {
    const [value] = watched.ask(named.replace(/ \[\w+\]$/, ''));
    expect(value).toBeDefined();
    if (expected !== undefined) expect(value).toBe(expected);
  });
});

describe('the strategy that series are labelled with', () => {
  const strategyOf = (analysis: Members | undefined): string => {
    const spec = {
      targetRef: { kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      skipAnalysis: true,
      analysis,
    };
    const canary = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { name: 'app' }, spec };
    return parseCanary(canary, { provider: 'traefik', minIntervalMs: 1 }).analysis.strategy.kind;
  };
  it.each<[string, Members | undefined, string]>([
    ['maxWeight [CA01]', { stepWeight: 10, maxWeight: 50 }, 'canary'],
    ['stepWeights [CA02]', { stepWeights: [1, 2] }, 'canary'],
    ['iterations [CA03]', { iterations: 5 }, 'blue-green'],
    ['iterations and match [CA04]', { iterations: 5, match: [{ headers: {} }] }, 'ab-testing'],
    ['no analysis [CA05]', undefined, 'canary'],
    ['an empty analysis [CA06]', {}, 'canary'],
  ])('is told by %s', (_what, analysis, strategy) => {
    expect(strategyOf(analysis)).toBe(strategy);
  });
});
