import { describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import { createPrimary } from '../../src/canary/primary.ts';
import { noveltyOf, primarySource, revisionOf } from '../../src/canary/revision.ts';
import { parseStatus } from '../../src/canary/status.ts';
import { targets } from '../../src/canary/targets/registry.ts';
import type { CanaryStatus, Seen } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { canary, sourceOf } from '../conformance/describe-target.ts';
import { createRollout, decideSettings, type Rollout } from '../helpers/rollout.ts';
import { createTargetWorld, type TargetWorld } from '../helpers/target-world.ts';

type Kind = 'Deployment' | 'DaemonSet';
type Json = Record<string, unknown>;
/** Each kind with the ids of its cases. */
const kinds = (deployment: string, daemonSet: string): readonly (readonly [Kind, string])[] => [
  ['Deployment', deployment],
  ['DaemonSet', daemonSet],
];

const term = (labelSelector: object): object => ({ labelSelector, topologyKey: 'kubernetes.io/hostname' });
const spread = {
  topologySpreadConstraints: [
    { maxSkew: 1, labelSelector: { matchLabels: { app: 'podinfo' } } },
    { maxSkew: 1, labelSelector: { matchLabels: { app: 'other' } } },
  ],
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        term({ matchExpressions: [{ key: 'app', operator: 'In', values: ['podinfo'] }] }),
        term({ matchExpressions: [{ key: 'app', operator: 'In', values: ['other'] }] }),
      ],
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, podAffinityTerm: term({ matchLabels: { app: 'podinfo' } }) },
      ],
    },
  },
};

function aTarget(kind: Kind, { label = 'podinfo', image = 'podinfo:1' } = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: {
      name: 'podinfo',
      namespace: 'demo',
      labels: { app: label, 'app.kubernetes.io/part-of': 'shop', 'kustomize.toolkit.fluxcd.io/name': 'x' },
      annotations: { 'app.kubernetes.io/note': 'kept', other: 'dropped' },
    },
    spec: {
      ...(kind === 'Deployment' ? { replicas: 1 } : {}),
      selector: { matchLabels: { app: label } },
      template: {
        metadata: { labels: { app: label }, annotations: { 'kustomize.toolkit.fluxcd.io/checksum': 'c', mine: 'yes' } },
        spec: {
          containers: [{ name: 'podinfo', image, envFrom: [{ secretRef: { name: 'podinfo-secret' } }] }],
          volumes: [{ name: 'config', configMap: { name: 'podinfo-config' } }],
          ...(kind === 'Deployment' ? spread : {}),
        },
      },
    },
  };
}
const templateOf = (
  object: KubeObject | undefined,
): { metadata: Json; spec: Json & { containers: { image: string }[] } } =>
  at(object, 'spec', 'template') as ReturnType<typeof templateOf>;

interface Staged {
  readonly world: TargetWorld;
  readonly rollout: Rollout;
  readonly step: (times?: number) => void;
}
function stage(kind: Kind, spec: Json = {}): Staged {
  const world = createTargetWorld({
    target: aTarget(kind),
    canarySpec: {
      targetRef: { apiVersion: 'apps/v1', kind, name: 'podinfo' },
      service: { port: 9898 },
      analysis: { interval: '10s', threshold: 3, stepWeight: 50, maxWeight: 50 },
      ...spec,
    },
  });
  const data = { text: 'b25l' };
  world.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'podinfo-config', namespace: 'demo' }, data });
  const metadata = { name: 'podinfo-secret', namespace: 'demo' };
  world.put({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data });
  const rollout = createRollout({ world, answer: () => ({ kind: 'passed' }) });
  return {
    world,
    rollout,
    step(times = 1) {
      for (let count = 0; count < times; count += 1) {
        world.nowMs += 10_000;
        rollout.tick();
      }
    },
  };
}

describe('the primary', () => {
  it.each(kinds('[WD01]', '[WS01]'))(
    'of a %s runs its image under a name of its own, without Flux’s notes %s',
    (kind) => {
      const primary = createPrimary(sourceOf(targets[kind], aTarget(kind)));
      expect(templateOf(primary).spec.containers[0]?.image).toBe('podinfo:1');
      expect(at(primary, 'spec', 'selector')).toEqual({ matchLabels: { app: 'podinfo-primary' } });
      expect(templateOf(primary).metadata['labels']).toEqual({ app: 'podinfo-primary' });
      expect(templateOf(primary).metadata['annotations']).toEqual({ mine: 'yes', 'flagger-id': expect.any(String) });
    },
  );

  it.each(kinds('[WD02]', '[WS02]'))('of a %s is told by the label’s value where that is not the name %s', (kind) => {
    const primary = createPrimary(sourceOf(targets[kind], aTarget(kind, { label: 'podinfo-service' })));
    expect(primary.metadata.name).toBe('podinfo-primary');
    expect(at(primary, 'spec', 'selector')).toEqual({ matchLabels: { app: 'podinfo-service-primary' } });
  });

  it.each(kinds('[WD03]', '[WS03]'))(
    'of a %s is promoted with image, labels and annotations that are to be copied %s',
    (kind) => {
      const settings = { ...decideSettings, includeLabelPrefix: ['app.kubernetes.io'] };
      const primary = createPrimary(sourceOf(targets[kind], aTarget(kind), { settings }));
      const source = sourceOf(targets[kind], aTarget(kind, { image: 'podinfo:2' }), {
        settings,
        configs: { 'configmap/podinfo-config': 'x' },
      });
      const { object } = targets[kind].writePrimary(source, primary);
      expect(templateOf(object).spec.containers[0]?.image).toBe('podinfo:2');
      expect(templateOf(object).spec['volumes']).toEqual([
        { name: 'config', configMap: { name: 'podinfo-config-primary' } },
      ]);
      expect(object.metadata.labels).toEqual({ app: 'podinfo-primary', 'app.kubernetes.io/part-of': 'shop' });
      expect(object.metadata.annotations).toEqual({ 'app.kubernetes.io/note': 'kept' });
      expect(object.metadata.ownerReferences).toEqual(primary.metadata.ownerReferences);
    },
  );

  it('keeps away from pods of its own name, and from others as the target does [WD08]', () => {
    const { spec } = templateOf(createPrimary(sourceOf(targets.Deployment, aTarget('Deployment'))));
    const text = JSON.stringify([spec['topologySpreadConstraints'], spec['affinity']]);
    expect(text.match(/podinfo-primary/g)).toHaveLength(3);
    expect(text.match(/"other"/g)).toHaveLength(2);
    expect(text).not.toContain('"podinfo"');
  });

  it.each(kinds('[WD05]', '[WS04]'))(
    'of a %s shares the configs of the target where they are not tracked %s',
    (kind) => {
      const target = aTarget(kind);
      const settings = { ...decideSettings, configTracking: false };
      const seen = { canary, target, configs: new Map() } as unknown as Seen;
      const revision = revisionOf(targets[kind], target, seen, settings);
      expect(revision).toMatchObject({ configs: undefined, missing: [] });
      const selector = { label: 'app', value: 'podinfo' };
      const source = primarySource(seen, selector, revision, settings, 1);
      expect(source && templateOf(createPrimary(source)).spec['volumes']).toEqual([
        { name: 'config', configMap: { name: 'podinfo-config' } },
      ]);
    },
  );
});

describe('a revision', () => {
  it.each(kinds('[WD06]', '[WS05]'))('of a %s is new, old again, and new again %s', (kind) => {
    const novelty = (image: string, status: Partial<CanaryStatus>): string => {
      const target = aTarget(kind, { image });
      const primary = createPrimary(sourceOf(targets[kind], aTarget(kind)));
      const settings = { ...decideSettings, configTracking: false };
      const seen = { canary, target, primary, configs: new Map() } as unknown as Seen;
      const revision = revisionOf(targets[kind], target, seen, settings);
      const source = primarySource(seen, { label: 'app', value: 'podinfo' }, revision, settings, 1);
      const known = { ...parseStatus(canary), phase: 'Succeeded' as const, ...status };
      return noveltyOf({ kind: targets[kind], status: known, revision, seen, source });
    };
    const hashOf = (image: string): string => sourceOf(targets[kind], aTarget(kind, { image })).templateHash;
    const first = { lastAppliedSpec: hashOf('podinfo:1'), lastPromotedSpec: hashOf('podinfo:1') };
    expect(novelty('podinfo:1', first)).toBe('same');
    expect(novelty('podinfo:2', first)).toBe('new');
    const second = { ...first, lastAppliedSpec: hashOf('podinfo:2') };
    expect(novelty('podinfo:1', second)).toBe('promoted');
    expect(novelty('podinfo:3', second)).toBe('new');
  });
});

describe('a target', () => {
  it.each(kinds('[WD04]', '[WS06]'))('of kind %s goes to zero, and comes back for a new revision %s', (kind) => {
    const { world, step } = stage(kind);
    const pods = (): number => targets[kind].scaling?.replicasOf(world.get(kind, 'podinfo') ?? canary) ?? 0;
    expect(pods()).toBeGreaterThan(0);
    step(2);
    expect(pods()).toBe(0);
    world.push((spec) => ({ ...spec, template: at(aTarget(kind, { image: 'podinfo:2' }), 'spec', 'template') }));
    step();
    expect(pods()).toBeGreaterThan(0);
  });

  it.each(kinds('[WD07]', '[WS07]'))('of kind %s gets its pods back, with a primary and without %s', (kind) => {
    for (const hasPrimary of [true, false]) {
      const { world, step } = stage(kind, { revertOnDeletion: true });
      step(3);
      if (!hasPrimary) world.objects.delete(`${kind}/podinfo-primary`);
      const metadata = { ...world.canary.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
      world.canary = { ...world.canary, metadata };
      step(3);
      expect(targets[kind].scaling?.replicasOf(world.get(kind, 'podinfo') ?? canary)).toBe(1);
      expect(world.canary.metadata.finalizers).toEqual([]);
    }
  });

  it.each(kinds('[WD09]', '[WS08]'))('of kind %s whose primary has just been made is not initialised %s', (kind) => {
    const { world, rollout, step } = stage(kind);
    world.broken.add('podinfo-primary');
    step(3);
    expect(rollout.status.phase).toBe('Initializing');
    world.broken.clear();
    step();
    expect(rollout.status.phase).toBe('Initialized');
  });

  it.each(kinds('[WD09]', '[WS08]'))(
    'of kind %s that is at zero is not ready: nobody judges what does not run (Flagger does) %s',
    (kind) => {
      const { world, step } = stage(kind);
      step(2);
      const object = world.get(kind, 'podinfo');
      const times = { thresholdPercent: 100, deadlineSeconds: 60, nowMs: world.nowMs };
      const found = targets[kind].readiness({ role: 'canary', namespace: 'demo', name: 'podinfo', object, ...times });
      expect(found.kind).toBe('progressing');
    },
  );

  it.each(kinds('[WD12]', '[WS10]'))('of kind %s is told in the status with its configs %s', (kind) => {
    const { rollout, step } = stage(kind);
    step(2);
    expect(rollout.status).toMatchObject({
      phase: 'Initialized',
      failedChecks: 0,
      trackedConfigs: { 'secret/podinfo-secret': expect.stringMatching(/^[0-9a-f]{16}$/) },
      lastAppliedSpec: expect.stringMatching(/^v1-/),
      conditions: [{ type: 'Promoted', status: 'True', message: `${kind} initialization completed.` }],
    });
  });

  it.each(kinds('[WD13] [WD14]', '[WS10]'))('of kind %s counts failed checks and phases in the status %s', (kind) => {
    const { world, rollout, step } = stage(kind, {
      analysis: {
        interval: '10s',
        threshold: 3,
        stepWeight: 50,
        webhooks: [{ name: 'test', type: 'pre-rollout', url: 'http://tester/' }],
      },
    });
    step(2);
    world.push((spec) => ({ ...spec, template: at(aTarget(kind, { image: 'podinfo:2' }), 'spec', 'template') }));
    const refusing = createRollout({ world, answer: () => ({ kind: 'rejected', reason: 'no' }) });
    world.nowMs += 10_000;
    refusing.tick();
    world.nowMs += 10_000;
    refusing.tick();
    expect(rollout.status).toMatchObject({ phase: 'Progressing', failedChecks: 1 });
  });
});

describe('a primary that somebody scaled to nothing', () => {
  it('is not ready, and a promotion gives it pods: the outage is a check that compares pointers [R38]', () => {
    const { world, rollout, step } = stage('Deployment');
    step(2);
    const primary = world.get('Deployment', 'podinfo-primary');
    if (primary) world.put({ ...primary, spec: { ...(primary['spec'] as Json), replicas: 0 } });
    world.push((spec) => ({
      ...spec,
      template: at(aTarget('Deployment', { image: 'podinfo:2' }), 'spec', 'template'),
    }));
    step(2);
    const said = rollout.ticks.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.kind === 'event' ? effect.event.message : [])),
    );
    expect(said).toContain(
      'podinfo-primary.demo not ready: waiting for rollout to finish: 0 of 1 updated replicas are available',
    );
  });

  it('is not written where its replicas are the wanted ones already [R38]', () => {
    const kind = targets.Deployment;
    const source = sourceOf(kind, aTarget('Deployment'));
    const primary = kind.writePrimary(source, kind.writePrimary(source, undefined).object).object;
    expect(kind.writePrimary(source, primary).object).toEqual(primary);
  });
});

describe('the readiness of a DaemonSet', () => {
  const set = (status: object, movedAt = '2026-01-01T00:09:30Z'): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name: 'app',
      namespace: 'demo',
      generation: 2,
      managedFields: [
        { manager: 'maker', time: movedAt, fieldsV1: { 'f:spec': {} } },
        { manager: 'labeller', time: '2026-01-01T00:10:00Z', fieldsV1: { 'f:metadata': {} } },
        { manager: 'kube-controller-manager', subresource: 'status', time: movedAt, fieldsV1: { 'f:status': {} } },
      ],
    } as KubeObject['metadata'],
    spec: {},
    status: {
      observedGeneration: 2,
      desiredNumberScheduled: 4,
      updatedNumberScheduled: 4,
      numberAvailable: 4,
      ...status,
    },
  });
  it.each([
    ['ready', {}, 100, 'ready'],
    [
      'an older generation',
      { observedGeneration: 1 },
      100,
      'canary damonset app.demo not ready with retryable true: waiting for rollout to finish: observed daemonset generation less than desired generation',
    ],
    [
      'new pods',
      { updatedNumberScheduled: 3 },
      100,
      'canary damonset app.demo not ready with retryable true: waiting for rollout to finish: 3 out of 4 new pods have been updated',
    ],
    [
      'pods that do not answer',
      { numberAvailable: 1 },
      100,
      'canary damonset app.demo not ready with retryable true: waiting for rollout to finish: 1 of 4 (readyThreshold 100%) updated pods are available',
    ],
    ['half of them', { numberAvailable: 2 }, 50, 'ready'],
    [
      'fewer than half',
      { numberAvailable: 1 },
      50,
      'canary damonset app.demo not ready with retryable true: waiting for rollout to finish: 1 of 2 (readyThreshold 50%) updated pods are available',
    ],
  ])('is told in Flagger’s words: %s [WS09] [WS10]', (_what, status, thresholdPercent, expected) => {
    expect(told(set(status), thresholdPercent)).toBe(expected);
  });

  it('is over a deadline after the last movement of its spec or status, not after that of its labels [WS09]', () => {
    expect(told(set({ numberAvailable: 1 }, '2026-01-01T00:08:59Z'), 100)).toBe(
      'canary damonset app.demo not ready with retryable false: exceeded its progressDeadlineSeconds: 60',
    );
  });

  it('is waited for where the API server does not tell when it moved', () => {
    const { managedFields: _none, ...metadata } = set({}).metadata as KubeObject['metadata'] & {
      managedFields: unknown;
    };
    expect(told({ ...set({ numberAvailable: 0 }), metadata }, 100)).toContain('retryable true');
  });

  function told(object: KubeObject, thresholdPercent: number): string {
    const found = targets.DaemonSet.readiness({
      role: 'canary',
      namespace: 'demo',
      name: 'app',
      object,
      thresholdPercent,
      deadlineSeconds: 60,
      nowMs: Date.UTC(2026, 0, 1, 0, 10),
    });
    return found.kind === 'ready' ? 'ready' : found.reason;
  }
});
