import { type App, findApps, tryPart } from '../canary/app.ts';
import type { GitRepo, Revision, TreeFile } from '../git/repo.ts';
import { createTurns } from '../lib/turns.ts';
import {
  isManifestFile,
  type LoadCache,
  type LoadedTree,
  loadingTree,
  missingTexts,
  type LoadSettings,
  readManifestFile,
} from '../manifest/load.ts';
import { ParsedFiles, pathsByBlob } from '../manifest/parsed-files.ts';
import type { Problem } from '../manifest/types.ts';
import { ledgerFolder } from '../release/ledger.ts';
import { checking } from './check.ts';
import type { AgentSettings } from './deps.ts';

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
  /** Only the apps, of a commit that is not followed. */
  appsAt(revision: Revision, signal: AbortSignal): Promise<readonly App[]>;
}

/** Reads commits. However much changed, other work gets its turn meanwhile; what did not change is not looked at again. */
export function createSnapshots(
  repo: GitRepo,
  agentSettings: AgentSettings & Pick<LoadSettings, 'placeOf'>,
  parsed = new ParsedFiles(),
): Snapshots {
  const settings = { ...agentSettings, tryOut: tryPart };
  let cache: LoadCache = new Map();
  const turns = createTurns();
  const ledgersAt = `${ledgerFolder(settings)}/`;
  const isLedger = (path: string): boolean => path.startsWith(ledgersAt) && path.endsWith('.yaml');
  const isManifest = (path: string): boolean => isManifestFile(path, settings);

  const load = async (files: ReadonlyMap<string, TreeFile>): Promise<LoadedTree> => {
    const known = new Map(cache);
    const missing = pathsByBlob(missingTexts(files, cache), files);
    await repo.blobs(missing.keys(), async (oid, content) => {
      for (const path of missing.get(oid) ?? [])
        known.set(path, await turns.run(readManifestFile(path, content, files.get(path) ?? { oid })));
    });
    return turns.run(loadingTree(files, new Map(), known, settings));
  };

  const read = async (
    revision: Revision,
    files: ReadonlyMap<string, TreeFile>,
    ledgers: ReadonlyMap<string, TreeFile>,
    last: Snapshot | undefined,
  ): Promise<Snapshot> => {
    const loaded = await load(files);
    cache = loaded.cache;
    parsed.followed = cache;
    const apps = await turns.run(findApps(loaded.manifests, settings.defaultNamespace, last?.apps));
    const checked = await turns.run(checking(loaded.manifests, apps, settings, () => undefined));
    await turns.breathe();
    return { revision, since: revision, files, ledgers, loaded, checked, apps };
  };

  return {
    async at(revision, last, signal) {
      if (last?.revision === revision) return last;
      await repo.fetch(revision, signal);
      if (!last) {
        const tree = await repo.tree(revision, settings.path);
        const only = (isWanted: (path: string) => boolean): ReadonlyMap<string, TreeFile> =>
          new Map([...tree].filter(([path]) => isWanted(path)));
        return read(revision, only(isManifest), only(isLedger), undefined);
      }
      const changes = await repo.diff(last.revision, revision, settings.path);
      const after = (
        files: ReadonlyMap<string, TreeFile>,
        isWanted: (path: string) => boolean,
      ): ReadonlyMap<string, TreeFile> => {
        const changed = changes.filter(({ path }) => isWanted(path));
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
      return files === last.files ? { ...last, revision, ledgers } : read(revision, files, ledgers, last);
    },
    async appsAt(revision, signal) {
      await repo.fetch(revision, signal);
      const tree = await repo.tree(revision, settings.path);
      const loaded = await load(new Map([...tree].filter(([path]) => isManifest(path))));
      return turns.run(findApps(loaded.manifests, settings.defaultNamespace));
    },
  };
}
