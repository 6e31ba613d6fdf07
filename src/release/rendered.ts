import { keyOf } from '../lib/key.ts';
import { perObject } from '../lib/memo.ts';
import type { Steps } from '../lib/turns.ts';
import type { CachedFile } from '../manifest/load.ts';
import type { Manifest } from '../manifest/types.ts';
import type { AppId } from './types.ts';

/** A file as it stands in Git. Its text is read when it is asked for the first time, and kept with it. */
export interface GitFile {
  readonly oid: string;
  readonly mode: string;
  text: string | undefined;
  /** What its text says; undefined until the tree has been read. Kept here, because the sync forgets what has left its tip. */
  parsed: CachedFile | undefined;
}

/** Texts of manifest files by path from the repository's root. */
export type Files = ReadonlyMap<string, string>;

/** A tree's manifest files by path: a text, or what stands in Git. Nobody changes one of these, only makes another. */
export type TreeFiles = ReadonlyMap<string, string | GitFile>;

/** The text of a file; undefined where there is none. Throws where a file of Git was not read: see `TreeReader.readTexts`. */
export function sourceOf(files: TreeFiles, path: string): string | undefined {
  const file = files.get(path);
  if (typeof file !== 'object') return file;
  if (file.text === undefined) throw new Error(`${path} was not read`);
  return file.text;
}

/** One app of a tree: what a revert may touch and what it is judged by. */
export interface RenderedApp {
  readonly id: AppId;
  /** The target and the ConfigMaps and Secrets that it refers to, as far as they stand in Git. Not the Canary. */
  readonly documents: readonly Manifest[];
  /** Of these the target. Undefined: Git has none. */
  readonly target: Manifest | undefined;
  /** Hash of what is judged; equal content, equal hash. */
  readonly content: string;
}

export interface RenderedTree {
  readonly manifests: readonly Manifest[];
  readonly apps: readonly RenderedApp[];
  /** The errors in it, with the file and without lines. */
  readonly problems: readonly string[];
  /** Text of what cannot be read: an object that is named in it may stand there. */
  readonly unreadableText: string;
}

/** Reads a tree. Files that cannot be read are left out. Asked several times with almost equal trees, so it keeps what it made of them. */
export interface Render {
  (files: TreeFiles): RenderedTree;
  /** The same; yields between documents. */
  inTurns(files: TreeFiles): Steps<RenderedTree>;
}

const appsByKey = perObject((apps: RenderedTree['apps']) => new Map(apps.map((app) => [keyOf(app.id), app])));

export function appIn({ apps }: RenderedTree, app: AppId): RenderedApp | undefined {
  return appsByKey(apps).get(keyOf(app));
}
