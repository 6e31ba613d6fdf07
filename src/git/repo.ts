import { AgentError } from '../lib/errors.ts';

/** A Git commit id, 40 hex digits. Branded, so that a template hash cannot be passed where a commit is meant. */
export type Revision = string & { readonly __revision: unique symbol };

/** Whether Git did not answer what was asked, as opposed to: it has no such commit, or will never send it. Nothing follows from such an error. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof AgentError &&
  error.code.startsWith('GIT_') &&
  error.code !== 'GIT_TOO_LARGE' &&
  error.details['missing'] === undefined;

/** Whether a commit could not be fetched because it is not there any more, as opposed to a server that cannot be asked. */
export const isCommitGone = (error: unknown): boolean =>
  error instanceof AgentError && error.code === 'GIT_NOT_FOUND' && error.details['missing'] === 'commit';

export const asRevision = (oid: string): Revision => oid as Revision;

/** A blob in a tree. `mode` is Git's, e.g. `100644`, `100755`, `120000` (symlink). */
export interface TreeFile {
  readonly oid: string;
  readonly mode: string;
}

/** A folder that is nested too deeply stands in a tree as itself; what is in it is not listed. */
export const isUnlistedFolder = ({ mode }: TreeFile): boolean => mode === '40000';

/** What stands at a path of a tree. */
export interface Standing {
  /** The path itself, or what stands above it and is no folder. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'submodule';
}

export type TreeChange =
  | { readonly kind: 'added'; readonly path: string; readonly after: TreeFile }
  | { readonly kind: 'modified'; readonly path: string; readonly before: TreeFile; readonly after: TreeFile }
  | { readonly kind: 'removed'; readonly path: string; readonly before: TreeFile };

export interface Signature {
  readonly name: string;
  readonly email: string;
  readonly atMs: number;
}

export interface CommitInfo {
  readonly revision: Revision;
  readonly parents: readonly Revision[];
  readonly author: Signature;
  readonly message: string;
}

/** One commit to make. Paths are from the repository's root; null removes the file. Modes of existing files are kept. */
export interface CommitDraft {
  readonly files: ReadonlyMap<string, Uint8Array | string | null>;
  readonly message: string;
  readonly author: Signature;
}

/** An annotated tag. It must not exist yet, or exist with the same target and message (then nothing happens). */
export interface TagDraft {
  readonly name: string;
  readonly target: Revision;
  readonly message: string;
  readonly tagger: Signature;
}

export interface PushRequest {
  /** The branch's value that the commits are built on; the push lands only while it still holds. */
  readonly expected: Revision;
  /** Built one on top of the other, the first on `expected`. May be empty when only tags are written. */
  readonly commits: readonly CommitDraft[];
  readonly tags: readonly TagDraft[];
}

/**
 * `landed`: the branch is at `tip` (the commits' ids in order) and the tags stand.
 * `raced`: a ref moved; fetch, rebuild, push again. Nothing was written.
 * `refused`: a person has to act (hook, protected branch, permission). Nothing was written.
 * `stuck`: refused as if a ref had moved, and none has (a lock that was left behind, a name that is in the way). Nothing was written.
 * `unknown`: the answer was lost; look for what was to be written before trying again.
 */
export type PushResult =
  | { readonly kind: 'landed'; readonly tip: Revision; readonly commits: readonly Revision[] }
  /** `tip`: where the server says that the branch is; it may have moved on since. */
  | { readonly kind: 'raced'; readonly reason: string; readonly tip?: Revision }
  /** `lacksObjects`: the server does not have the commit of a tag. Absent: it refuses for another reason. */
  | { readonly kind: 'refused'; readonly reason: string; readonly lacksObjects?: true }
  | { readonly kind: 'stuck'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/**
 * A bare mirror of one branch of one repository, without a checkout. All reads are at a pinned revision.
 * Errors are AgentError GIT_*; messages never hold credentials.
 */
export interface GitRepo {
  readonly branch: string;
  /** Asks the server for the branch's tip. One small request. Undefined: the branch does not exist (yet). */
  poll(signal: AbortSignal): Promise<Revision | undefined>;
  /** Brings `revision` and its whole tree here, with no more than what is missing; the parents' history need not be there. */
  fetch(revision: Revision, signal: AbortSignal): Promise<void>;
  /** Whether the commit and its tree can be read without asking the server. */
  has(revision: Revision): Promise<boolean>;
  /**
   * Whether a commit is `of` or one of those before it. Mostly known from what is here; else the server is asked for history. GIT_PROTOCOL
   * where as much of it as that is not to be had.
   */
  isAncestor(revision: Revision, of: Revision, signal: AbortSignal): Promise<boolean>;
  /**
   * All files under a folder (`''` for all), by path from the repository's root; see `isUnlistedFolder`. Of a name that is no UTF-8
   * bytes and backslashes are written as git does: `caf\\351.yaml`.
   */
  tree(at: Revision, under: string): Promise<ReadonlyMap<string, TreeFile>>;
  /** What changed under a folder between two trees that are here; equal subtrees are not read. */
  diff(before: Revision, after: Revision, under: string): Promise<readonly TreeChange[]>;
  /** Rejects with GIT_TOO_LARGE where the file is larger than any that is held. */
  blob(oid: string): Promise<Uint8Array>;
  /**
   * Gives many blobs to `take`, each once and in the order in which they are read quickest: far less work than one by one. Undefined: it is too
   * large to be held, or for the server to have sent it. `isWanted`: asked where a blob's size is known before it is read; one for which it is
   * false is not given. Absent: all are.
   */
  blobs(
    oids: Iterable<string>,
    take: (oid: string, content: Uint8Array | undefined) => Promise<void>,
    isWanted?: (oid: string, bytes: number) => boolean,
  ): Promise<void>;
  /** One file; undefined where there is none. */
  file(at: Revision, path: string): Promise<Uint8Array | undefined>;
  /** A file or link at a path; undefined where there is none. */
  entry(at: Revision, path: string): Promise<TreeFile | undefined>;
  /** What stands at a path, or above it where a file, a link or a submodule stands in the way; undefined: nothing does. */
  standing(at: Revision, path: string): Promise<Standing | undefined>;
  commit(at: Revision): Promise<CommitInfo>;
  /** Newest first, first parents only, as far as history is here. */
  log(from: Revision, limit: number): Promise<readonly CommitInfo[]>;
  /** The server's refs under prefixes such as `refs/tags/releases/`, asked for at once; annotated tags are peeled to the commit. */
  refs(prefixes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Revision>>;
  push(request: PushRequest, signal: AbortSignal): Promise<PushResult>;
}
