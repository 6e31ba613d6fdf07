import { AgentError, messageOf } from '../lib/errors.ts';
import { keyOf } from '../lib/key.ts';
import { atOnce, type Steps } from '../lib/turns.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { identityOf } from '../manifest/identity.ts';
import type { KubeObject } from '../manifest/types.ts';
import { indexed, type ObjectIndex } from '../render/object-index.ts';
import type { ObjectFacts } from '../render/renderer.ts';
import type { TreeFiles } from '../render/tree-files.ts';
import { EditLate } from '../render/text-edit.ts';
import { proofOf } from './proof.ts';
import { appIn, type Render, type RenderedApp, type RenderedTree } from './rendered.ts';
import type { AppId } from './types.ts';
import { namedUnread, unreadIn, unreadOf } from './unread.ts';

export interface RevertInput {
  readonly app: AppId;
  /** Manifest files where the app still had its stable content, where it was judged, and now. */
  readonly base: TreeFiles;
  /** Undefined: the branch has no such commit any more, and what the tip holds is not what was judged. */
  readonly judged: TreeFiles | undefined;
  readonly tip: TreeFiles;
  readonly render: Render;
  /** Content that another app was last promoted with: a change of a shared ConfigMap may take it back there. Absent: unknown. */
  readonly stableContent?: (app: AppId) => string | undefined;
  /** Apps that are taken back in the same push: what they share with this one is taken back once. Absent: none. */
  readonly together?: Together;
  /** For editing texts, where others wait. Absent: as long as it may take. */
  readonly mostMs?: number;
}

export interface Together {
  readonly apps: readonly AppId[];
  /** The files before any of them was taken back. */
  readonly tip: TreeFiles;
}

export type Revert =
  /** Null removes the file. */
  | { readonly kind: 'edited'; readonly files: ReadonlyMap<string, string | null>; readonly paths: readonly string[] }
  /** The app has its base content again already. */
  | { readonly kind: 'nothing' }
  /** The app is gone, or has a newer content than the judged one: it is not the release's any more. */
  | { readonly kind: 'superseded' }
  | {
      readonly kind: 'conflict';
      readonly reason: string;
      readonly paths: readonly string[];
      /** An app that uses what would change. Absent: another reason. */
      readonly usedBy?: AppId;
      /** It takes longer than `mostMs`. Absent: another reason. */
      readonly isLate?: true;
      /** What was judged may stand there still, and cannot be read or is not rendered now. Absent: another reason. */
      readonly isUnread?: true;
      /** The branch does not have the commit any more that was judged. Absent: it has. */
      readonly isRewritten?: true;
    };

/**
 * Takes back what a release changed in its app's target, ConfigMaps and Secrets, on top of the tip: a function of the trees, run anew
 * for every tip. What other apps or later commits changed stays. Nothing is given that was not read back and found equal to the
 * app's base and, in everything else, to the tip.
 */
export function revertApp(input: RevertInput): Revert {
  return atOnce(reverting(input));
}

/**
 * As `revertApp`; yields after each document, so that it can be done in turns. Foreign text may break what reads it, which is a conflict: it
 * throws only where Git does not give a text.
 */
export function* reverting(input: RevertInput): Steps<Revert> {
  try {
    return yield* revertIn(input);
  } catch (error) {
    // That Git did not give a text says nothing of the texts.
    if (error instanceof AgentError && error.code.startsWith('GIT_')) throw error;
    const failed = conflict(`its files could not be worked on (${messageOf(error)})`);
    return error instanceof EditLate ? { ...failed, isLate: true } : failed;
  }
}

function* revertIn(input: RevertInput): Steps<Revert> {
  const { app, render, together } = input;
  const base = yield* render.inTurns(input.base);
  if (input.judged === undefined) return yield* ofRewritten(input, appIn(base, app));
  const judged = yield* render.inTurns(input.judged);
  const tip = yield* render.inTurns(input.tip);
  const [before, tried] = [base, judged].map((tree) => appIn(tree, app));
  const found = together ? yield* render.inTurns(together.tip) : tip;
  const now = appIn(found, app);
  const unread =
    tried && now?.content !== tried.content ? yield* unreadIn(together?.tip ?? input.tip, found, tried) : undefined;
  if (unread !== undefined) return { ...conflict(`it cannot be read now: ${unread}`), isUnread: true };
  if (!now) return { kind: 'superseded' };
  if (now.content === before?.content) return { kind: 'nothing' };
  if (!tried || now.content !== tried.content) return { kind: 'superseded' };
  if (!before) return conflict(`there is no earlier state of ${keyOf(app)} to go back to`);

  const keys = keysOf(before, tried);
  const edits = yield* render.edit({
    kind: 'restore',
    base: { files: input.base, manifests: base.manifests },
    judged: { files: input.judged, manifests: judged.manifests },
    tip: { files: input.tip, manifests: tip.manifests },
    objects: yield* factsOf(keys, { base, judged, tip }),
    ...(input.mostMs === undefined ? {} : { mostMs: input.mostMs }),
  });
  if (edits.kind === 'refused') return conflict(edits.reason, edits.paths);
  const { files } = edits;
  if (files.size === 0 && together) return { kind: 'edited', files, paths: [] };
  const proven = new Set([...keys, ...(edits.sources ?? [])]);
  const failed = yield* proofOf({ ...input, before, tip, files, tipFiles: input.tip, keys: proven });
  const edited = [...files.keys()].toSorted();
  if (failed === undefined) return { kind: 'edited', files, paths: edited };
  return { ...conflict(failed.reason, edited), ...(failed.usedBy ? { usedBy: failed.usedBy } : {}) };
}

/** Of what was judged the branch tells nothing any more: it may be what cannot be read. */
function* ofRewritten({ app, tip, together, render }: RevertInput, before: RenderedApp | undefined): Steps<Revert> {
  const files = together?.tip ?? tip;
  const unread = yield* unreadOf(files, yield* render.inTurns(files), app, before);
  if (unread === undefined) return { kind: 'superseded' };
  return {
    ...conflict(`its history was rewritten, and it cannot be read now: ${unread}`),
    isUnread: true,
    isRewritten: true,
  };
}

const keysOf = (before: RenderedApp, tried: RenderedApp): ReadonlySet<string> =>
  new Set([...before.documents, ...tried.documents].map(({ object }) => identityOf(object)));

type Conflict = Extract<Revert, { readonly kind: 'conflict' }>;
const conflict = (reason: string, paths: readonly string[] = []): Conflict => ({ kind: 'conflict', reason, paths });

type Trees = Readonly<Record<'base' | 'judged' | 'tip', RenderedTree>>;

function* factsOf(keys: ReadonlySet<string>, trees: Trees): Steps<ReadonlyMap<string, ObjectFacts>> {
  const [base, judged, tip] = [yield* indexed(trees.base), yield* indexed(trees.judged), yield* indexed(trees.tip)];
  const facts = new Map<string, ObjectFacts>();
  for (const key of keys) {
    const places = [base, judged, tip].map(({ byIdentity }) => byIdentity.get(key));
    const [old, tried, now] = places.map((manifest) => manifest?.object);
    const place = places.find((manifest) => manifest !== undefined);
    const mayStandIn = (tree: RenderedTree): boolean =>
      place !== undefined && namedUnread(tree)(place.origin.path, place.object.metadata.name);
    const isAdded = !old && tried !== undefined && now !== undefined;
    facts.set(key, {
      former: isAdded ? inAnotherGroup(now, base) : undefined,
      mayStandUnread: { base: mayStandIn(trees.base), tip: mayStandIn(trees.tip) },
      isReferredTo: isAdded && (yield* isReferredTo(now, tip, keys)),
    });
    yield;
  }
  return facts;
}

/** The apiVersion of an object of the same kind and name that the cluster takes for the same one. */
function inAnotherGroup(object: KubeObject, { byName }: ObjectIndex): string | undefined {
  const legacy = new Set(['extensions', 'apps']);
  const groupOf = ({ apiVersion }: KubeObject): string => apiVersion.split('/')[0] ?? '';
  if (!legacy.has(groupOf(object))) return undefined;
  const { kind, metadata } = object;
  const former = byName
    .get(metadata.name)
    ?.find(
      ({ object: other }) =>
        legacy.has(groupOf(other)) && other.kind === kind && other.metadata.namespace === metadata.namespace,
    );
  return former?.object.apiVersion;
}

/** Whether an object of the namespace that is not the app's refers to it. */
function* isReferredTo(
  { metadata: { name, namespace } }: KubeObject,
  { byIdentity }: ObjectIndex,
  own: ReadonlySet<string>,
): Steps<boolean> {
  let looked = 0;
  for (const [other, { object }] of byIdentity) {
    if (++looked % 128 === 0) yield;
    if (own.has(other) || object.metadata.namespace !== namespace) continue;
    if (mentions(object['spec'], name)) return true;
  }
  return false;
}

function mentions(value: unknown, name: string): boolean {
  if (value === name) return true;
  if (isList(value)) return value.some((item) => mentions(item, name));
  return isObject(value) && Object.values(value).some((member) => mentions(member, name));
}
