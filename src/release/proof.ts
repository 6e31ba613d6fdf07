import { isDeepStrictEqual } from 'node:util';
import { keyOf } from '../lib/key.ts';
import type { Steps } from '../lib/turns.ts';
import { identityOf } from '../manifest/identity.ts';
import { type KubeObject, type Manifest, refKey, refOf } from '../manifest/types.ts';
import { editedFiles, type TreeFiles } from '../render/tree-files.ts';
import { appIn, type Render, type RenderedApp, type RenderedTree } from './rendered.ts';
import type { Together } from './revert.ts';
import type { AppId } from './types.ts';

export interface ProofInput {
  readonly app: AppId;
  readonly before: RenderedApp;
  readonly tip: RenderedTree;
  readonly tipFiles: TreeFiles;
  /** The edits on top of `tipFiles`. */
  readonly files: ReadonlyMap<string, string | null>;
  /** The app's own objects, by identity. */
  readonly keys: ReadonlySet<string>;
  readonly render: Render;
  readonly stableContent?: (app: AppId) => string | undefined;
  readonly together?: Together;
}

const namesShown = 3;

/** What is not as it must be. */
export interface Disproof {
  readonly reason: string;
  /** The first app that uses what would change, and would be left with what it was not promoted with. */
  readonly usedBy?: AppId;
}

/**
 * Renders the edited tree: the app must be as before, everything else as at the tip, and nothing may be unreadable or written twice that is
 * not so at the tip. Undefined: proven.
 */
export function* proofOf(input: ProofInput): Steps<Disproof | undefined> {
  const edited = yield* input.render.inTurns(editedFiles(input.tipFiles, input.files));
  const problem = newProblem(input.tip, edited);
  if (problem !== undefined) return { reason: `the result would not be right: ${problem}` };
  // Of several that are taken back together the last one brings back what they share.
  const after = appIn(edited, input.app)?.content;
  const isShared = input.together !== undefined && input.together.apps.length > 1;
  if (after !== input.before.content && !isShared) return { reason: 'the app would not get its stable content back' };
  yield;
  const changed = changedObject(input.tip, edited, input.keys);
  if (changed !== undefined) return { reason: `${changed} would change as well` };
  const together = new Set(input.together?.apps.map(keyOf));
  const target = appIn(input.tip, input.app)?.target;
  const promoted: AppId[] = [];
  const unjudged: AppId[] = [];
  for (const other of input.tip.apps) {
    yield;
    // One target has one Canary: of two that name it this one released it, so the other is refused and runs nothing.
    if (target !== undefined && other.target === target) continue;
    if (keyOf(other.id) === keyOf(input.app) || together.has(keyOf(other.id))) continue;
    const now = appIn(edited, other.id);
    // A ConfigMap that several apps share: the others may only fall back to what they were promoted with.
    const stable = input.stableContent?.(other.id);
    if (now && (now.content === other.content || now.content === stable)) continue;
    (other.content === stable ? promoted : unjudged).push(other.id);
  }
  const [usedBy] = [...promoted, ...unjudged];
  return usedBy && { reason: promoted.length > 0 ? keptBy(promoted) : waitingFor(unjudged), usedBy };
}

const keptBy = (apps: readonly AppId[]): string =>
  apps.length === 1
    ? `${named(apps)} uses what would be taken back, and was promoted with it`
    : `${named(apps)} use what would be taken back, and were promoted with it`;

const waitingFor = (apps: readonly AppId[]): string =>
  apps.length === 1
    ? `${named(apps)} uses what would be taken back, and is not judged to the end yet; both are taken back together if it is rejected, too`
    : `${named(apps)} use what would be taken back, and are not judged to the end yet; all are taken back together if they are rejected, too`;

function named(apps: readonly AppId[]): string {
  const shown = apps.slice(0, namesShown).map(keyOf);
  const more = apps.length - shown.length;
  const last = more > 0 ? `${more} more` : shown.pop();
  return [shown.join(', '), last].filter((part) => part !== '').join(' and ');
}

/** Something that the edited tree complains of and the tip does not. */
export function newProblem(tip: RenderedTree, edited: RenderedTree): string | undefined {
  const known = new Map<string, number>();
  for (const problem of tip.problems) known.set(problem, (known.get(problem) ?? 0) + 1);
  return edited.problems.find((problem) => {
    const left = known.get(problem) ?? 0;
    known.set(problem, left - 1);
    return left <= 0;
  });
}

export function changedObject(tip: RenderedTree, edited: RenderedTree, own: ReadonlySet<string>): string | undefined {
  // Of files that were not edited the manifests are the same objects.
  const [before, after] = [new Set(tip.manifests), new Set(edited.manifests)];
  const gone = othersOf(tip, own, after);
  const come = othersOf(edited, own, before);
  for (const [key, object] of gone) if (!isDeepStrictEqual(come.get(key), object)) return key;
  return [...come.keys()].find((key) => !gone.has(key));
}

function othersOf(
  { manifests }: RenderedTree,
  own: ReadonlySet<string>,
  same: ReadonlySet<Manifest>,
): ReadonlyMap<string, KubeObject> {
  const others = manifests.filter((manifest) => !same.has(manifest) && !own.has(identityOf(manifest.object)));
  return new Map(others.map(({ object }) => [refKey(refOf(object)), object] as const));
}
