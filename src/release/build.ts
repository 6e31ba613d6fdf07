import { type GitRepo, isUnanswered, type Revision } from '../git/repo.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { keyOf } from '../lib/key.ts';
import type { Logger } from '../lib/log.ts';
import { createTurns, type Steps, type Turns } from '../lib/turns.ts';
import type { LoadSettings } from '../manifest/load.ts';
import { pathsByBlob } from '../manifest/parsed-files.ts';
import {
  type Composed,
  type ComposeSettings,
  composeAdoptions,
  composeClosing,
  composePromotion,
  composeWithdrawal,
  composingRollback,
  composingTogether,
  createDraft,
  type Draft,
  type Rollback,
} from './compose.ts';
import { ledgerFolder, ledgerPath, maxLedgerLength, parseLedger } from './ledger.ts';
import { LedgerFile } from './ledger-file.ts';
import type { SaidCommit } from './subject.ts';
import type { TreeFiles } from '../render/tree-files.ts';
import { appIn, type Render } from './rendered.ts';
import { isOlder } from './order.ts';
import type { RevertInput } from './revert.ts';
import { type Attribution, attributionOf, createPushedCommits } from './pushed.ts';
import { createReleaseTags } from './release-tags.ts';
import { isToldIn, type ReportedReleases } from './reported-releases.ts';
import type { TreeReader } from './trees.ts';
import type { AppId, Outcome } from './types.ts';

export interface BuildDeps {
  readonly repo: GitRepo;
  /** Answers for the server's tags. Absent: the server is asked. */
  readonly refs?: Pick<GitRepo, 'refs'>;
  readonly log: Logger;
  readonly settings: ComposeSettings & LoadSettings;
  readonly reader: TreeReader;
  readonly render: Render;
  readonly told: ReportedReleases;
}

/** What is to be pushed on top of a tip, and what needs no push. */
export interface Built {
  readonly draft: Draft;
  /** Told by Git already: the commit that does, as far as it can be found. */
  readonly written: readonly {
    readonly outcome: Outcome;
    readonly revision: Revision;
    readonly number: number | undefined;
  }[];
  readonly blocked: readonly Blocked[];
  /** They take long, and others wait: each is to be built alone, after those. */
  readonly late: readonly Outcome[];
  /** There is nothing to tell of them. */
  readonly needless: readonly { readonly outcome: Outcome; readonly reason: string }[];
}

interface Blocked {
  readonly outcome: Outcome;
  readonly reason: string;
  /** Git could not be asked for something; nobody has to act. */
  readonly isPassing: boolean;
  /** It can be written together with another app's rollback. */
  readonly isShared: boolean;
}

/**
 * Builds outcomes on a tip that is here: a function of the tree and of what is to be said. One app's broken ledger or vanished
 * commit blocks that app's outcome and no other. Rejects where Git cannot be asked at all.
 */
export async function buildOutcomes(
  deps: BuildDeps,
  tip: Revision,
  outcomes: readonly Outcome[],
  signal: AbortSignal,
): Promise<Built> {
  const { repo, refs = repo, log, settings, reader, render } = deps;
  const turns = createTurns();
  const promoted = outcomes.filter(({ verdict }) => verdict === 'promoted');
  const tagsOf = createReleaseTags(
    refs,
    settings,
    promoted.map(({ app }) => app),
  );
  // Promotions touch nothing but ledgers: the tree is only read for a revert.
  const isRollback = outcomes.some(({ verdict }) => verdict === 'rolled-back');
  const said = new Map<Revision, SaidCommit>();
  const attributions = new Map<string, Attribution>();
  const saying = { ...settings, said, attributions };
  const commits = createPushedCommits({ ...settings, repo, reader, render, turns });
  const draft = createDraft(isRollback ? await reader.read(tip, signal, 'tip') : new Map());
  const blocked: Blocked[] = [];
  const late: Outcome[] = [];
  const needless: { readonly outcome: Outcome; readonly reason: string }[] = [];
  const already: { readonly outcome: Outcome; readonly number: number | undefined }[] = [];
  const told = isRollback ? await deps.told(tip) : undefined;
  const stableContent = isRollback ? await stableContents(deps, tip, promoted) : () => undefined;

  const settle = (outcome: Outcome, composed: Composed): void => {
    if (composed.kind === 'blocked')
      blocked.push({ outcome, reason: composed.reason, isPassing: false, isShared: composed.usedBy !== undefined });
    if (composed.kind === 'needless') needless.push({ outcome, reason: composed.reason });
    if (composed.kind === 'written') already.push({ outcome, number: composed.number });
  };
  const guarded = async (outcome: Outcome, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) throw error;
      if (!(error instanceof AgentError)) {
        log.error({ error: error instanceof Error ? error.stack : String(error) }, 'an outcome could not be built');
      }
      const isPassing = isUnanswered(error);
      blocked.push({ outcome, reason: messageOf(error), isPassing, isShared: false });
    }
    await turns.breathe();
  };
  const readLedgerOf = async ({ app }: Outcome): Promise<void> => {
    const path = ledgerPath(settings, app);
    if (draft.ledgers.has(path)) return;
    await assertPlace(repo, tip, path);
    const bytes = await repo.file(tip, path);
    draft.ledgers.set(path, bytes && LedgerFile.parse(path, Buffer.from(bytes).toString('utf8')));
  };

  const waiting: WaitingRollback[] = [];
  const adoptions: Outcome[] = [];
  for (const outcome of outcomes.filter(({ verdict }) => verdict === 'adopted')) {
    await guarded(outcome, async () => {
      await readLedgerOf(outcome);
      adoptions.push(outcome);
    });
  }
  const fresh = new Set(await turns.run(composeAdoptions(draft, adoptions, settings)));
  for (const outcome of adoptions) if (!fresh.has(outcome)) settle(outcome, { kind: 'written', number: 0 });

  for (const outcome of outcomes.filter(({ verdict }) => verdict !== 'adopted')) {
    await guarded(outcome, async () => {
      await readLedgerOf(outcome);
      if (outcome.verdict === 'removed') {
        const by = await commits.removal(outcome.app, outcome.state.revision, signal);
        const named = by === undefined ? [] : [by];
        attributions.set(outcome.releaseId, { pushed: named, supersededAt: {}, named });
        await readSaid(repo, named, said);
        return settle(outcome, composeClosing(draft, outcome, by && said.get(by)?.author, saying));
      }
      const attribution = await attributionOf(commits, outcome, signal);
      attributions.set(outcome.releaseId, attribution);
      await readSaid(repo, attribution.named, said);
      if (outcome.verdict === 'withdrawn') return settle(outcome, composeWithdrawal(draft, outcome, saying));
      if (outcome.verdict === 'promoted') {
        const stable = draft.ledgers.get(ledgerPath(settings, outcome.app))?.ledger.stable;
        const isOvertaken = await isOlder(repo, settings, outcome, stable, signal);
        const isDrafted = draft.commits.some(({ outcomes: drafted }) =>
          drafted.some(({ releaseId }) => releaseId === stable?.releaseId),
        );
        const isOnBranch = await stands(repo, outcome.state.revision, tip, signal);
        // What is not in Git yet settles nothing: it is looked at again when that has landed.
        if (isDrafted && isOvertaken) return;
        return settle(
          outcome,
          composePromotion(draft, outcome, await tagsOf(outcome.app, signal), { isOvertaken, isOnBranch }, saying),
        );
      }
      // A person lifted its quarantine since: that is no reason to say it again.
      if (await isToldIn(repo, told?.get(outcome.releaseId) ?? [], ledgerPath(settings, outcome.app), outcome))
        return settle(outcome, { kind: 'written', number: undefined });
      const trees = {
        ...(await treesOf(deps, turns, outcome, draft, tip, signal)),
        render,
        stableContent,
        ...(outcomes.length > 1 ? { mostMs: hastyMs } : {}),
      };
      const composed = await turns.run(composingRollback(draft, outcome, trees, saying));
      // What was broken off says nothing of the outcome.
      signal.throwIfAborted();
      if (composed.kind === 'blocked' && composed.isLate) late.push(outcome);
      else if (composed.kind === 'blocked' && composed.usedBy) waiting.push({ outcome, trees, composed });
      else settle(outcome, composed);
    });
  }
  const grouped = await turns.run(composingGroups(draft, waiting, saying));
  signal.throwIfAborted();
  for (const { group, composed } of grouped)
    for (const { outcome } of group)
      if (composed.kind === 'blocked' && composed.isLate) late.push(outcome);
      else settle(outcome, composed);
  if (already.length === 0) return { draft, written: [], blocked, late, needless };
  const tellers = told ?? (await deps.told(tip));
  const written = already.map(({ outcome, number }) => {
    return { outcome, revision: tellers.get(outcome.releaseId)?.[0] ?? tip, number };
  });
  return { draft, written, blocked, late, needless };
}

/** How long a revert may be edited while other outcomes wait. */
const hastyMs = 5_000;

const places = { folder: 'folder', link: 'symbolic link', submodule: 'submodule', file: 'file' } as const;

/** Throws MANIFEST_INVALID where something else stands at a ledger's path, or above it. */
async function assertPlace(repo: GitRepo, tip: Revision, path: string): Promise<void> {
  const found = await repo.standing(tip, path);
  if (!found || (found.path === path && found.kind === 'file')) return;
  throw new AgentError(
    'MANIFEST_INVALID',
    `${found.path} is a ${places[found.kind]}, so the ledger ${path} cannot be kept there; move it away, or name another folder with --ledger-dir`,
  );
}

/** What people pushed, as far as it is here. */
async function readSaid(repo: GitRepo, revisions: readonly Revision[], said: Map<Revision, SaidCommit>): Promise<void> {
  for (const revision of revisions) {
    if (said.has(revision)) continue;
    try {
      if (!(await repo.has(revision))) continue;
      const { message, author } = await repo.commit(revision);
      said.set(revision, { subject: message.split('\n', 1)[0] ?? '', author: author.name });
    } catch (error) {
      // A record may name what is no commit.
      if (!(error instanceof AgentError)) throw error;
    }
  }
}

interface WaitingRollback extends Rollback {
  readonly composed: Composed;
}

/** Rollbacks that wait for each other, those of a group in one go; alone where an app that is waited for has none. */
function* composingGroups(
  draft: Draft,
  waiting: readonly WaitingRollback[],
  settings: ComposeSettings,
): Steps<readonly { readonly group: readonly Rollback[]; readonly composed: Composed }[]> {
  const open = new Map(waiting.map((rollback) => [keyOf(rollback.outcome.app), rollback]));
  const done: { readonly group: readonly Rollback[]; readonly composed: Composed }[] = [];
  for (const first of waiting) {
    if (open.get(keyOf(first.outcome.app)) !== first) continue;
    const group: WaitingRollback[] = [first];
    let composed = first.composed;
    while (composed.kind === 'blocked' && composed.usedBy) {
      const next = open.get(keyOf(composed.usedBy));
      if (!next || group.includes(next)) break;
      group.push(next);
      composed = yield* composingTogether(draft, group, settings);
    }
    // What cannot be done together is said of the first; the others are tried with their own.
    const settled = composed.kind === 'composed' ? group : [first];
    for (const { outcome } of settled) open.delete(keyOf(outcome.app));
    done.push({ group: settled, composed });
  }
  return done;
}

/** Whether a commit is one of the branch. What is not, whoever names it, was never followed, or somebody has rewritten history since. */
async function stands(repo: GitRepo, revision: Revision, tip: Revision, signal: AbortSignal): Promise<boolean> {
  try {
    return await repo.isAncestor(revision, tip, signal);
  } catch (error) {
    if (!(error instanceof AgentError) || isUnanswered(error) || signal.aborted) throw error;
    return false;
  }
}

/**
 * The trees before and with the release, of commits of the branch and of no others. Where the tip does not hold what was judged, nothing
 * is taken back and the base is not needed; where somebody rewrote history, what was promoted last stands in for it.
 */
async function treesOf(
  { repo, reader, render, settings }: BuildDeps,
  turns: Turns,
  { app, base, state }: Outcome,
  { files, ledgers }: Draft,
  tip: Revision,
  signal: AbortSignal,
): Promise<Pick<RevertInput, 'base' | 'judged'>> {
  const contentIn = async (tree: TreeFiles): Promise<string | undefined> =>
    appIn(await turns.run(render.inTurns(tree)), app)?.content;
  const content = await contentIn(files);
  const isJudged = await stands(repo, state.revision, tip, signal);
  // Of rewritten history the tip says what was judged, if anything does.
  const isTold = isJudged || content === state.content;
  const judged = isJudged ? await reader.read(state.revision, signal) : isTold ? files : undefined;
  if (judged && (await contentIn(judged)) !== content) return { base: files, judged };
  const stable = ledgers.get(ledgerPath(settings, app))?.ledger.stable;
  let before: TreeFiles | undefined;
  for (const revision of stable === undefined ? [base] : [base, stable.revision]) {
    if (!(await stands(repo, revision, tip, signal))) continue;
    const tree = await reader.read(revision, signal);
    before ??= tree;
    // Where a former rejection was only noted, the branch held something else, or nothing of the app, at the commit that told it.
    if (stable === undefined || (await contentIn(tree)) !== stable.content) continue;
    before = tree;
    break;
  }
  if (!judged) return { base: before ?? new Map(), judged };
  if (!before)
    throw new AgentError(
      'GIT_NOT_FOUND',
      `commit ${base.slice(0, 12)}, to which it would go back, is not one of ${repo.branch}; ${isJudged ? `revert ${state.revision.slice(0, 12)}` : `take ${keyOf(app)} back`} by hand`,
      { details: { missing: 'commit' } },
    );
  return { base: before, judged };
}

/** Of other apps, as the ledgers at the tip tell. Few are asked for, so only those are read as YAML. */
async function stableContents(
  { repo, settings }: BuildDeps,
  tip: Revision,
  promoted: readonly Outcome[],
): Promise<(app: AppId) => string | undefined> {
  const told = new Map(promoted.map(({ app, state }) => [keyOf(app), state.content]));
  const texts = new Map<string, string>();
  const files = await repo.tree(tip, ledgerFolder(settings));
  const paths = [...files].flatMap(([path, { mode }]) => (mode.startsWith('100') ? path : []));
  const blobs = pathsByBlob(paths, files);
  await repo.blobs(blobs.keys(), (oid, bytes) => {
    // No ledger is larger, whoever wrote it: see `parseLedger`.
    const text = bytes && bytes.length <= 4 * maxLedgerLength ? Buffer.from(bytes).toString('utf8') : undefined;
    if (text !== undefined) for (const path of blobs.get(oid) ?? []) texts.set(path, text);
    return Promise.resolve();
  });
  const contents = new Map<string, string | undefined>();
  return (app) => {
    const content = told.get(keyOf(app));
    if (content !== undefined) return content;
    const path = ledgerPath(settings, app);
    const text = texts.get(path);
    if (text !== undefined && !contents.has(path)) contents.set(path, stableContent(path, text));
    return contents.get(path);
  };
}

function stableContent(path: string, text: string): string | undefined {
  try {
    return parseLedger(path, text).stable?.content;
  } catch (error) {
    if (error instanceof AgentError && error.code === 'MANIFEST_INVALID') return undefined;
    throw error;
  }
}
