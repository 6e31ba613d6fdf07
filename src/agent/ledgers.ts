import type { TreeFile } from '../git/repo.ts';
import { ledgerFolder, parseLedger } from '../release/ledger.ts';
import { messageOf } from '../lib/errors.ts';
import type { Deps } from './deps.ts';
import type { StableState } from './tracker.ts';

export interface LedgerView {
  readonly stable: StableState | undefined;
  /** Rejected contents that are still in quarantine, with the reason. */
  readonly quarantined: ReadonlyMap<string, string>;
}

/** The ledgers of the last synced revision, by app. */
export interface Ledgers {
  /** Reads what is new among the files of a revision. */
  read(files: ReadonlyMap<string, TreeFile>): Promise<void>;
  get(key: string): LedgerView | undefined;
}

export function createLedgers({
  repo,
  settings,
  log,
  clock,
}: Pick<Deps, 'repo' | 'settings' | 'log' | 'clock'>): Ledgers {
  const folder = ledgerFolder(settings);
  let byKey = new Map<string, { readonly oid: string; readonly view: LedgerView }>();

  return {
    async read(files) {
      const next = new Map<string, { readonly oid: string; readonly view: LedgerView }>();
      for (const [path, { oid }] of files) {
        if (!path.startsWith(`${folder}/`) || !path.endsWith('.yaml')) continue;
        const key = path.slice(folder.length + 1, -'.yaml'.length);
        const known = byKey.get(key);
        if (known?.oid === oid) {
          next.set(key, known);
          continue;
        }
        try {
          const ledger = parseLedger(path, Buffer.from(await repo.blob(oid)).toString('utf8'));
          const lapsed = (expires: string | undefined): boolean =>
            expires !== undefined && Date.parse(expires) < clock.now();
          const quarantined = new Map(
            ledger.quarantine.filter(({ expires }) => !lapsed(expires)).map(({ content, reason }) => [content, reason]),
          );
          const stable = ledger.stable && { content: ledger.stable.content, revision: ledger.stable.revision };
          next.set(key, { oid, view: { stable, quarantined } });
        } catch (error) {
          // An unreadable ledger must not look like an app without history: what was known stays.
          log.error({ path }, messageOf(error));
          if (known) next.set(key, known);
        }
      }
      byKey = next;
    },
    get: (key) => byKey.get(key)?.view,
  };
}
