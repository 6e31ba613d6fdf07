import { Folder, FOLDER, SUBMODULE, type TreeEntry } from './folder.ts';
import { newObject, objectId, type NewObject } from './objects.ts';

/** Path segments to content; null removes. */
interface Edit {
  content?: Uint8Array | string | null;
  readonly below: Map<string, Edit>;
}

export interface TreeEdit {
  /** Id of the new root tree. */
  readonly root: string;
  /** Blobs that may be new. */
  readonly files: readonly NewObject[];
  /** Folders that may be new. */
  readonly folders: readonly EditedFolder[];
}

export interface EditedFolder {
  readonly oid: string;
  readonly folder: Folder;
  /** The folder in whose place it stands; undefined where there was none. */
  readonly before: string | undefined;
}

/** The tree with `files` written into it. Only the folders on the way are read; modes of existing files are kept. */
export async function editTree(
  root: string,
  files: ReadonlyMap<string, Uint8Array | string | null>,
  folderOf: (oid: string) => Promise<Folder>,
): Promise<TreeEdit> {
  const blobs: NewObject[] = [];
  const folders: EditedFolder[] = [];
  const edits: Edit = { below: new Map() };
  for (const [path, content] of files) place(edits, path, content);

  const rewrite = async (oid: string | undefined, edit: Edit, folder: string): Promise<string | undefined> => {
    const before = oid === undefined ? Folder.empty : await folderOf(oid);
    const changes = new Map<string, Pick<TreeEntry, 'mode' | 'oid'> | undefined>();
    const put = (name: string, mode: string, content: Uint8Array | string): void => {
      const blob = newObject('blob', Buffer.from(content));
      blobs.push(blob);
      changes.set(name, { mode, oid: blob.oid });
    };
    for (const [name, { content, below }] of edit.below) {
      const old = before.get(name);
      const path = `${folder}${name}`;
      if (old?.mode === SUBMODULE) throw new Error(`${path} is a submodule and cannot be written to`);
      const isFile = old !== undefined && old.mode !== FOLDER;
      if (below.size === 0) {
        if (content === null || content === undefined) {
          if (isFile) changes.set(name, undefined);
        } else if (old?.mode === FOLDER) throw new Error(`${path} is a folder and cannot be written as a file`);
        else put(name, old?.mode ?? '100644', content);
        continue;
      }
      const tree = await rewrite(isFile ? undefined : old?.oid, { below }, `${path}/`);
      const staysFile = (content !== null && content !== undefined) || (isFile && content === undefined);
      if (tree !== undefined) {
        if (staysFile) throw new Error(`${path} cannot be a file and a folder`);
        changes.set(name, { mode: FOLDER, oid: tree });
      } else if (content !== null && content !== undefined) put(name, isFile ? old.mode : '100644', content);
      // Removing a file below a file removes nothing.
      else if (old && (!isFile || content === null)) changes.set(name, undefined);
    }
    const after = before.with(changes);
    if (after.entries.length === 0 && folder !== '') return undefined;
    const tree = objectId('tree', after.content);
    folders.push({ oid: tree, folder: after, before: oid });
    return tree;
  };

  const edited = files.size === 0 ? root : await rewrite(root, edits, '');
  return { root: edited ?? root, files: blobs, folders };
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
