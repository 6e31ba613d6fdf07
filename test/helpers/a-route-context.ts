import type { AnalysisSpec, CanarySpec, ServiceSpec } from '../../src/canary/types.ts';
import { defaultRouterSettings } from '../../src/routers/registry.ts';
import type { RouteContext } from '../../src/routers/router.ts';

type Overrides = Partial<Omit<CanarySpec, 'service' | 'analysis'>> & {
  readonly service?: Partial<ServiceSpec>;
  readonly analysis?: Partial<AnalysisSpec>;
};

/** Canary `shop` in namespace `prod`, port 80; everything can be overridden. */
export function aSpec({ service, analysis, ...rest }: Overrides = {}): CanarySpec {
  const noMetadata = { labels: {}, annotations: {} };
  return {
    namespace: 'prod',
    name: 'shop',
    provider: 'traefik',
    target: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'prod', name: 'shop' },
    targetKind: 'Deployment',
    progressDeadlineSeconds: 600,
    skipAnalysis: false,
    suspend: false,
    revertOnDeletion: false,
    ...rest,
    service: {
      name: 'shop',
      port: 80,
      portName: 'http',
      targetPort: 80,
      portDiscovery: false,
      headless: false,
      apex: noMetadata,
      primary: noMetadata,
      canary: noMetadata,
      raw: {},
      ...service,
    },
    analysis: {
      intervalMs: 10_000,
      threshold: 5,
      strategy: { kind: 'canary', steps: [10, 20, 30, 40, 50], maxWeight: 50 },
      mirror: false,
      primaryReadyThreshold: 100,
      canaryReadyThreshold: 100,
      metrics: [],
      webhooks: [],
      alerts: [],
      ...analysis,
    },
  };
}

export function aRouteContext(spec: CanarySpec): RouteContext {
  return {
    spec,
    owner: {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      name: spec.name,
      uid: 'uid-of-canary',
      controller: true,
      blockOwnerDeletion: true,
    },
    settings: defaultRouterSettings,
  };
}
