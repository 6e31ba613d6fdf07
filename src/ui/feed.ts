import type { AppKey } from '../lib/key.ts';
import type { AppFacts } from '../report/types.ts';
import type { AgentDoor } from './questions.ts';

/** What the agent tells the dashboard. Never changed after it was told. */
export type Change =
  /** A comparison: what is not told until `end` is gone. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'end' }
  /** Takes the place of what was told of the app before. */
  | { readonly kind: 'app'; readonly app: AppKey; readonly facts: AppFacts }
  | { readonly kind: 'gone'; readonly app: AppKey }
  | Said
  | Measured
  | Looked
  | { readonly kind: 'agent'; readonly about: AgentAbout };

interface OfApp {
  readonly app: AppKey;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** The release under way. Undefined: none is known. */
  readonly releaseId: string | undefined;
}

/** A sentence for people, at most 2,000 characters. */
export interface Said extends OfApp {
  readonly kind: 'said';
  readonly type: 'Normal' | 'Warning';
  readonly message: string;
}

/** A metric of the new version has a value, in its own unit. */
export interface Measured extends OfApp {
  readonly kind: 'measured';
  readonly metric: string;
  readonly value: number;
  /** The old version's, at the same time. Null: it was to be measured, and there is no value. Undefined: this metric is not measured of it. */
  readonly baseline?: number | null;
}

/** A look at the app came to its end with another phase or weight than the one before. */
export interface Looked extends OfApp {
  readonly kind: 'looked';
  readonly phase: string;
  /** The canary's share of users in percent. */
  readonly weight: number;
}

export interface AgentAbout {
  readonly version: string;
  /** Empty: it has no name. */
  readonly cluster: string;
  readonly sources: readonly {
    readonly name: string;
    readonly branch: string;
    readonly path: string;
    /** The commit that is applied. Undefined: none yet. */
    readonly synced: string | undefined;
    /** Undefined: all is well. */
    readonly trouble: string | undefined;
  }[];
  /** What a person should know: what is not ready, what waits for Git. */
  readonly notes: readonly string[];
}

/** The agent, as the dashboard sees it. */
export interface UiAgent {
  apps(): Iterable<AppKey>;
  /** Undefined: there is no such app. */
  facts(app: AppKey): AppFacts | undefined;
  about(): AgentAbout;
  /** Tells of what changes from now on. Gives how to stop it. */
  follow(listener: UiListener): () => void;
  readonly door: AgentDoor;
}

export interface UiListener {
  /** Also where the app has gone. */
  changed(app: AppKey): void;
  happened(change: Said | Measured | Looked): void;
}
