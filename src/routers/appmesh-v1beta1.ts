import { usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec } from '../canary/types.ts';
import { jsonOf } from '../lib/json.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import {
  about,
  backendsOf,
  endOfLife,
  firstOf,
  gatewayAnnotations,
  notActive,
  prefixOf,
  protocolOf,
  retriesOf,
  routePlans,
  type RoutePlan,
  without,
} from './appmesh-parts.ts';
import { apexMetadata, canaryName, invalid, type Json, listOf, metadataOf, primaryName, splitOf } from './objects.ts';
import type { LiveObjects, RouteContext, Router } from './router.ts';

const API = 'appmesh.k8s.aws/v1beta1';
const OWNED = ['match', 'action', 'retryPolicy'];
const field = 'spec.service.meshName';

/**
 * App Mesh as its first controller has it: a VirtualNode for each name, and a VirtualService with the routes for the apex service and
 * for the canary's. `name` is the provider: Flagger says `appmesh` for it.
 */
export function appmeshV1beta1(name: 'appmesh' | 'appmesh:v1beta1'): Router {
  return {
    name,
    about: { ...about, title: `${about.title} v1beta1`, notes: 'ended by AWS in September 2026' },
    endOfLife,
    supports: { weights: true, mirror: false, headers: true, affinity: false },
    kinds: [
      { apiVersion: API, kind: 'VirtualNode', plural: 'virtualnodes' },
      { apiVersion: API, kind: 'VirtualService', plural: 'virtualservices' },
    ],
    fields: [
      field,
      'spec.service.backends',
      'spec.service.hosts',
      'spec.service.match',
      'spec.service.retries',
      'spec.service.timeout',
    ],
    refs: ({ spec }): ObjectRef[] => {
      const { namespace } = spec;
      const [apex, primary, canary] = [spec.service.name, primaryName(spec), canaryName(spec)];
      const ref = (kind: string, object: string): ObjectRef => ({ apiVersion: API, kind, namespace, name: object });
      return [
        ref('VirtualNode', apex),
        ref('VirtualNode', primary),
        ref('VirtualNode', canary),
        ref('VirtualService', hostOf(spec, apex)),
        ref('VirtualService', hostOf(spec, canary)),
      ];
    },
    beforePods: nodes,
    render(context, { canaryWeight }, live) {
      const { spec } = context;
      const [, , , apexService, canaryService] = live;
      const [apex, canary] = [spec.service.name, canaryName(spec)];
      return [
        ...nodes(context, live),
        virtualService(context, apex, apexService, {
          plans: routePlans(spec),
          canaryWeight,
          annotations: gatewayAnnotations(spec),
        }),
        // Tests reach the new version by its own name.
        virtualService(context, canary, canaryService, {
          plans: [{ name: canary }],
          canaryWeight: 100,
          annotations: {},
        }),
      ];
    },
    home({ spec }, [, , , live]) {
      if (!live) return [];
      const old = jsonOf(live['spec']);
      const weights = new Map<unknown, number>([
        [primaryName(spec), 100],
        [canaryName(spec), 0],
      ]);
      const routes = listOf(old['routes']).map((route) => {
        const http = jsonOf(route['http']);
        const action = jsonOf(http['action']);
        const weightedTargets = listOf(action['weightedTargets']).map((target) => {
          const weight = weights.get(target['virtualNodeName']);
          return weight === undefined ? target : { ...target, weight };
        });
        return { ...route, http: { ...http, action: { ...action, weightedTargets } } };
      });
      return [{ ...live, spec: { ...old, routes } }];
    },
    read({ spec }, [, , , live]) {
      const routes = listOf(jsonOf(live?.['spec'])['routes']);
      // Those under test come first, and their weight is nobody else's, also when they are told apart no more.
      const { http } = (usersUnderTest(spec) ? routes[0] : routes.at(-1)) ?? {};
      const targets = listOf(jsonOf(jsonOf(http)['action'])['weightedTargets']);
      const weight = (node: string): number =>
        targets
          .filter(({ virtualNodeName }) => virtualNodeName === node)
          .reduce((sum, { weight: share }) => sum + Math.max(0, Number(share) || 0), 0);
      return splitOf(weight(primaryName(spec)), weight(canaryName(spec)));
    },
    trouble: (_context, live) => notActive(live),
  };
}

function nodes(context: RouteContext, [apex, primary, canary]: LiveObjects): readonly KubeObject[] {
  const { spec } = context;
  return [
    virtualNode(context, spec.service.name, apex, primaryName(spec)),
    virtualNode(context, primaryName(spec), primary, primaryName(spec)),
    virtualNode(context, canaryName(spec), canary, canaryName(spec)),
  ];
}

function virtualNode(context: RouteContext, name: string, live: KubeObject | undefined, service: string): KubeObject {
  const { spec } = context;
  const { backends: _before, ...old } = jsonOf(live?.['spec']);
  const backends = backendsOf(spec).map((backend) => ({ virtualService: { virtualServiceName: backend } }));
  const discovery = jsonOf(old['serviceDiscovery']);
  return {
    ...live,
    apiVersion: API,
    kind: 'VirtualNode',
    metadata: metadataOf(context, name, live, apexMetadata(context)),
    spec: {
      ...old,
      meshName: meshOf(spec),
      listeners: firstOf(old['listeners'], ['portMapping'], { portMapping: portMapping(spec) }),
      serviceDiscovery: { ...discovery, dns: { ...jsonOf(discovery['dns']), hostName: hostOf(spec, service) } },
      ...(backends.length === 0 ? {} : { backends }),
    },
  };
}

interface Routes {
  readonly plans: readonly RoutePlan[];
  readonly canaryWeight: number;
  readonly annotations: Readonly<Record<string, string>>;
}

function virtualService(
  context: RouteContext,
  name: string,
  live: KubeObject | undefined,
  { plans, canaryWeight, annotations }: Routes,
): KubeObject {
  const { spec } = context;
  const old = jsonOf(live?.['spec']);
  const oldRoutes = listOf(old['routes']);
  const oldRouter = jsonOf(old['virtualRouter']);
  const retries = retriesOf(spec);
  const target = (node: string, weight: number): Json => ({ virtualNodeName: node, weight });
  const routes = plans.map(({ name: route, priority, headers, isForOthers }) => {
    const before = oldRoutes.find((each) => each['name'] === route) ?? {};
    return {
      ...without(before, ['priority']),
      name: route,
      ...(priority === undefined ? {} : { priority }),
      http: {
        ...without(jsonOf(before['http']), OWNED),
        match: { prefix: prefixOf(spec), ...(headers ? { headers } : {}) },
        action: {
          weightedTargets: isForOthers
            ? [target(primaryName(spec), 100)]
            : [target(canaryName(spec), canaryWeight), target(primaryName(spec), 100 - canaryWeight)],
        },
        ...(retries === undefined
          ? {}
          : {
              retryPolicy: {
                ...retries.events,
                maxRetries: retries.attempts,
                perRetryTimeoutMillis: retries.timeoutMs,
              },
            }),
      },
    };
  });
  return {
    ...live,
    apiVersion: API,
    kind: 'VirtualService',
    metadata: metadataOf(context, hostOf(spec, name), live, { labels: {}, annotations }),
    spec: {
      ...old,
      meshName: meshOf(spec),
      virtualRouter: {
        ...oldRouter,
        name,
        listeners: firstOf(oldRouter['listeners'], [], { portMapping: portMapping(spec) }),
      },
      routes,
    },
  };
}

function meshOf(spec: CanarySpec): string {
  const { meshName } = spec.service.raw;
  if (typeof meshName !== 'string' || meshName === '') throw invalid(spec, 'mesh name cannot be empty', field);
  return meshName;
}

function portMapping(spec: CanarySpec): Json {
  return { port: spec.service.port, protocol: protocolOf(spec) };
}

function hostOf({ namespace }: CanarySpec, service: string): string {
  return `${service}.${namespace}`;
}
