import type { Evidence, FailedCheck } from '../canary/types.ts';
import type { Revision } from '../git/repo.ts';

export interface AppId {
  readonly namespace: string;
  readonly name: string;
}

/** What an app is at one moment: what the ledger stores as stable state and quarantine entries refer to. */
export interface AppState {
  /** The commit that this content was judged at. */
  readonly revision: Revision;
  /** Container name to image, as written. */
  readonly images: Readonly<Record<string, string>>;
  /** Hash of the live pod template (Canary.status.lastPromotedSpec); empty where unknown. */
  readonly templateHash: string;
  /** `configmap/<name>` or `secret/<name>` to checksum. */
  readonly configs: Readonly<Record<string, string>>;
  /** Hash of what is judged, from Git's documents alone: pod template and config data. Equal content, equal hash. */
  readonly content: string;
}

/**
 * A release under way, kept as a Secret of the agent's own namespace so that a restart goes on with it (see record-object.ts).
 * Times are epoch milliseconds.
 */
export interface ReleaseRecord {
  readonly id: string;
  /** Commit at which the candidate was first seen. */
  readonly revision: Revision;
  /** Last commit at which the app still had its stable content; what a revert goes back to. */
  readonly base: Revision;
  readonly content: string;
  /** What the Canary's status says while it is under way. Absent in records of older agents. */
  readonly judged?: Pick<AppState, 'templateHash' | 'configs'>;
  /** The candidate's images, container name to image; Git may say others by the end. Absent in records of older agents. */
  readonly images?: Readonly<Record<string, string>>;
  readonly startedAtMs: number;
  /** Release ids that a newer push replaced before they were judged. */
  readonly supersedes: readonly string[];
  /** By such an id, the commit that it was to be judged at. Absent in records of older agents. */
  readonly supersededAt?: Readonly<Record<string, Revision>>;
  /** What it changes beside images, by name (see canary/changes.ts). Absent: not known. */
  readonly changes?: readonly string[];
  /** Something of the pod template is among them. Absent: nothing, or not known. */
  readonly changesTemplate?: true;
  /** What was found so far, written down whenever a check failed. Absent: nothing failed yet, or the outcome has it all. */
  readonly evidence?: readonly Evidence[];
  /** The release by which the same state was promoted before, and when: it needs no analysis. Absent: none. */
  readonly proven?: Proof;
  readonly outcome?: RecordedOutcome;
  /** Earlier releases whose outcomes are not in Git yet, oldest first. Absent: none. */
  readonly unwritten?: readonly ReleaseRecord[];
  /** How many of those were given up, because too many waited. Absent: none. */
  readonly dropped?: number;
}

/** The promotion that proves a state, as the ledger tells it. `at`: RFC 3339. */
export interface Proof {
  readonly releaseId: string;
  readonly at: string;
}

/** How a release was judged; `none`: its Canary skips the analysis. */
export type ReleaseStrategy = 'canary' | 'a/b' | 'blue/green' | 'mirrored blue/green' | 'none';

export interface RecordedOutcome {
  /** `withdrawn`: somebody took it back in Git before it was judged to the end. */
  readonly verdict: 'promoted' | 'rolled-back' | 'withdrawn';
  /** The commit that took it back; of withdrawn releases only. */
  readonly takenBackAt?: Revision;
  readonly atMs: number;
  readonly failedCheck?: FailedCheck;
  /** How it was judged. Absent in records of older agents. */
  readonly strategy?: ReleaseStrategy;
  readonly evidence: readonly Evidence[];
  readonly state: AppState;
  /** The commit that tells it; absent until the push has landed. */
  readonly written?: Revision;
  /** Why it cannot be written at the moment, for people. */
  readonly blocked?: string;
}

/** Everything that is needed to write one outcome to Git, at any later time and any number of times. */
export interface Outcome {
  readonly app: AppId;
  readonly releaseId: string;
  /** `removed`: the app is no longer in Git, since `state.revision`. */
  readonly verdict: 'promoted' | 'rolled-back' | 'withdrawn' | 'adopted' | 'removed';
  readonly takenBackAt?: Revision;
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly state: AppState;
  readonly base: Revision;
  readonly failedCheck?: FailedCheck;
  readonly evidence: readonly Evidence[];
  readonly supersedes: readonly string[];
  readonly supersededAt?: Readonly<Record<string, Revision>>;
  readonly changes?: readonly string[];
  readonly changesTemplate?: true;
  readonly strategy?: ReleaseStrategy;
  /** Why it was promoted without an analysis. Absent: it was judged, or its Canary skips the analysis. */
  readonly proven?: Proof;
}
