import { isDeepStrictEqual } from 'node:util';
import { type App, findApps, tryPart } from '../../canary/app.ts';
import { type GitRepo, isUnlistedFolder, type Revision, type TreeFile } from '../../git/repo.ts';
import { createTurns } from '../../lib/turns.ts';
import { defaultLimits } from '../../manifest/limits.ts';
import {
  areaOf,
  isManifestFile,
  type LoadCache,
  type LoadedTree,
  missingTexts,
  type LoadSettings,
  leftOutFile,
  type Rendering,
} from '../../manifest/load.ts';
import { createTreeBudget, crowdedOut, longFile, type TreeBudget, weightOf } from '../../manifest/tree-budget.ts';
import { ParsedFiles, pathsByBlob } from '../../manifest/parsed-files.ts';
import type { Problem } from '../../manifest/types.ts';
import { ledgerFolder } from '../../release/ledger.ts';
import { readingPlain } from '../../render/plain.ts';
import { createTreeRenderer } from '../../render/tree.ts';
import { withOthers } from '../../render/tree-files.ts';
import { othersAt } from '../../release/trees.ts';
import type { RenderTools } from '../../render/tools.ts';
import { checking } from '../../checks/check.ts';
import type { SourceDeps } from '../deps.ts';

/** What Git says at a commit. Where a commit changes nothing of a member, it is the same object as before. */
export interface Snapshot {
  readonly revision: Revision;
  /** The commit since which the manifests are these: those after it changed only others' files, as ledgers are. */
  readonly since: Revision;
  /** Manifests by path, with their blobs. */
  readonly files: ReadonlyMap<string, TreeFile>;
  /** Ledgers by path, likewise. */
  readonly ledgers: ReadonlyMap<string, TreeFile>;
  readonly loaded: LoadedTree;
  /** What is wrong with the Canaries among them. */
  readonly checked: readonly Problem[];
  readonly apps: readonly App[];
}

export interface Snapshots {
  /** At a commit, from another snapshot by what changed. */
  at(revision: Revision, last: Snapshot | undefined, signal: AbortSignal): Promise<Snapshot>;
  /** What a commit says hangs on more than Git, and has changed: what was read last is made anew. */
  outdate(): void;
  /** Only the apps, of a commit that is not followed. */
  appsAt(revision: Revision, signal: AbortSignal): Promise<readonly App[]>;
}

/** Reads commits. However much changed, other work gets its turn meanwhile; what did not change is not looked at again. */
export function createSnapshots(
  repo: GitRepo,
  agentSettings: SourceDeps['settings'] & Pick<LoadSettings, 'placeOf'>,
  parsed = new ParsedFiles(),
  tools: RenderTools = {},
): Snapshots {
  const settings = { ...agentSettings, tryOut: tryPart };
  let cache: LoadCache = new Map();
  const turns = createTurns();
  const weights = new WeakMap<Rendering, number>();
  /** Files for which there was no room. */
  const crowded = new Map<string, { readonly oid: string; readonly weight: number }>();
  const trees = createTreeRenderer(settings, { parsed, ...tools });
  let isOutdated = false;
  const ledgersAt = `${ledgerFolder(settings)}/`;
  const isLedger: Wanted = (path, file) =>
    path.startsWith(ledgersAt) && path.endsWith('.yaml') && !isUnlistedFolder(file);
  const isManifest: Wanted = (path, file) => isUnlistedFolder(file) || isManifestFile(path, settings);

  const load = async (found: ReadonlyMap<string, TreeFile>, at: Revision): Promise<LoadedTree> => {
    const [unlisted, files] = apart(found);
    const known = new Map(cache);
    const { treeBytes } = settings.limits ?? defaultLimits;
    const budget = createTreeBudget(treeBytes, (path) => areaOf(path, settings));
    const make = (paths: readonly string[]): void => {
      for (const path of paths) {
        const [file, read] = [files.get(path), known.get(path)];
        if (!file || !read) continue;
        crowded.set(path, { oid: file.oid, weight: weights.get(read) ?? 0 });
        known.set(path, crowdedOut(path, file, read, treeBytes));
      }
    };
    for (const [path, read] of cache)
      if (files.get(path)?.oid === read.oid) make(budget.add(path, weights.get(read) ?? 0));
    let left = budget.left - trees.weight;
    for (const [path, { oid, weight }] of crowded) {
      if (files.get(path)?.oid === oid && weight > left) continue;
      // There is room for it by now, or it is another one.
      crowded.delete(path);
      if (files.get(path)?.oid !== oid) continue;
      left -= weight;
      known.delete(path);
    }
    const missing = pathsByBlob(missingTexts(files, known), files);
    /** The paths of a blob for which there may be room. */
    const fitting = (oid: string, bytes: number): readonly string[] =>
      (missing.get(oid) ?? []).filter((path) => {
        if (bytes <= longFile || budget.mayFit(path, bytes)) return true;
        crowded.set(path, { oid, weight: bytes });
        known.set(path, crowdedOut(path, files.get(path) ?? { oid }, undefined, treeBytes));
        return false;
      });
    const takeBlob = async (oid: string, content: Uint8Array | undefined): Promise<void> => {
      for (const path of fitting(oid, content?.length ?? 0)) {
        const file = files.get(path) ?? { oid };
        const read = content
          ? await turns.run(readingPlain(parsed, path, content, file, settings.limits))
          : leftOutFile(path, file, settings.limits);
        const weight = weightOf(content?.length ?? 0, read);
        weights.set(read, weight);
        known.set(path, read);
        make(budget.add(path, weight));
      }
    };
    await repo.blobs(missing.keys(), takeBlob, (oid, bytes) => fitting(oid, bytes).length > 0);
    const shared: TreeBudget = {
      get left() {
        return budget.left;
      },
      mayFit: (path, length) => budget.mayFit(path, length),
      add(path, weight) {
        const gone = budget.add(path, weight);
        make(gone);
        return gone;
      },
    };
    const loaded = await turns.run(trees.renderKnown(withOthers(files, othersAt(repo, at)), known, shared));
    return unlisted.length === 0 ? loaded : { ...loaded, problems: [...loaded.problems, ...unlisted.map(tooDeep)] };
  };

  const read = async (
    revision: Revision,
    files: ReadonlyMap<string, TreeFile>,
    ledgers: ReadonlyMap<string, TreeFile>,
    last: Snapshot | undefined,
  ): Promise<Snapshot> => {
    const loaded = await load(files, revision);
    cache = loaded.cache;
    parsed.followed = cache;
    const apps = await turns.run(findApps(loaded.manifests, settings.defaultNamespace, last?.apps));
    const checked = await turns.run(checking(loaded.manifests, apps, settings, () => undefined));
    await turns.breathe();
    return { revision, since: revision, files, ledgers, loaded, checked, apps };
  };

  /** What a kustomization is made from may stand anywhere, and be called anything. */
  const isOwn = async (from: Revision, to: Revision): Promise<boolean> =>
    (await repo.diff(from, to, '')).every((change) =>
      isLedger(change.path, change.kind === 'removed' ? change.before : change.after),
    );

  const lookAt = async (
    revision: Revision,
    last: Snapshot | undefined,
    { isAnew, signal }: { readonly isAnew: boolean; readonly signal: AbortSignal },
  ): Promise<Snapshot> => {
    if (last?.revision === revision && !isAnew) return last;
    await repo.fetch(revision, signal);
    if (!last) {
      const tree = await repo.tree(revision, settings.path);
      const only = (isWanted: Wanted): ReadonlyMap<string, TreeFile> =>
        new Map([...tree].filter(([path, file]) => isWanted(path, file)));
      return read(revision, only(isManifest), only(isLedger), undefined);
    }
    const changes = await repo.diff(last.revision, revision, settings.path);
    const after = (files: ReadonlyMap<string, TreeFile>, isWanted: Wanted): ReadonlyMap<string, TreeFile> => {
      const changed = changes.filter((change) =>
        isWanted(change.path, change.kind === 'removed' ? change.before : change.after),
      );
      if (changed.length === 0) return files;
      const next = new Map(files);
      for (const change of changed) {
        if (change.kind === 'removed') next.delete(change.path);
        else next.set(change.path, change.after);
      }
      return next;
    };
    const files = after(last.files, isManifest);
    const ledgers = after(last.ledgers, isLedger);
    if (files !== last.files) return read(revision, files, ledgers, last);
    const same = { ...last, revision, ledgers };
    if (!isAnew && (!isRendered(last.loaded, tools) || (await isOwn(last.revision, revision)))) return same;
    const next = await read(revision, files, ledgers, last);
    return saysTheSame(next, last) ? same : next;
  };

  return {
    outdate() {
      isOutdated = true;
    },
    async at(revision, last, signal) {
      const isAnew = isOutdated;
      isOutdated = false;
      try {
        return await lookAt(revision, last, { isAnew, signal });
      } catch (error) {
        isOutdated ||= isAnew;
        throw error;
      }
    },
    async appsAt(revision, signal) {
      await repo.fetch(revision, signal);
      const tree = await repo.tree(revision, settings.path);
      const found = new Map([...tree].filter(([path, file]) => isManifest(path, file)));
      const loaded = await load(found, revision);
      return turns.run(findApps(loaded.manifests, settings.defaultNamespace));
    },
  };
}

/** Whether something of the tree has to be rendered. */
const isRendered = ({ cache, hasReleases = false }: LoadedTree, { kustomize }: RenderTools): boolean =>
  hasReleases ||
  (kustomize !== undefined && [...cache.values()].some(({ kustomization }) => kustomization !== undefined));

function saysTheSame({ loaded: now }: Snapshot, { loaded: before }: Snapshot): boolean {
  return (
    now.manifests.length === before.manifests.length &&
    now.manifests.every((manifest, at) => manifest === before.manifests[at]) &&
    isDeepStrictEqual(now.problems, before.problems)
  );
}

type Wanted = (path: string, file: TreeFile) => boolean;

/** Folders that are nested too deeply, and the files. */
function apart(found: ReadonlyMap<string, TreeFile>): readonly [readonly string[], ReadonlyMap<string, TreeFile>] {
  const unlisted = [...found].flatMap(([path, file]) => (isUnlistedFolder(file) ? path : []));
  if (unlisted.length === 0) return [unlisted, found];
  return [unlisted, new Map([...found].filter(([, file]) => !isUnlistedFolder(file)))];
}

const tooDeep = (folder: string): Problem => ({
  severity: 'error',
  path: folder.length > 200 ? `${folder.slice(0, 200)}…` : folder,
  line: 1,
  message: 'the folder is nested too deeply to be read: nothing in it is applied, and what was applied from it stays',
  hint: 'move it up',
});
