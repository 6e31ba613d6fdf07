import type { Reflection } from '../../cluster/cluster.ts';
import type { Revision } from '../../git/repo.ts';
import type { Clock } from '../../lib/clock.ts';
import { type AppKey, partsOf } from '../../lib/key.ts';
import { releaseId } from '../../release/release-id.ts';
import type { Outcome } from '../../release/types.ts';
import type { Ledgers } from '../releases/ledgers.ts';

/** What Git says after a sync. */
export interface SyncedTree {
  readonly revision: Revision;
  /** Apps by key. */
  readonly keys: ReadonlySet<AppKey>;
  /** Everything could be read and applied, and nothing is held: what is not there is gone on purpose. */
  readonly isWhole: boolean;
  /** Likewise, of what the tenants of a namespace say; absent: there are none. */
  readonly isWholeIn?: (namespace: string) => boolean;
  /** Some file holds something else than objects: an app that was never seen may stand in it. */
  readonly hasStrays: boolean;
}

export interface LedgerCloser {
  note(tree: SyncedTree): void;
  /** Closes the ledgers of apps that have left Git and the cluster. */
  look(): void;
}

export interface LedgerCloserOptions {
  readonly ledgers: Pick<Ledgers, 'entries'>;
  readonly canaries: Pick<Reflection, 'get'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly submit: (outcome: Outcome) => void;
}

/**
 * An app that leaves Git closes its ledger, once its Canary has handed everything back and is gone. As long as something keeps it in the
 * cluster (a file that cannot be read, the guard, pruning that is off) its ledger stays open.
 */
export function createLedgerCloser({ ledgers, canaries, clock, submit }: LedgerCloserOptions): LedgerCloser {
  let last: SyncedTree | undefined;
  const seen = new Set<AppKey>();
  /** By key, the revision for which it was submitted. */
  const submitted = new Map<AppKey, Revision>();
  return {
    note(tree) {
      last = tree;
      for (const key of tree.keys) {
        seen.add(key);
        submitted.delete(key);
      }
    },
    look() {
      if (!last) return;
      const { keys, revision, hasStrays, isWhole, isWholeIn = () => isWhole } = last;
      for (const [key, { stable }] of ledgers.entries()) {
        if (!stable || keys.has(key) || submitted.has(key)) continue;
        const app = partsOf(key);
        const { namespace, name } = app;
        if (!isWholeIn(namespace) || canaries.get(namespace, name) || (hasStrays && !seen.has(key))) continue;
        submitted.set(key, revision);
        const atMs = clock.now();
        submit({
          app,
          releaseId: releaseId(app, 'removed', revision),
          verdict: 'removed',
          atMs,
          startedAtMs: atMs,
          state: { revision, images: {}, templateHash: '', configs: {}, content: stable.content },
          base: revision,
          evidence: [],
          supersedes: [],
        });
      }
    },
  };
}
