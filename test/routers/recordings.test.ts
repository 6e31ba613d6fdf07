import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CanarySpec } from '../../src/canary/types.ts';
import { canonicalJson } from '../../src/lib/hash.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import { routerFor } from '../../src/routers/registry.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

type Objects = Record<string, KubeObject>;

function recording(name: string): { before: Objects; after: Objects } {
  const url = new URL(`../../fixtures/golden/objects-promotion.${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as { before: Objects; after: Objects };
}

const service = { name: 'app', port: 9898, targetPort: 'http' };
const target = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'demo', name: 'app' };
const base = { namespace: 'demo', name: 'app', target };
const gatewayRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gw', namespace: 'gw' }];
const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'demo', name: 'app' };

const cases: { file: string; provider: string; key: string; source?: string; spec: Partial<CanarySpec> }[] = [
  { file: 'traefik', provider: 'traefik', key: 'traefik/app', spec: { service: aSpec({ service }).service } },
  { file: 'smi-v1alpha2', provider: 'smi:v1alpha2', key: 'split/app', spec: { service: aSpec({ service }).service } },
  {
    file: 'gatewayapi-v1',
    provider: 'gatewayapi:v1',
    key: 'httproute/app',
    spec: { service: aSpec({ service: { ...service, raw: { hosts: ['app.example.org'], gatewayRefs } } }).service },
  },
  {
    file: 'nginx',
    provider: 'nginx',
    key: 'ingress/app-canary',
    source: 'ingress/app',
    spec: { service: aSpec({ service }).service, ingressRef },
  },
];

/** Recordings have no uids. */
function recorded(object: KubeObject): KubeObject {
  const { ownerReferences = [], ...metadata } = object.metadata;
  return {
    ...object,
    metadata: { ...metadata, ownerReferences: ownerReferences.map((owner) => ({ ...owner, uid: 'uid-of-canary' })) },
  };
}

describe.each(cases)('a promotion recorded from Flagger with $provider', ({ file, provider, key, source, spec }) => {
  const { before, after } = recording(file);
  const router = routerFor(provider);
  const context = aRouteContext({ ...aSpec(base), provider, ...spec });
  const sourceObject = source === undefined ? [] : [before[source]];

  it('starts with the object that we create', () => {
    const plan = planRoutes(router, context, [...sourceObject, undefined], 'keep');
    expect(plan.map(({ object }) => object)).toEqual([recorded(before[key] as KubeObject)]);
    expect(plan.map(({ over }) => over)).toEqual([undefined]);
  });

  it('leaves an object behind that we take over without a write', () => {
    const live = [...sourceObject, recorded(after[key] as KubeObject)];
    expect(planRoutes(router, context, live, 'keep')).toEqual([]);
  });

  it('comes back to it byte for byte after all steps', () => {
    let live: (KubeObject | undefined)[] = [...sourceObject, recorded(before[key] as KubeObject)];
    for (const canaryWeight of [10, 20, 30, 40, 50, 0]) {
      const plan = planRoutes(router, context, live, { canaryWeight, mirror: false });
      expect(plan).toHaveLength(1);
      live = [...sourceObject, plan[0]?.object];
      expect(router.read(context, live)).toEqual({ canaryWeight, mirror: false });
    }
    expect(canonicalJson(live.at(-1))).toBe(canonicalJson(recorded(after[key] as KubeObject)));
  });
});

it('records no routing object for the plain provider', () => {
  const kinds = Object.keys(recording('kubernetes').after).map((key) => key.split('/')[0]);
  expect(new Set(kinds)).toEqual(new Set(['configmap', 'deployment', 'service']));
});
