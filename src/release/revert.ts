import { isDeepStrictEqual } from 'node:util';
import { type FileText, type Located, readFileText } from '../manifest/edit-documents.ts';
import { isList, isObject } from '../manifest/edit-object.ts';
import { type Manifest, refKey, refOf } from '../manifest/types.ts';
import { proofOf } from './proof.ts';
import { appIn, type Files, type Render, type RenderedTree } from './rendered.ts';
import { isAlone, type ObjectGoal, type ObjectReturn, revertFile } from './revert-file.ts';
import type { AppId } from './types.ts';
import { undoChanges } from './undo.ts';

export interface RevertInput {
  readonly app: AppId;
  /** Manifest files where the app still had its stable content, where it was judged, and now. */
  readonly base: Files;
  readonly judged: Files;
  readonly tip: Files;
  readonly render: Render;
  /** Content that another app was last promoted with: a change of a shared ConfigMap may take it back there. Absent: unknown. */
  readonly stableContent?: (app: AppId) => string | undefined;
}

export type Revert =
  /** Null removes the file. */
  | { readonly kind: 'edited'; readonly files: ReadonlyMap<string, string | null>; readonly paths: readonly string[] }
  /** The app has its base content again already. */
  | { readonly kind: 'nothing' }
  /** The app has a newer content than the judged one: it is not the release's any more. */
  | { readonly kind: 'superseded' }
  | { readonly kind: 'conflict'; readonly reason: string; readonly paths: readonly string[] };

/** A tree with the places of its objects. */
interface Side {
  readonly files: Files;
  readonly tree: RenderedTree;
  readonly objects: ReadonlyMap<string, Manifest>;
  text(path: string): FileText | undefined;
  locate(key: string): { readonly path: string; readonly file: FileText; readonly at: Located } | undefined;
}

interface Plan {
  readonly goals: Map<string, ObjectGoal[]>;
  readonly returns: Map<string, ObjectReturn[]>;
}

/**
 * Takes back what a release changed in its app's target, ConfigMaps and Secrets, on top of the tip: a function of the trees, run anew
 * for every tip. What other apps or later commits changed stays. Nothing is given that was not read back and found equal to the
 * app's base and, in everything else, to the tip.
 */
export function revertApp(input: RevertInput): Revert {
  const [base, judged, tip] = [input.base, input.judged, input.tip].map((files) => sideOf(files, input.render));
  if (!base || !judged || !tip) throw new Error('unreachable: three trees');
  const [before, tried, now] = [base, judged, tip].map(({ tree }) => appIn(tree, input.app));
  if (!now) return { kind: 'superseded' };
  if (now.content === before?.content) return { kind: 'nothing' };
  if (!tried || now.content !== tried.content) return { kind: 'superseded' };
  if (!before) return conflict(`there is no earlier state of ${input.app.namespace}/${input.app.name} to go back to`);

  const keys = new Set([...before.documents, ...tried.documents].map(({ object }) => refKey(refOf(object))));
  const plan = planOf(keys, { base, judged, tip });
  if (typeof plan === 'string') return conflict(plan, pathsOf(keys, tip));
  const files = new Map<string, string | null>();
  for (const path of new Set([...plan.goals.keys(), ...plan.returns.keys()])) {
    const text = editFile(path, plan, { base, judged, tip });
    if (text === undefined)
      return conflict('the change cannot be taken back without touching what others changed', [path]);
    files.set(path, text);
  }
  const failed = proofOf({ ...input, before, tip: tip.tree, files, tipFiles: input.tip, keys });
  return failed === undefined
    ? { kind: 'edited', files, paths: [...files.keys()].toSorted() }
    : conflict(failed, [...files.keys()].toSorted());
}

const conflict = (reason: string, paths: readonly string[] = []): Revert => ({ kind: 'conflict', reason, paths });

type Sides = Readonly<Record<'base' | 'judged' | 'tip', Side>>;

/** What is to become of each of the app's objects; a text says why that cannot be told. */
function planOf(keys: ReadonlySet<string>, { base, judged, tip }: Sides): Plan | string {
  const plan: Plan = { goals: new Map(), returns: new Map() };
  for (const key of keys) {
    const [old, tried, now] = [base, judged, tip].map((side) => side.locate(key));
    for (const [found, side] of [
      [old, base],
      [tried, judged],
      [now, tip],
    ] as const) {
      if (!found && side.objects.has(key)) return `${key} cannot be found in its file`;
    }
    if (now && tried) {
      const expected = old ? undoChanges(old.at.value, tried.at.value, now.at.value) : undefined;
      if (!old && !mayGo(key, tried.at.value, now.at.value, tip, keys)) continue;
      if (old && isDeepStrictEqual(expected, now.at.value)) continue;
      append(plan.goals, now.path, {
        at: now.at,
        judged: tried.path === now.path ? tried.at : undefined,
        baseSegment: old && isAlone(old.file, old.at) ? old.file.segments[old.at.segment] : undefined,
        expected,
      });
    } else if (old && !tried && !now) {
      if (!isAlone(old.file, old.at)) return `${key} was deleted from a list and cannot be put back`;
      const position = old.file.objects.indexOf(old.at);
      const behind = old.file.objects.slice(0, position).map((object) => object.key);
      const segment = old.file.segments[old.at.segment] ?? '';
      append(plan.returns, old.path, { key: old.at.key, value: old.at.value, segment, behind: behind.toReversed() });
    }
  }
  return plan;
}

/** What the release added goes again, unless it was changed since or somebody else refers to it. */
function mayGo(key: string, added: unknown, now: unknown, tip: Side, own: ReadonlySet<string>): boolean {
  if (!isDeepStrictEqual(added, now)) return false;
  const manifest = tip.objects.get(key);
  if (!manifest) return false;
  const { name, namespace } = manifest.object.metadata;
  for (const [other, { object }] of tip.objects) {
    if (own.has(other) || object.metadata.namespace !== namespace) continue;
    if (mentions(object['spec'], name)) return false;
  }
  return true;
}

function mentions(value: unknown, name: string): boolean {
  if (value === name) return true;
  if (isList(value)) return value.some((item) => mentions(item, name));
  return isObject(value) && Object.values(value).some((member) => mentions(member, name));
}

function editFile(path: string, plan: Plan, { base, judged, tip }: Sides): string | null | undefined {
  const goals = plan.goals.get(path) ?? [];
  const returns = plan.returns.get(path) ?? [];
  const file = tip.text(path);
  if (file) return revertFile({ tip: file, judged: judged.text(path), goals, returns });
  if (tip.files.has(path)) return undefined;
  // The release deleted the file: as it was, if nothing else stood in it.
  const old = base.text(path);
  if (old && old.objects.length === returns.length) return old.text;
  return revertFile({ tip: { text: '', segments: [], objects: [] }, judged: undefined, goals, returns });
}

function sideOf(files: Files, render: Render): Side {
  const tree = render(files);
  const objects = new Map(tree.manifests.map((manifest) => [refKey(refOf(manifest.object)), manifest]));
  const texts = new Map<string, FileText | undefined>();
  const text = (path: string): FileText | undefined => {
    const source = files.get(path);
    if (source !== undefined && !texts.has(path)) texts.set(path, readFileText(source));
    return texts.get(path);
  };
  return {
    files,
    tree,
    objects,
    text,
    locate(key) {
      const manifest = objects.get(key);
      const file = manifest && text(manifest.source.path);
      if (!manifest || !file) return undefined;
      const { kind, metadata } = manifest.object;
      const named = file.objects.filter(({ value }) => {
        if (!isObject(value) || value['kind'] !== kind) return false;
        const written = isObject(value['metadata']) ? value['metadata'] : {};
        // The text may leave the namespace to the agent's default.
        return written['name'] === metadata.name && (written['namespace'] ?? metadata.namespace) === metadata.namespace;
      });
      const at = named.length === 1 ? named[0] : named.find(({ document }) => document === manifest.source.document);
      return at && { path: manifest.source.path, file, at };
    },
  };
}

function pathsOf(keys: ReadonlySet<string>, side: Side): readonly string[] {
  const paths = [...keys].flatMap((key) => side.objects.get(key)?.source.path ?? []);
  return [...new Set(paths)].toSorted();
}

function append<T>(map: Map<string, T[]>, key: string, item: T): void {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}
