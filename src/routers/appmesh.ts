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
  millisecondsOf,
  notActive,
  prefixOf,
  protocolOf,
  retriesOf,
  routePlans,
  type RoutePlan,
  without,
} from './appmesh-parts.ts';
import { apexMetadata, canaryName, type Json, listOf, metadataOf, primaryName, splitOf } from './objects.ts';
import type { LiveObjects, RouteContext, Router } from './router.ts';

const API = 'appmesh.k8s.aws/v1beta2';
const OWNED = ['match', 'action', 'timeout', 'retryPolicy'];

/**
 * App Mesh: a VirtualNode for the pods of each version, and a VirtualRouter behind a VirtualService for the apex service and for the
 * canary's. A sidecar is told its VirtualNode when its pod is made.
 */
export const appmesh: Router = {
  name: 'appmesh:v1beta2',
  about: { ...about, title: `${about.title} v1beta2`, notes: 'ended by AWS in September 2026' },
  endOfLife,
  supports: { weights: true, mirror: false, headers: true, affinity: false },
  kinds: [
    { apiVersion: API, kind: 'VirtualNode', plural: 'virtualnodes' },
    { apiVersion: API, kind: 'VirtualRouter', plural: 'virtualrouters' },
    { apiVersion: API, kind: 'VirtualService', plural: 'virtualservices' },
  ],
  fields: [
    'spec.service.backends',
    'spec.service.hosts',
    'spec.service.match',
    'spec.service.retries',
    'spec.service.timeout',
  ],
  refs: ({ spec }): ObjectRef[] => {
    const { namespace } = spec;
    const [apex, primary, canary] = [spec.service.name, primaryName(spec), canaryName(spec)];
    const ref = (kind: string, name: string): ObjectRef => ({ apiVersion: API, kind, namespace, name });
    return [
      ref('VirtualNode', primary),
      ref('VirtualNode', canary),
      ref('VirtualRouter', apex),
      ref('VirtualRouter', canary),
      ref('VirtualService', apex),
      ref('VirtualService', canary),
    ];
  },
  beforePods: nodes,
  render(context, { canaryWeight }, live) {
    const { spec } = context;
    const [, , apexRouter, canaryRouter, apexService, canaryService] = live;
    const [apex, canary] = [spec.service.name, canaryName(spec)];
    return [
      ...nodes(context, live),
      virtualRouter(context, apex, apexRouter, routePlans(spec), canaryWeight),
      // Tests reach the new version by its own name.
      virtualRouter(context, canary, canaryRouter, [{ name: canary }], 100),
      virtualService(context, apex, apexService, gatewayAnnotations(spec)),
      virtualService(context, canary, canaryService, {}),
    ];
  },
  home({ spec }, [, , live]) {
    if (!live) return [];
    const old = jsonOf(live['spec']);
    const weights = new Map([
      [primaryName(spec), 100],
      [canaryName(spec), 0],
    ]);
    const routes = listOf(old['routes']).map((route) => {
      const http = jsonOf(route['httpRoute']);
      const action = jsonOf(http['action']);
      const weightedTargets = listOf(action['weightedTargets']).map((target) => {
        const weight = weights.get(nodeOf(target));
        return weight === undefined ? target : { ...target, weight };
      });
      return { ...route, httpRoute: { ...http, action: { ...action, weightedTargets } } };
    });
    return [{ ...live, spec: { ...old, routes } }];
  },
  read({ spec }, [, , live]) {
    const routes = listOf(jsonOf(live?.['spec'])['routes']);
    // Those under test come first, and their weight is nobody else's, also when they are told apart no more.
    const targets = targetsOf((usersUnderTest(spec) ? routes[0] : routes.at(-1)) ?? {});
    const weight = (name: string): number =>
      targets
        .filter((target) => nodeOf(target) === name)
        .reduce((sum, { weight: share }) => sum + Math.max(0, Number(share) || 0), 0);
    return splitOf(weight(primaryName(spec)), weight(canaryName(spec)));
  },
  trouble: (_context, live) => notActive(live),
};

function nodes(context: RouteContext, [primary, canary]: LiveObjects): readonly KubeObject[] {
  const { spec, pods } = context;
  return [
    virtualNode(context, primaryName(spec), primary, pods?.primary),
    virtualNode(context, canaryName(spec), canary, pods?.canary),
  ];
}

function virtualNode(
  context: RouteContext,
  name: string,
  live: KubeObject | undefined,
  pods: Readonly<Record<string, string>> | undefined,
): KubeObject {
  const { spec } = context;
  const { backends: _before, podSelector, ...old } = jsonOf(live?.['spec']);
  const perRequest = perRequestOf(spec);
  const backends = backendsOf(spec).map((backend) => ({
    virtualService: backend.startsWith('arn:aws')
      ? { virtualServiceARN: backend }
      : { virtualServiceRef: { name: backend } },
  }));
  const listener = {
    portMapping: portMapping(spec),
    ...(perRequest === undefined ? {} : { timeout: { http: { perRequest } } }),
  };
  const selector = pods === undefined ? podSelector : { matchLabels: pods };
  return {
    ...live,
    apiVersion: API,
    kind: 'VirtualNode',
    metadata: metadataOf(context, name, live, apexMetadata(context)),
    spec: {
      ...old,
      ...(selector === undefined ? {} : { podSelector: selector }),
      listeners: firstOf(old['listeners'], ['portMapping', 'timeout'], listener),
      serviceDiscovery: {
        ...jsonOf(old['serviceDiscovery']),
        dns: {
          ...jsonOf(jsonOf(old['serviceDiscovery'])['dns']),
          hostname: `${name}.${spec.namespace}.svc.cluster.local.`,
        },
      },
      ...(backends.length === 0 ? {} : { backends }),
    },
  };
}

function virtualRouter(
  context: RouteContext,
  name: string,
  live: KubeObject | undefined,
  plans: readonly RoutePlan[],
  canaryWeight: number,
): KubeObject {
  const { spec } = context;
  const old = jsonOf(live?.['spec']);
  const oldRoutes = listOf(old['routes']);
  const retries = retriesOf(spec);
  const perRequest = perRequestOf(spec);
  const target = (node: string, weight: number): Json => ({ virtualNodeRef: { name: node }, weight });
  const routes = plans.map(({ name: route, priority, headers, isForOthers }) => {
    const before = oldRoutes.find((each) => each['name'] === route) ?? {};
    return {
      ...without(before, ['priority']),
      name: route,
      ...(priority === undefined ? {} : { priority }),
      httpRoute: {
        ...without(jsonOf(before['httpRoute']), OWNED),
        match: { prefix: prefixOf(spec), ...(headers ? { headers } : {}) },
        action: {
          weightedTargets: isForOthers
            ? [target(primaryName(spec), 100)]
            : [target(canaryName(spec), canaryWeight), target(primaryName(spec), 100 - canaryWeight)],
        },
        ...(perRequest === undefined ? {} : { timeout: { perRequest } }),
        ...(retries === undefined
          ? {}
          : {
              retryPolicy: {
                ...retries.events,
                maxRetries: retries.attempts,
                perRetryTimeout: { unit: 'ms', value: retries.timeoutMs },
              },
            }),
      },
    };
  });
  return {
    ...live,
    apiVersion: API,
    kind: 'VirtualRouter',
    metadata: metadataOf(context, name, live, { labels: {}, annotations: {} }),
    spec: {
      ...old,
      listeners: firstOf(old['listeners'], [], { portMapping: portMapping(spec) }),
      routes,
    },
  };
}

function virtualService(
  context: RouteContext,
  name: string,
  live: KubeObject | undefined,
  annotations: Readonly<Record<string, string>>,
): KubeObject {
  return {
    ...live,
    apiVersion: API,
    kind: 'VirtualService',
    metadata: metadataOf(context, name, live, { labels: {}, annotations }),
    spec: { ...jsonOf(live?.['spec']), provider: { virtualRouter: { virtualRouterRef: { name } } } },
  };
}

/** Of the container: sidecars speak to it themselves. */
function portMapping(spec: CanarySpec): Json {
  const { port, targetPort } = spec.service;
  return { port: typeof targetPort === 'number' && targetPort > 0 ? targetPort : port, protocol: protocolOf(spec) };
}

function perRequestOf({ service: { raw } }: CanarySpec): Json | undefined {
  const value = millisecondsOf(raw['timeout']);
  return value === undefined ? undefined : { unit: 'ms', value };
}

function targetsOf(route: Json): readonly Json[] {
  return listOf(jsonOf(jsonOf(route['httpRoute'])['action'])['weightedTargets']);
}

function nodeOf(target: Json): string {
  return String(jsonOf(target['virtualNodeRef'])['name']);
}
