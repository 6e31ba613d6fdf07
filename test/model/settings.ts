import type { Json } from '../../src/canary/json.ts';
import type { Random } from './random.ts';

/** What a history is about: `spec` of its Canary, and how its target stands at first. */
export interface Setting {
  readonly spec: Json;
  readonly replicas: number;
  /** The apex Service stood before the Canary. */
  readonly hasApex: boolean;
}

const hook = (name: string, type: string): Json => ({ name, type, url: `http://hooks/${name}` });
const hooks: readonly Json[] = [
  hook('start', 'confirm-rollout'),
  hook('test', 'pre-rollout'),
  hook('load', 'rollout'),
  hook('more', 'confirm-traffic-increase'),
  hook('promote', 'confirm-promotion'),
  hook('recall', 'rollback'),
  hook('after', 'post-rollout'),
];

export const weighted: readonly Json[] = [
  { stepWeight: 20, maxWeight: 40 },
  { stepWeight: 50, maxWeight: 50, stepWeightPromotion: 30 },
  { stepWeight: 30, maxWeight: 50, stepWeightPromotion: 50 },
  { stepWeights: [5, 60] },
  { stepWeights: [1, 10, 80], stepWeightPromotion: 20 },
  { stepWeight: 40, maxWeight: 80, mirror: true },
  { stepWeight: 100 },
];
const rounds: readonly Json[] = [
  { iterations: 2 },
  { iterations: 1, mirror: true },
  { iterations: 3 },
  { iterations: 2, match: [{ headers: { 'x-user': { exact: 'insider' } } }] },
];
const policies: readonly Json[] = [
  {},
  {},
  {},
  { inconclusive: { noTraffic: 'hold', noSeries: 'hold', unreachable: 'hold' } },
  { inconclusive: { noTraffic: 'pass', noSeries: 'pass', unreachable: 'fail' } },
];

export function randomSetting(random: Random): Setting {
  const kind = random.pick(['Deployment', 'Deployment', 'Deployment', 'Deployment', 'DaemonSet', 'Service']);
  const provider = kind !== 'Service' && random.chance(0.2) ? 'kubernetes' : 'istio';
  const isWeighted = provider !== 'kubernetes' && random.chance(0.65);
  const strategy =
    provider === 'kubernetes' ? { iterations: 1 + random.below(3) } : random.pick(isWeighted ? weighted : rounds);
  return {
    spec: {
      provider,
      progressDeadlineSeconds: 60,
      targetRef: { apiVersion: kind === 'Service' ? 'v1' : 'apps/v1', kind, name: 'app' },
      service: { port: 80 },
      ...(random.chance(0.1) ? { skipAnalysis: true } : {}),
      ...(random.chance(0.15) ? { revertOnDeletion: true } : {}),
      analysis: {
        interval: '10s',
        threshold: 1 + random.below(3),
        ...strategy,
        ...(isWeighted && random.chance(0.2)
          ? { sessionAffinity: { cookieName: 'side', ...(random.chance(0.5) ? { primaryCookieName: 'home' } : {}) } }
          : {}),
        ...random.pick(policies),
        ...(random.chance(0.2) ? { primaryReadyThreshold: 50, canaryReadyThreshold: 50 } : {}),
        metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
        webhooks: hooks.filter(() => random.chance(0.25)),
      },
    },
    replicas: 1 + random.below(3),
    hasApex: random.chance(0.2),
  };
}
