import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { routers } from '../../src/routers/registry.ts';
import type { RouteContext, Router } from '../../src/routers/router.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

/** What a controller writes of an object that it does not take. `observed` is the version that it saw. */
interface Report {
  readonly kind: string;
  readonly status: (observed: number) => unknown;
  readonly said: RegExp;
  /** It says of no version that it has seen it. */
  readonly isTimeless?: true;
  /** Said while it has not seen the newest version. Absent: what it said of an older one counts no more. */
  readonly saidBefore?: RegExp;
}

const parentRef = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gw', namespace: 'infra' };
const condition = (type: string, status: string, observedGeneration: number): Record<string, unknown> => ({
  type,
  status,
  observedGeneration,
  reason: 'Broken',
  message: 'a certain reason',
});
const conditions = (type: string) => (observed: number) => ({ conditions: [condition(type, 'False', observed)] });
const ofParent =
  (...found: readonly (readonly [type: string, status: string])[]) =>
  (observed: number) => ({
    parents: [
      { parentRef: { ...parentRef, name: 'elsewhere' }, conditions: [condition('Accepted', 'True', observed)] },
      { parentRef, conditions: found.map(([type, status]) => condition(type, status, observed)) },
    ],
  });
const gateway: readonly Report[] = [
  {
    kind: 'HTTPRoute',
    status: ofParent(['Accepted', 'False']),
    said: /is not accepted by Gateway gw: Broken a certain reason/,
    isTimeless: true,
  },
  {
    kind: 'HTTPRoute',
    status: ofParent(['Accepted', 'True'], ['ResolvedRefs', 'False']),
    said: /Gateway gw does not find what it leads to: Broken a certain reason/,
    saidBefore: /is not yet taken over by Gateway gw/,
  },
  {
    kind: 'HTTPRoute',
    status: ofParent(['Accepted', 'True'], ['ResolvedRefs', 'True'], ['PartiallyInvalid', 'True']),
    said: /is taken by Gateway gw in part only: Broken a certain reason/,
    saidBefore: /is not yet taken over by Gateway gw/,
  },
];
const mesh = (kind: string, type = `${kind}Active`): Report => ({
  kind,
  status: conditions(type),
  said: new RegExp(`^${kind} shop.* is not active in App Mesh: a certain reason$`),
});
const firstMesh = [
  mesh('VirtualNode'),
  mesh('VirtualService'),
  mesh('VirtualService', 'RoutesActive'),
  mesh('VirtualService', 'VirtualRouterActive'),
];
const gloo = (kind: string): readonly Report[] => [
  {
    kind,
    status: () => ({
      statuses: { 'gloo-system': { state: 'Accepted' }, other: { state: 'Rejected', reason: 'a certain reason' } },
    }),
    said: new RegExp(`^${kind} \\S+ is rejected by Gloo: a certain reason$`),
    isTimeless: true,
  },
  {
    kind,
    status: () => ({ state: 2, reason: 'a certain reason' }),
    said: /rejected by Gloo: a certain reason$/,
    isTimeless: true,
  },
];
const istio = (kind: string): Report => ({
  kind,
  status: (observed) => ({
    observedGeneration: String(observed),
    validationMessages: [
      { level: 'WARNING', type: { code: 'IST0001' } },
      {
        level: 'ERROR',
        type: { code: 'IST0101', name: 'ReferencedResourceNotFound' },
        documentationUrl: 'https://istio.io/x',
      },
    ],
  }),
  said: new RegExp(`^${kind} shop\\S* is refused by Istio: IST0101 ReferencedResourceNotFound https://istio.io/x$`),
});

/** Every routing provider, and what it reports of the objects of a Canary. Empty: its objects have no status, or none that says that. */
const reports: Readonly<Record<keyof typeof routers, readonly Report[]>> = {
  apisix: [
    {
      kind: 'ApisixRoute',
      status: conditions('Accepted'),
      said: /^ApisixRoute web-shop-canary is not accepted: a certain reason$/,
    },
    { kind: 'ApisixRoute', status: conditions('ResourcesAvailable'), said: /is not accepted: a certain reason$/ },
  ],
  appmesh: firstMesh,
  'appmesh:v1beta1': firstMesh,
  'appmesh:v1beta2': [mesh('VirtualNode'), mesh('VirtualRouter'), mesh('VirtualService')],
  contour: [
    {
      kind: 'HTTPProxy',
      status: (observed) => ({
        currentStatus: 'orphaned',
        conditions: [
          { ...condition('Valid', 'False', observed), errors: [{ type: 'Orphaned', message: 'no root includes it' }] },
        ],
      }),
      said: /^HTTPProxy shop\.prod is not taken by Contour: no root includes it$/,
      saidBefore: /^HTTPProxy shop\.prod is not yet taken over by Contour$/,
    },
    {
      kind: 'HTTPProxy',
      status: () => ({ currentStatus: 'invalid', description: 'a certain reason' }),
      said: /^HTTPProxy shop\.prod is not taken by Contour: a certain reason$/,
      isTimeless: true,
    },
  ],
  gatewayapi: gateway,
  'gatewayapi:v1': gateway,
  'gatewayapi:v1beta1': gateway,
  gloo: [...gloo('RouteTable'), ...gloo('Upstream')],
  istio: [istio('VirtualService'), istio('DestinationRule')],
  knative: [
    {
      kind: 'Service',
      status: conditions('RoutesReady'),
      said: /^Knative Service shop\.prod cannot route: a certain reason$/,
    },
  ],
  // There is no object.
  kubernetes: [],
  // A TrafficRoute and a TrafficSplit have no status.
  kuma: [],
  linkerd: [],
  // An Ingress says only where it is reached; ingress-nginx refuses one by its webhook, so that the API server does.
  nginx: [],
  osm: [],
  skipper: [],
  'smi:v1alpha1': [],
  'smi:v1alpha2': [],
  'smi:v1alpha3': [],
  // A TraefikService and an IngressRoute have no status.
  traefik: [],
};

function contextOf(provider: string): RouteContext {
  const raw = { gatewayRefs: [{ name: 'gw', namespace: 'infra' }], meshName: 'global' };
  const ref = { namespace: 'prod', name: 'web' };
  return aRouteContext(
    aSpec({
      provider,
      service: { raw },
      ingressRef: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', ...ref },
      routeRef: { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', ...ref },
    }),
  );
}

/** The objects of a Canary, that of this kind with this status at its second version. */
function objectsWith(router: Router, context: RouteContext, kind: string, status: unknown): readonly KubeObject[] {
  let isTold = false;
  return router.refs(context).map(({ apiVersion, kind: own, namespace = '', name }) => {
    const object = { apiVersion, kind: own, metadata: { name, namespace, generation: 2 }, spec: {} };
    // Of the user's own objects nothing is said.
    if (own !== kind || isTold || name === 'web') return object as KubeObject;
    isTold = true;
    return { ...object, status } as KubeObject;
  });
}

const rows = Object.entries(reports).flatMap(([name, found]) =>
  found.map((report, index) => ({ name: name as keyof typeof routers, index, ...report })),
);

describe('what a controller says of a route that it does not take', () => {
  it('is known of each provider: whether it says anything, and where', () => {
    expect(Object.keys(reports).sort()).toEqual(Object.keys(routers).sort());
    for (const [name, router] of Object.entries<Router>(routers))
      expect('trouble' in router, name).toBe(reports[name as keyof typeof routers].length > 0);
  });

  it.each(rows)(
    'holds the release and is told, $name $kind $index',
    ({ name, kind, status, said, saidBefore, isTimeless }) => {
      const router: Router = routers[name];
      const context = contextOf(name);
      const troubleOf = (object: unknown): string | undefined =>
        router.trouble?.(context, objectsWith(router, context, kind, object));
      expect(troubleOf(status(2))).toMatch(said);
      if (saidBefore) expect(troubleOf(status(1))).toMatch(saidBefore);
      else if (!isTimeless) expect(troubleOf(status(1))).toBeUndefined();
      for (const nothing of [undefined, {}, null, 'Rejected', { conditions: 'False', statuses: [], parents: {} }])
        expect(troubleOf(nothing)).toBeUndefined();
      expect(router.trouble?.(context, [])).toBeUndefined();
    },
  );
});
