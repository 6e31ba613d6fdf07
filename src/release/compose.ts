import type { CommitDraft, Revision, Signature, TagDraft } from '../git/repo.ts';
import {
  holdsRelease,
  type Ledger,
  ledgerPath,
  parseLedger,
  type QuarantineEntry,
  withQuarantine,
  withStable,
} from './ledger.ts';
import { adoptionMessage, type MessageSettings, outcomeMessage } from './message.ts';
import type { Files, Render } from './rendered.ts';
import { revertApp } from './revert.ts';
import type { Outcome } from './types.ts';

export interface ComposeSettings extends MessageSettings {
  readonly path: string;
  readonly ledgerDir: string;
  readonly tagPrefix: string;
  readonly author: { readonly name: string; readonly email: string };
}

/** A tree at the tip and what is to be written on top of it. Later outcomes see what earlier ones wrote. */
export interface Draft {
  /** Manifest files, the edits so far included. */
  readonly files: Map<string, string>;
  /** Ledgers that were asked for, the edits so far included; undefined where there is none. */
  readonly ledgers: Map<string, string | undefined>;
  readonly commits: {
    readonly draft: CommitDraft;
    readonly outcomes: readonly Outcome[];
    readonly number: number | undefined;
  }[];
  readonly tags: TagDraft[];
  /** Promotions whose commit landed before, without their tag. */
  readonly lateTags: { readonly outcome: Outcome; readonly number: number }[];
}

export type Composed =
  | { readonly kind: 'composed' }
  /** Git tells it already; `number` is the release's. */
  | { readonly kind: 'written'; readonly number: number }
  | { readonly kind: 'blocked'; readonly reason: string };

/** More rollbacks of the same content within this time mean that somebody keeps pushing it. */
const fightWindowMs = 3_600_000;
const fightLimit = 3;

export function createDraft(files: Files): Draft {
  return { files: new Map(files), ledgers: new Map(), commits: [], tags: [], lateTags: [] };
}

export interface RollbackTrees {
  readonly base: Files;
  readonly judged: Files;
  readonly render: Render;
}

/** Adds one promotion to the draft: the ledger's new stable state, and the tag. */
export function composePromotion(
  draft: Draft,
  outcome: Outcome,
  ledgerText: string | undefined,
  settings: ComposeSettings,
): Composed {
  const path = ledgerPath(settings, outcome.app);
  const ledger = readLedger(path, ledgerText);
  if (ledger.stable?.releaseId === outcome.releaseId) return { kind: 'written', number: ledger.stable.release };
  const number = (ledger.stable?.release ?? 0) + 1;
  const context = {
    ...settings,
    number,
    previousImages: ledger.stable?.images ?? {},
    previousConfigs: ledger.stable?.configs ?? {},
    change: 'only-recorded' as const,
  };
  const message = outcomeMessage(outcome, context);
  const text = withStable(outcome.app, path, ledgerText, stableEntry(outcome, number));
  commit(draft, new Map([[path, text]]), message, [outcome], settings, outcome.atMs, number);
  draft.tags.push(tagOf(outcome, number, message, settings));
  return { kind: 'composed' };
}

/** Adds the tag of a promotion that the branch already tells. */
export function composeTag(draft: Draft, outcome: Outcome, number: number, settings: ComposeSettings): void {
  const context = { ...settings, number, previousImages: {}, previousConfigs: {}, change: 'only-recorded' as const };
  draft.tags.push(tagOf(outcome, number, outcomeMessage(outcome, context), settings));
  draft.lateTags.push({ outcome, number });
}

function tagOf({ app, state, atMs }: Outcome, number: number, message: string, settings: ComposeSettings): TagDraft {
  const name = `${settings.tagPrefix}${app.namespace}/${app.name}/${number}`;
  return { name, target: state.revision, message, tagger: signature(settings, atMs) };
}

/** Adds all first sightings in one commit. */
export function composeAdoptions(
  draft: Draft,
  outcomes: readonly Outcome[],
  ledgerTextOf: (outcome: Outcome) => string | undefined,
  settings: ComposeSettings,
): readonly Outcome[] {
  const fresh = outcomes.filter(
    (outcome) => readLedger(ledgerPath(settings, outcome.app), ledgerTextOf(outcome)).stable === undefined,
  );
  if (fresh.length === 0) return fresh;
  const files = new Map(
    fresh.map((outcome) => {
      const path = ledgerPath(settings, outcome.app);
      return [path, withStable(outcome.app, path, ledgerTextOf(outcome), stableEntry(outcome, 0))] as const;
    }),
  );
  commit(
    draft,
    files,
    adoptionMessage(fresh, settings),
    fresh,
    settings,
    Math.max(...fresh.map(({ atMs }) => atMs)),
    0,
  );
  return fresh;
}

/** Adds one rollback: what the release changed is taken back, the version goes into quarantine. */
export function composeRollback(
  draft: Draft,
  outcome: Outcome,
  ledgerText: string | undefined,
  trees: RollbackTrees,
  settings: ComposeSettings,
): Composed {
  const path = ledgerPath(settings, outcome.app);
  const ledger = readLedger(path, ledgerText);
  if (holdsRelease(ledger, outcome.releaseId)) return { kind: 'written', number: 0 };
  if (isFight(ledger, outcome)) {
    return {
      kind: 'blocked',
      reason: `the same version was rolled back ${fightLimit} times within an hour, somebody keeps pushing it; the cluster stays at the stable state until Git says something else`,
    };
  }
  const { base, judged, render } = trees;
  const revert = revertApp({ app: outcome.app, base, judged, tip: draft.files, render });
  if (revert.kind === 'conflict') {
    const where = revert.paths.length === 0 ? '' : ` (${revert.paths.join(', ')})`;
    return {
      kind: 'blocked',
      reason: `${revert.reason}${where}; revert ${outcome.state.revision.slice(0, 12)} by hand, the cluster stays at the stable state`,
    };
  }
  const edits: ReadonlyMap<string, string | null> = revert.kind === 'edited' ? revert.files : new Map();
  const context = {
    ...settings,
    number: undefined,
    previousImages: ledger.stable?.images ?? {},
    previousConfigs: ledger.stable?.configs ?? {},
    change: revert.kind === 'edited' ? ('reverted' as const) : ('only-recorded' as const),
  };
  const text = withQuarantine(outcome.app, path, ledgerText, quarantineEntry(outcome));
  commit(
    draft,
    new Map([...edits, [path, text]]),
    outcomeMessage(outcome, context),
    [outcome],
    settings,
    outcome.atMs,
    undefined,
  );
  return { kind: 'composed' };
}

function isFight({ quarantine }: Ledger, { state, atMs }: Outcome): boolean {
  return (
    quarantine.filter(({ content, at }) => content === state.content && atMs - Date.parse(at) < fightWindowMs).length >=
    fightLimit
  );
}

function commit(
  draft: Draft,
  files: ReadonlyMap<string, string | null>,
  message: string,
  outcomes: readonly Outcome[],
  settings: ComposeSettings,
  atMs: number,
  number: number | undefined,
): void {
  draft.commits.push({ draft: { files, message, author: signature(settings, atMs) }, outcomes, number });
  for (const [path, text] of files) {
    if (draft.ledgers.has(path)) draft.ledgers.set(path, text ?? undefined);
    else if (text === null) draft.files.delete(path);
    else draft.files.set(path, text);
  }
}

const readLedger = (path: string, text: string | undefined): Ledger =>
  text === undefined ? { quarantine: [] } : parseLedger(path, text);

const signature = ({ author }: ComposeSettings, atMs: number): Signature => ({ ...author, atMs });

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function stableEntry(
  { releaseId, atMs, state }: Outcome,
  release: number,
): { release: number; releaseId: string; revision: Revision; at: string } & Omit<Outcome['state'], 'revision'> {
  const { revision, images, templateHash, configs, content } = state;
  return { release, releaseId, revision, at: time(atMs), images, templateHash, configs, content };
}

function quarantineEntry({ releaseId, atMs, state, failedCheck }: Outcome): QuarantineEntry {
  const { revision, images, templateHash, content } = state;
  return {
    releaseId,
    revision,
    at: time(atMs),
    images,
    templateHash,
    content,
    failedCheck: failedCheck?.name ?? '',
    reason: failedCheck?.reason ?? 'failed',
  };
}
