import type { RequestName } from '../../src/canary/requests.ts';
import type { Json } from '../../src/lib/json.ts';
import type { Random } from './random.ts';
import { type Range, randomRange } from './scalers.ts';
import { rounds, type Setting, weighted } from './settings.ts';

export type Metrics = 'good' | 'bad' | 'silent' | 'idle' | 'unreachable' | 'invalid';
/** What answers a webhook of this type from now on. */
export type HookType =
  | 'confirm-rollout'
  | 'pre-rollout'
  | 'rollout'
  | 'confirm-traffic-increase'
  | 'confirm-promotion'
  | 'rollback'
  | 'post-rollout';
export type Side = 'target' | 'primary';

export type Asked = RequestName | 'resume';

/** What happens around a Canary between two ticks. */
export type Happening =
  | { readonly kind: 'nothing' }
  /** A new version is applied; 0 is the one that it began with. Version 4 never answers. */
  | { readonly kind: 'push'; readonly version: number }
  /** 0: the ConfigMap is deleted. */
  | { readonly kind: 'config'; readonly text: number }
  | { readonly kind: 'metrics'; readonly are: Metrics }
  | { readonly kind: 'hook'; readonly type: HookType; readonly passes: boolean }
  | { readonly kind: 'pods'; readonly of: Side; readonly down: boolean }
  | { readonly kind: 'scale'; readonly of: Side; readonly replicas: number }
  | { readonly kind: 'spec'; readonly change: Json }
  | { readonly kind: 'analysis'; readonly change: Json }
  | { readonly kind: 'route'; readonly to: 'drifts' | 'vanishes' | 'is refused' | 'is accepted' | 'is set to 35' }
  | { readonly kind: 'service'; readonly of: 'apex' | 'primary' | 'canary'; readonly is: 'deleted' | 'turned' }
  /** So many pods would be needed for what they have to do. */
  | { readonly kind: 'load'; readonly of: Side; readonly needs: number }
  | { readonly kind: 'scaler'; readonly of: Side; readonly is: 'deleted' | 'put back' | 'resumed' }
  /** A ScaledObject is told to keep this number. */
  | { readonly kind: 'pause'; readonly of: Side; readonly at: number }
  /** The target's autoscaler is given other bounds. */
  | { readonly kind: 'range'; readonly range: Range }
  /** Autoscalers follow what is needed and what they are told, or nobody looks at them. */
  | { readonly kind: 'autoscaling'; readonly acts: boolean }
  | { readonly kind: 'lost'; readonly what: Side | 'copy of the config' }
  | { readonly kind: 'clock'; readonly jumpsMs: number }
  /** Something wakes the agent before its time. */
  | { readonly kind: 'woken'; readonly afterMs: number }
  /** Somebody asks for something on the Canary: of the release under way, or of one that is over. */
  | { readonly kind: 'asked'; readonly act: Asked; readonly isOld: boolean }
  | { readonly kind: 'delete' };

/** How the tick after a happening goes wrong. */
export interface Trouble {
  /** The API refuses the effect with this number, and all after it. */
  readonly failsAt?: number;
  /** The agent dies with it: what it only remembered is gone. */
  readonly dies?: true;
  /** All was done, but the status could not be written. */
  readonly losesStatus?: true;
  /** It sees the world as the tick before saw it, apart from the Canary itself. */
  readonly isStale?: true;
}

export interface Moment {
  readonly happening: Happening;
  readonly trouble: Trouble;
}

type Maker = (random: Random) => Happening;

const hookTypes: readonly HookType[] = [
  'confirm-rollout',
  'pre-rollout',
  'rollout',
  'confirm-traffic-increase',
  'confirm-promotion',
  'rollback',
  'post-rollout',
];
const specChanges: readonly Json[] = [
  { skipAnalysis: true },
  { skipAnalysis: false },
  { suspend: true },
  { suspend: false },
  { suspend: false },
  { revertOnDeletion: true },
  { revertOnDeletion: false },
  { progressDeadlineSeconds: 30 },
];
const pushed: Maker = (random) => ({ kind: 'push', version: random.below(6) });
const nothing: Maker = () => ({ kind: 'nothing' });

const makers: readonly Maker[] = [
  ...Array.from({ length: 8 }, () => nothing),
  ...Array.from({ length: 4 }, () => pushed),
  (random) => ({ kind: 'config', text: random.chance(0.1) ? 0 : 1 + random.below(3) }),
  (random) => ({
    kind: 'metrics',
    are: random.pick(['good', 'good', 'good', 'bad', 'silent', 'idle', 'unreachable', 'invalid']),
  }),
  (random) => ({ kind: 'hook', type: random.pick(hookTypes), passes: random.chance(0.5) }),
  (random) => ({ kind: 'hook', type: random.pick(hookTypes), passes: random.chance(0.5) }),
  (random) => ({ kind: 'pods', of: random.pick(['target', 'primary']), down: random.chance(0.5) }),
  (random) => ({ kind: 'pods', of: random.pick(['target', 'primary']), down: false }),
  (random) => ({ kind: 'scale', of: random.pick(['target', 'target', 'primary']), replicas: random.below(4) }),
  (random) => ({ kind: 'spec', change: random.pick(specChanges) }),
  (random) => ({
    kind: 'analysis',
    change: random.chance(0.3) ? { threshold: 1 } : random.pick([...weighted, ...rounds]),
  }),
  (random) => ({
    kind: 'route',
    to: random.pick(['drifts', 'vanishes', 'is refused', 'is accepted', 'is accepted', 'is set to 35']),
  }),
  (random) => ({
    kind: 'service',
    of: random.pick(['apex', 'primary', 'canary']),
    is: random.pick(['deleted', 'turned']),
  }),
  (random) => ({ kind: 'lost', what: random.pick(['primary', 'copy of the config', 'target']) }),
  (random) => ({
    kind: 'asked',
    act: random.pick(['hold', 'hold', 'resume', 'promote', 'abort', 'approve']),
    isOld: false,
  }),
  (random) => ({
    kind: 'asked',
    act: random.pick(['hold', 'resume', 'promote', 'approve', 'abort']),
    isOld: random.chance(0.5),
  }),
  (random) => ({ kind: 'woken', afterMs: (1 + random.below(9)) * 1_000 }),
  (random) => ({ kind: 'clock', jumpsMs: (random.below(41) - 20) * 10_000 }),
];

/** What an autoscaler brings with it. */
const scalerMakers: readonly Maker[] = [
  (random) => ({ kind: 'load', of: random.pick(['target', 'primary']), needs: 1 + random.below(5) }),
  (random) => ({ kind: 'load', of: 'primary', needs: 1 + random.below(5) }),
  (random) => ({ kind: 'scaler', of: 'target', is: random.pick(['deleted', 'put back', 'put back', 'resumed']) }),
  (random) => ({ kind: 'scaler', of: 'primary', is: random.pick(['deleted', 'resumed']) }),
  (random) => ({ kind: 'pause', of: random.pick(['target', 'target', 'primary']), at: random.below(3) }),
  (random) => ({ kind: 'range', range: randomRange(random) }),
  (random) => ({ kind: 'autoscaling', acts: random.chance(0.5) }),
];

export function randomMoments(random: Random, { scaler }: Setting): Moment[] {
  const known = scaler ? [...makers, ...scalerMakers] : makers;
  const count = 6 + random.below(20);
  const moments: Moment[] = [];
  for (let index = 0; index < count; index += 1) {
    const isDeletion = index > 8 && random.chance(0.01);
    const happening: Happening = isDeletion ? { kind: 'delete' } : random.pick(known)(random);
    moments.push({ happening, trouble: random.chance(0.25) ? randomTrouble(random) : {} });
  }
  return moments;
}

function randomTrouble(random: Random): Trouble {
  switch (random.below(4)) {
    case 0:
      return { isStale: true };
    case 1:
      return { losesStatus: true, ...(random.chance(0.5) ? { dies: true } : {}) };
    default:
      return { failsAt: random.below(8), ...(random.chance(0.5) ? { dies: true } : {}) };
  }
}

export function describeMoment({ happening, trouble }: Moment): string {
  const { kind, ...rest } = happening;
  const said = kind === 'nothing' ? '' : `${kind} ${JSON.stringify(rest)}`;
  const wrong = Object.keys(trouble).length === 0 ? '' : ` [${JSON.stringify(trouble)}]`;
  return `${said}${wrong}`.trim();
}
