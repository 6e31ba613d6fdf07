import { describe, expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import { hpa } from '../../src/canary/scalers/hpa.ts';
import { primaryQuery, scaledObject } from '../../src/canary/scalers/scaled-object.ts';
import { isScalerBehind, renderPrimaryScaler, type Scaler } from '../../src/canary/scalers/scaler.ts';
import type { Answer, AutoscalerSpec, Effect } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';

const canary: KubeObject = {
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'app', namespace: 'demo', uid: 'uid-of-canary' },
};
const paused = 'autoscaling.keda.sh/paused-replicas';
const transfer = 'scaledobject.keda.sh/transfer-hpa-ownership';

const anHpa = (spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'app', namespace: 'demo', ...metadata },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    minReplicas: 2,
    maxReplicas: 4,
    metrics: [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 99 } } },
      { type: 'Pods', pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '100' } } },
    ],
    behavior: { scaleDown: { stabilizationWindowSeconds: 30 } },
    ...spec,
  },
});
const aScaledObject = (
  metadata: object = {},
  query = 'sum(rate(http_requests{app="app-canary"}[2m]))',
): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name: 'app', namespace: 'demo', ...metadata },
  spec: {
    scaleTargetRef: { name: 'app', envSourceContainerName: 'app' },
    pollingInterval: 10,
    initialCooldownPeriod: 5,
    minReplicaCount: 3,
    maxReplicaCount: 9,
    advanced: { horizontalPodAutoscalerConfig: { name: 'app-hpa', behavior: {} }, restoreToOriginalReplicaCount: true },
    triggers: [
      { type: 'prometheus', name: 'rps', metadata: { serverAddress: 'http://prometheus', query } },
      { type: 'cron', metadata: { start: '0 8 * * *' } },
    ],
  },
});
const specOf = (scaler: Scaler, more: Partial<AutoscalerSpec> = {}): AutoscalerSpec => ({
  ref: { ...scaler.ref, namespace: 'demo', name: 'app' },
  kind: scaler.kind,
  ...more,
});
const rendered = (
  scaler: Scaler,
  source: KubeObject,
  { live, ...more }: Partial<AutoscalerSpec> & { readonly live?: KubeObject } = {},
): KubeObject => renderPrimaryScaler(scaler, { spec: specOf(scaler, more), canary, target: 'app', source }, live);

describe("the primary's HorizontalPodAutoscaler", () => {
  it('scales the primary by the same numbers and measures [WH01] [WH02]', () => {
    const source = anHpa(
      {},
      { labels: { team: 'rig', 'kustomize.toolkit.fluxcd.io/name': 'apps' }, annotations: { a: 'b' } },
    );
    const made = rendered(hpa, source);
    const { minReplicas, maxReplicas, metrics, behavior } = source['spec'] as Record<string, unknown>;
    expect(made).toMatchObject({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' });
    expect(made['spec']).toEqual({
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app-primary' },
      minReplicas,
      maxReplicas,
      metrics,
      behavior,
    });
    expect(made.metadata).toMatchObject({ name: 'app-primary', namespace: 'demo', labels: { team: 'rig' } });
    expect(Object.keys(made.metadata.annotations ?? {})).toEqual(['serin.dev/made-of']);
    expect(made.metadata.ownerReferences).toMatchObject([{ kind: 'Canary', uid: 'uid-of-canary', controller: true }]);
  });

  it('has the numbers that the Canary names for it [WH02]', () => {
    expect(rendered(hpa, anHpa(), { primaryMinReplicas: 5, primaryMaxReplicas: 20 })['spec']).toMatchObject({
      minReplicas: 5,
      maxReplicas: 20,
    });
  });

  it('is brought up to date, labels too, and is not written where nothing differs [R36]', () => {
    const live = rendered(hpa, anHpa({}, { labels: { team: 'rig' } }));
    live.metadata.resourceVersion = '7';
    expect(rendered(hpa, anHpa({}, { labels: { team: 'rig' } }), { live })).toBe(live);
    expect(
      rendered(hpa, anHpa({}, { labels: { team: 'rig' }, annotations: { note: 'of the target' } }), { live }),
    ).toBe(live);
    const changed = rendered(hpa, anHpa({ maxReplicas: 10 }, { labels: { team: 'web' } }), { live });
    expect(changed).toMatchObject({
      metadata: { labels: { team: 'web' }, resourceVersion: '7' },
      spec: { maxReplicas: 10 },
    });
  });
});

describe("the primary's ScaledObject", () => {
  it('scales the primary, by its own queries and an autoscaler of its own [WK01]', () => {
    const made = rendered(scaledObject, aScaledObject({ annotations: { [transfer]: 'true' } }), {
      primaryMaxReplicas: 5,
    });
    expect(made['spec']).toEqual({
      scaleTargetRef: { name: 'app-primary', envSourceContainerName: 'app' },
      pollingInterval: 10,
      initialCooldownPeriod: 5,
      minReplicaCount: 3,
      maxReplicaCount: 5,
      advanced: {
        horizontalPodAutoscalerConfig: { name: 'app-hpa-primary', behavior: {} },
        restoreToOriginalReplicaCount: true,
      },
      triggers: [
        {
          type: 'prometheus',
          name: 'rps',
          metadata: { serverAddress: 'http://prometheus', query: 'sum(rate(http_requests{app="app-primary"}[2m]))' },
        },
        { type: 'cron', metadata: { start: '0 8 * * *' } },
      ],
    });
    expect(made.metadata.annotations).toMatchObject({ [transfer]: 'true' });
  });

  it('is never paused because the target is [R7]', () => {
    const source = aScaledObject({ annotations: { [paused]: '0', 'autoscaling.keda.sh/paused': 'true' } });
    expect(Object.keys(rendered(scaledObject, source).metadata.annotations ?? {})).toEqual(['serin.dev/made-of']);
    // One that was made with that fault is freed; the pause of a person who means the primary stays.
    const live = rendered(scaledObject, source);
    live.metadata.annotations = { ...live.metadata.annotations, [paused]: '0' };
    expect(rendered(scaledObject, source, { live }).metadata.annotations).not.toHaveProperty([paused]);
    live.metadata.annotations = { ...live.metadata.annotations, [paused]: '6' };
    expect(rendered(scaledObject, source, { live }).metadata.annotations).toHaveProperty([paused], '6');
  });

  it("keeps up with the target's labels and annotations, and keeps what KEDA writes of itself [R37]", () => {
    const live = rendered(
      scaledObject,
      aScaledObject({ annotations: { [transfer]: 'true' }, labels: { team: 'rig' } }),
    );
    live.metadata.labels = { ...live.metadata.labels, 'scaledobject.keda.sh/name': 'app-primary' };
    const source = aScaledObject({
      annotations: { [transfer]: 'true', note: 'new' },
      labels: { team: 'web', 'scaledobject.keda.sh/name': 'app' },
    });
    expect(rendered(scaledObject, source, { live }).metadata).toMatchObject({
      labels: { team: 'web', 'scaledobject.keda.sh/name': 'app-primary' },
      annotations: { [transfer]: 'true', note: 'new' },
    });
  });

  it('is known to be behind when the target’s has changed, not when somebody has changed the copy', () => {
    const input = { spec: specOf(scaledObject), canary, target: 'app', source: aScaledObject() };
    const live = renderPrimaryScaler(scaledObject, input, undefined);
    const byHand = { ...live, spec: { ...(live['spec'] as object), maxReplicaCount: 50 } };
    expect(isScalerBehind(scaledObject, input, byHand)).toBe(false);
    expect(isScalerBehind(scaledObject, { ...input, source: aScaledObject({ labels: { a: 'b' } }) }, live)).toBe(true);
    const byFlagger = { ...byHand, metadata: { name: 'app-primary' } };
    expect(isScalerBehind(scaledObject, input, byFlagger)).toBe(true);
    expect(isScalerBehind(scaledObject, input, { ...live, metadata: { name: 'app-primary' } })).toBe(false);
  });

  it.each([
    ['the target', 'rate(r{app="app"}[1m])', 'rate(r{app="app-primary"}[1m])'],
    ['the canary', 'rate(r{app="app-canary"}[1m])', 'rate(r{app="app-primary"}[1m])'],
    ['the primary', 'rate(r{app="app-primary"}[1m])', 'rate(r{app="app-primary"}[1m])'],
    ['all of them', 'a{x="app"} / b{x="app-canary"}', 'a{x="app-primary"} / b{x="app-primary"}'],
    ['its pods', 'a{pod=~"app-[a-z0-9]+-.*"}', 'a{pod=~"app-primary-[a-z0-9]+-.*"}'],
    ['other words', 'app_total{application="my-app",app="x"}', 'app_total{application="my-app",app="x"}'],
  ])('asks about the primary where the query names %s [WK04]', (_what, query, wanted) => {
    expect(primaryQuery(query, 'app')).toBe(wanted);
  });

  it('has the queries that the Canary names for it [WK04]', () => {
    const made = rendered(scaledObject, aScaledObject(), { primaryQueries: { rps: 'sum(up)', other: 'no' } });
    const [first] = (made['spec'] as { triggers: { metadata: { query: string } }[] }).triggers;
    expect(first?.metadata.query).toBe('sum(up)');
    const untouched = rendered(scaledObject, aScaledObject(), { primaryQueries: { other: 'no' } });
    expect(JSON.stringify(untouched['spec'])).toContain('app-canary');
  });

  it('pauses and resumes the target by one annotation [WK02] [WK03]', () => {
    const source = aScaledObject({ annotations: { [transfer]: 'true' } });
    const held = scaledObject.paused?.(source, true);
    expect(held?.metadata.annotations).toEqual({ [transfer]: 'true', [paused]: '0' });
    expect(held && scaledObject.paused?.(held, true)).toBe(held);
    expect(held && scaledObject.paused?.(held, false)?.metadata.annotations).toEqual({ [transfer]: 'true' });
    expect(scaledObject.paused?.(source, false)).toBe(source);
  });
});

describe('an autoscalerRef', () => {
  const parsed = (spec: object) =>
    parseCanary(
      {
        ...canary,
        spec: {
          targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
          service: { port: 80 },
          analysis: { interval: '10s', threshold: 2, stepWeight: 20, maxWeight: 50 },
          ...spec,
        },
      },
      { provider: 'traefik', minIntervalMs: 10_000 },
    );

  it('is read, whatever old version it names', () => {
    const autoscalerRef = {
      apiVersion: 'autoscaling/v2beta2',
      kind: 'HorizontalPodAutoscaler',
      name: 'app',
      primaryScalerReplicas: { minReplicas: 2, maxReplicas: 9 },
    };
    expect(parsed({ autoscalerRef }).autoscaler).toEqual({
      ref: { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', namespace: 'demo', name: 'app' },
      kind: 'HorizontalPodAutoscaler',
      primaryMinReplicas: 2,
      primaryMaxReplicas: 9,
    });
  });

  it('is refused for what scales itself, and for what has no pods [CV08]', () => {
    const autoscalerRef = { kind: 'HorizontalPodAutoscaler', name: 'app' };
    const targetRef = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'app' };
    expect(() => parsed({ autoscalerRef, targetRef, provider: 'knative' })).toThrow(
      "can't use autoscaler with Knative Service",
    );
    expect(() => parsed({ autoscalerRef, targetRef: { ...targetRef, apiVersion: 'v1' } })).toThrow(
      "can't use autoscaler with Service as target",
    );
  });
});

describe('a release of what is autoscaled', () => {
  const analysis = {
    interval: '10s',
    threshold: 2,
    stepWeight: 25,
    maxWeight: 50,
    metrics: [{ name: 'error-rate', templateRef: { name: 'e' }, thresholdRange: { max: 1 } }],
  };
  interface Played {
    readonly world: ModelCluster;
    readonly rollout: Rollout;
    errorRate: number;
    run(seconds: number): void;
    events(): readonly string[];
  }
  const play = (scaler: KubeObject): Played => {
    const canarySpec = {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      autoscalerRef: { kind: scaler.kind, name: 'app' },
      service: { port: 80 },
      analysis,
    };
    const world = createModelCluster({ canarySpec, replicas: 1 });
    world.apply({ kind: 'write', object: scaler, over: undefined });
    const answer = (): Answer => ({ kind: 'value', value: played.errorRate });
    const rollout = createRollout({ world, answer });
    const played: Played = {
      world,
      rollout,
      errorRate: 0,
      run: (seconds) => rollout.run(world.nowMs + seconds * 1_000),
      events: () =>
        rollout.ticks.flatMap(({ effects }) =>
          effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : [])),
        ),
    };
    played.run(25);
    expect(rollout.status.phase).toBe('Initialized');
    return played;
  };
  const scalerOf = ({ world }: Played, name: string): KubeObject | undefined =>
    world.objects.get(`HorizontalPodAutoscaler/${name}`) ?? world.objects.get(`ScaledObject/${name}`);
  const replicasOf = ({ world }: Played, name: string): unknown =>
    (world.deployment(name)?.['spec'] as { replicas: number } | undefined)?.replicas;
  const order = ({ rollout }: Played): string[] =>
    rollout.ticks.flatMap(({ effects }) => effects.flatMap((effect) => wordOf(effect)));
  const wordOf = (effect: Effect): string[] => {
    if (effect.kind === 'scale-target') return [effect.replicas === 0 ? 'down' : 'up'];
    if (effect.kind === 'set-route') return [`to ${effect.split.canaryWeight}`];
    if (effect.kind !== 'write' || effect.object.kind !== 'ScaledObject' || effect.object.metadata.name !== 'app')
      return [];
    return [effect.object.metadata.annotations?.[paused] === '0' ? 'pause' : 'resume'];
  };

  it('starts with the least that its autoscaler allows, and leaves the primary as large as it is', () => {
    const played = play(anHpa());
    expect(scalerOf(played, 'app-primary')?.['spec']).toMatchObject({ scaleTargetRef: { name: 'app-primary' } });
    played.world.setReplicas('app-primary', 7);
    played.world.setImage('example.org/app:2.0.0');
    played.run(11);
    expect(replicasOf(played, 'app')).toBe(2);
    played.run(60);
    expect(played.rollout.status.phase).toBe('Succeeded');
    expect(replicasOf(played, 'app-primary')).toBe(7);
    played.run(30);
    expect(replicasOf(played, 'app-primary')).toBe(7);
  });

  it('is paused before its pods are taken away and resumed before they are asked for [WK02] [WK03]', () => {
    const played = play(aScaledObject());
    expect(order(played)).toEqual(['pause', 'down']);
    played.world.setImage('example.org/app:2.0.0');
    played.run(5);
    expect(order(played).slice(2)).toEqual(['resume', 'up']);
    expect(replicasOf(played, 'app')).toBe(3);
    played.run(80);
    expect(played.rollout.status.phase).toBe('Succeeded');
    expect(order(played).slice(4)).toEqual(['to 25', 'to 50', 'to 0', 'pause', 'down']);
  });

  it('brings a change of the autoscaler to the primary with the promotion, and also when nothing is released [WH02]', () => {
    const played = play(anHpa());
    const change = (maxReplicas: number): void => {
      const live = scalerOf(played, 'app');
      played.world.apply({ kind: 'write', object: { ...anHpa({ maxReplicas }) }, over: live });
    };
    change(10);
    played.run(11);
    expect(scalerOf(played, 'app-primary')?.['spec']).toMatchObject({ maxReplicas: 10 });
    played.world.setImage('example.org/app:2.0.0');
    played.run(11);
    change(12);
    played.run(11);
    expect(scalerOf(played, 'app-primary')?.['spec']).toMatchObject({ maxReplicas: 10 });
    played.run(60);
    expect(played.rollout.status.phase).toBe('Succeeded');
    expect(scalerOf(played, 'app-primary')?.['spec']).toMatchObject({ maxReplicas: 12 });
  });

  const pause = (played: Played, name: string): void => {
    const live = scalerOf(played, name);
    if (!live) return;
    const annotations = { ...live.metadata.annotations, [paused]: '0' };
    played.world.apply({
      kind: 'write',
      object: { ...live, metadata: { ...live.metadata, annotations } },
      over: live,
    });
  };

  it('frees a primary that is paused at no replicas, as Flagger makes them, and says so once [R7]', () => {
    const played = play(aScaledObject());
    pause(played, 'app-primary');
    played.world.setReplicas('app-primary', 0);
    played.run(31);
    expect(scalerOf(played, 'app-primary')?.metadata.annotations).not.toHaveProperty([paused]);
    const said = 'app-primary.demo was kept without pods by its ScaledObject, which is resumed';
    expect(played.events().filter((message) => message === said)).toHaveLength(1);
    expect(scalerOf(played, 'app')?.metadata.annotations).toHaveProperty([paused], '0');
  });

  it('gives no users to a canary whose pods are about to go, and keeps the pods of the users that it has', () => {
    const played = play(aScaledObject());
    played.world.setImage('example.org/app:2.0.0');
    played.run(5);
    pause(played, 'app');
    played.run(10);
    expect(scalerOf(played, 'app')?.metadata.annotations).not.toHaveProperty([paused]);
    expect(played.world.split).toMatchObject({ canaryWeight: 0 });
    played.run(10);
    expect(played.world.split).toMatchObject({ canaryWeight: 25 });
    pause(played, 'app');
    played.run(10);
    expect(scalerOf(played, 'app')?.metadata.annotations).not.toHaveProperty([paused]);
    played.run(60);
    expect(played.rollout.status.phase).toBe('Succeeded');
    expect(scalerOf(played, 'app')?.metadata.annotations).toHaveProperty([paused], '0');
  });

  it('goes no step forward without its autoscaler, says why, and is rolled back all the same [WH01]', () => {
    const played = play(anHpa());
    const missing =
      'HorizontalPodAutoscaler app.demo get query error: horizontalpodautoscalers.autoscaling "app" not found';
    played.world.setImage('example.org/app:2.0.0');
    played.run(15);
    expect(played.rollout.status.canaryWeight).toBe(25);
    played.world.objects.delete('HorizontalPodAutoscaler/app');
    played.run(40);
    expect(played.rollout.status).toMatchObject({ phase: 'Progressing', canaryWeight: 25 });
    expect(played.events()).toContain(missing);
    played.errorRate = 50;
    played.run(40);
    expect(played.rollout.status.phase).toBe('Failed');
    expect(replicasOf(played, 'app')).toBe(0);
    expect(played.world.split).toEqual({ canaryWeight: 0, mirror: false });
    // Nor does a new release begin.
    played.world.setImage('example.org/app:3.0.0');
    played.run(40);
    expect(played.rollout.status.phase).toBe('Failed');
    played.world.apply({ kind: 'write', object: anHpa(), over: undefined });
    played.run(11);
    expect(played.rollout.status.phase).toBe('Progressing');
  });
});
