import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settings } from '../../src/config/settings.ts';
import { waveOf } from '../../src/manifest/order.ts';
import { refKey } from '../../src/manifest/types.ts';
import { metricProviders } from '../../src/metrics/registry.ts';
import type { MetricProvider } from '../../src/metrics/provider.ts';
import { notifiers } from '../../src/notifiers/registry.ts';
import type { Notifier } from '../../src/notifiers/notifier.ts';
import { defaultRouterSettings, routers } from '../../src/routers/registry.ts';
import type { Router } from '../../src/routers/router.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const root = join(import.meta.dirname, '../..');

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly enum?: readonly string[];
}

/** `spec.provider.type` of the definition, without what lists hold. */
function fieldOf(definition: string, path: string): Schema | undefined {
  const text = readFileSync(join(root, `manifests/crds/${definition}.flagger.app.yaml`), 'utf8');
  const { spec } = parse(text, { maxAliasCount: -1 }) as {
    readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
  };
  return path
    .split('.')
    .reduce<Schema | undefined>((schema, name) => schema?.properties?.[name], spec.versions[0]?.schema.openAPIV3Schema);
}

const route = { namespace: 'prod', name: 'shop' };
const routeRef = { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', ...route };
const upstreamRef = { apiVersion: 'gloo.solo.io/v1', kind: 'Upstream', ...route };
const allRouters = Object.entries<Router>(routers);
/** Ways in that Canaries of some routers name. */
const waysIn = [
  { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'prod', name: 'shop' },
  { apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRoute', namespace: 'prod', name: 'shop' },
];

/** Absent: the Canary makes its route. */
const usersRoutes = [
  undefined,
  ...[
    ['v1', 'GRPCRoute'],
    ['v1alpha2', 'TCPRoute'],
    ['v1alpha2', 'TLSRoute'],
  ].map(([version, kind = '']) => ({
    routeRef: { apiVersion: `gateway.networking.k8s.io/${version}`, kind, namespace: 'prod', name: 'shop' },
  })),
];

describe('providers', () => {
  it('are those that the definitions take', () => {
    const enumOf = (definition: string, path: string): readonly string[] =>
      [...(fieldOf(definition, path)?.enum ?? [])].sort();
    expect(enumOf('canaries', 'spec.provider')).toEqual(['', ...Object.keys(routers)].sort());
    expect(enumOf('metrictemplates', 'spec.provider.type')).toEqual(Object.keys(metricProviders).sort());
    expect(enumOf('alertproviders', 'spec.type')).toEqual(Object.keys(notifiers).sort());
  });

  it('stand in their registries under their own names, and say what they are', () => {
    const all: readonly (readonly [string, Router | MetricProvider | Notifier])[] = [
      ...allRouters,
      ...Object.entries(metricProviders),
      ...Object.entries(notifiers),
    ];
    expect(all.length).toBeGreaterThan(20);
    for (const [name, { name: own, about }] of all) {
      expect(own).toBe(name);
      expect(about.title).not.toBe('');
      expect(about.url).toMatch(/^https:\/\/[^ ]+$/);
    }
  });
});

describe.each(allRouters)('router %s', (name, router) => {
  it('declares every kind that it names, and no other', () => {
    const named = waysIn.flatMap((ingressRef) =>
      usersRoutes.flatMap((service) =>
        router
          .refs(
            aRouteContext(
              aSpec({ provider: name, ingressRef, routeRef, upstreamRef, ...(service ? { service } : {}) }),
            ),
          )
          .map(({ apiVersion, kind }) => `${apiVersion}/${kind}`),
      ),
    );
    expect(new Set(named)).toEqual(new Set(router.kinds.map(({ apiVersion, kind }) => `${apiVersion}/${kind}`)));
  });

  it('writes objects that are applied after what they lead to', () => {
    const service = waveOf({ apiVersion: 'v1', kind: 'Service' });
    for (const { apiVersion, kind } of router.kinds) {
      // The target itself, and Services, which are only read.
      if (kind === 'Service') continue;
      expect(waveOf({ apiVersion, kind }), refKey({ apiVersion, kind, namespace: '', name: '' })).toBeGreaterThan(
        service,
      );
    }
  });

  it('declares fields of a Canary and settings that there are', () => {
    for (const field of router.fields ?? []) expect(fieldOf('canaries', field), field).toBeDefined();
    for (const [setting, fallback] of Object.entries(router.settings ?? {})) {
      expect(
        settings.find((one) => one.name === setting),
        setting,
      ).toMatchObject({ kind: 'text', default: fallback });
      expect(defaultRouterSettings[setting]).toBe(fallback);
    }
  });

  it('declares mirroring as a field where it can, and no hint to users that it can tell apart anyway', () => {
    expect(router.fields?.includes('spec.analysis.mirror') ?? false).toBe(router.supports.mirror);
    if (router.usersHint !== undefined && router.supports.headers) expect('supportsFor' in router).toBe(true);
  });
});
