import { isDeepStrictEqual } from 'node:util';
import { type App, findApps, tryPart } from '../../canary/app.ts';
import { treeWithFoundRoutes } from '../../canary/found-route.ts';
import { type GitRepo, isUnlistedFolder, type Revision, type TreeFile } from '../../git/repo.ts';
import { createTurns } from '../../lib/turns.ts';
import { areaOf, isManifestFile, type LoadCache, type LoadedTree, type LoadSettings } from '../../manifest/load.ts';
import { ParsedFiles } from '../../manifest/parsed-files.ts';
import type { Problem } from '../../manifest/types.ts';
import { ledgerFolder } from '../../release/ledger.ts';
import { createTreeRenderer } from '../../render/tree.ts';
import { withOthers } from '../../render/tree-files.ts';
import { othersAt } from '../../release/trees.ts';
import type { RenderTools } from '../../render/tools.ts';
import { checking } from '../../checks/check.ts';
import type { SourceDeps } from '../deps.ts';
import { createTreeReader, type ReadFiles } from './tree-reader.ts';

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
  /**
   * The tenants whose files are still being read, so that nothing is known of what they say, with what is told of it. It is among the problems
   * of `loaded`, too. Absent: all were read.
   */
  readonly unread?: ReadonlyMap<string, Problem>;
}

export interface Snapshots {
  /** At a commit, from another snapshot by what changed. */
  at(revision: Revision, last: Snapshot | undefined, signal: AbortSignal): Promise<Snapshot>;
  /** What a commit says hangs on more than Git, and has changed: what was read last is made anew. */
  outdate(): void;
  /** Only the apps, of a commit that is not followed. `areas`: of these tenants only. Absent: of all. */
  appsAt(revision: Revision, signal: AbortSignal, areas?: ReadonlySet<string>): Promise<readonly App[]>;
}

/** Reads commits. `onRead`: called when a tenant's files were read that were not waited for. However much changed, other work gets its turn meanwhile; what did not change is not looked at again. */
export function createSnapshots(
  repo: GitRepo,
  agentSettings: SourceDeps['settings'] & Pick<LoadSettings, 'placeOf'>,
  parsed = new ParsedFiles(),
  tools: RenderTools = {},
  onRead?: () => void,
  times: { readonly patienceMs?: number } = {},
): Snapshots {
  const settings = { ...agentSettings, tryOut: tryPart };
  let cache: LoadCache = new Map();
  const turns = createTurns();
  const trees = createTreeRenderer(settings, { parsed, ...tools });
  let isOutdated = false;
  const reader = createTreeReader({ repo, parsed, settings, renderedWeight: () => trees.weight, onRead, ...times });
  const ledgersAt = `${ledgerFolder(settings)}/`;
  const isLedger: Wanted = (path, file) =>
    path.startsWith(ledgersAt) && path.endsWith('.yaml') && !isUnlistedFolder(file);
  const isManifest: Wanted = (path, file) => isUnlistedFolder(file) || isManifestFile(path, settings);

  const load = async (
    found: ReadonlyMap<string, TreeFile>,
    at: Revision,
    reading: (files: ReadonlyMap<string, TreeFile>) => Promise<ReadFiles>,
  ): Promise<Pick<Snapshot, 'loaded' | 'unread'> & { readonly keep: (cache: LoadCache) => LoadCache }> => {
    const [unlisted, files] = apart(found);
    const read = await reading(files);
    const { known, budget, unread } = read;
    const loaded = await turns.run(trees.renderKnown(withOthers(files, othersAt(repo, at)), known, budget));
    const told = unread.size === 0 ? undefined : awaited(unread, files, settings);
    const problems = [...unlisted.map(tooDeep), ...(told?.values() ?? [])];
    return {
      loaded: problems.length === 0 ? loaded : { ...loaded, problems: [...loaded.problems, ...problems] },
      ...(told ? { unread: told } : {}),
      keep: (cache) => read.keep(cache),
    };
  };

  const read = async (
    revision: Revision,
    files: ReadonlyMap<string, TreeFile>,
    ledgers: ReadonlyMap<string, TreeFile>,
    last: Snapshot | undefined,
  ): Promise<Snapshot> => {
    const { keep, ...read } = await load(files, revision, (all) => reader.follow(all, cache));
    cache = keep(read.loaded.cache);
    parsed.followed = cache;
    const loaded = treeWithFoundRoutes(read.loaded, settings, last?.loaded.manifests);
    const said = { ...read, loaded };
    const apps = await turns.run(findApps(loaded.manifests, settings.defaultNamespace, last?.apps));
    const checked = await turns.run(checking(loaded.manifests, apps, settings, () => undefined));
    await turns.breathe();
    return { revision, since: revision, files, ledgers, checked, apps, ...said };
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
    if (last?.revision === revision && !isAnew && !last.unread) return last;
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
    if (files !== last.files || last.unread) return read(revision, files, ledgers, last);
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
    async appsAt(revision, signal, areas) {
      await repo.fetch(revision, signal);
      const tree = await repo.tree(revision, settings.path);
      const isAsked = (path: string): boolean => areas === undefined || areas.has(areaOf(path, settings));
      const found = new Map([...tree].filter(([path, file]) => isManifest(path, file) && isAsked(path)));
      const { loaded } = await load(found, revision, (files) => reader.read(files, cache));
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

/** What is told of each tenant that is not waited for. */
function awaited(
  unread: ReadonlySet<string>,
  files: ReadonlyMap<string, TreeFile>,
  settings: Pick<LoadSettings, 'tenancy'>,
): ReadonlyMap<string, Problem> {
  const told = new Map<string, Problem>();
  for (const path of [...files.keys()].sort()) {
    const area = areaOf(path, settings);
    if (!unread.has(area) || told.has(area)) continue;
    const whose = area === '' ? 'outside of all folders of tenants' : `of tenant ${area}`;
    const message = `the files ${whose} are being read: until all of them are, what came from them stays as it is`;
    told.set(area, { severity: 'warning', path, line: 1, message });
  }
  return told;
}
