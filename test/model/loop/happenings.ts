import type { Json } from '../../../src/lib/json.ts';
import type { Random } from '../random.ts';
import type { Course, Metrics, Part, Says } from './stage.ts';

/** What happens around an agent. */
export type Happening =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'push'; readonly says: Partial<Says>; readonly course: Course }
  /** By an operator: Git does not have it. */
  | { readonly kind: 'foreign Secret'; readonly password: number }
  /** `kubectl rollout restart`. */
  | { readonly kind: 'restart'; readonly number: number }
  | { readonly kind: 'metrics'; readonly are: Metrics }
  | { readonly kind: 'hook'; readonly name: string; readonly isClosed: boolean }
  | { readonly kind: 'pods'; readonly of: 'app' | 'app-primary'; readonly are: 'down' | 'up' }
  | { readonly kind: 'scale'; readonly of: 'app' | 'app-primary'; readonly replicas: number }
  | { readonly kind: 'load'; readonly needs: number }
  | { readonly kind: 'spec'; readonly change: Json }
  /** So many of its writes are refused. */
  | { readonly kind: 'refusals'; readonly writes: number }
  /** Its next status does not reach the cluster. */
  | { readonly kind: 'lost status' }
  | { readonly kind: 'death'; readonly awayMs: number }
  /** Watches say nothing for so long. */
  | { readonly kind: 'silent watches'; readonly forMs: number }
  | { readonly kind: 'Git'; readonly isSilent: boolean }
  /** Somebody else's primary begins to read the copies of this one, or stops. */
  | { readonly kind: 'neighbour'; readonly reads: boolean }
  /** Somebody edits the canary's share in the routes. */
  | { readonly kind: 'weight'; readonly is: number }
  | { readonly kind: 'slow metrics'; readonly byMs: number }
  | { readonly kind: 'clock'; readonly byMs: number }
  /** Somebody writes a note on the Canary. */
  | { readonly kind: 'note'; readonly number: number };

export interface Moment {
  readonly happening: Happening;
  /** Until the next one. */
  readonly thenMs: number;
}

/** What a history is about. */
interface Setting {
  readonly spec: Json;
  readonly replicas: number;
  readonly podStartMs: number;
  readonly isAutoscaled: boolean;
  /** All pods end before new ones start. */
  readonly isRecreated: boolean;
}

export interface Plan {
  readonly setting: Setting;
  /** The Canary is deleted at last, in whatever it is. */
  readonly isDeleted: boolean;
  readonly moments: readonly Moment[];
}

/** Pods of this version never answer; of the next one only the first half does. */
export const broken = 4;
export const half = 5;

const strategies: readonly Json[] = [
  { stepWeight: 20, maxWeight: 40 },
  { stepWeight: 50, maxWeight: 50, stepWeightPromotion: 30 },
  { stepWeights: [5, 60] },
  { stepWeight: 40, maxWeight: 80, mirror: true },
  { iterations: 2 },
  { iterations: 2, mirror: true },
];
const hooks = ['confirm-rollout', 'rollout', 'confirm-traffic-increase', 'confirm-promotion', 'rollback'];
const parts: readonly Part[] = ['ConfigMap', 'Secret', 'Deployment'];
const orders: readonly (readonly Part[])[] = [
  parts,
  ['Secret', 'ConfigMap', 'Deployment'],
  ['Deployment', 'ConfigMap', 'Secret'],
  ['ConfigMap', 'Deployment', 'Secret'],
];

function randomSetting(random: Random): Setting {
  return {
    replicas: 1 + random.below(4),
    podStartMs: random.pick([500, 2_000, 9_000]),
    isAutoscaled: random.chance(0.25),
    isRecreated: random.chance(0.2),
    spec: {
      provider: 'istio',
      progressDeadlineSeconds: 60,
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      ...(random.chance(0.1) ? { skipAnalysis: true } : {}),
      revertOnDeletion: true,
      analysis: {
        interval: '10s',
        threshold: 1 + random.below(3),
        ...random.pick(strategies),
        primaryReadyThreshold: random.pick([100, 100, 50]),
        canaryReadyThreshold: random.pick([100, 100, 50]),
        metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
        webhooks: hooks
          .filter(() => random.chance(0.15))
          .map((type) => ({ name: type, type, url: `http://hooks/${type}` })),
      },
    },
  };
}

function randomCourse(random: Random): Course {
  const pausesMs = parts.map(() => random.pick([0, 0, 0, 2_000, 25_000]));
  return { order: random.pick(orders), pausesMs, ...(random.chance(0.1) ? { refused: random.pick(parts) } : {}) };
}

const pushed = (random: Random): Happening => {
  const says: Partial<Says> = {
    ...(random.chance(0.8) ? { version: random.below(7) } : {}),
    ...(random.chance(0.4) ? { text: random.below(3) } : {}),
    ...(random.chance(0.3) ? { password: random.below(3) } : {}),
  };
  return { kind: 'push', says, course: randomCourse(random) };
};
const specs: readonly Json[] = [
  { skipAnalysis: true },
  { skipAnalysis: true },
  { skipAnalysis: false },
  { suspend: true },
  { suspend: false },
  { suspend: false },
  // It cannot be understood.
  { progressDeadlineSeconds: -1 },
  { progressDeadlineSeconds: 60 },
  { progressDeadlineSeconds: 60 },
];
const makers: readonly ((random: Random) => Happening)[] = [
  () => ({ kind: 'nothing' }),
  () => ({ kind: 'nothing' }),
  () => ({ kind: 'nothing' }),
  pushed,
  pushed,
  pushed,
  pushed,
  (random) => ({ kind: 'foreign Secret', password: random.below(5) }),
  (random) => ({ kind: 'restart', number: random.below(1_000) }),
  (random) => ({ kind: 'metrics', are: random.pick(['good', 'good', 'good', 'bad', 'silent', 'unreachable']) }),
  (random) => ({ kind: 'hook', name: random.pick(hooks), isClosed: random.chance(0.4) }),
  (random) => ({ kind: 'pods', of: random.pick(['app', 'app-primary']), are: random.pick(['down', 'up', 'up']) }),
  (random) => ({ kind: 'scale', of: random.pick(['app', 'app', 'app-primary']), replicas: random.below(4) }),
  (random) => ({ kind: 'load', needs: 1 + random.below(5) }),
  (random) => ({ kind: 'spec', change: random.pick(specs) }),
  (random) => ({ kind: 'refusals', writes: 1 + random.below(6) }),
  () => ({ kind: 'lost status' }),
  (random) => ({ kind: 'death', awayMs: random.pick([0, 100, 15_000]) }),
  (random) => ({ kind: 'silent watches', forMs: random.pick([1_000, 12_000]) }),
  (random) => ({ kind: 'weight', is: random.pick([0, 3, 35, 70, 100]) }),
  (random) => ({ kind: 'slow metrics', byMs: random.pick([0, 0, 1_600, 4_000]) }),
  (random) => ({ kind: 'clock', byMs: random.pick([-90_000, -3_000, 8_000, 20_000]) }),
  (random) => ({ kind: 'note', number: random.below(1_000) }),
  (random) => ({ kind: 'Git', isSilent: random.chance(0.5) }),
  (random) => ({ kind: 'neighbour', reads: random.chance(0.7) }),
];

/** A release that goes well, and what happens then. */
function amid(random: Random): readonly Moment[] {
  const course = random.chance(0.5) ? { order: parts, pausesMs: [0, 0, 0] } : randomCourse(random);
  const push: Happening = { kind: 'push', says: { version: random.pick([1, 2, 3, half]) }, course };
  const thenMs = random.pick([5_000, 12_000, 18_000, 24_000, 35_000, 50_000]);
  return [
    { happening: push, thenMs },
    { happening: random.pick(makers)(random), thenMs: 10_000 },
  ];
}

export function randomPlan(random: Random): Plan {
  const setting = randomSetting(random);
  // Most faults need two or three happenings; a long history has room for what they leave behind.
  const length = random.chance(0.3) ? 3 + random.below(14) : random.below(4);
  const moments = Array.from({ length }, () => ({
    happening: random.pick(makers)(random),
    thenMs: random.pick([0, 500, 3_000, 10_000, 10_000, 20_000, 30_000]),
  }));
  return { setting, isDeleted: random.chance(0.2), moments: [...amid(random), ...moments] };
}
