import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CanarySpec } from '../../src/canary/types.ts';
import { canonicalJson } from '../../src/lib/hash.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { jsonOf } from '../../src/lib/json.ts';
import { listOf } from '../../src/routers/objects.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import { routerFor } from '../../src/routers/registry.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

type Objects = Record<string, KubeObject>;
type Weights = Readonly<Record<string, unknown>>;

const read = <T>(file: string): T =>
  JSON.parse(readFileSync(new URL(`../../fixtures/golden/${file}.json`, import.meta.url), 'utf8')) as T;

const service = { name: 'app', port: 9898, targetPort: 'http' };
const target = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'demo', name: 'app' };
const base = { namespace: 'demo', name: 'app', target };
const gatewayRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gw', namespace: 'gw' }];
const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'demo', name: 'app' };
const plain = aSpec({ service }).service;
const meshed = aSpec({
  service: { ...service, raw: { hosts: ['app.example.org'], gateways: ['istio-system/public'] } },
}).service;
const insiders = aSpec({
  analysis: {
    strategy: { kind: 'ab-testing', iterations: 3, match: [{ headers: { 'x-canary': { exact: 'insider' } } }] },
  },
}).analysis;

interface Case {
  readonly file: string;
  readonly provider: string;
  /** As the recording names them, in the order in which the router reads them. */
  readonly keys: readonly string[];
  readonly source?: string;
  readonly spec: Partial<CanarySpec>;
  readonly steps?: readonly number[];
}

const istioKeys = ['destinationrule/app-canary', 'destinationrule/app-primary', 'virtualservice/app'];
const cases: readonly Case[] = [
  { file: 'promotion.traefik', provider: 'traefik', keys: ['traefik/app'], spec: { service: plain } },
  { file: 'promotion.smi-v1alpha2', provider: 'smi:v1alpha2', keys: ['split/app'], spec: { service: plain } },
  {
    file: 'promotion.gatewayapi-v1',
    provider: 'gatewayapi:v1',
    keys: ['httproute/app'],
    spec: { service: aSpec({ service: { ...service, raw: { hosts: ['app.example.org'], gatewayRefs } } }).service },
  },
  {
    file: 'promotion.nginx',
    provider: 'nginx',
    keys: ['ingress/app-canary'],
    source: 'ingress/app',
    spec: { service: plain, ingressRef },
  },
  { file: 'promotion.contour', provider: 'contour', keys: ['httpproxy/app'], spec: { service: plain } },
  { file: 'promotion.istio', provider: 'istio', keys: istioKeys, spec: { service: meshed } },
  {
    file: 'ab-testing.istio',
    provider: 'istio',
    keys: istioKeys,
    spec: { service: meshed, analysis: insiders },
    steps: [100, 0],
  },
];

/** Recordings have no uids. */
function recorded(object: KubeObject | undefined): KubeObject {
  if (!object) throw new Error('not in the recording');
  const { ownerReferences = [], ...metadata } = object.metadata;
  return {
    ...object,
    metadata: { ...metadata, ownerReferences: ownerReferences.map((owner) => ({ ...owner, uid: 'uid-of-canary' })) },
  };
}

describe.each(cases)('the routes recorded from Flagger in $file', ({ file, provider, keys, source, spec, steps }) => {
  const { before, after } = read<{ before: Objects; after: Objects }>(`objects-${file}`);
  const router = routerFor(provider);
  const context = aRouteContext({ ...aSpec(base), provider, ...spec });
  const sources = source === undefined ? [] : [before[source]];
  const recordedOf = (objects: Objects): KubeObject[] => keys.map((key) => recorded(objects[key]));

  it('start with the objects that we create', () => {
    const plan = planRoutes(router, context, [...sources, ...keys.map(() => undefined)], 'keep');
    expect(plan.map(({ object }) => object)).toEqual(recordedOf(before));
    expect(plan.map(({ over }) => over)).toEqual(keys.map(() => undefined));
  });

  it('are left behind as objects that we take over without a write', () => {
    expect(planRoutes(router, context, [...sources, ...recordedOf(after)], 'keep')).toEqual([]);
  });

  it('come back to them byte for byte after all steps', () => {
    let live: (KubeObject | undefined)[] = [...sources, ...recordedOf(before)];
    for (const canaryWeight of steps ?? [10, 20, 30, 40, 50, 0]) {
      const plan = planRoutes(router, context, live, { canaryWeight, mirror: false });
      expect(plan).toHaveLength(1);
      live = live.map((object) => plan.find(({ over }) => over === object)?.object ?? object);
      expect(router.read(context, live)).toEqual({ canaryWeight, mirror: false });
    }
    expect(canonicalJson(live.slice(sources.length))).toBe(canonicalJson(recordedOf(after)));
  });
});

/** Every weight of every rule, as the recordings write them: `0:app-primary`. */
function weightsIn(rules: readonly unknown[], listName: string): Weights {
  return Object.fromEntries(
    rules.flatMap((rule, at) =>
      listOf(jsonOf(rule)[listName]).flatMap(({ name, destination, weight }) =>
        weight === undefined ? [] : [[`${at}:${String(name ?? jsonOf(destination)['host'])}`, weight]],
      ),
    ),
  );
}

describe.each([
  { file: 'promotion.istio', provider: 'istio', spec: { service: meshed } },
  { file: 'blue-green.istio', provider: 'istio', spec: { service: meshed } },
  { file: 'ab-testing.istio', provider: 'istio', spec: { service: meshed, analysis: insiders } },
  { file: 'promotion.contour', provider: 'contour', spec: { service: plain } },
])('the weights recorded from Flagger in $file', ({ file, provider, spec }) => {
  it('are ours, rule by rule', () => {
    const router = routerFor(provider);
    const context = aRouteContext({ ...aSpec(base), provider, ...spec });
    const { weights } = read<{ weights: readonly Weights[] }>(file);
    expect(weights.length).toBeGreaterThan(2);
    for (const { t: _t, object: _object, ...recordedWeights } of weights) {
      const canaryWeight = Number(recordedWeights['0:app-canary'] ?? 0);
      const live = router.refs(context).map(() => undefined);
      const route = router.render(context, { canaryWeight, mirror: false }, live).at(-1);
      const { http, routes } = jsonOf(route?.['spec']);
      const ours = http ? weightsIn(listOf(http), 'route') : weightsIn(listOf(routes), 'services');
      expect(ours).toEqual(recordedWeights);
    }
  });
});

it('records no routing object for the plain provider', () => {
  const { after } = read<{ after: Objects }>('objects-promotion.kubernetes');
  expect(new Set(Object.keys(after).map((key) => key.split('/')[0]))).toEqual(
    new Set(['configmap', 'deployment', 'service']),
  );
});
