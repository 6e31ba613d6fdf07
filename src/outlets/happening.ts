import type { AlertSeverity, CanaryEvent, CanarySpec, CanaryStatus, Decision, Phase, Seen } from '../canary/types.ts';
import { type AppKey, keyOf } from '../lib/key.ts';
import type { KubeObject } from '../manifest/types.ts';

/** The Canary that something happened to, as far as it could be read. */
export type Subject = Pick<CanarySpec, 'namespace' | 'name'> & Partial<CanarySpec>;

interface OfRelease {
  readonly app: AppKey;
  /** The release under way. Undefined: there is none, or who tells does not know it. */
  readonly releaseId: string | undefined;
}

/** A sentence for people, as Flagger's events have it. */
interface Said extends OfRelease {
  readonly kind: 'said';
  readonly canary: KubeObject;
  readonly spec: Subject;
  readonly event: CanaryEvent;
}

/** What people are called for. */
export interface Alerted extends OfRelease {
  readonly kind: 'alerted';
  readonly canary: KubeObject;
  readonly spec: CanarySpec;
  /** As the tick found it. */
  readonly status: CanaryStatus;
  readonly severity: AlertSeverity;
  readonly message: string;
  /** With the target, the routing and the analysis. */
  readonly withFields: boolean;
  /** The page of the commit that the release is about. Absent: it is not known. */
  readonly commitUrl?: string;
}

/** A tick has come to its end. */
export interface Looked extends OfRelease {
  readonly kind: 'looked';
  readonly spec: CanarySpec;
  /** As the tick has left it. */
  readonly phase: Phase;
  /** The canary's share of users in percent, as the tick has left it. */
  readonly weight: number;
  /** How long the tick took, in seconds. Undefined: it judged nothing. */
  readonly seconds: number | undefined;
  /** Of the releases that it has ended. */
  readonly verdicts: readonly Extract<Decision['effects'][number], { kind: 'end-release' }>['verdict'][];
}

/** A metric has a value, in its own unit. */
export interface Measured extends OfRelease {
  readonly kind: 'measured';
  readonly spec: CanarySpec;
  readonly metric: string;
  readonly value: number;
}

/** The Canary is no more. */
interface Gone {
  readonly kind: 'gone';
  readonly app: AppKey;
}

/** Something that happened to an app: data that is never changed and never taken back. All that tell people and machines of it get the same. */
export type Happening = Said | Alerted | Looked | Measured | Gone;

/** What is told of a tick that came to `status` by `decision`, in a world `seen`, within `seconds`. */
export function lookedOf(
  spec: CanarySpec,
  status: Pick<CanaryStatus, 'phase'>,
  seen: Pick<Seen, 'split' | 'releaseId'>,
  { effects, evidence }: Pick<Decision, 'effects' | 'evidence'>,
  seconds: number,
): Looked {
  const routed = effects.findLast((effect) => effect.kind === 'set-route');
  return {
    kind: 'looked',
    app: keyOf(spec),
    releaseId: seen.releaseId,
    spec,
    phase: status.phase,
    weight: routed?.split.canaryWeight ?? seen.split?.canaryWeight ?? 0,
    seconds: evidence ? seconds : undefined,
    verdicts: effects.flatMap((effect) => (effect.kind === 'end-release' ? [effect.verdict] : [])),
  };
}
