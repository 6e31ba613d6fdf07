import { isDeepStrictEqual } from 'node:util';
import type { CommitDraft, Signature } from '../git/repo.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { perObject } from '../lib/memo.ts';
import { plainText } from '../lib/plain-text.ts';
import type { Steps } from '../lib/turns.ts';
import { identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import { type KubeObject, type Manifest, type ObjectRef, refOf } from '../manifest/types.ts';
import { fileBytes } from '../render/file-bytes.ts';
import { indexed } from '../render/object-index.ts';
import { editedFiles, type TreeFiles } from '../render/tree-files.ts';
import type { Ledger } from './ledger.ts';
import { changedObject, newProblem } from './proof.ts';
import type { Render, RenderedTree } from './rendered.ts';
import type { AppId } from './types.ts';

/** The tree that an edit is made on, and what Git tells of apps there. */
export interface EditTip {
  readonly tree: RenderedTree;
  /** What it was made of. */
  readonly files: TreeFiles;
  /** Undefined: the app has none. Throws MANIFEST_INVALID where it cannot be read. */
  ledger(app: AppId): Steps<Ledger | undefined>;
  /** The text of a file; undefined where there is none. */
  text(path: string): Steps<string | undefined>;
}

/** A field of an object, and what it is to be. */
export interface FieldChange {
  readonly object: ObjectRef;
  readonly field: readonly (string | number)[];
  /** Undefined: it goes. */
  readonly value: unknown;
}

/** What an edit comes to on a tip. */
export type EditPlan =
  | {
      readonly kind: 'change';
      readonly fields: readonly FieldChange[];
      /** Whole files, as ledgers are, or where what is to change is marked in the text. Null removes one. Absent: none. */
      readonly files?: ReadonlyMap<string, string | null>;
      /** Objects that may change with these files, by identity. Absent: none. */
      readonly touches?: ReadonlySet<string>;
      readonly message: string;
    }
  /** There is nothing to do. `reason` is for people. */
  | { readonly kind: 'needless'; readonly reason: string };

/** A change of the branch that is no outcome: a function of the tip, asked anew on every race. */
export interface BranchEdit {
  /** Of two with one key only the later one waits. */
  readonly key: string;
  readonly app: AppId;
  /** When it was asked for, in milliseconds since the Unix epoch. */
  readonly atMs: number;
  plan(tip: EditTip): Steps<EditPlan>;
  /** It has landed as it was planned last. Absent: nobody wants to know. */
  landed?(): void;
}

export type BuiltEdit =
  | { readonly kind: 'built'; readonly draft: CommitDraft; readonly files: ReadonlyMap<string, string | null> }
  | { readonly kind: 'needless'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

export interface EditParts {
  readonly files: TreeFiles;
  readonly render: Render;
  readonly tip: Omit<EditTip, 'tree' | 'files'>;
  readonly author: Omit<Signature, 'atMs'>;
}

/**
 * The commit that an edit comes to. What was edited is rendered: the fields are what they were to be, nothing else has changed, and nothing
 * is unreadable that was not so before; else it is refused.
 */
export function* buildingEdit(edit: BranchEdit, { files, render, tip, author }: EditParts): Steps<BuiltEdit> {
  const tree = yield* render.inTurns(files);
  const refused = (reason: string): BuiltEdit => ({ kind: 'refused', reason });
  try {
    const plan = yield* edit.plan({ ...tip, tree, files });
    if (plan.kind === 'needless') return plan;
    const edits = new Map<string, string | null>(plan.files);
    for (const { object, field, value } of plan.fields) {
      const state = { files: editedFiles(files, edits), manifests: editable(tree) };
      const made = yield* render.edit({ kind: 'field', tip: state, object, field, value });
      if (made.kind === 'refused') return refused(`${nameOf(object)} cannot be edited: ${made.reason}`);
      for (const [path, text] of made.files) edits.set(path, text);
    }
    if (edits.size === 0) return { kind: 'needless', reason: 'Git says it already' };
    const wrong = yield* disproofOf(plan, tree, yield* render.inTurns(editedFiles(files, edits)));
    if (wrong !== undefined) return refused(wrong);
    const contents = new Map([...edits].map(([path, text]) => [path, text === null ? null : fileBytes(text)]));
    const signature = { ...author, atMs: edit.atMs };
    const draft = { files: contents, message: plainText(plan.message), author: signature };
    return { kind: 'built', draft, files: edits };
  } catch (error) {
    // That Git did not give a text says nothing of the texts.
    if (error instanceof AgentError && error.code.startsWith('GIT_')) throw error;
    return refused(messageOf(error));
  }
}

/** What is written in files, applied or not. */
const editable = perObject(({ manifests, releases = [] }: RenderedTree): readonly Manifest[] =>
  releases.length === 0 ? manifests : [...manifests, ...releases],
);

/** Why an edited tree is not what was meant; undefined: it is. */
function* disproofOf(
  { fields, touches }: Extract<EditPlan, { kind: 'change' }>,
  tip: RenderedTree,
  edited: RenderedTree,
): Steps<string | undefined> {
  const problem = newProblem(tip, edited);
  if (problem !== undefined) return `the result would not be right: ${problem}`;
  const [before, after] = [tip, edited].map((tree) => ({ manifests: editable(tree) }));
  if (!before || !after) return undefined;
  const [was, is] = [yield* indexed(before), yield* indexed(after)];
  const wanted = new Map<string, KubeObject>();
  for (const { object, field, value } of fields) {
    const key = identityKey(object);
    const now = wanted.get(key) ?? was.byIdentity.get(key)?.object;
    if (!now) return `${nameOf(object)} is not in Git`;
    wanted.set(key, withField(now, field, value) as KubeObject);
  }
  for (const [key, object] of wanted) {
    if (!isDeepStrictEqual(is.byIdentity.get(key)?.object, object))
      return `${nameOf(refOf(object))} would not become what was meant: its image is written elsewhere, or used twice`;
    yield;
  }
  const made = [...tip.manifests, ...edited.manifests].filter(({ origin }) => {
    return origin.renderer === 'helm' && wanted.has(identityKey(origin.release));
  });
  const own = [...wanted.keys(), ...(touches ?? []), ...made.map(({ object }) => identityOf(object))];
  const changed = changedObject(tip, edited, new Set(own));
  return changed === undefined ? undefined : `${changed} would change as well`;
}

function withField(whole: unknown, [name, ...rest]: readonly (string | number)[], value: unknown): unknown {
  if (name === undefined) return value;
  if (Array.isArray(whole))
    return whole.map((item, at) => (at === name ? withField(item, rest, value) : (item as unknown)));
  const members = (whole ?? {}) as Record<string, unknown>;
  const own = Object.hasOwn(members, name) ? members[name] : undefined;
  const member = withField(own, rest, value);
  if (member !== undefined) return { ...members, [name]: member };
  return Object.fromEntries(Object.entries(members).filter(([key]) => key !== name));
}
