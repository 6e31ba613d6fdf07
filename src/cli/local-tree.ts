import { lstat, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { sha256Hex } from '../lib/hash.ts';
import { atOnce, createTurns } from '../lib/turns.ts';
import { defaultLimits } from '../manifest/limits.ts';
import {
  areaOf,
  type FileOfTree,
  type LoadCache,
  type LoadedTree,
  type LoadSettings,
  readManifestFile,
} from '../manifest/load.ts';
import { kustomizationNames } from '../manifest/rendering-tools.ts';
import { createTreeBudget, crowdedOut, weighingFile } from '../manifest/tree-budget.ts';
import type { Problem } from '../manifest/types.ts';
import { type OtherFiles, withOthers } from '../render/tree-files.ts';
import type { Unlooked } from '../render/encrypted-files.ts';
import { closeTools } from '../render/tools.ts';
import { createTreeRenderer } from '../render/tree.ts';
import type { CommandContext } from './context.ts';
import { findTools } from './find-tools.ts';
import { type ManifestFiles, readManifests } from './manifest-files.ts';
import { checkoutRoot, placeIn, repositoryRoot } from './repository-root.ts';

/** Files of this machine, read as the agent reads those of a commit. */
export interface LocalTree {
  /** What may be applied, by path. */
  readonly files: ReadonlyMap<string, FileOfTree>;
  /** What each of them says. */
  readonly known: LoadCache;
  readonly problems: readonly Problem[];
  /** Of any file that was read. */
  textOf(path: string): string | undefined;
}

/**
 * Reads files and folders. Where something in them is rendered, paths count from the root of the repository, so that it may be made from what
 * stands elsewhere in it. `root`: undefined: that of their checkout, where one is needed. Throws CONFIG_INVALID as `readManifests`.
 */
export async function readLocalTree(
  paths: readonly string[],
  settings: LoadSettings,
  { root: named, isPlaced }: { readonly root: string | undefined; readonly isPlaced: boolean },
): Promise<LocalTree> {
  let root = isPlaced ? await repositoryRoot(paths, named) : undefined;
  let read = await readManifests(paths, settings, root);
  if (root === undefined && isRendered(read)) {
    root = await checkoutRoot(paths);
    if (root !== undefined) read = await readManifests(paths, settings, root);
  }
  const contents = new Map([...read.files].map(([path, { content }]) => [path, content] as const));
  const files = new Map([...read.files].map(([path, { content, mode }]) => [path, fileOf(content, mode)] as const));
  const known = new Map(
    [...files].map(([path, file]) => {
      const content = contents.get(path) ?? Buffer.alloc(0);
      return [path, atOnce(readManifestFile(path, content, file, settings.limits))] as const;
    }),
  );
  const [only] = paths.length === 1 ? paths : [];
  const below = root ?? (only === undefined ? undefined : await folderOf(only));
  return {
    files: withOthers(files, othersBelow(below, files, contents)),
    known,
    problems: [...read.problems, ...crowdedIn(known, contents, settings)],
    textOf: (path) => contents.get(path)?.toString('utf8'),
  };
}

/** All objects of it, as the agent would make them with these settings. */
export async function renderLocalTree(
  { files, known }: LocalTree,
  settings: LoadSettings,
  {
    values,
    environment,
    unlooked,
  }: {
    readonly values: Settings;
    readonly environment: CommandContext['environment'];
    /** See `RenderTools`. */
    readonly unlooked?: Unlooked;
  },
): Promise<LoadedTree> {
  const tools = { ...findTools(values, environment), ...(unlooked ? { unlooked } : {}) };
  try {
    return await createTurns().run(createTreeRenderer(settings, tools).renderKnown(files, known));
  } finally {
    await closeTools(tools);
  }
}

const isRendered = ({ files }: ManifestFiles): boolean =>
  [...files].some(
    ([path, { content }]) =>
      kustomizationNames.includes(path.slice(path.lastIndexOf('/') + 1)) ||
      content.includes('HelmRelease') ||
      content.includes('kustomize.toolkit.fluxcd.io/') ||
      content.includes('argoproj.io/'),
  );

/** Files of a folder that are listed; a chart has fewer. */
const mostListed = 5_000;

const fileOf = (content: Uint8Array, mode: string | undefined): FileOfTree => ({
  oid: sha256Hex(content),
  ...(mode === undefined ? {} : { mode }),
});

async function folderOf(path: string): Promise<string> {
  const found = await realpath(path);
  return (await lstat(found)).isDirectory() ? found : dirname(found);
}

/** What else stands below a folder, as Git would hold it: nothing behind a link, and nothing of Git's own. */
function othersBelow(
  root: string | undefined,
  files: ReadonlyMap<string, FileOfTree>,
  contents: Map<string, Buffer>,
): OtherFiles {
  const byOid = new Map([...files].map(([path, { oid }]) => [oid, path]));
  return {
    async find(path) {
      const known = files.get(path);
      if (known || root === undefined || path.split('/').includes('.git')) return known;
      const place = join(root, path);
      try {
        const folder = await realpath(dirname(place));
        if (folder !== dirname(place) || placeIn(root, folder) === undefined) return undefined;
        const entry = await lstat(place);
        if (!entry.isFile() && !entry.isSymbolicLink()) return undefined;
        const content = entry.isFile() ? await readFile(place) : Buffer.from(await readlink(place));
        const file = fileOf(content, entry.isFile() ? undefined : '120000');
        contents.set(path, content);
        byOid.set(file.oid, path);
        return file;
      } catch {
        return undefined;
      }
    },
    async list(folder) {
      const found = new Map([...files].filter(([path]) => folder === '' || path.startsWith(`${folder}/`)));
      const open = [folder];
      for (let at = open.pop(); at !== undefined && root !== undefined && found.size <= mostListed; at = open.pop()) {
        const here = at;
        const entries = await readdir(join(root, here), { withFileTypes: true }).catch(() => []);
        for (const entry of entries) {
          const path = here === '' ? entry.name : `${here}/${entry.name}`;
          if (entry.isDirectory() && entry.name !== '.git') open.push(path);
          const file = entry.isDirectory() ? undefined : await this.find(path);
          if (file) found.set(path, file);
        }
      }
      return found;
    },
    read(oid) {
      const content = contents.get(byOid.get(oid) ?? '');
      return content ? Promise.resolve(content) : Promise.reject(new Error(`${oid} was not read`));
    },
  };
}

/** Files for which the agent would have no room, as far as these are all that it has. */
function crowdedIn(read: LoadCache, contents: ReadonlyMap<string, Buffer>, settings: LoadSettings): readonly Problem[] {
  const { treeBytes } = settings.limits ?? defaultLimits;
  const budget = createTreeBudget(treeBytes, (path) => areaOf(path, settings));
  const gone = [...read].flatMap(([path, file]) =>
    budget.add(path, atOnce(weighingFile(contents.get(path)?.length ?? 0, file))),
  );
  return gone.flatMap((path) => {
    const file = read.get(path);
    return file ? crowdedOut(path, file, file, treeBytes).parsed.problems : [];
  });
}
