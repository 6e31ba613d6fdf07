import type { Manifest } from '../manifest/types.ts';
import type { AppId } from './types.ts';

/** Manifest files by path from the repository's root. */
export type Files = ReadonlyMap<string, string>;

/** One app of a tree: what a revert may touch and what it is judged by. */
export interface RenderedApp {
  readonly id: AppId;
  /** The target and the ConfigMaps and Secrets that it refers to, as far as they stand in Git. Not the Canary. */
  readonly documents: readonly Manifest[];
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

/** Reads a tree. Files that cannot be read are left out. Asked several times with almost equal trees, so it keeps what it parsed. */
export interface Render {
  (files: Files): RenderedTree;
  /** The same; yields between documents. */
  inTurns(files: Files): Generator<void, RenderedTree>;
}

export const appKey = (app: AppId): string => `${app.namespace}/${app.name}`;

export function appIn(tree: RenderedTree, app: AppId): RenderedApp | undefined {
  return tree.apps.find(({ id }) => appKey(id) === appKey(app));
}
