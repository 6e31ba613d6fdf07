import type { Act } from '../acts/acts.ts';
import type { AppKey } from '../lib/key.ts';
import type { HistoryEntry } from '../report/types.ts';
import type { KubernetesUser } from './auth/identity.ts';
import type { Flash } from './told.ts';
import type { Right } from './viewer.ts';

/** What pages ask the agent. Each answer is bounded, plain data, and comes within seconds or not at all. */
export interface Ask {
  /** The pods of the target and of the primary. */
  pods(app: AppKey): Promise<readonly PodFacts[]>;
  /** The last lines that a pod's containers wrote, without the values of its Secrets. */
  podLog(app: AppKey, pod: string): Promise<readonly string[]>;
  /** The Canary as it stands in Git, and as it is in the cluster. */
  yaml(app: AppKey): Promise<CanaryText>;
  /** What Git tells of it, newest first. `before`: older than this commit. */
  history(app: AppKey, options: { readonly limit: number; readonly before?: string }): Promise<readonly HistoryEntry[]>;
  diff(app: AppKey, revision: string): Promise<CommitDiff>;
  /** Of each container of its workload. */
  images(app: AppKey): Promise<readonly ImageFacts[]>;
  /** What an act would write, or why it cannot. */
  preview(act: Act): Promise<Preview>;
}

/** All that the dashboard's thread asks of the agent. Each function is asked by its name, with plain data. */
export interface AgentDoor extends Omit<Ask, 'yaml' | 'diff' | 'preview'> {
  /** The Canary as it stands in Git. Undefined: no file of a source has it. */
  textInGit(app: AppKey): Promise<CanaryText['inGit']>;
  /** What a commit changed of the files that an app is made of. */
  changedBy(
    app: AppKey,
    revision: string,
  ): Promise<{ readonly files: readonly ChangedFile[]; readonly truncated: boolean }>;
  planned(act: Act, by: string): Promise<Planned>;
  /** Does what a person asked for, who was found to have the right. The answer is for him. */
  perform(act: Act, by: string): Promise<Flash>;
  /** Whose token of Kubernetes this is; undefined: nobody's. */
  reviewToken(token: string): Promise<KubernetesUser | undefined>;
  /** Whether somebody may get (`read`) or patch (`operate`) Canaries of a namespace; the empty name is all of them. */
  reviewAccess(asked: AccessAsked): Promise<boolean>;
}

/** Texts before and after; undefined: there is no such file. A text in place of both: why it is not shown. */
export interface ChangedFile {
  readonly path: string;
  readonly texts: { readonly before: string | undefined; readonly after: string | undefined } | string;
}

export type Planned =
  | { readonly kind: 'commit'; readonly message: string; readonly files: readonly ChangedFile[] }
  | Exclude<Preview, { readonly kind: 'commit' }>;

export interface AccessAsked {
  readonly user: KubernetesUser;
  readonly right: Right;
  readonly namespace: string;
}

export interface CommitDiff {
  /** Unified diffs. */
  readonly files: readonly { readonly path: string; readonly patch: string }[];
  readonly truncated: boolean;
}

export interface ImageFacts {
  readonly container: string;
  /** As it stands in Git. */
  readonly image: string;
  readonly now: string | undefined;
  readonly policy: string | undefined;
  /** What the policy picks. Undefined: nothing newer. */
  readonly wanted: string | undefined;
  readonly state: string;
  readonly reason: string;
  /** Undefined: nobody holds it. */
  readonly hold: { readonly by: string; readonly instead: string; readonly at: string } | undefined;
  /** Why the registry does not tell its versions. Undefined: it does. */
  readonly problem: string | undefined;
  /** Newest first, at most 200. `reason`: why it is not picked; empty: there is nothing to say. */
  readonly tags: readonly { readonly tag: string; readonly reason: string; readonly madeAtMs?: number }[];
}

export type Preview =
  | { readonly kind: 'commit'; readonly message: string; readonly files: CommitDiff['files'] }
  | {
      readonly kind: 'annotations';
      /** null: is taken away. */
      readonly annotations: Readonly<Record<string, string | null>>;
      readonly said: string;
    }
  | { readonly kind: 'refused'; readonly text: string };

export interface PodFacts {
  readonly name: string;
  readonly role: 'primary' | 'canary';
  readonly images: readonly string[];
  readonly isReady: boolean;
  readonly restarts: number;
  /** Why it is not ready. Undefined: it is, or nothing is known. */
  readonly reason: string | undefined;
  /** When it was made, in milliseconds since the Unix epoch. */
  readonly madeAtMs: number;
}

export interface CanaryText {
  /** Undefined: no file of a source has it. */
  readonly inGit: { readonly path: string; readonly line: number; readonly text: string } | undefined;
  readonly live: string;
}
