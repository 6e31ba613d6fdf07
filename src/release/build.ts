import type { GitRepo, Revision } from '../git/repo.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { LoadSettings } from '../manifest/load.ts';
import {
  type Composed,
  type ComposeSettings,
  composeAdoptions,
  composePromotion,
  composeRollback,
  createDraft,
  type Draft,
  tagFolder,
} from './compose.ts';
import { ledgerFolder, ledgerPath, parseLedger } from './ledger.ts';
import { appIn, type Files, type Render } from './rendered.ts';
import type { TreeReader } from './trees.ts';
import type { AppId, Outcome } from './types.ts';

export interface BuildDeps {
  readonly repo: GitRepo;
  readonly log: Logger;
  readonly settings: ComposeSettings & LoadSettings;
  readonly reader: TreeReader;
  readonly render: Render;
}

/** What is to be pushed on top of a tip, and what needs no push. */
export interface Built {
  readonly draft: Draft;
  /** Told by Git already: the commit that does, as far as it can be found. */
  readonly written: { readonly outcome: Outcome; readonly revision: Revision; readonly number: number | undefined }[];
  /** `isPassing`: Git could not be asked for something; nobody has to act. */
  readonly blocked: { readonly outcome: Outcome; readonly reason: string; readonly isPassing: boolean }[];
}

/** How far back commits are searched for a Release-Id. */
const searchedCommits = 500;

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
  const { repo, log, settings, reader, render } = deps;
  const tagsOf = createTagReader(deps, outcomes.filter(({ verdict }) => verdict === 'promoted').length);
  // Promotions touch nothing but ledgers: the tree is only read for a revert.
  const isRollback = outcomes.some(({ verdict }) => verdict === 'rolled-back');
  const draft = createDraft(isRollback ? await reader.read(tip, signal) : new Map());
  const built: Built = { draft, written: [], blocked: [] };
  const told = await toldReleases(repo, tip);
  const stableContent = isRollback ? await stableContents(deps, tip) : () => undefined;

  const settle = (outcome: Outcome, composed: Composed): void => {
    if (composed.kind === 'blocked') built.blocked.push({ outcome, reason: composed.reason, isPassing: false });
    if (composed.kind !== 'written') return;
    built.written.push({ outcome, revision: told.get(outcome.releaseId)?.[0] ?? tip, number: composed.number });
  };
  const guarded = async (outcome: Outcome, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) throw error;
      if (!(error instanceof AgentError)) {
        log.error({ error: error instanceof Error ? error.stack : String(error) }, 'an outcome could not be built');
      }
      const isPassing = error instanceof AgentError && error.code === 'GIT_UNREACHABLE';
      built.blocked.push({ outcome, reason: messageOf(error), isPassing });
    }
  };
  const readLedgerOf = async ({ app }: Outcome): Promise<void> => {
    const path = ledgerPath(settings, app);
    if (draft.ledgers.has(path)) return;
    const bytes = await repo.file(tip, path);
    const text = bytes && Buffer.from(bytes).toString('utf8');
    if (text !== undefined) parseLedger(path, text);
    draft.ledgers.set(path, text);
  };

  const adoptions: Outcome[] = [];
  for (const outcome of outcomes.filter(({ verdict }) => verdict === 'adopted')) {
    await guarded(outcome, async () => {
      await readLedgerOf(outcome);
      adoptions.push(outcome);
    });
  }
  const fresh = composeAdoptions(draft, adoptions, settings);
  for (const outcome of adoptions) if (!fresh.includes(outcome)) settle(outcome, { kind: 'written', number: 0 });

  for (const outcome of outcomes.filter(({ verdict }) => verdict !== 'adopted')) {
    await guarded(outcome, async () => {
      await readLedgerOf(outcome);
      if (outcome.verdict === 'promoted') {
        const tags = await tagsOf(outcome.app, signal);
        return settle(outcome, composePromotion(draft, outcome, tags, settings));
      }
      // A person lifted its quarantine since: that is no reason to say it again.
      if (await hasTold(repo, told.get(outcome.releaseId) ?? [], ledgerPath(settings, outcome.app), outcome))
        return settle(outcome, { kind: 'written', number: undefined });
      const trees = {
        ...(await treesOf(deps, outcome, draft, signal)),
        render,
        stableContent,
        isText: (path: string) => reader.isText(draft.files.get(path) ?? ''),
      };
      return settle(outcome, composeRollback(draft, outcome, trees, settings));
    });
  }
  return built;
}

/**
 * The trees before and with the release. Where the tip does not hold what was judged, nothing is taken back and the base is not
 * needed; where somebody rewrote history, what was promoted last stands in for it.
 */
async function treesOf(
  { reader, render, settings }: BuildDeps,
  { app, base, state }: Outcome,
  { files, ledgers }: Draft,
  signal: AbortSignal,
): Promise<{ readonly base: Files; readonly judged: Files }> {
  const content = appIn(render(files), app)?.content;
  const isGone = (error: unknown): boolean =>
    error instanceof AgentError && error.code !== 'GIT_UNREACHABLE' && !signal.aborted;
  const judged = await reader.read(state.revision, signal).catch((error: unknown) => {
    // The recorded content is only asked where the tree cannot be: an older agent may have hashed it in another way.
    if (!isGone(error) || content === state.content) throw error;
    return files;
  });
  if (judged === files || appIn(render(judged), app)?.content !== content) return { base: files, judged };
  const before = await reader.read(base, signal).catch((error: unknown) => {
    const text = ledgers.get(ledgerPath(settings, app));
    const stable = text === undefined ? undefined : parseLedger(ledgerPath(settings, app), text).stable;
    if (!isGone(error) || !stable || stable.revision === base) throw error;
    return reader.read(stable.revision, signal);
  });
  return { base: before, judged };
}

/** Release ids that commits tell of, as far as history is here, newest first. */
async function toldReleases(repo: GitRepo, tip: Revision): Promise<ReadonlyMap<string, readonly Revision[]>> {
  const told = new Map<string, Revision[]>();
  for (const { revision, message } of await repo.log(tip, searchedCommits)) {
    for (const [, id] of message.matchAll(/^Release-Id: (\S+)$/gm))
      if (id) told.set(id, [...(told.get(id) ?? []), revision]);
  }
  return told;
}

/** Two clusters with a folder each give a commit that changes both the same release: what one wrote of it says nothing of the other's. */
async function hasTold(
  repo: GitRepo,
  commits: readonly Revision[],
  ledger: string,
  { releaseId }: Outcome,
): Promise<boolean> {
  for (const commit of commits) {
    const bytes = await repo.file(commit, ledger);
    if (bytes && Buffer.from(bytes).toString('utf8').includes(releaseId)) return true;
  }
  return false;
}

/** Asks for each app by itself up to so many; all release tags in one answer for more. */
const askedSingly = 3;

/** Reads an app's release tags on the server, number to judged commit. */
function createTagReader(
  { repo, settings }: BuildDeps,
  apps: number,
): (app: AppId, signal: AbortSignal) => Promise<ReadonlyMap<number, Revision>> {
  let all: Promise<ReadonlyMap<string, ReadonlyMap<number, Revision>>> | undefined;
  const read = async (prefix: string, signal: AbortSignal): Promise<Map<string, Map<number, Revision>>> => {
    const byFolder = new Map<string, Map<number, Revision>>();
    for (const [name, revision] of await repo.refs(prefix, signal)) {
      const [, folder = '', number = ''] = /^(.*\/)([1-9]\d{0,8})$/.exec(name) ?? [];
      if (number === '') continue;
      byFolder.set(folder, (byFolder.get(folder) ?? new Map<number, Revision>()).set(Number(number), revision));
    }
    return byFolder;
  };
  return async (app, signal) => {
    const folder = `refs/tags/${tagFolder(settings, app)}`;
    if (apps > askedSingly) all ??= read(`refs/tags/${settings.tagPrefix}`, signal);
    return (await (all ?? read(folder, signal))).get(folder) ?? new Map<number, Revision>();
  };
}

async function stableContents(
  { repo, settings }: BuildDeps,
  tip: Revision,
): Promise<(app: AppId) => string | undefined> {
  const ledgers = await repo.tree(tip, ledgerFolder(settings));
  const contents = new Map<string, string>();
  for (const [path, { oid }] of ledgers) {
    try {
      const { stable } = parseLedger(path, Buffer.from(await repo.blob(oid)).toString('utf8'));
      if (stable) contents.set(path, stable.content);
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'MANIFEST_INVALID') throw error;
    }
  }
  return (app) => contents.get(ledgerPath(settings, app));
}
