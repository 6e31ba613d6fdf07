import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { appsOf } from '../../src/canary/app.ts';
import { configChecksum, configRefsOf, isTrackedConfig, renderConfigCopy } from '../../src/canary/configs.ts';
import { createPrimary, type PrimarySource, primaryRuns, promotePrimary } from '../../src/canary/primary.ts';
import { rolloutState } from '../../src/canary/targets/deployment.ts';
import { renderService, type ServiceInput } from '../../src/canary/services.ts';
import { isComparableHash, templateHash } from '../../src/canary/template-hash.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import type { KubeObject, Manifest } from '../../src/manifest/types.ts';
import { decideSettings } from '../helpers/rollout.ts';

interface Objects {
  readonly before: Readonly<Record<string, KubeObject>>;
  readonly after: Readonly<Record<string, KubeObject>>;
}
/** What a real Flagger made of a real target: fixtures/golden. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/golden/objects-promotion.traefik.json'), 'utf8'),
) as Objects;

const canary: KubeObject = {
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'app', namespace: 'demo', uid: 'u1' },
};
function recordedObject(name: string, when: keyof Objects = 'before'): KubeObject {
  const object = recorded[when][name];
  if (!object) throw new Error(`no ${name} in the recording`);
  return structuredClone(object);
}
function sourceOf(target: KubeObject): PrimarySource {
  const configs = { 'configmap/app-config': '2235949c9300a80d' };
  return {
    canary,
    target,
    selector: { label: 'app', value: 'app' },
    templateHash: 'v1-x',
    configs,
    replicas: 1,
    settings: decideSettings,
  };
}
/** Ids, uids and what controllers write are not compared. */
function comparable(object: KubeObject): unknown {
  const text = JSON.stringify(object, (key, value: unknown) =>
    key === 'uid' || key === 'deployment.kubernetes.io/revision' ? undefined : value,
  );
  return JSON.parse(text.replace(/"flagger-id":"[^"]*"/, '"flagger-id":"<uuid>"')) as unknown;
}

describe('the primary', () => {
  it('is made as Flagger makes it', () => {
    const made = createPrimary(sourceOf(recordedObject('deployment/app')));
    expect(comparable(made)).toEqual(comparable(recordedObject('deployment/app-primary')));
  });

  it('is promoted as Flagger promotes it', () => {
    const live = createPrimary(sourceOf(recordedObject('deployment/app')));
    const promoted = promotePrimary(live, sourceOf(recordedObject('deployment/app', 'after')));
    expect(comparable(promoted)).toEqual(comparable(recordedObject('deployment/app-primary', 'after')));
  });

  it('is known to run what it was made from, also where Flagger made it', () => {
    const source = sourceOf(recordedObject('deployment/app'));
    expect(primaryRuns(createPrimary(source), source)).toBe(true);
    expect(primaryRuns(recordedObject('deployment/app-primary'), source)).toBe(true);
    expect(
      primaryRuns(recordedObject('deployment/app-primary'), sourceOf(recordedObject('deployment/app', 'after'))),
    ).toBe(false);
  });

  it("keeps away from its own kind, not from the canary's", () => {
    const target = recordedObject('deployment/app');
    const { template } = target['spec'] as { template: { spec: Record<string, unknown> } };
    const labelSelector = { matchLabels: { app: 'app', tier: 'app' } };
    const term = {
      labelSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['app', 'other'] }] },
      topologyKey: 'zone',
    };
    template.spec['topologySpreadConstraints'] = [{ labelSelector }];
    template.spec['affinity'] = {
      podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] },
      podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }] },
    };
    expect(createPrimary(sourceOf(target))['spec']).toMatchObject({
      template: {
        spec: {
          topologySpreadConstraints: [{ labelSelector: { matchLabels: { app: 'app-primary', tier: 'app' } } }],
          affinity: {
            podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] },
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { podAffinityTerm: { labelSelector: { matchExpressions: [{ values: ['app-primary', 'other'] }] } } },
              ],
            },
          },
        },
      },
    });
  });

  it('keeps its replicas where the target has none', () => {
    const live = createPrimary({ ...sourceOf(recordedObject('deployment/app')), replicas: 3 });
    expect(promotePrimary(live, { ...sourceOf(recordedObject('deployment/app')), replicas: 0 })['spec']).toMatchObject({
      replicas: 3,
    });
  });

  it("gets included labels and annotations, never Flux's", () => {
    const target = recordedObject('deployment/app');
    target.metadata.labels = { app: 'app', 'example.org/a': '1', 'kustomize.toolkit.fluxcd.io/name': 'x' };
    const settings = { ...decideSettings, includeLabelPrefix: ['example.org', '*'] };
    const made = createPrimary({ ...sourceOf(target), settings });
    expect(made.metadata.labels).toEqual({ app: 'app-primary', 'example.org/a': '1' });
  });
});

describe('the services', () => {
  const spec = parseCanary(
    {
      ...canary,
      spec: {
        targetRef: { name: 'app', kind: 'Deployment' },
        service: { port: 9898, targetPort: 'http' },
        analysis: { stepWeight: 10 },
      },
    },
    { provider: 'traefik', minIntervalMs: 1 },
  );
  const input = (role: ServiceInput['role'], over: Partial<ServiceInput> = {}): ServiceInput => ({
    spec,
    canary,
    target: recordedObject('deployment/app'),
    selector: { label: 'app', value: 'app' },
    role,
    leadsTo: role === 'canary' ? 'canary' : 'primary',
    live: undefined,
    ...over,
  });

  it.each([
    ['apex', 'service/app'],
    ['primary', 'service/app-primary'],
    ['canary', 'service/app-canary'],
  ] as const)('are made as Flagger makes them: %s', (role, name) => {
    const made = renderService(input(role));
    const gold = recordedObject(name);
    expect(comparable({ ...gold, spec: { ...(gold['spec'] as object), ...(made['spec'] as object) } })).toEqual(
      comparable(gold),
    );
    expect(comparable({ ...made, spec: {} })).toEqual(comparable({ ...gold, spec: {} }));
  });

  it('are left alone where nothing differs, and brought back where it does', () => {
    const live = recordedObject('service/app');
    live.metadata.ownerReferences = live.metadata.ownerReferences?.map((owner) => ({ ...owner, uid: 'u1' })) ?? [];
    expect(renderService(input('apex', { live }))).toBe(live);
    const changed = { ...live, spec: { ...(live['spec'] as object), selector: { app: 'elsewhere' }, ports: [] } };
    expect(renderService(input('apex', { live: changed }))).toEqual(live);
  });

  it('keep node ports, and the metadata of a Service that was there before', () => {
    const ports = [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80, nodePort: 30_000 }];
    const live = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'app', labels: { mine: 'yes' } },
      spec: { clusterIP: '10.0.0.1', selector: { app: 'app' }, ports },
    };
    expect(renderService(input('apex', { live }))).toMatchObject({
      metadata: { labels: { mine: 'yes' } },
      spec: { clusterIP: '10.0.0.1', selector: { app: 'app-primary' }, ports: [{ port: 9898, nodePort: 30_000 }] },
    });
  });

  it('find the other ports of the containers', () => {
    const target = recordedObject('deployment/app');
    const { template } = target['spec'] as { template: { spec: { containers: { name: string; ports: unknown[] }[] } } };
    template.spec.containers = [
      {
        name: 'podinfo',
        ports: [
          { name: 'http', containerPort: 9898 },
          { name: 'http-metrics', containerPort: 8080 },
          { containerPort: 8888 },
        ],
      },
      { name: 'istio-proxy', ports: [{ containerPort: 15_090 }] },
    ];
    const discovering = { ...spec, service: { ...spec.service, portDiscovery: true } };
    const { ports } = renderService(input('canary', { target, spec: discovering }))['spec'] as {
      ports: { name: string; port: number }[];
    };
    expect(ports.map(({ name, port }) => `${name} ${port}`)).toEqual([
      'http 9898',
      'http-metrics 8080',
      'tcp-podinfo-2 8888',
    ]);
  });
});

describe('readiness', () => {
  const deployment = (status: object, spec: object = { replicas: 4 }): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', generation: 2 },
    spec,
    status: { observedGeneration: 2, replicas: 4, updatedReplicas: 4, availableReplicas: 4, ...status },
  });
  const late = [
    { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated' },
    {
      type: 'Available',
      status: 'False',
      reason: 'MinimumReplicasUnavailable',
      lastUpdateTime: '2026-01-01T00:00:00Z',
    },
  ];
  it.each([
    ['ready', {}, 100, 'ready'],
    [
      'older generation',
      { observedGeneration: 1 },
      100,
      'progressing: waiting for rollout to finish: observed deployment generation less than desired generation',
    ],
    [
      'new replicas',
      { updatedReplicas: 1 },
      100,
      'progressing: waiting for rollout to finish: 1 out of 4 new replicas have been updated',
    ],
    [
      'old replicas',
      { replicas: 5 },
      100,
      'progressing: waiting for rollout to finish: 1 old replicas are pending termination',
    ],
    [
      'unavailable',
      { availableReplicas: 1 },
      50,
      'progressing: waiting for rollout to finish: 1 of 2 (readyThreshold 50%) updated replicas are available',
    ],
    ['enough', { availableReplicas: 2 }, 50, 'ready'],
    [
      'deadline',
      { conditions: [{ type: 'Progressing', reason: 'ProgressDeadlineExceeded' }] },
      100,
      'stuck: deployment "app" exceeded its progress deadline',
    ],
    [
      'too few for too long',
      { availableReplicas: 0, conditions: late },
      100,
      'stuck: waiting for rollout to finish: 0 of 4 (readyThreshold 100%) updated replicas are available',
    ],
  ])("is told in Flagger's words: %s [WD10] [WD11]", (_what, status, thresholdPercent, expected) => {
    const found = rolloutState(deployment(status), {
      thresholdPercent,
      deadlineSeconds: 60,
      nowMs: Date.UTC(2026, 0, 1, 0, 1, 1),
    });
    expect(found.kind === 'ready' ? 'ready' : `${found.kind}: ${found.reason}`).toBe(expected);
  });
});

describe('configs', () => {
  const ref = (name: string, optional?: boolean): object => ({
    name,
    key: 'k',
    ...(optional === undefined ? {} : { optional }),
  });
  const target: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', namespace: 'demo' },
    spec: {
      template: {
        spec: {
          volumes: [
            { configMap: { name: 'vol' } },
            { secret: { secretName: 'key' } },
            { projected: { sources: [{ configMap: { name: 'proj' } }, { secret: { name: 'proj' } }] } },
          ],
          initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'init' } }] }],
          containers: [
            {
              name: 'c',
              env: [
                { name: 'A', valueFrom: { configMapKeyRef: ref('env', true) } },
                { name: 'B', valueFrom: { secretKeyRef: ref('env') } },
                { name: 'C', value: 'x' },
              ],
            },
            {
              name: 'd',
              env: [{ name: 'A', valueFrom: { configMapKeyRef: ref('env') } }],
              envFrom: [{ secretRef: { name: 'from', optional: true } }],
            },
          ],
        },
      },
    },
  };

  it('are found wherever pods refer to them; one that is needed anywhere is needed', () => {
    expect(configRefsOf(target).map(({ key, optional }) => `${key}${optional ? '?' : ''}`)).toEqual([
      'configmap/vol',
      'secret/key',
      'configmap/proj',
      'secret/proj',
      'configmap/init',
      'configmap/env',
      'secret/env',
      'secret/from?',
    ]);
  });

  it("have Flagger's checksums", () => {
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } };
    expect(configChecksum({ ...config, data: { message: 'one' } })).toBe('2235949c9300a80d');
    // sha256 of what Go writes: {"b":"\u003ca \u0026 b\u003e"} and null
    expect(configChecksum({ ...config, data: { b: '<a & b>' } })).toBe('0f9eb932e92dd3d3');
    expect(configChecksum(config)).toBe('74234e98afe7498f');
    expect(configChecksum({ ...config, data: { a: '1' }, binaryData: { b: 'AA==' } })).not.toBe(
      configChecksum({ ...config, data: { a: '1' } }),
    );
  });

  it('are tracked unless opted out or of another kind of Secret', () => {
    const secret = (type: string, annotations = {}): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', annotations },
      type,
    });
    expect(isTrackedConfig(secret('Opaque'))).toBe(true);
    expect(isTrackedConfig(secret('kubernetes.io/dockerconfigjson'))).toBe(false);
    expect(isTrackedConfig(secret('Opaque', { 'flagger.app/config-tracking': 'disabled' }))).toBe(false);
    expect(isTrackedConfig(secret('Opaque', { 'flagger.app/config-tracking': 'enabled' }))).toBe(true);
  });

  it('are copied with all their data, and stay with other Canaries that share them', () => {
    const source: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c', namespace: 'demo', labels: { a: 'b' }, annotations: { x: 'y' } },
      data: { k: 'v' },
      binaryData: { b: 'AA==' },
    };
    const other = {
      apiVersion: canary.apiVersion,
      kind: 'Canary',
      name: 'other',
      uid: 'u2',
      controller: true,
      blockOwnerDeletion: true,
    };
    const live = {
      ...source,
      metadata: { name: 'c-primary', namespace: 'demo', resourceVersion: '7', ownerReferences: [other] },
    };
    const copy = renderConfigCopy(source, { canary, live, includeLabelPrefix: [] });
    expect(copy).toMatchObject({ data: { k: 'v' }, binaryData: { b: 'AA==' } });
    expect(copy.metadata).toEqual({
      name: 'c-primary',
      namespace: 'demo',
      resourceVersion: '7',
      ownerReferences: [
        {
          apiVersion: canary.apiVersion,
          kind: 'Canary',
          name: 'app',
          uid: 'u1',
          controller: true,
          blockOwnerDeletion: true,
        },
        { ...other, controller: false },
      ],
    });
  });
});

describe('names of content', () => {
  it('do not depend on the order of members or on what means nothing', () => {
    const hash = templateHash({ metadata: { creationTimestamp: null, labels: { a: '1', b: '2' } }, spec: {} });
    expect(templateHash({ spec: {}, metadata: { labels: { b: '2', a: '1' } } })).toBe(hash);
    expect(hash).toMatch(/^v1-[4-9b-df]+$/);
    expect(isComparableHash(hash)).toBe(true);
    expect(isComparableHash('6ff7d4d4c')).toBe(false);
  });

  it('of an app change with its pods and configs, not with replicas or the Canary', () => {
    const app = (change: { image?: string; replicas?: number; message?: string; interval?: string }) => {
      const target = recordedObject('deployment/app');
      const spec = target['spec'] as { replicas: number; template: { spec: { containers: { image: string }[] } } };
      spec.replicas = change.replicas ?? 1;
      for (const container of spec.template.spec.containers) container.image = change.image ?? 'a:1';
      const config = recordedObject('configmap/app-config');
      config['data'] = { message: change.message ?? 'one' };
      const owner = {
        ...canary,
        spec: { targetRef: { kind: 'Deployment', name: 'app' }, analysis: { interval: change.interval ?? '10s' } },
      };
      const manifests = [target, config, owner].map(
        (object, document): Manifest => ({
          object,
          origin: { renderer: 'plain', path: 'a.yaml', document, line: 1 },
        }),
      );
      const [found] = appsOf(manifests, 'default');
      if (!found) throw new Error('no app');
      return found;
    };
    const first = app({});
    expect(first).toMatchObject({ id: { namespace: 'demo', name: 'app' }, images: { app: 'a:1' } });
    expect(first.configs).toHaveLength(1);
    expect(app({ replicas: 9, interval: '1m' }).content).toBe(first.content);
    expect(app({ image: 'a:2' }).content).not.toBe(first.content);
    expect(app({ message: 'two' }).content).not.toBe(first.content);
  });
});
