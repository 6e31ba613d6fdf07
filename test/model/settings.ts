import type { Json } from '../../src/lib/json.ts';
import type { Random } from './random.ts';
import { randomScaler, type ScalerSetting } from './scalers.ts';

/** What a history is about: `spec` of its Canary, and how its target stands at first. */
export interface Setting {
  readonly spec: Json;
  readonly replicas: number;
  /** What Git says of them; undefined: nothing. */
  readonly desiredReplicas: number | undefined;
  /** The apex Service stood before the Canary. */
  readonly hasApex: boolean;
  /** Absent: its pods are counted by hand. */
  readonly scaler?: ScalerSetting;
}

type Target = readonly [kind: 'Deployment' | 'DaemonSet' | 'Service' | 'Knative', scaledBy?: ScalerSetting['kind']];

/** In hundred histories; an autoscaler needs a Deployment. */
const shares: readonly (readonly [number, ...Target])[] = [
  [44, 'Deployment'],
  [15, 'Deployment', 'HorizontalPodAutoscaler'],
  [12, 'Deployment', 'ScaledObject'],
  [13, 'DaemonSet'],
  [11, 'Service'],
  [5, 'Knative'],
];
const apiVersions = { Deployment: 'apps/v1', DaemonSet: 'apps/v1', Service: 'v1', Knative: 'serving.knative.dev/v1' };
const targets: readonly Target[] = shares.flatMap(([share, ...target]) => Array.from({ length: share }, () => target));

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
export const rounds: readonly Json[] = [
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
  const [kind, scaledBy] = random.pick(targets);
  const scaler = scaledBy && randomScaler(random, scaledBy);
  const isKnative = kind === 'Knative';
  const provider = isKnative ? 'knative' : kind !== 'Service' && random.chance(0.2) ? 'kubernetes' : 'istio';
  const isWeighted = provider !== 'kubernetes' && random.chance(0.65);
  const strategy =
    provider === 'kubernetes' || (isKnative && !isWeighted)
      ? { iterations: 1 + random.below(3) }
      : unmirrored(random.pick(isWeighted ? weighted : rounds), isKnative);
  const replicas = 1 + random.below(3);
  const skipped = random.chance(0.1) ? { skipAnalysis: true } : {};
  const reverted = random.chance(0.15) ? { revertOnDeletion: true } : {};
  const threshold = 1 + random.below(3);
  return {
    spec: {
      provider,
      progressDeadlineSeconds: 60,
      targetRef: { apiVersion: apiVersions[kind], kind: isKnative ? 'Service' : kind, name: 'app' },
      ...(scaler ? { autoscalerRef: autoscalerRef(scaler) } : {}),
      service: { port: 80 },
      ...skipped,
      ...reverted,
      analysis: {
        interval: '10s',
        threshold,
        // Of some, without a draw of its own: seeds stay what they are.
        ...(threshold === 3 && replicas !== 2 ? { consecutive: 2 } : {}),
        ...strategy,
        ...(isWeighted && !isKnative && random.chance(0.2)
          ? { sessionAffinity: { cookieName: 'side', ...(random.chance(0.5) ? { primaryCookieName: 'home' } : {}) } }
          : {}),
        ...random.pick(policies),
        ...(random.chance(0.2) ? { primaryReadyThreshold: 50, canaryReadyThreshold: 50 } : {}),
        metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
        webhooks: hooks.filter(() => random.chance(0.25)),
      },
    },
    replicas,
    desiredReplicas: scaler && random.chance(0.7) ? undefined : replicas,
    hasApex: random.chance(0.2),
    ...(scaler ? { scaler } : {}),
  };
}

const strategyFields = [
  'stepWeight',
  'stepWeights',
  'maxWeight',
  'stepWeightPromotion',
  'mirror',
  'iterations',
  'match',
];

/** An analysis that says nothing of how users are shared. */
export function withoutStrategy(analysis: Json): Json {
  return Object.fromEntries(Object.entries(analysis).filter(([field]) => !strategyFields.includes(field)));
}

/** Knative mirrors nothing. */
export function unmirrored(strategy: Json, isKnative: boolean): Json {
  const { mirror: _mirror, ...others } = strategy;
  return isKnative ? others : strategy;
}

function autoscalerRef({ kind, primaryRange }: ScalerSetting): Json {
  const primaryScalerReplicas = primaryRange && { minReplicas: primaryRange.min, maxReplicas: primaryRange.max };
  return { kind, name: 'app', ...(primaryScalerReplicas ? { primaryScalerReplicas } : {}) };
}
