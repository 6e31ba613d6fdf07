import type { Json } from '../../src/lib/json.ts';

const successRate: Json = { name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } };

/** `spec` of a Canary of the Deployment `app`. The analysis looks every 10 s at its success rate; `analysis` adds the rest, or replaces these. */
export const aCanarySpec = (analysis: Json): Json & { readonly analysis: Json } => ({
  provider: 'istio',
  progressDeadlineSeconds: 60,
  targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
  service: { port: 80 },
  analysis: { interval: '10s', metrics: [successRate], ...analysis },
});
