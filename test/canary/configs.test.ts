import { describe, expect, it } from 'vitest';
import {
  configChecksum,
  configRefsOf,
  isTrackedConfig,
  mustBeReplaced,
  renderConfigCopy,
  withPrimaryConfigs,
} from '../../src/canary/configs.ts';
import { includedByPrefix } from '../../src/canary/labels.ts';
import { createPrimary, promotePrimary } from '../../src/canary/primary.ts';
import { targets } from '../../src/canary/targets/registry.ts';
import type { ConfigKey, Effect } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, decideSettings } from '../helpers/rollout.ts';

const canaryNamed = (name: string): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name, namespace: 'demo', uid: `uid-of-${name}` },
});
const canary = canaryNamed('app');
const config = (name: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'demo' },
  data: { k: name },
  ...more,
});
const secret = (name: string, more: object = {}): KubeObject => ({ ...config(name), kind: 'Secret', ...more });

/** One reference at each place of a pod that may name a ConfigMap (`c-…`) or a Secret (`s-…`). */
const everywhere = {
  volumes: [
    { name: 'a', configMap: { name: 'c-volume' } },
    { name: 'b', secret: { secretName: 's-volume' } },
    {
      name: 'c',
      projected: { sources: [{ configMap: { name: 'c-projected' } }, { secret: { name: 's-projected' } }] },
    },
    { name: 'd', csi: { driver: 'x', nodePublishSecretRef: { name: 's-csi' } } },
    { name: 'e', emptyDir: {} },
  ],
  imagePullSecrets: [{ name: 's-pull' }],
  ...Object.fromEntries(
    [
      ['initContainers', 'init'],
      ['containers', 'main'],
      ['ephemeralContainers', 'debug'],
    ].map(([field = '', at = '']) => [
      field,
      [
        {
          name: at,
          image: 'app:1',
          env: [
            { name: 'A', valueFrom: { configMapKeyRef: { name: `c-${at}-env`, key: 'k' } } },
            { name: 'B', valueFrom: { secretKeyRef: { name: `s-${at}-env`, key: 'k' } } },
            { name: 'C', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          ],
          envFrom: [{ configMapRef: { name: `c-${at}-from` } }, { secretRef: { name: `s-${at}-from` } }],
        },
      ],
    ]),
  ),
};
const places = ['volume', 'projected', 'init-env', 'init-from', 'main-env', 'main-from', 'debug-env', 'debug-from'];
const workload = (kind: 'Deployment' | 'DaemonSet', podSpec: object = everywhere): KubeObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'app', namespace: 'demo' },
  spec: {
    selector: { matchLabels: { app: 'app' } },
    template: { metadata: { labels: { app: 'app' } }, spec: podSpec },
  },
});

describe.each([
  ['Deployment', '[WC02] [WC04]'],
  ['DaemonSet', '[WC03] [WC05]'],
] as const)('the configs of a %s %s', (kind, _ids) => {
  const target = workload(kind);
  const wanted = [...places.map((at) => `configmap/c-${at}`), ...places.map((at) => `secret/s-${at}`)].toSorted();

  it('are found at every place of its pods, of containers for debugging, too [R55]', () => {
    expect(targets[kind].tracksConfigs).toBe(true);
    expect(
      configRefsOf(target)
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(wanted);
  });

  it('are named as their copies in the primary, but for those that are not tracked', () => {
    const configs = Object.fromEntries(wanted.filter((key) => key !== 'configmap/c-init-env').map((key) => [key, 'x']));
    const selector = { label: 'app', value: 'app' };
    const source = {
      canary,
      target,
      selector,
      templateHash: 'v1-x',
      configs,
      replicas: undefined,
      settings: decideSettings,
    };
    const { object: made } = targets[kind].writePrimary(source, undefined);
    const names = configRefsOf(made).map(({ name }) => name);
    expect(names.filter((name) => !name.endsWith('-primary'))).toEqual(['c-init-env']);
    expect(names).toHaveLength(wanted.length);
  });
});

describe('configs', () => {
  it('of storage drivers and image registries are left as they are', () => {
    const keys = configRefsOf(workload('Deployment')).map(({ key }) => key);
    expect(keys).not.toContain('secret/s-csi');
    expect(keys).not.toContain('secret/s-pull');
    expect(withPrimaryConfigs(everywhere, new Set(['secret/s-pull', 'secret/s-csi'] as ConfigKey[]))).toEqual(
      everywhere,
    );
  });

  it.each([
    ['disabled', false],
    ['disable', false],
    ['disable-for-now', false],
    ['enabled', true],
    ['no', true],
    ['', true],
  ])('are left out by the annotation "%s": tracked %s [WC01]', (value, isTracked) => {
    const metadata = { name: 'c', annotations: { 'flagger.app/config-tracking': value } };
    expect(isTrackedConfig(config('c', { metadata }))).toBe(isTracked);
    expect(isTrackedConfig(secret('c', { metadata }))).toBe(isTracked);
  });

  it('that are Secrets of the application are tracked, those of machines are not [WC04] [WC05]', () => {
    const tracked = ['Opaque', 'kubernetes.io/basic-auth', 'kubernetes.io/ssh-auth', 'kubernetes.io/tls'];
    for (const type of tracked) expect(isTrackedConfig(secret('s', { type }))).toBe(true);
    const others = ['kubernetes.io/dockerconfigjson', 'kubernetes.io/service-account-token', 'example.org/own'];
    for (const type of others) expect(isTrackedConfig(secret('s', { type }))).toBe(false);
  });

  it.each([
    [undefined, false],
    [false, false],
    [true, true],
  ])('referred to with optional %s are optional: %s [WC07]', (optional, expected) => {
    const ref = { name: 'c', key: 'k', ...(optional === undefined ? {} : { optional }) };
    const podSpec = { containers: [{ name: 'm', env: [{ name: 'A', valueFrom: { configMapKeyRef: ref } }] }] };
    expect(configRefsOf(workload('Deployment', podSpec))).toMatchObject([{ optional: expected }]);
  });

  it('are needed if any one reference needs them, in whatever order [R52]', () => {
    const from = (optional: boolean): object => ({ configMapRef: { name: 'c', optional } });
    for (const envFrom of [
      [from(true), from(false)],
      [from(false), from(true)],
    ])
      expect(configRefsOf(workload('Deployment', { containers: [{ name: 'm', envFrom }] }))).toMatchObject([
        { name: 'c', optional: false },
      ]);
  });

  it("have Flagger's checksum as long as they hold text only, another one with binary content [R50]", () => {
    expect(configChecksum(config('c', { data: { message: 'one' } }))).toBe('2235949c9300a80d');
    expect(configChecksum(config('c', { data: { message: 'one' }, binaryData: {} }))).toBe('2235949c9300a80d');
    const sums = [{}, { logo: 'AAAA' }, { logo: 'AAAB' }, { other: 'AAAA' }].map((binaryData) =>
      configChecksum(config('c', { data: undefined, binaryData })),
    );
    expect(new Set(sums).size).toBe(4);
    const copy = renderConfigCopy(config('c', { binaryData: { logo: 'AAAA' } }), {
      canary,
      live: undefined,
      includeLabelPrefix: [],
    });
    expect(copy['binaryData']).toEqual({ logo: 'AAAA' });
  });
});

describe('the copy of a config', () => {
  const copyOf = (source: KubeObject, live?: KubeObject, owner = canary, includeLabelPrefix: readonly string[] = []) =>
    renderConfigCopy(source, { canary: owner, live, includeLabelPrefix });

  it('belongs to all Canaries that share it, one of which controls it [WC08]', () => {
    const first = copyOf(config('c'));
    const second = copyOf(config('c'), first, canaryNamed('other'));
    const owners = (object: KubeObject) =>
      object.metadata.ownerReferences?.map(({ name, controller }) => `${name} ${controller}`);
    expect(owners(first)).toEqual(['app true']);
    expect(owners(second)).toEqual(['other true', 'app false']);
    expect(owners(copyOf(config('c'), second))).toEqual(['app true', 'other false']);
  });

  it('carries the labels that are asked for, and none of the annotations [WU01] [WU04]', () => {
    const metadata = {
      name: 'c',
      labels: { 'app.kubernetes.io/name': 'c', team: 'rig', 'kustomize.toolkit.fluxcd.io/name': 'apps' },
      annotations: { note: 'x' },
    };
    const made = copyOf(config('c', { metadata }), undefined, canary, ['app.kubernetes.io']);
    expect(made.metadata).toMatchObject({ name: 'c-primary', labels: { 'app.kubernetes.io/name': 'c' } });
    expect(made.metadata.annotations).toBeUndefined();
  });

  it('is changeable even where the source is not, so that it can follow one that was made anew [R51]', () => {
    const first = copyOf(config('c', { immutable: true }));
    expect(first['immutable']).toBeUndefined();
    expect(mustBeReplaced(first, copyOf(config('c', { immutable: true, data: { k: 'new' } }), first))).toBe(false);
  });

  it('that somebody has made immutable stays as long as its content may, and is replaced after that [R51]', () => {
    const live = { ...copyOf(config('c')), immutable: true };
    const same = copyOf(config('c'), live);
    expect(same['immutable']).toBe(true);
    expect(mustBeReplaced(live, same)).toBe(false);
    expect(mustBeReplaced(live, copyOf(config('c', { data: { k: 'new' } }), live))).toBe(true);
  });

  it('is replaced where a Secret was made anew with another type, which no update may change [R51]', () => {
    const live = copyOf(secret('s', { type: 'Opaque' }));
    expect(mustBeReplaced(live, copyOf(secret('s', { type: 'kubernetes.io/tls' }), live))).toBe(true);
    expect(mustBeReplaced(live, copyOf(secret('s'), live))).toBe(false);
  });
});

describe('labels', () => {
  const labels = {
    'app.kubernetes.io/name': 'a',
    'app.kubernetes.io/part-of': 'b',
    foo: 'c',
    bar: 'd',
    'kustomize.toolkit.fluxcd.io/name': 'e',
  };
  it.each([
    [
      'by prefix',
      ['app.kubernetes.io', 'ba'],
      ['app.kubernetes.io/name', 'app.kubernetes.io/part-of', 'bar'],
      '[WU01]',
    ],
    ['all of them', ['*'], ['app.kubernetes.io/name', 'app.kubernetes.io/part-of', 'bar', 'foo'], '[WU02]'],
    ['none', [], [], '[WU03]'],
    ['none for an empty word', [''], [], '[WU03]'],
  ])('are included %s: %j gives %j %s', (_what, prefixes, wanted) => {
    expect(Object.keys(includedByPrefix(labels, prefixes)).toSorted()).toEqual(wanted);
  });

  it('of a primary are the included ones and its own name, now and after a promotion [WU04]', () => {
    const target = { ...workload('Deployment'), metadata: { name: 'app', namespace: 'demo', labels } };
    const settings = { ...decideSettings, includeLabelPrefix: ['app.kubernetes.io'] };
    const selector = { label: 'app', value: 'web' };
    const source = { canary, target, selector, templateHash: 'v1-x', configs: {}, replicas: 1, settings };
    const wanted = { 'app.kubernetes.io/name': 'a', 'app.kubernetes.io/part-of': 'b', app: 'web-primary' };
    const made = createPrimary(source);
    expect(made.metadata.labels).toEqual(wanted);
    expect(
      promotePrimary({ ...made, metadata: { ...made.metadata, labels: { old: 'x' } } }, source).metadata.labels,
    ).toEqual(wanted);
  });
});

describe('a release of configs', () => {
  const start = (more: Readonly<Record<string, unknown>> = {}) => {
    const canarySpec = {
      ...more,
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      analysis: { interval: '10s', threshold: 2, stepWeight: 50, maxWeight: 50 },
    };
    const world = createModelCluster({ canarySpec });
    const rollout = createRollout({ world, answer: () => ({ kind: 'value', value: 0 }) });
    const run = (seconds: number): void => rollout.run(world.nowMs + seconds * 1_000);
    run(25);
    return { world, rollout, run };
  };
  const begun = (effects: readonly Effect[]): boolean => effects.some(({ kind }) => kind === 'begin-release');

  it('does not begin because one is back at what the primary runs [R54]', () => {
    const { world, rollout, run } = start();
    world.setConfig('two');
    run(11);
    expect(rollout.status.phase).toBe('Progressing');
    world.setConfig('one');
    run(60);
    expect(rollout.status.phase).toBe('Initialized');
    expect(rollout.ticks.filter(({ effects }) => begun(effects))).toHaveLength(1);
  });

  it('does not begin, and says why, while a config that pods need is not there', () => {
    const { world, rollout, run } = start();
    world.setImage('example.org/app:2.0.0');
    const { objects } = world;
    const kept = objects.get('ConfigMap/app-config');
    objects.delete('ConfigMap/app-config');
    run(30);
    expect(rollout.status.phase).toBe('Initialized');
    expect(JSON.stringify(rollout.ticks.at(-1)?.effects)).toContain(
      'configmap app-config.demo get query error: configmaps \\"app-config\\" not found',
    );
    if (kept) objects.set('ConfigMap/app-config', kept);
    run(60);
    expect(rollout.status.phase).toBe('Succeeded');
  });

  it.each(['with its checks', 'without an analysis'])(
    'ends when a config that its pods need has gone for longer than the deadline, and waits for one that comes back: %s',
    (how) => {
      const { world, rollout, run } = start({
        progressDeadlineSeconds: 60,
        ...(how === 'without an analysis' ? { skipAnalysis: true } : {}),
      });
      const { objects } = world;
      const kept = objects.get('ConfigMap/app-config');
      const back = (): unknown => kept && objects.set('ConfigMap/app-config', kept);
      const passed = (tag: string): void => {
        world.setImage(`example.org/app:${tag}`);
        run(1);
        expect(rollout.status.phase).toBe('Progressing');
        objects.delete('ConfigMap/app-config');
      };
      passed('2.0.0');
      run(55);
      expect(rollout.status).toMatchObject({
        phase: 'Progressing',
        analysis: { held: { cause: 'unpromotable' } },
      });
      back();
      run(60);
      expect(rollout.status.phase).toBe('Succeeded');
      passed('3.0.0');
      run(180);
      expect(rollout.status).toMatchObject({ phase: 'Failed', canaryWeight: 0 });
      expect(rollout.status.analysis).not.toHaveProperty('held');
      const ended = rollout.ticks.flatMap(({ effects }) => effects).findLast(({ kind }) => kind === 'end-release');
      expect(ended).toMatchObject({
        verdict: 'rolled-back',
        failedCheck: { name: 'promotion', found: { kind: 'unpromotable', why: 'ConfigMap app-config is missing' } },
      });
    },
  );
});
