import { setImmediate } from 'node:timers/promises';
import type { LocalMirror } from './local-mirror.ts';
import { closed, encodeCommit, encodeTag, newObject, type NewObject, parseTree, type TreeEntry } from './objects.ts';
import type { PushRequest, Revision, TagDraft } from './repo.ts';
import { asRevision } from './repo.ts';
import { editTree } from './tree-edit.ts';

/** A push that is ready to be sent; nothing of it is on disk. */
export interface PreparedPush {
  readonly tip: Revision;
  readonly commits: readonly Revision[];
  /** Commits, trees and blobs that are not here yet, in no order. */
  readonly objects: readonly NewObject[];
  readonly tags: readonly PreparedTag[];
}

export interface PreparedTag {
  readonly draft: TagDraft;
  readonly ref: string;
  readonly object: NewObject;
}

/** Builds the commits one on top of the other and the tag objects, in memory. Equal requests give equal ids. */
export async function preparePush(mirror: LocalMirror, request: PushRequest): Promise<PreparedPush> {
  const pending = new Map<string, NewObject>();
  const entriesOf = async (oid: string): Promise<readonly TreeEntry[]> => {
    const fresh = pending.get(oid);
    return fresh ? parseTree(fresh.content) : mirror.trees.entries(oid);
  };
  let parent = request.expected;
  let { tree } = await mirror.commit(parent);
  const commits: Revision[] = [];
  for (const { files, message, author } of request.commits) {
    const edit = await editTree(tree, files, entriesOf);
    tree = edit.root;
    const commit = newObject('commit', encodeCommit(tree, parent, author, message));
    for (const object of [...edit.objects, commit]) pending.set(object.oid, object);
    parent = asRevision(commit.oid);
    commits.push(parent);
    // A folder of a thousand ledgers is a long tree: many commits to it must not stop everything else.
    if (commits.length < request.commits.length) await setImmediate();
  }
  return {
    tip: parent,
    commits,
    objects: [...pending.values()].filter(({ oid }) => !mirror.has(oid)),
    tags: request.tags.map((draft) => ({
      draft,
      ref: tagRef(draft.name),
      object: newObject('tag', encodeTag(draft)),
    })),
  };
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
