import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { AnalysisSpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { jsonOf } from '../../src/lib/json.ts';
import { listOf } from '../../src/routers/objects.ts';
import { planRoutes, supportsOf } from '../../src/routers/reconcile.ts';
import { routers } from '../../src/routers/registry.ts';
import type { LiveObjects, RouteContext, Router } from '../../src/routers/router.ts';
import { fillDefaults, prune } from '../../src/sandbox/api/prune.ts';
import type { Schema } from '../../src/sandbox/api/schema.ts';
import { validate } from '../../src/sandbox/api/validate.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

/** `spec` of every kind that the systems' own definitions describe, by `apiVersion/kind`. */
const schemas = new Map(
  ['apisix', 'appmesh', 'appmesh-v1beta1', 'contour', 'gateway-api', 'gloo', 'istio', 'kuma', 'smi', 'traefik'].flatMap(
    (name) => {
      const text = readFileSync(new URL(`../../fixtures/crds/${name}.yaml`, import.meta.url), 'utf8');
      return parseAllDocuments(text).flatMap((document) => {
        const spec = jsonOf(jsonOf(document.toJS())['spec']);
        const kind = String(jsonOf(spec['names'])['kind']);
        return listOf(spec['versions']).map((version) => {
          const { openAPIV3Schema } = jsonOf(version['schema']);
          const schema = jsonOf(jsonOf(openAPIV3Schema)['properties'])['spec'] as Schema;
          return [[spec['group'], version['name'], kind].join('/'), schema] as const;
        });
      });
    },
  ),
);
const resolve = (schema: Schema | undefined): Schema | undefined => schema;

/** What an API server makes of an object: checked, without what it does not know, with its defaults. */
function stored(object: KubeObject): { object: KubeObject; complaints: readonly string[] } {
  const schema = schemas.get(`${object.apiVersion}/${object.kind}`);
  if (!schema) throw new Error(`no schema for ${object.apiVersion} ${object.kind}`);
  const unknown: string[] = [];
  const spec = prune(schema, object['spec'], { resolve, custom: true, unknown });
  fillDefaults(schema, spec, resolve);
  const causes = validate(schema, spec, resolve, 'spec').map(({ field, message }) => `${field}: ${message}`);
  return { object: { ...object, spec }, complaints: [...unknown.map((path) => `unknown field ${path}`), ...causes] };
}

const ingressRef = { apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRoute', namespace: 'prod', name: 'web' };
const web: KubeObject = {
  apiVersion: 'traefik.io/v1alpha1',
  kind: 'IngressRoute',
  metadata: { name: 'web', namespace: 'prod' },
  spec: { routes: [{ kind: 'Rule', match: 'Host(`a`)', services: [{ kind: 'TraefikService', name: 'shop' }] }] },
};
const routeRef = { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', namespace: 'prod', name: 'edge' };
const edge: KubeObject = {
  apiVersion: 'apisix.apache.org/v2',
  kind: 'ApisixRoute',
  metadata: { name: 'edge', namespace: 'prod' },
  spec: {
    http: [
      {
        name: 'main',
        match: { hosts: ['shop.example.com'], paths: ['/*'] },
        timeout: { connect: '5s' },
        plugins: [{ name: 'cors', enable: true, config: { allow_origins: '*' } }],
        backends: [{ serviceName: 'shop', servicePort: 80, resolveGranularity: 'service' }],
      },
    ],
  },
};
const upstreamRef = { apiVersion: 'gloo.solo.io/v1', kind: 'Upstream', namespace: 'prod', name: 'pattern' };
const pattern: KubeObject = {
  apiVersion: 'gloo.solo.io/v1',
  kind: 'Upstream',
  metadata: { name: 'pattern', namespace: 'prod', labels: { a: 'b' } },
  spec: {
    loadBalancerConfig: { leastRequest: { choiceCount: 3 } },
    circuitBreakers: { maxConnections: 10 },
    connectionConfig: { connectTimeout: '1s' },
    useHttp2: true,
    sslConfig: { sni: 'shop' },
  },
};
/** Everything that `spec.service` can say. */
const raw = {
  hosts: ['shop.example.com'],
  gateways: ['edge/public'],
  meshName: 'global',
  backends: ['audit.prod', 'arn:aws:appmesh:eu-west-1:1:mesh/a/virtualService/b'],
  gatewayRefs: [{ name: 'gw', namespace: 'infra', sectionName: 'https' }],
  match: [
    { uri: { prefix: '/a' }, method: { exact: 'GET' }, headers: { tenant: { regex: 'a|b' } } },
    { uri: { exact: '/b' }, queryParams: { q: { exact: 'x' } } },
  ],
  rewrite: { uri: '/', authority: 'inner.example.com', type: 'ReplacePrefixMatch' },
  timeout: '15s',
  backendTimeout: '5s',
  retries: { attempts: 3, perTryTimeout: '1s', retryOn: 'gateway-error,5xx' },
  headers: {
    request: { add: { 'x-a': '1' }, set: { 'x-b': '2' }, remove: ['x-c'] },
    response: { add: { 'x-d': '3' }, remove: ['x-e'] },
  },
  mirror: [{ backendRef: { name: 'audit', port: 8080 } }],
  corsPolicy: {
    allowOrigin: ['https://a.example.com'],
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['x-a'],
    exposeHeaders: ['x-b'],
    allowCredentials: true,
    maxAge: '24h',
  },
  trafficPolicy: {
    connectionPool: { http: { http1MaxPendingRequests: 100, maxRequestsPerConnection: 10 } },
    loadBalancer: { consistentHash: { httpCookie: { name: 'user', ttl: '0s' } } },
    outlierDetection: { consecutive5xxErrors: 5, interval: '10s', baseEjectionTime: '30s' },
    tls: { mode: 'ISTIO_MUTUAL' },
  },
};
const match = [{ headers: { 'x-beta': { exact: '1' } } }, { headers: { cookie: { regex: '^(.*?;)?(t=in)(;.*)?$' } } }];
const sessionAffinity = {
  cookieName: 'sid-c',
  primaryCookieName: 'sid-p',
  maxAgeSeconds: 600,
  httpOnly: true,
  secure: true,
  partitioned: false,
};
const cookies = { current: 'sid-c=AbCdEfGhIj', previous: 'sid-c=OldOldOldo', primary: 'sid-p=KlMnOpQrSt' };

const releases: readonly { readonly release: string; readonly analysis: Partial<AnalysisSpec>; tcp?: boolean }[] = [
  { release: 'by weights', analysis: { mirrorWeight: 30 } },
  { release: 'by users', analysis: { strategy: { kind: 'ab-testing', iterations: 3, match } } },
  { release: 'with session affinity', analysis: { sessionAffinity } },
  { release: 'of connections', analysis: {}, tcp: true },
];
const cases = (Object.values(routers) as readonly Router[])
  .filter(({ name }) => !['kubernetes', 'knative', 'nginx', 'skipper'].includes(name))
  .flatMap((router) =>
    releases.flatMap(({ release, analysis, tcp }) => {
      const protocol = tcp ? { appProtocol: 'tcp' } : {};
      const spec = aSpec({
        provider: router.name,
        ingressRef,
        routeRef,
        upstreamRef,
        analysis,
        service: { raw, ...protocol },
      });
      const supports = supportsOf(router, spec);
      const isImpossible =
        (analysis.strategy && !supports.headers) ||
        (analysis.sessionAffinity && !supports.affinity) ||
        (tcp && router.name !== 'istio');
      const context = { ...aRouteContext(spec), ...(analysis.sessionAffinity ? { cookies } : {}) };
      return isImpossible ? [] : [{ name: router.name, release, router, context }];
    }),
  );

describe.each(cases)('what $name says $release', ({ router, context }) => {
  const refs = router.refs(context);
  const place = (written: readonly KubeObject[]): LiveObjects =>
    refs.map((ref) =>
      [...written, web, edge, pattern].find(({ kind, metadata }) => kind === ref.kind && metadata.name === ref.name),
    );
  const splits = [
    ...[0, 30, 100].map((canaryWeight) => ({ canaryWeight, mirror: false })),
    ...(supportsOf(router, context.spec).mirror ? [{ canaryWeight: 0, mirror: true }] : []),
  ];

  it('is what the definitions of the system describe, whole and valid', () => {
    for (const split of splits) {
      const written = router.render(context, split, place([]));
      expect(written.flatMap((object) => stored(object).complaints)).toEqual([]);
    }
  });

  it('stays as it is in the API server: nothing is written again', () => {
    for (const split of splits) {
      const live = place(router.render(context, split, place([])).map((object) => stored(object).object));
      expect(plansOf(router, context, live)).toEqual([]);
      expect(router.read(context, live)).toEqual(split);
    }
  });
});

function plansOf(router: Router, context: RouteContext, live: LiveObjects): unknown {
  return planRoutes(router, context, live, 'keep').map(({ object }) => object['spec']);
}

it('knows the schema of every routing object', () => {
  expect(schemas.size).toBeGreaterThan(10);
  expect(cases.length).toBeGreaterThan(15);
});
