import { encodeTree, FOLDER, newObject, type NewObject, SUBMODULE, treeEntry, type TreeEntry } from './objects.ts';

/** Path segments to content; null removes. */
interface Edit {
  content?: Uint8Array | string | null;
  readonly below: Map<string, Edit>;
}

export interface TreeEdit {
  /** Id of the new root tree. */
  readonly root: string;
  /** Trees and blobs that may be new; folders first. */
  readonly objects: readonly NewObject[];
}

/** The tree with `files` written into it. Only the folders on the way are read; modes of existing files are kept. */
export async function editTree(
  root: string,
  files: ReadonlyMap<string, Uint8Array | string | null>,
  entriesOf: (oid: string) => Promise<readonly TreeEntry[]>,
): Promise<TreeEdit> {
  const objects: NewObject[] = [];
  const edits: Edit = { below: new Map() };
  for (const [path, content] of files) place(edits, path, content);

  const rewrite = async (oid: string | undefined, edit: Edit, folder: string): Promise<string | undefined> => {
    const entries = new Map((oid ? await entriesOf(oid) : []).map((entry) => [entry.name, entry]));
    const put = (name: string, mode: string, content: Uint8Array | string): void => {
      const blob = newObject('blob', Buffer.from(content));
      objects.push(blob);
      entries.set(name, treeEntry(mode, name, blob.oid));
    };
    for (const [name, { content, below }] of edit.below) {
      const old = entries.get(name);
      const path = `${folder}${name}`;
      if (old?.mode === SUBMODULE) throw new Error(`${path} is a submodule and cannot be written to`);
      const isFile = old !== undefined && old.mode !== FOLDER;
      if (below.size === 0) {
        if (content === null || content === undefined) {
          if (isFile) entries.delete(name);
        } else if (old?.mode === FOLDER) throw new Error(`${path} is a folder and cannot be written as a file`);
        else put(name, old?.mode ?? '100644', content);
        continue;
      }
      const tree = await rewrite(isFile ? undefined : old?.oid, { below }, `${path}/`);
      const staysFile = (content !== null && content !== undefined) || (isFile && content === undefined);
      if (tree !== undefined) {
        if (staysFile) throw new Error(`${path} cannot be a file and a folder`);
        entries.set(name, treeEntry(FOLDER, name, tree));
      } else if (content !== null && content !== undefined) put(name, isFile ? old.mode : '100644', content);
      // Removing a file below a file removes nothing.
      else if (!isFile || content === null) entries.delete(name);
    }
    if (entries.size === 0 && folder !== '') return undefined;
    const tree = newObject('tree', encodeTree([...entries.values()]));
    objects.push(tree);
    return tree.oid;
  };

  const edited = files.size === 0 ? root : await rewrite(root, edits, '');
  return { root: edited ?? root, objects };
}

function place(edits: Edit, path: string, content: Uint8Array | string | null): void {
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..' || name.toLowerCase() === '.git')) {
    throw new Error(`${JSON.stringify(path)} is not a path inside a repository`);
  }
  let at = edits;
  for (const name of names) {
    let next = at.below.get(name);
    if (!next) {
      next = { below: new Map() };
      at.below.set(name, next);
    }
    at = next;
  }
  at.content = content;
}
