import { ByteCache } from './byte-cache.ts';
import { Folder, FOLDER, SUBMODULE, type TreeEntry } from './folder.ts';
import type { GitObject } from './objects.ts';
import type { Standing, TreeChange, TreeFile } from './repo.ts';

/** What is nested more deeply is not listed: nobody's manifests are there, and somebody's tree may be made to cost much. */
const MAX_DEPTH = 100;

/** Folders of commits. Paths are from the root with `/`; submodules are not files and are left out. */
export class Trees {
  readonly #cache: ByteCache<Folder>;
  readonly #read: (oid: string) => Promise<GitObject>;

  /** `cacheBytes`: what is kept of them. */
  constructor(read: (oid: string) => Promise<GitObject>, cacheBytes: number) {
    this.#read = read;
    this.#cache = new ByteCache(cacheBytes);
  }

  async folder(oid: string): Promise<Folder> {
    const known = this.#cache.get(oid);
    if (known) return known;
    const { type, content } = await this.#read(oid);
    if (type !== 'tree') throw new Error(`${oid} is a ${type}, not a tree`);
    const folder = Folder.parse(content);
    this.keep(oid, folder);
    return folder;
  }

  /** Takes a folder that is here and need not be read. */
  keep(oid: string, folder: Folder): void {
    this.#cache.set(oid, folder, folder.bytes);
  }

  /** What stands at a path; the empty path is the root itself. */
  async find(root: string, path: string): Promise<{ mode: string; oid: string } | undefined> {
    let found = { mode: FOLDER, oid: root };
    for (const name of segments(path)) {
      if (found.mode !== FOLDER) return undefined;
      const entry = (await this.folder(found.oid)).get(name);
      if (!entry) return undefined;
      found = { mode: entry.mode, oid: entry.oid };
    }
    return found;
  }

  /** See `GitRepo`. */
  async standing(root: string, path: string): Promise<Standing | undefined> {
    let folder = root;
    const names = segments(path);
    for (const [index, name] of names.entries()) {
      const entry = (await this.folder(folder)).get(name);
      if (!entry) return undefined;
      if (entry.mode !== FOLDER) return { path: names.slice(0, index + 1).join('/'), kind: kindOf(entry.mode) };
      folder = entry.oid;
    }
    return { path: names.join('/'), kind: 'folder' };
  }

  async files(root: string, under: string): Promise<ReadonlyMap<string, TreeFile>> {
    const files = new Map<string, TreeFile>();
    const start = await this.find(root, under);
    if (start?.mode === FOLDER) await this.#collect(start.oid, segments(under).join('/'), files, 0);
    return files;
  }

  async #collect(oid: string, folder: string, files: Map<string, TreeFile>, depth: number): Promise<void> {
    if (depth > MAX_DEPTH) {
      files.set(folder, { oid, mode: FOLDER });
      return;
    }
    for (const { mode, name, oid: child } of (await this.folder(oid)).entries) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (mode === FOLDER) await this.#collect(child, path, files, depth + 1);
      else if (mode !== SUBMODULE) files.set(path, { oid: child, mode });
    }
  }

  async diff(before: string, after: string, under: string): Promise<readonly TreeChange[]> {
    const changes: TreeChange[] = [];
    const [from, to] = [await this.find(before, under), await this.find(after, under)];
    const folder = (found: typeof from): string | undefined => (found?.mode === FOLDER ? found.oid : undefined);
    await this.#compare(folder(from), folder(to), segments(under).join('/'), changes, 0);
    return changes;
  }

  async #compare(
    before: string | undefined,
    after: string | undefined,
    folder: string,
    changes: TreeChange[],
    depth: number,
  ): Promise<void> {
    if (before === after) return;
    if (depth > MAX_DEPTH) return addChange(changes, folder, unlisted(before), unlisted(after));
    const old = before === undefined ? Folder.empty : await this.folder(before);
    const now = after === undefined ? Folder.empty : await this.folder(after);
    const compare = async (name: string, from: TreeEntry | undefined, to: TreeEntry | undefined): Promise<void> => {
      const path = folder === '' ? name : `${folder}/${name}`;
      addChange(changes, path, fileOf(from), fileOf(to));
      const [fromFolder, toFolder] = [folderOf(from), folderOf(to)];
      if (fromFolder ?? toFolder) await this.#compare(fromFolder, toFolder, path, changes, depth + 1);
    };
    for (const entry of now.entries) {
      const from = old.get(entry.name);
      if (from?.oid !== entry.oid || from.mode !== entry.mode) await compare(entry.name, from, entry);
    }
    for (const entry of old.entries) if (!now.get(entry.name)) await compare(entry.name, entry, undefined);
  }
}

const LINK = '120000';
const kindOf = (mode: string): Standing['kind'] => (mode === LINK ? 'link' : mode === SUBMODULE ? 'submodule' : 'file');

const folderOf = (entry: TreeEntry | undefined): string | undefined => (entry?.mode === FOLDER ? entry.oid : undefined);

const unlisted = (oid: string | undefined): TreeFile | undefined =>
  oid === undefined ? undefined : { oid, mode: FOLDER };

const fileOf = (entry: TreeEntry | undefined): TreeFile | undefined =>
  entry && entry.mode !== FOLDER && entry.mode !== SUBMODULE ? { oid: entry.oid, mode: entry.mode } : undefined;

function addChange(
  changes: TreeChange[],
  path: string,
  before: TreeFile | undefined,
  after: TreeFile | undefined,
): void {
  if (before && after) changes.push({ kind: 'modified', path, before, after });
  else if (after) changes.push({ kind: 'added', path, after });
  else if (before) changes.push({ kind: 'removed', path, before });
}

const segments = (path: string): string[] => path.split('/').filter((segment) => segment !== '' && segment !== '.');
