import { describe, expect, it } from 'vitest';
import { isControlledBy } from '../../src/canary/owner.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { renderService, selectorBefore, type ServiceRole } from '../../src/canary/services.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { canary } from '../conformance/describe-target.ts';

type Json = Record<string, unknown>;

const target: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'app', namespace: 'demo' },
  spec: {
    selector: { matchLabels: { app: 'app' } },
    template: {
      metadata: { labels: { app: 'app', tier: 'front' } },
      spec: {
        containers: [
          {
            name: 'podinfo',
            ports: [
              { name: 'http', containerPort: 9898 },
              { name: 'http-metrics', containerPort: 8080 },
              { containerPort: 8888 },
            ],
          },
          { name: 'istio-proxy', ports: [{ containerPort: 15_090 }] },
        ],
      },
    },
  },
};

function made(role: ServiceRole, service: Json, live?: KubeObject): KubeObject {
  const spec = parseCanary(
    {
      ...canary,
      spec: {
        targetRef: { kind: 'Deployment', name: 'app' },
        service: { port: 9898, ...service },
        analysis: { stepWeight: 10 },
      },
    },
    { provider: 'traefik', minIntervalMs: 1 },
  );
  const leadsTo = role === 'canary' ? 'canary' : 'primary';
  return renderService({ spec, canary, target, selector: { label: 'app', value: 'app' }, role, leadsTo, live });
}
const specOf = (object: KubeObject): Json => object['spec'] as Json;
const portsOf = (object: KubeObject): string[] =>
  (specOf(object)['ports'] as { name: string; port: number; targetPort: unknown }[]).map(
    ({ name, port, targetPort }) => `${name} ${port} ${String(targetPort)}`,
  );
const roles = ['apex', 'primary', 'canary'] as const;
const handsOff = {
  'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
  'helm.toolkit.fluxcd.io/driftDetection': 'disabled',
};

describe('a generated Service', () => {
  it('has the port, the protocol and no address where that is asked for [KR01]', () => {
    for (const role of roles) {
      expect(specOf(made(role, { appProtocol: 'http', headless: true }))).toMatchObject({
        type: 'ClusterIP',
        clusterIP: 'None',
        ports: [{ name: 'http', port: 9898, targetPort: 9898, protocol: 'TCP', appProtocol: 'http' }],
      });
      expect(specOf(made(role, {}))).not.toHaveProperty('clusterIP');
    }
  });

  it('says how traffic is to be spread, when it is made [KR02]', () => {
    for (const role of roles)
      expect(specOf(made(role, { trafficDistribution: 'PreferClose' }))).toMatchObject({
        trafficDistribution: 'PreferClose',
      });
    const live = made('apex', {});
    expect(made('apex', { trafficDistribution: 'PreferClose' }, live)).toBe(live);
  });

  it('follows the Canary [KR03]', () => {
    expect(portsOf(made('canary', { portName: 'grpc' }, made('canary', {})))).toEqual(['grpc 9898 9898']);
  });

  it('is brought back where somebody changed its ports [KR04]', () => {
    const live = made('canary', {});
    const edited = { ...live, spec: { ...specOf(live), ports: [{ name: 'http', port: 1, targetPort: 1 }] } };
    expect(made('canary', {}, edited)).toEqual(live);
  });

  it.each([
    ['no owner', [], false],
    ['another controller', [{ controller: true, uid: 'u2' }], false],
    ['the Canary as an owner that does not control', [{ controller: false, uid: 'u1' }], false],
    ['the Canary as controller', [{ controller: true, uid: 'u1' }], true],
  ])('with %s is the Canary’s or not [KR05]', (_what, owners, expected) => {
    const ownerReferences = owners.map((owner) => ({ apiVersion: 'v1', kind: 'Canary', name: 'app', ...owner }));
    const object = { ...made('apex', {}), metadata: { name: 'app', ownerReferences } };
    expect(isControlledBy(object, canary)).toBe(expected);
  });

  it('has its own labels and annotations, and else only what keeps Flux away [KR07]', () => {
    const custom = { labels: { a: '1' }, annotations: { b: '2' } };
    const ofCanary = made('canary', { canary: custom });
    expect(ofCanary.metadata.labels).toEqual({ a: '1', app: 'app-canary' });
    expect(ofCanary.metadata.annotations).toEqual({ b: '2', ...handsOff });
    for (const role of ['apex', 'primary'] as const) {
      const { name, labels, annotations } = made(role, { canary: custom }).metadata;
      expect(labels).toEqual({ app: name });
      expect(annotations).toEqual(handsOff);
    }
  });

  it('loses labels and annotations that the Canary does not name any more [KR08]', () => {
    const live = made('apex', { apex: { labels: { a: '1' }, annotations: { b: '2' } } });
    const changed = made('apex', { apex: { labels: { c: '3' } } }, live);
    expect(changed.metadata.labels).toEqual({ c: '3', app: 'app' });
    expect(changed.metadata.annotations).toEqual(handsOff);
  });

  it.each([
    ['[KR09]', { annotations: ['theirs'] }, { annotations: { theirs: 'yes' }, labels: {} }],
    ['[KR10]', { labels: ['theirs'] }, { annotations: {}, labels: { theirs: 'yes' } }],
    [
      '[KR11]',
      { annotations: ['theirs', 'absent'], labels: ['theirs'] },
      { annotations: { theirs: 'yes' }, labels: { theirs: 'yes' } },
    ],
  ])('keeps what the Canary says others own, and nothing else %s', (_id, unmanagedMetadata, kept) => {
    const live = made('apex', {});
    const { labels, annotations } = live.metadata;
    const foreign = { theirs: 'yes', extra: 'no' };
    const edited = {
      ...live,
      metadata: {
        ...live.metadata,
        labels: { ...labels, ...foreign, app: 'drifted' },
        annotations: { ...annotations, ...foreign },
      },
    };
    const back = made('apex', { unmanagedMetadata }, edited);
    expect(back.metadata.labels).toEqual({ app: 'app', ...kept.labels });
    expect(back.metadata.annotations).toEqual({ ...handsOff, ...kept.annotations });
  });

  it.each([
    ['[SD13]', {}, ['http 9898 9898', 'http-metrics 8080 8080', 'tcp-podinfo-2 8888 8888']],
    ['[SD14]', { port: 80, targetPort: 9898 }, ['http 80 9898', 'http-metrics 8080 8080', 'tcp-podinfo-2 8888 8888']],
    ['[SD15]', { port: 80, targetPort: 'http' }, ['http 80 http', 'http-metrics 8080 8080', 'tcp-podinfo-2 8888 8888']],
  ])('has all ports of the containers but those of sidecars %s', (_id, service, ports) => {
    expect(portsOf(made('canary', { portDiscovery: true, ...service }))).toEqual(ports);
  });
});

describe('the selector of a Service before its Canary', () => {
  const applied = (selector: unknown): KubeObject => ({
    ...made('apex', {}),
    metadata: {
      name: 'app',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ spec: { selector } }) },
    },
  });

  it('is what kubectl noted, where that leads to the target [KR06]', () => {
    expect(selectorBefore(applied({ app: 'app', tier: 'front' }), target)).toEqual({ app: 'app', tier: 'front' });
    expect(selectorBefore(applied({ app: 'elsewhere' }), target)).toBeUndefined();
    expect(selectorBefore(applied(undefined), target)).toBeUndefined();
    expect(selectorBefore(made('apex', {}), target)).toBeUndefined();
    const broken = { 'kubectl.kubernetes.io/last-applied-configuration': '{' };
    expect(
      selectorBefore({ ...made('apex', {}), metadata: { name: 'app', annotations: broken } }, target),
    ).toBeUndefined();
  });
});
