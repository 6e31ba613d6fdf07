import { keyOf } from '../lib/key.ts';
import { perObject } from '../lib/memo.ts';
import type { Steps } from '../lib/turns.ts';
import type { Stray } from '../manifest/stray.ts';
import type { Manifest } from '../manifest/types.ts';
import type { Edit, EditGoal } from '../render/renderer.ts';
import type { TreeFiles } from '../render/tree-files.ts';
import type { AppId } from './types.ts';

/** One app of a tree: what a revert may touch and what it is judged by. */
export interface RenderedApp {
  readonly id: AppId;
  readonly canary: Manifest;
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
  /** What some of them were made for, as HelmReleases, and is not applied itself. Absent: nothing. */
  readonly releases?: readonly Manifest[];
  /** The errors in it, with the file and without lines. */
  readonly problems: readonly string[];
  /** Text of what cannot be read: an object that is named in it may stand there. */
  readonly unreadableText: string;
  /** The same, of what the tenant has whose file stands at a path: others cannot have its objects. Absent: there are no tenants. */
  readonly unreadableTextBeside?: (path: string) => string;
  /** Files and units with something that cannot be read or rendered. */
  readonly unreadablePaths: ReadonlySet<string>;
  /** Files and units of which nothing is applied, and why. */
  readonly strays: ReadonlyMap<string, Stray>;
}

/** Reads a tree. Files that cannot be read are left out. Asked several times with almost equal trees, so it keeps what it made of them. */
export interface Render {
  /** In one go: only where no program, no thread and no Git has a part in it. */
  (files: TreeFiles): RenderedTree;
  /** The same; yields between documents. */
  inTurns(files: TreeFiles): Steps<RenderedTree>;
  /** The files with which a goal is reached, where its objects come from. */
  edit(goal: EditGoal): Steps<Edit>;
}

const appsByKey = perObject((apps: RenderedTree['apps']) => new Map(apps.map((app) => [keyOf(app.id), app])));

export function appIn({ apps }: RenderedTree, app: AppId): RenderedApp | undefined {
  return appsByKey(apps).get(keyOf(app));
}
