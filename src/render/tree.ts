import { answered, createTurns, type Steps } from '../lib/turns.ts';
import { identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import {
  areaOf,
  type FileOfTree,
  isManifestFile,
  type LoadCache,
  type LoadedTree,
  loadingTree,
  type LoadSettings,
  type RenderedKustomizations,
  type RenderKustomizations,
  type Rendering,
} from '../manifest/load.ts';
import { ParsedFiles } from '../manifest/parsed-files.ts';
import { type ObjectRef, refOf } from '../manifest/types.ts';
import type { Kustomize } from './kustomize.ts';
import { indexed, type ObjectIndex } from './object-index.ts';
import { createPlain, type PlainOptions } from './plain.ts';
import type { Edit, EditGoal, Renderer, SourceTree } from './renderer.ts';
import type { TreeFiles } from './tree-files.ts';

/** Makes objects of whole trees, and writes their changes, with all renderers together. */
export interface TreeRenderer {
  /** Everything that a tree says. Nothing that was rendered of equal files is rendered again. */
  render(files: TreeFiles): Steps<LoadedTree>;
  /** The same, where what each plain file says is known already. */
  renderKnown(files: ReadonlyMap<string, FileOfTree>, known: LoadCache): Steps<LoadedTree>;
  edit(goal: EditGoal): Steps<Edit>;
}

export interface TreeRendererOptions extends Partial<Omit<PlainOptions, 'limits' | 'isManifest'>> {
  /** Absent: what kustomizations change is held back. */
  readonly kustomize?: Kustomize | undefined;
}

/** So many files are looked at before other work may have its turn. */
const filesATurn = 256;

export function createTreeRenderer(settings: LoadSettings, options: TreeRendererOptions = {}): TreeRenderer {
  const { kustomize, parsed = new ParsedFiles(), ...reading } = options;
  const { limits } = settings;
  const isManifest = (path: string): boolean => isManifestFile(path, settings);
  const plain: Renderer = createPlain({ parsed, limits, isManifest, ...reading });
  const kustomized = kustomize?.renderer({ parsed, limits }, (goal) => plain.edit(goal));
  const renderKnown: TreeRenderer['renderKnown'] = (files, known) => {
    const tree = { files, said: known };
    const render = kustomized && renderingKustomizations(kustomized, tree, settings);
    return loadingTree(files, new Map(), known, settings, render);
  };
  return {
    renderKnown,
    *render(files) {
      const known = new Map<string, Rendering>();
      const tree = { files, said: known, kustomizations: new Map(), isOwn: () => true };
      for (const unit of (yield* plain.detect(tree)).units) {
        const said = yield* plain.render(tree, unit);
        if (typeof said !== 'string') known.set(unit.path, said);
        if (known.size % filesATurn === 0) yield;
      }
      return yield* loadingTree(
        known,
        new Map(),
        known,
        settings,
        kustomized && renderingKustomizations(kustomized, tree, settings),
      );
    },
    *edit(goal) {
      if (!kustomized) return yield* plain.edit(goal);
      const isKustomized = yield* madeByKustomize(goal);
      if (goal.kind === 'field') return yield* (isKustomized(identityKey(goal.object)) ? kustomized : plain).edit(goal);
      const files = new Map<string, string | null>();
      for (const [renderer, isIts] of [
        [plain, (key: string) => !isKustomized(key)],
        [kustomized, isKustomized],
      ] as const) {
        const objects = new Map([...goal.objects].filter(([key]) => isIts(key)));
        if (objects.size === 0) continue;
        const edit = yield* renderer.edit({ ...goal, objects });
        if (edit.kind === 'refused') return edit;
        for (const [path, text] of edit.files) {
          if (files.has(path)) return { kind: 'refused', reason: 'it is written for several renderers', paths: [path] };
          files.set(path, text);
        }
      }
      return { kind: 'edited', files };
    },
  };
}

/** Of what is not there any more, whoever made it before. */
function* madeByKustomize(goal: EditGoal): Steps<(key: string) => boolean> {
  const trees = goal.kind === 'field' ? [goal.tip] : [goal.tip, goal.judged, goal.base];
  const indexes: ObjectIndex[] = [];
  for (const tree of trees) indexes.push(yield* indexed(tree));
  return (key) => {
    const found = indexes.flatMap(({ byIdentity }) => byIdentity.get(key) ?? []);
    return found[0]?.origin.renderer === 'kustomize';
  };
}

function renderingKustomizations(
  renderer: Renderer,
  { files, said }: Pick<SourceTree, 'files' | 'said'>,
  settings: LoadSettings,
): RenderKustomizations {
  return function* (kustomizations, area) {
    const tree = { files, said, kustomizations, isOwn: (path: string) => areaOf(path, settings) === area };
    const { units, refused } = yield* renderer.detect(tree);
    if (units.length === 0) return { rendered: new Map(), refused };
    // Side by side: the programs that run are bounded where they are started.
    const turns = createTurns();
    const work = units.map(async (unit) => [unit.path, await turns.run(renderer.render(tree, unit))] as const);
    const settled = yield* answered(Promise.all(work));
    const rendered = new Map<string, Rendering>();
    const reasons = new Map(refused);
    for (const [path, result] of settled) {
      if (typeof result === 'string') reasons.set(path, result);
      else rendered.set(path, result);
    }
    return yield* withoutContested({ rendered, refused: reasons }, settings);
  };
}

/** Where two of them make the same object, as of two environments, none of the two is applied: which one is meant cannot be known. */
function* withoutContested(
  { rendered, refused }: RenderedKustomizations,
  { defaultNamespace }: LoadSettings,
): Steps<RenderedKustomizations> {
  const makers = new Map<string, string>();
  const contested = new Map<string, { readonly with: string; readonly ref: ObjectRef }>();
  for (const [path, { parsed }] of rendered) {
    for (const { object } of parsed.manifests) {
      const ref = { namespace: defaultNamespace, ...refOf(object) };
      const key =
        object.metadata.namespace === undefined ? `${identityOf(object)} ${defaultNamespace}` : identityOf(object);
      const other = makers.get(key);
      if (other === undefined) makers.set(key, path);
      else if (other !== path) {
        contested.set(path, { with: other, ref });
        contested.set(other, { with: path, ref });
      }
    }
    yield;
  }
  if (contested.size === 0) return { rendered, refused };
  const reasons = new Map(refused);
  for (const [path, { with: other, ref }] of contested)
    reasons.set(path, `${other} makes ${nameOf(ref)} as well, so one of the two has to be chosen with --git-path`);
  return { rendered: new Map([...rendered].filter(([path]) => !contested.has(path))), refused: reasons };
}
