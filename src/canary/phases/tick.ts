import type { KubeObject } from '../../manifest/types.ts';
import type { SelectorLabel } from '../labels.ts';
import type { PrimarySource } from '../primary.ts';
import type { Novelty, Revision } from '../revision.ts';
import { type Intents, say } from '../intents.ts';
import type { Target } from '../targets/target.ts';
import { freshAnalysis, withConsecutive } from '../analysis-state.ts';
import type {
  AlertSeverity,
  AnalysisState,
  Answer,
  CanarySpec,
  CanaryStatus,
  DecideSettings,
  Effect,
  Evidence,
  Mark,
  Question,
  Seen,
  TrafficSplit,
} from '../types.ts';

/** A course of action that stops wherever it needs an answer. */
export type Asking<T> = Generator<Question, T, Answer>;

/** What a tick has decided so far; only `decide` reads it. */
export interface Draft {
  readonly intents: Intents;
  readonly afterwards: Effect[];
  /** Without what the analysis tells: `decide` adds that. */
  status: CanaryStatus;
  analysis: AnalysisState;
  readonly checks: Evidence['checks'][number][];
  /** Checks find nothing out; a look that comes to none finds nothing out either. */
  isHeld: boolean;
  /** Of one that is held: it has passed, and the primary cannot get it. */
  isUnpromotable?: boolean;
  isJudged: boolean;
  /** Where users are led by what is decided so far. Absent: where they are. */
  routed?: TrafficSplit;
  /** As in the decision. Absent: nothing. */
  notice?: string;
  nextTickMs: number;
}

export interface Tick {
  readonly spec: CanarySpec;
  /** What is different about this kind of target. */
  readonly kind: Target;
  /** As it was before this tick. */
  readonly status: CanaryStatus;
  /** Likewise. */
  readonly analysis: AnalysisState;
  readonly seen: Seen;
  readonly settings: DecideSettings;
  readonly draft: Draft;
  /** As they stand in messages: `<name>.<namespace>`. */
  readonly names: { readonly canary: string; readonly target: string; readonly primary: string };
}

/** A tick that has found its target. */
export interface Stage extends Tick {
  readonly target: KubeObject;
  readonly selector: SelectorLabel;
  readonly revision: Revision;
  /** What a primary would be made of now. */
  readonly source: PrimarySource;
  readonly novelty: Novelty;
  /** The canary's share as the routing objects say, not as the status does. */
  readonly weight: number;
  /** What of it the analysis has come to: somebody else may have given the canary more. */
  readonly judged: number;
  readonly mirrored: boolean;
}

/** `phase`: as event webhooks are to see it; absent: as it was before this tick. */
export function normal({ draft }: Tick, message: string, phase?: CanaryStatus['phase']): void {
  say(draft.intents, {
    kind: 'event',
    event: { type: 'Normal', level: 'info', message, ...(phase === undefined ? {} : { phase }) },
  });
}

export function warn({ draft }: Tick, message: string, phase?: CanaryStatus['phase']): void {
  say(draft.intents, {
    kind: 'event',
    event: { type: 'Warning', level: 'info', message, ...(phase === undefined ? {} : { phase }) },
  });
}

/** A warning that Flagger logs as an error. */
export function fail({ draft }: Tick, message: string): void {
  say(draft.intents, { kind: 'event', event: { type: 'Warning', level: 'error', message } });
}

export function log({ draft }: Tick, message: string): void {
  say(draft.intents, { kind: 'log', message });
}

export function alert({ draft }: Tick, severity: AlertSeverity, message: string, withFields = false): void {
  say(draft.intents, { kind: 'alert', severity, message, withFields });
}

/** Nothing moves until somebody does something about it. Said at each look that finds it so: who is told hears the same text once (outlets/alerts.ts). */
export function alertHeld(tick: Tick, why: string): void {
  alert(tick, 'warn', `Canary is held: ${why}`);
}

export function update(
  { draft }: Tick,
  change: Partial<Omit<CanaryStatus, 'failedChecks' | 'iterations' | 'analysis'>>,
): void {
  draft.status = { ...draft.status, ...change };
}

export function countFailure({ draft, analysis, spec }: Stage): void {
  const counted = { ...draft.analysis, failedChecks: analysis.failedChecks + 1 };
  const isCounted = spec.analysis.consecutive !== undefined;
  draft.analysis = isCounted ? withConsecutive(counted, (analysis.consecutive ?? 0) + 1) : counted;
}

/** So many rounds are passed; of a weighted canary that it goes on. No mark stays. */
export function setRounds({ draft }: Tick, iterations: number): void {
  const { mark: _before, ...state } = draft.analysis;
  draft.analysis = { ...state, iterations };
}

/** Of a weighted canary, which has no rounds to count. */
export function setMark({ draft }: Tick, mark: Mark): void {
  draft.analysis = { ...draft.analysis, iterations: 0, mark };
}

/** Flagger's full sync: the phase with the target's present revision, all counters back. */
export function restartAs(stage: Stage, phase: CanaryStatus['phase'], canaryWeight: number): void {
  const { trackedConfigs: _before, onHold: _over, ...status } = stage.draft.status;
  const { hash, configs } = stage.revision;
  stage.draft.isHeld = false;
  stage.draft.analysis = freshAnalysis(stage.spec, hash, stage.seen.nowMs);
  stage.draft.status = {
    ...status,
    phase,
    canaryWeight,
    lastAppliedSpec: hash,
    ...(configs === undefined ? {} : { trackedConfigs: configs }),
  };
}
