import type { TreeFile } from '../../git/repo.ts';
import { type AppKey, readKey } from '../../lib/key.ts';
import { type Ledger, ledgerFolder, parseLedger, quarantineReason } from '../../release/ledger.ts';
import { type RejectedImage, rejectedImage } from '../../release/rejected-image.ts';
import type { AppState, Proof } from '../../release/types.ts';
import { messageOf } from '../../lib/errors.ts';
import { createTurns } from '../../lib/turns.ts';
import type { SourceDeps } from '../deps.ts';
import { isSameState, type Judged } from './judged-state.ts';
import type { StableState } from './tracker.ts';

export interface LedgerView {
  /** Undefined: it has none, or the app had left Git. */
  readonly stable: StableState | undefined;
  /** Why a state is in quarantine; undefined where it is not (any more). */
  readonly failed: (state: Pick<AppState, 'content' | 'images' | 'templateHash'>) => string | undefined;
  /** The promotion by an analysis that this very state had within so long; undefined: none, or it was rejected since. */
  readonly provenBy: (state: Judged & Pick<AppState, 'content' | 'images'>, withinMs: number) => Proof | undefined;
  /** Whether such a promotion of the content is told, however long ago. */
  readonly tells: (proof: Proof, content: string) => boolean;
  /** The image among these that was rejected in another version; undefined where none was. */
  readonly rejectedImage: (images: Readonly<Record<string, string>>) => RejectedImage | undefined;
}

/** The ledgers of the last synced revision, by app. */
export interface Ledgers {
  /** Reads what is new among the ledgers of a revision. */
  read(files: ReadonlyMap<string, TreeFile>): Promise<void>;
  get(key: AppKey): LedgerView | undefined;
  /** As it stands in Git; undefined: it has none that was read. */
  whole(key: AppKey): Ledger | undefined;
  entries(): Iterable<readonly [key: AppKey, view: LedgerView]>;
}

/** `onChange`: told of each app whose ledger says something else by now. */
export function createLedgers(
  { repo, settings, log, clock }: Pick<SourceDeps, 'repo' | 'settings' | 'log' | 'clock'>,
  onChange: (app: AppKey) => void = () => undefined,
): Ledgers {
  const folder = ledgerFolder(settings);
  const viewOf = (ledger: Ledger): LedgerView => ({
    // Of an app that comes back what was there before it left is history.
    stable: ledger.removed
      ? undefined
      : ledger.stable && { content: ledger.stable.content, revision: ledger.stable.revision },
    failed: (state) => quarantineReason(ledger, state, clock.now()),
    provenBy: (state, withinMs) => provenBy(ledger, state, { nowMs: clock.now(), withinMs }),
    tells: (proof, content) =>
      ledger.removed === undefined &&
      (ledger.proven ?? []).some(
        (one) => one.releaseId === proof.releaseId && one.at === proof.at && one.content === content,
      ),
    rejectedImage: (images) => rejectedImage(ledger, images, clock.now()),
  });
  let byKey = new Map<AppKey, { readonly oid: string; readonly view: LedgerView; readonly ledger: Ledger }>();

  return {
    async read(files) {
      const next: typeof byKey = new Map();
      const turns = createTurns();
      for (const [path, { oid }] of files) {
        const key = readKey(path.slice(folder.length + 1, -'.yaml'.length));
        // Not the place of an app's ledger.
        if (!key) continue;
        const known = byKey.get(key);
        if (known?.oid === oid) {
          next.set(key, known);
          continue;
        }
        try {
          const ledger = parseLedger(path, Buffer.from(await repo.blob(oid)).toString('utf8'));
          next.set(key, { oid, view: viewOf(ledger), ledger });
          await turns.breathe();
        } catch (error) {
          // An unreadable ledger must not look like an app without history: what was known stays.
          log.error({ path }, messageOf(error));
          if (known) next.set(key, known);
        }
      }
      const before = byKey;
      byKey = next;
      for (const [key, { oid }] of next) if (before.get(key)?.oid !== oid) onChange(key);
    },
    get: (key) => byKey.get(key)?.view,
    whole: (key) => byKey.get(key)?.ledger,
    entries: () => [...byKey].map(([key, { view }]) => [key, view] as const),
  };
}

function provenBy(
  ledger: Ledger,
  state: Judged & Pick<AppState, 'content' | 'images'>,
  { nowMs, withinMs }: { readonly nowMs: number; readonly withinMs: number },
): Proof | undefined {
  // Of an app that was gone meanwhile nothing is known.
  if (ledger.removed || quarantineReason(ledger, state, nowMs) !== undefined) return undefined;
  if (rejectedImage(ledger, state.images, nowMs)) return undefined;
  const found = (ledger.proven ?? []).findLast(({ content, at, templateHash, configs }) => {
    const agoMs = nowMs - Date.parse(at);
    // What a clock that ran ahead has written proves nothing.
    const isWithin = agoMs >= 0 && agoMs <= withinMs;
    return isWithin && content === state.content && isSameState({ templateHash, configs }, state);
  });
  return found && { releaseId: found.releaseId, at: found.at };
}
