import type { ConfirmType } from '../canary/requests.ts';
import type { CanarySpec, Evidence, Finding, Phase } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Ledger } from '../release/ledger.ts';
import type { ReleaseRecord } from '../release/types.ts';

/*
 * What people are told of an app: the same on the command line and on the dashboard. Texts of others are plain and cut here, and still have to
 * be escaped where they are shown. Times are epoch milliseconds, shares are percent.
 */

/** All that may be known of an app. What the reader may not read is absent. */
export interface AppFacts {
  readonly canary: KubeObject;
  /** Only whoever may read Secrets of the agent's namespace has it. */
  readonly record?: ReleaseRecord;
  readonly ledger?: Ledger;
  /** Of the Canary, in any order. */
  readonly events?: readonly ToldEvent[];
  /** Looks of the release under way that its record does not have yet. Absent: the record's count. */
  readonly evidence?: readonly Evidence[];
  /** Router of Canaries that name none. */
  readonly provider: string;
}

export interface ToldEvent {
  readonly atMs: number;
  readonly type: 'Normal' | 'Warning';
  readonly message: string;
}

/**
 * The order in which people want to see them: what needs a person, what is moving, what is held and ends by itself, what failed lately,
 * the rest.
 */
export type Group = 'needs-person' | 'moving' | 'held' | 'failed' | 'resting';

/** Names of `src/acts`. */
export type ActName = 'approve' | 'hold' | 'resume' | 'promote' | 'abort' | 'rollback' | 'retry' | 'release' | 'set';

/** What a release waits for. */
export interface Wait {
  /** `approval of confirm-promotion`, `the next check`, `metrics that answer`: after "waits for". */
  readonly what: string;
  /** Absent: for as long as nobody does anything, or it is not known. */
  readonly untilMs?: number;
  /** What happens then, as a sentence without its subject: `is rolled back`. Absent: nothing by itself. */
  readonly end?: string;
}

export interface Held {
  /** `person`: somebody asked for it. `unknown`: checks find nothing out. `unpromotable`: the primary cannot get it. `suspended`: by its spec. */
  readonly cause: 'person' | 'unknown' | 'unpromotable' | 'suspended';
  /** `person` only. */
  readonly by?: string;
  readonly reason?: string;
  readonly sinceMs?: number;
}

/** The release that the Canary's status is of. */
export interface ShownRelease {
  readonly id: string;
  /** The commit that is judged. */
  readonly revision?: string;
  readonly sinceMs?: number;
  /** Container to image. */
  readonly images: Readonly<Record<string, string>>;
  readonly outcome?: {
    readonly verdict: 'promoted' | 'rolled-back' | 'withdrawn';
    readonly atMs?: number;
    readonly failedCheck?: string;
    /** The agent's commit that tells it. Absent: it is not in Git yet. */
    readonly commit?: string;
    /** Why it cannot be written. */
    readonly blocked?: string;
  };
}

export interface AppStatus {
  readonly namespace: string;
  readonly name: string;
  readonly target: { readonly kind: string; readonly name: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly phase: Phase;
  readonly group: Group;
  readonly strategy: 'canary' | 'a/b' | 'blue/green' | 'mirrored blue/green' | 'none' | 'unknown';
  /** Of the users, with the new version. */
  readonly weight: number;
  /** Weights of a canary, in order; empty for other strategies. */
  readonly steps: readonly number[];
  /** Rounds of an A/B test or of blue/green. Absent: it has none. */
  readonly rounds?: { readonly passed: number; readonly of: number };
  readonly failedChecks: { readonly count: number; readonly threshold: number };
  /** Since when it is in this phase. */
  readonly sinceMs?: number;
  readonly intervalMs?: number;
  readonly release?: ShownRelease;
  /** What a request for the release under way has to name; empty: there is none. */
  readonly requestFor: string;
  readonly isMoving: boolean;
  readonly held?: Held;
  readonly waits?: Wait;
  /** The approval that it waits for. Absent: none. */
  readonly gate?: ConfirmType;
  /** Rolled back since it was last promoted. */
  readonly failed?: { readonly what: string; readonly atMs?: number };
  /** Absent: nobody. */
  readonly needsPerson?: { readonly why: string; readonly acts: readonly ActName[] };
  /** One line: where it is and why. */
  readonly line: string;
}

/** A check as it was asked last. */
export interface ShownCheck {
  readonly name: string;
  readonly kind: 'metric' | 'webhook' | 'readiness' | 'person' | 'other';
  readonly state: 'passed' | 'failed' | 'inconclusive' | 'not-asked';
  /** In one line: `success rate 53.42% < 99%`. */
  readonly text: string;
  readonly atMs?: number;
  /** Share of users at that look. */
  readonly weight?: number;
  /** Absent: no number was found. NaN is shown as such. */
  readonly value?: number;
  readonly unit?: 'percent' | 'milliseconds' | 'own';
  readonly min?: number;
  readonly max?: number;
  readonly side?: 'canary' | 'primary';
  readonly provider?: string;
  /** With its variables filled in. Absent: it may not be told, or was not asked yet. */
  readonly query?: string;
  readonly windowMs?: number;
  /** All that is known of what it found. */
  readonly found?: Finding;
}

/** What would move a release on, or back. */
export interface Move {
  /** `all checks pass at the next look`, a sentence's condition. */
  readonly if: string;
  /** `40% of users get the new version`. */
  readonly outcome: string;
  readonly untilMs?: number;
  /** A person does it. Absent: it happens by itself. */
  readonly act?: ActName;
}

export interface Explanation {
  readonly status: AppStatus;
  /** Sentences, the most important one first. */
  readonly why: readonly string[];
  readonly moves: readonly Move[];
  readonly checks: readonly ShownCheck[];
  /** All looks that are known, oldest first: for curves. Missing looks are missing. */
  readonly looks: readonly Evidence[];
  readonly events: readonly ToldEvent[];
  /** Why something of it is not known: `the record of the release may not be read by you`. */
  readonly unknown: readonly string[];
  /** Absent: the Canary cannot be understood. */
  readonly spec?: CanarySpec;
}

export interface HistoryEntry {
  readonly namespace: string;
  readonly name: string;
  readonly atMs: number;
  /** `by-hand`: a commit that a person made by the command line or the dashboard. */
  readonly verdict: 'promoted' | 'rolled-back' | 'withdrawn' | 'adopted' | 'removed' | 'by-hand';
  /** Number of the promotion. Absent: it has none. */
  readonly number?: number;
  readonly releaseId?: string;
  /** The commit that was judged. */
  readonly revision?: string;
  /** The person behind what was judged: who asked the agent for that commit, else its author. Absent: not known here. */
  readonly by?: string;
  /** The commit that tells it, and its tag. */
  readonly commit: string;
  readonly tag?: string;
  readonly subject: string;
  readonly changed: {
    readonly images: readonly { readonly container: string; readonly from?: string; readonly to: string }[];
    /** As the commit names them: `configmap/podinfo`. */
    readonly others: readonly string[];
  };
  readonly failedCheck?: string;
  /** What people asked for of it: `held by alice: …`. */
  readonly asked: readonly string[];
  /** The table of the commit, line by line, as it is written there. */
  readonly evidence: readonly string[];
  readonly cluster?: string;
  readonly supersedes: readonly string[];
}

/** A commit as a history is made of it. */
export interface HistoryCommit {
  readonly revision: string;
  readonly atMs: number;
  readonly author: string;
  readonly message: string;
}
