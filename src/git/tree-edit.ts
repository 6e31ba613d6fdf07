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
    for (const [name, child] of edit.below) {
      const old = entries.get(name);
      const path = `${folder}${name}`;
      if (child.below.size > 0) {
        if (old?.mode === SUBMODULE) throw new Error(`${path} is a submodule and cannot be written to`);
        const tree = await rewrite(old?.mode === FOLDER ? old.oid : undefined, child, `${path}/`);
        const isFile = old !== undefined && old.mode !== FOLDER;
        if (tree !== undefined && (child.content || (isFile && child.content !== null))) {
          throw new Error(`${path} cannot be a file and a folder`);
        }
        if (tree !== undefined) entries.set(name, treeEntry(FOLDER, name, tree));
        // Removing a file below something that is no folder removes nothing.
        else if (!isFile || child.content === null) entries.delete(name);
        if (tree !== undefined || typeof child.content !== 'string') continue;
      }
      if (old?.mode === FOLDER || old?.mode === SUBMODULE) {
        if (child.content === null) continue;
        throw new Error(`${path} is a folder and cannot be written as a file`);
      }
      if (child.content === null || child.content === undefined) entries.delete(name);
      else {
        const blob = newObject('blob', Buffer.from(child.content));
        objects.push(blob);
        entries.set(name, treeEntry(old?.mode ?? '100644', name, blob.oid));
      }
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
