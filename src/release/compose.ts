import { isSkipped } from '../canary/evidence.ts';
import { textOf } from '../canary/evidence-text.ts';
import { withoutGuessable } from '../canary/secret-checksums.ts';
import type { CommitDraft, Revision, Signature, TagDraft } from '../git/repo.ts';
import { keyOf, namespacedName } from '../lib/key.ts';
import type { Steps } from '../lib/turns.ts';
import { plainData, plainText } from '../lib/plain-text.ts';
import { fileBytes } from '../render/file-bytes.ts';
import { editedFiles, type TreeFiles } from '../render/tree-files.ts';
import {
  holdsRelease,
  type Ledger,
  ledgerPath,
  type ProvenEntry,
  type QuarantineEntry,
  type StableEntry,
} from './ledger.ts';
import { LedgerFile, withQuarantine, withRemoved, withStable, withWithdrawn } from './ledger-file.ts';
import { adoptionMessage, closingMessage, type MessageSettings, outcomeMessage } from './message.ts';
import { appIn, type Render } from './rendered.ts';
import { type Revert, reverting, type Together } from './revert.ts';
import type { AppId, Outcome } from './types.ts';

export interface ComposeSettings extends MessageSettings {
  readonly path: string;
  readonly ledgerDir: string;
  readonly tagPrefix: string;
  readonly author: { readonly name: string; readonly email: string };
  /** Whether ledgers say what an analysis promoted. Absent: they do not. */
  readonly keepsProven?: boolean;
}

/** A tree at the tip and what is to be written on top of it. Later outcomes see what earlier ones wrote. */
export interface Draft {
  /** Manifest files, the edits so far included. Empty where no revert is to be made. */
  files: TreeFiles;
  /** Ledgers that were asked for, the edits so far included; undefined where there is none. */
  readonly ledgers: Map<string, LedgerFile | undefined>;
  readonly commits: {
    readonly draft: CommitDraft;
    readonly outcomes: readonly Outcome[];
    readonly number: number | undefined;
  }[];
  readonly tags: TagDraft[];
  /** Promotions that the branch tells already and only the tag is missing of. */
  readonly lateTags: { readonly outcome: Outcome; readonly number: number }[];
}

export type Composed =
  | { readonly kind: 'composed' }
  /** Git tells it already; `number` is the release's. */
  | { readonly kind: 'written'; readonly number: number | undefined }
  /** There is nothing that Git could be told; `reason` is for people. */
  | { readonly kind: 'needless'; readonly reason: string }
  | {
      readonly kind: 'blocked';
      readonly reason: string;
      /** An app that runs with what would be taken back: together with its own rollback it can be. Absent: another reason. */
      readonly usedBy?: AppId;
      /** It takes longer than it may while others wait. Absent: another reason. */
      readonly isLate?: true;
    };

/** More rollbacks of the same content within this time mean that somebody keeps pushing it. */
const fightWindowMs = 3_600_000;
const fightLimit = 3;

export function createDraft(files: TreeFiles): Draft {
  return { files, ledgers: new Map(), commits: [], tags: [], lateTags: [] };
}

/** Where a promoted commit stands in the branch's history. Clocks order nothing. */
export interface PromotionPlace {
  /** What the ledger tells is newer. */
  readonly isOvertaken: boolean;
  /** It is one of the branch. Others get no tag. */
  readonly isOnBranch: boolean;
}

/**
 * Adds one promotion to the draft: the ledger's new stable state, and the tag. `tags` are the app's tags on the server, number to
 * judged commit: numbers are never used twice and tags never moved, even where somebody restored an older ledger.
 */
export function composePromotion(
  draft: Draft,
  outcome: Outcome,
  tags: ReadonlyMap<number, Revision>,
  { isOvertaken, isOnBranch }: PromotionPlace,
  settings: ComposeSettings,
): Composed {
  const path = ledgerPath(settings, outcome.app);
  const file = draft.ledgers.get(path);
  const stable = file?.ledger.stable;
  if (stable?.releaseId === outcome.releaseId) {
    return tags.has(stable.release) || !isOnBranch
      ? { kind: 'written', number: stable.release }
      : lateTag(draft, outcome, stable, settings);
  }
  const tagged = [...tags]
    .flatMap(([number, revision]) => (revision === outcome.state.revision ? number : []))
    .toSorted((a, b) => a - b)
    .at(-1);
  const last = stable?.release ?? 0;
  // Its tag stands, and a newer release was promoted since, or it is this commit's: the ledger does not go backwards.
  const isTold =
    tagged !== undefined && (last > tagged || (last === tagged && stable?.revision === outcome.state.revision));
  if (isTold) return { kind: 'written', number: tagged };
  if (stable && isOvertaken) {
    const newer = last > 0 ? `release ${last} of it` : 'a state of it';
    return { kind: 'needless', reason: `Git tells ${newer} that is newer, at ${stable.revision.slice(0, 12)}` };
  }

  const number = tagged !== undefined && tagged > last ? tagged : Math.max(last, ...tags.keys()) + 1;
  const message = outcomeMessage(outcome, contextOf(stable, number, 'only-recorded', settings));
  const entry = stableEntry(outcome, number);
  const files = new Map([
    [path, withStable(outcome.app, file, entry, settings.keepsProven ? proofIn(outcome, entry) : undefined)],
  ]);
  commit(draft, { files, message, outcomes: [outcome], number }, settings);
  if (number !== tagged && isOnBranch) draft.tags.push(tagOf(outcome, number, message, settings));
  return { kind: 'composed' };
}

/** What the ledger keeps of it as proven; undefined: no analysis has judged it. */
function proofIn({ strategy, evidence }: Outcome, entry: StableEntry): ProvenEntry | undefined {
  if (strategy === undefined || strategy === 'none' || isSkipped(evidence)) return undefined;
  const { releaseId, at, templateHash, configs, content } = entry;
  return { releaseId, at, templateHash, configs, content };
}

/** A server without atomic pushes took the branch and not the tag. */
function lateTag(draft: Draft, outcome: Outcome, { release }: StableEntry, settings: ComposeSettings): Composed {
  const message = outcomeMessage(outcome, contextOf(undefined, release, 'only-recorded', settings));
  draft.tags.push(tagOf(outcome, release, message, settings));
  draft.lateTags.push({ outcome, number: release });
  return { kind: 'composed' };
}

/** Git takes no part of a ref that ends with `.lock`, Kubernetes does; no name ends with a dash there. */
export const tagFolder = ({ tagPrefix }: Pick<ComposeSettings, 'tagPrefix'>, { namespace, name }: AppId): string =>
  `${tagPrefix}${namespacedName({ namespace, name: name.replace(/\.lock$/, '.lock-') })}/`;

function tagOf(outcome: Outcome, number: number, message: string, settings: ComposeSettings): TagDraft {
  const { app, state, atMs } = outcome;
  return {
    name: `${tagFolder(settings, app)}${number}`,
    target: state.revision,
    message: plainText(message),
    tagger: signature(settings, atMs),
  };
}

/** Adds all first sightings in one commit; gives those that were not in the ledger yet. Yields between them: there may be thousands. */
export function* composeAdoptions(
  draft: Draft,
  outcomes: readonly Outcome[],
  settings: ComposeSettings,
): Generator<undefined, readonly Outcome[]> {
  const fresh = new Map<string, Outcome>();
  for (const outcome of outcomes) {
    const path = ledgerPath(settings, outcome.app);
    const ledger = draft.ledgers.get(path)?.ledger;
    // One that comes back to Git is seen for the first time again.
    if (ledger?.stable === undefined || ledger.removed) fresh.set(path, outcome);
  }
  const adopted = [...fresh.values()];
  if (adopted.length === 0) return adopted;
  const files = new Map<string, string>();
  for (const [path, outcome] of fresh) {
    files.set(path, withStable(outcome.app, draft.ledgers.get(path), stableEntry(outcome, 0)));
    yield;
  }
  commit(draft, { files, message: adoptionMessage(adopted, settings), outcomes: adopted, number: 0 }, settings);
  return adopted;
}

/** Notes a release that somebody took back before it was judged to the end. Nothing is left to revert. */
export function composeWithdrawal(draft: Draft, outcome: Outcome, settings: ComposeSettings): Composed {
  const path = ledgerPath(settings, outcome.app);
  const file = draft.ledgers.get(path);
  if (!file) return { kind: 'needless', reason: 'Git has no ledger of it' };
  if (holdsRelease(file.ledger, outcome.releaseId)) return { kind: 'written', number: undefined };
  const { releaseId, atMs, state } = outcome;
  const takenBackAt = settings.attributions?.get(releaseId)?.takenBackAt ?? outcome.takenBackAt ?? '';
  const entry = { releaseId, revision: state.revision, at: time(atMs), images: state.images, takenBackAt };
  const message = outcomeMessage(outcome, contextOf(file.ledger.stable, undefined, 'only-recorded', settings));
  const files = new Map([[path, withWithdrawn(file, plainData(entry))]]);
  commit(draft, { files, message, outcomes: [outcome], number: undefined }, settings);
  return { kind: 'composed' };
}

/** Closes the ledger of an app that has left Git; `by` says who removed it, where that is known. */
export function composeClosing(
  draft: Draft,
  outcome: Outcome,
  by: string | undefined,
  settings: ComposeSettings,
): Composed {
  const path = ledgerPath(settings, outcome.app);
  const file = draft.ledgers.get(path);
  if (!file?.ledger.stable) return { kind: 'needless', reason: 'Git has no stable state of it' };
  if (file.ledger.removed) return { kind: 'written', number: undefined };
  const entry = { revision: outcome.state.revision, at: time(outcome.atMs), ...(by === undefined ? {} : { by }) };
  const message = closingMessage(outcome, settings);
  const files = new Map([[path, withRemoved(file, plainData(entry))]]);
  commit(draft, { files, message, outcomes: [outcome], number: undefined }, settings);
  return { kind: 'composed' };
}

export interface RollbackTrees {
  readonly base: TreeFiles;
  /** See `RevertInput`. */
  readonly judged: TreeFiles | undefined;
  readonly render: Render;
  /** Content that another app was last promoted with. */
  readonly stableContent: (app: AppId) => string | undefined;
  /** For editing texts, where other outcomes wait. Absent: as long as it may take. */
  readonly mostMs?: number;
}

/**
 * Adds one rollback: what the release changed is taken back, the version goes into quarantine. Where the app's content moved on
 * meanwhile nothing is taken back, but the version was rejected all the same and is recorded. `together`: with the rollbacks of other apps.
 */
export function* composingRollback(
  draft: Draft,
  outcome: Outcome,
  trees: RollbackTrees,
  settings: ComposeSettings,
  together?: Together,
): Steps<Composed> {
  const path = ledgerPath(settings, outcome.app);
  const file = draft.ledgers.get(path);
  const ledger: Ledger = file?.ledger ?? { quarantine: [] };
  if (holdsRelease(ledger, outcome.releaseId)) return { kind: 'written', number: undefined };
  const input = { app: outcome.app, tip: draft.files, ...trees };
  const revert = yield* reverting(together ? { ...input, together } : input);
  if (revert.kind === 'conflict') {
    const { usedBy, isLate } = revert;
    return { ...byHand(outcome, revert, settings), ...(usedBy ? { usedBy } : {}), ...(isLate ? { isLate } : {}) };
  }
  const edits: ReadonlyMap<string, string | null> = revert.kind === 'edited' ? revert.files : new Map();
  if (revert.kind === 'edited' && isFight(ledger, outcome)) {
    return {
      kind: 'blocked',
      reason: `the same version was rolled back ${fightLimit} times within an hour, somebody keeps pushing it; the cluster stays at the stable state until Git says something else`,
    };
  }
  const change = revert.kind === 'edited' ? 'reverted' : 'only-recorded';
  const message = outcomeMessage(outcome, contextOf(ledger.stable, undefined, change, settings));
  const files = new Map([...edits, [path, withQuarantine(outcome.app, file, quarantineEntry(outcome))]]);
  commit(draft, { files, message, outcomes: [outcome], number: undefined }, settings);
  return { kind: 'composed' };
}

type Conflict = Extract<Revert, { readonly kind: 'conflict' }>;

function byHand(
  { app, releaseId, state }: Outcome,
  { reason, paths, usedBy, isUnread, isRewritten }: Conflict,
  { attributions }: ComposeSettings,
): Extract<Composed, { kind: 'blocked' }> {
  const where = paths.length === 0 ? '' : ` (${paths.join(', ')})`;
  const pushed = attributions?.get(releaseId)?.pushed ?? [];
  const commits = (pushed.length === 0 ? [state.revision] : pushed.toReversed()).map((commit) => commit.slice(0, 12));
  const revert = `revert ${commits.join(', then ')} by hand`;
  const todo = isUnread
    ? `it is taken back once it is read again${isRewritten ? '' : `, or ${revert}`}`
    : usedBy
      ? `push a fix of ${keyOf(app)}, or ${revert}, which takes it from all that use it`
      : revert;
  return {
    kind: 'blocked',
    reason: `${reason}${where}: ${todo}. Until then ${keyOf(app)} stays with what it was promoted with`,
  };
}

export interface Rollback {
  readonly outcome: Outcome;
  readonly trees: RollbackTrees;
}

/**
 * Adds the rollbacks of apps that share ConfigMaps or Secrets: each would leave another one half taken back. All of them or none: what one
 * of them blocks blocks all.
 */
export function* composingTogether(
  draft: Draft,
  rollbacks: readonly Rollback[],
  settings: ComposeSettings,
): Steps<Composed> {
  const before = { files: draft.files, ledgers: new Map(draft.ledgers), commits: draft.commits.length };
  const undo = (composed: Composed): Composed => {
    draft.files = before.files;
    replaceAll(draft.ledgers, before.ledgers);
    draft.commits.length = before.commits;
    return composed;
  };
  const together = { apps: rollbacks.map(({ outcome }) => outcome.app), tip: before.files };
  for (const { outcome, trees } of rollbacks) {
    const composed = yield* composingRollback(draft, outcome, trees, settings, together);
    if (composed.kind !== 'composed') return undo(composed);
  }
  for (const { outcome, trees } of rollbacks) {
    const [now, stable] = [yield* trees.render.inTurns(draft.files), yield* trees.render.inTurns(trees.base)];
    if (appIn(now, outcome.app)?.content === appIn(stable, outcome.app)?.content) continue;
    const names = together.apps.map(keyOf).join(', ');
    const reason = `${names} share what would be taken back and had different states before`;
    return undo(byHand(outcome, { kind: 'conflict', reason, paths: [] }, settings));
  }
  return { kind: 'composed' };
}

function replaceAll<Key, Value>(map: Map<Key, Value>, entries: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}

function isFight({ quarantine }: Ledger, { state, atMs }: Outcome): boolean {
  const recent = quarantine.filter(({ content, at }) => {
    const agoMs = atMs - Date.parse(at);
    // What a clock that ran ahead has written tells nothing.
    return content === state.content && agoMs >= 0 && agoMs < fightWindowMs;
  });
  return recent.length >= fightLimit;
}

function contextOf(
  stable: StableEntry | undefined,
  number: number | undefined,
  change: 'reverted' | 'only-recorded',
  settings: ComposeSettings,
): Parameters<typeof outcomeMessage>[1] {
  const previous = { previousImages: stable?.images ?? {}, previousConfigs: stable?.configs ?? {} };
  const { cluster, agentVersion, said, attributions } = settings;
  const known = { ...(said ? { said } : {}), ...(attributions ? { attributions } : {}) };
  return { cluster, agentVersion, number, change, ...previous, ...known };
}

interface Writing {
  readonly files: ReadonlyMap<string, string | null>;
  readonly message: string;
  readonly outcomes: readonly Outcome[];
  readonly number: number | undefined;
}

function commit(draft: Draft, { files, message, outcomes, number }: Writing, settings: ComposeSettings): void {
  const atMs = Math.max(...outcomes.map((outcome) => outcome.atMs));
  const contents = new Map([...files].map(([path, text]) => [path, text === null ? null : fileBytes(text)]));
  const commitDraft = { files: contents, message: plainText(message), author: signature(settings, atMs) };
  draft.commits.push({ draft: commitDraft, outcomes, number });
  const edits = new Map<string, string | null>();
  for (const [path, text] of files) {
    if (draft.ledgers.has(path)) draft.ledgers.set(path, text === null ? undefined : new LedgerFile(path, text));
    else edits.set(path, text);
  }
  if (edits.size > 0) draft.files = editedFiles(draft.files, edits);
}

const signature = ({ author }: ComposeSettings, atMs: number): Signature => ({ ...author, atMs });

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function stableEntry({ releaseId, atMs, state }: Outcome, release: number): StableEntry {
  const { revision, images, templateHash, configs, content } = state;
  return plainData({
    release,
    releaseId,
    revision,
    at: time(atMs),
    images,
    templateHash,
    configs: withoutGuessable(configs),
    content,
  });
}

function quarantineEntry({ releaseId, atMs, state, failedCheck }: Outcome): QuarantineEntry {
  const { revision, images, templateHash, content } = state;
  return plainData({
    releaseId,
    revision,
    at: time(atMs),
    images,
    templateHash,
    content,
    failedCheck: failedCheck?.name ?? '',
    reason: failedCheck ? textOf(failedCheck) : 'failed',
  });
}
