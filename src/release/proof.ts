import { isDeepStrictEqual } from 'node:util';
import { type KubeObject, refKey, refOf } from '../manifest/types.ts';
import { appIn, appKey, type Files, type Render, type RenderedApp, type RenderedTree } from './rendered.ts';
import type { AppId } from './types.ts';

export interface ProofInput {
  readonly app: AppId;
  readonly before: RenderedApp;
  readonly tip: RenderedTree;
  readonly tipFiles: Files;
  /** The edits on top of `tipFiles`. */
  readonly files: ReadonlyMap<string, string | null>;
  /** The app's own objects. */
  readonly keys: ReadonlySet<string>;
  readonly render: Render;
  readonly stableContent?: (app: AppId) => string | undefined;
}

/** Renders the edited tree: the app must be as before, everything else as at the tip. Undefined: proven; a text: what is not so. */
export function proofOf(input: ProofInput): string | undefined {
  const edited = input.render(editedFiles(input.tipFiles, input.files));
  if (appIn(edited, input.app)?.content !== input.before.content) {
    return 'the app would not get its stable content back';
  }
  const changed = changedObject(input.tip, edited, input.keys);
  if (changed !== undefined) return `${changed} would change as well`;
  for (const other of input.tip.apps) {
    if (appKey(other.id) === appKey(input.app)) continue;
    const after = appIn(edited, other.id);
    // A ConfigMap that several apps share: the others may only fall back to what they were promoted with.
    const allowed = after && (after.content === other.content || after.content === input.stableContent?.(other.id));
    if (!allowed) return `${appKey(other.id)} uses what would change and runs with it`;
  }
  return undefined;
}

export function editedFiles(files: Files, edits: ReadonlyMap<string, string | null>): Files {
  const edited = new Map(files);
  for (const [path, text] of edits) {
    if (text === null) edited.delete(path);
    else edited.set(path, text);
  }
  return edited;
}

function changedObject(tip: RenderedTree, edited: RenderedTree, own: ReadonlySet<string>): string | undefined {
  const before = othersOf(tip, own);
  const after = othersOf(edited, own);
  for (const [key, object] of before) {
    const now = after.get(key);
    if (now !== object && !isDeepStrictEqual(now, object)) return key;
  }
  return [...after.keys()].find((key) => !before.has(key));
}

function othersOf({ manifests }: RenderedTree, own: ReadonlySet<string>): ReadonlyMap<string, KubeObject> {
  const entries = manifests.map(({ object }) => [refKey(refOf(object)), object] as const);
  return new Map(entries.filter(([key]) => !own.has(key)));
}
