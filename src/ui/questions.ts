import type { AppKey } from '../lib/key.ts';

/** What pages ask the agent. Each answer is bounded, plain data, and comes within seconds or not at all. */
export interface Ask {
  /** The pods of the target and of the primary. */
  pods(app: AppKey): Promise<readonly PodFacts[]>;
  /** The last lines that a pod's containers wrote, without the values of its Secrets. */
  podLog(app: AppKey, pod: string): Promise<readonly string[]>;
  /** The Canary as it stands in Git, and as it is in the cluster. */
  yaml(app: AppKey): Promise<CanaryText>;
}

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
