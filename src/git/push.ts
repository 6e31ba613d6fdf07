import type { PreparedPush } from './prepared-push.ts';
import { createTurns } from '../lib/turns.ts';
import type { Folder } from './folder.ts';
import type { LocalMirror } from './local-mirror.ts';
import { closed, encodeCommit, encodeTag, newObject } from './objects.ts';
import { PackBuilder } from './pack-format.ts';
import { PendingObjects } from './pending-objects.ts';
import type { PushRequest, Revision } from './repo.ts';
import { asRevision } from './repo.ts';
import { editTree } from './tree-edit.ts';

/** Builds the commits one on top of the other and the tag objects, in memory. Equal requests give equal ids. */
export async function preparePush(mirror: LocalMirror, request: PushRequest): Promise<PreparedPush> {
  const pending = new PendingObjects();
  const turns = createTurns();
  const folderOf = async (oid: string): Promise<Folder> => pending.folder(oid) ?? mirror.trees.folder(oid);
  const tags = request.tags.map((draft) => ({
    draft,
    ref: tagRef(draft.name),
    object: newObject('tag', encodeTag(draft)),
  }));
  let parent = request.expected;
  let { tree } = await mirror.commit(parent);
  const commits: Revision[] = [];
  for (const { files, message, author } of request.commits) {
    const edit = await editTree(tree, files, folderOf);
    tree = edit.root;
    const commit = newObject('commit', encodeCommit(tree, parent, author, message));
    for (const folder of edit.folders) pending.addFolder(folder);
    for (const object of [...edit.files, commit]) pending.add(object);
    parent = asRevision(commit.oid);
    commits.push(parent);
    await turns.breathe();
  }
  const packed = new PackBuilder();
  for (const object of [...pending.unknown((oid) => mirror.has(oid)), ...tags.map((tag) => tag.object)]) {
    packed.add(object);
    await turns.breathe();
  }
  return { tip: parent, commits, pack: packed.seal(), tags, folders: pending.folders };
}

/** Names that git accepts: https://git-scm.com/docs/git-check-ref-format */
function tagRef(name: string): string {
  const bad =
    /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$|^@$/.test(name) ||
    name === '' ||
    name.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock') || part.startsWith('-'));
  if (bad) throw new Error(`${JSON.stringify(name)} is not a tag name`);
  return `refs/tags/${name}`;
}

export const sameMessage = (a: string, b: string): boolean => closed(a).trimEnd() === closed(b).trimEnd();
