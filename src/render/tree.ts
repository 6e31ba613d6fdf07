import { answered, createTurns, type Steps } from '../lib/turns.ts';
import { defaultLimits } from '../manifest/limits.ts';
import { identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import {
  areaOf,
  type Described,
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
import { createTreeBudget, noRoom, type TreeBudget, weighing } from '../manifest/tree-budget.ts';
import { describedName, fileOfUnit, type KubeObject, type ObjectRef, type Origin, refOf } from '../manifest/types.ts';
import { createEncryptedFiles, type Unlooked } from './encrypted-files.ts';
import { openingPlain } from './encrypted-plain.ts';
import { variableSources } from './flux-sources.ts';
import { fluxRoots, hasStart, notNow } from './flux-roots.ts';
import { indexed, type ObjectIndex } from './object-index.ts';
import { restoreReleases } from './helm-edit.ts';
import { setFieldOfChart, setReleaseField } from './helm-field.ts';
import { createPlain, type PlainOptions } from './plain.ts';
import { type RenderChart, renderingCharts, renderingReleases } from './releases.ts';
import type { Edit, EditGoal, ObjectFacts, Renderer, RestoreGoal, SourceTree, Unit } from './renderer.ts';
import { restoreRendered, type RenderedFiles } from './restore-rendered.ts';
import { createRooms, type Room } from './room.ts';
import type { LiveConfigs } from './live-configs.ts';
import type { RenderTools } from './tools.ts';
import type { TreeFiles } from './tree-files.ts';
import { contentOf } from './unit-content.ts';

/** Makes objects of whole trees, and writes their changes, with all renderers together. */
export interface TreeRenderer {
  /** Everything that a tree says. Nothing that was rendered of equal files is rendered again. */
  render(files: TreeFiles): Steps<LoadedTree>;
  /**
   * The same, where what each plain file says is known already. `budget`: with these files in it; what it gives up meanwhile is to be given up
   * in `known`. Absent: what is rendered has the whole of `--max-tree-size`.
   */
  renderKnown(files: ReadonlyMap<string, FileOfTree>, known: LoadCache, budget?: TreeBudget): Steps<LoadedTree>;
  /** What was rendered last takes so much of the budget. */
  readonly weight: number;
  edit(goal: EditGoal): Steps<Edit>;
}

export type TreeRendererOptions = Partial<Omit<PlainOptions, 'limits' | 'isManifest'>> & RenderTools;

/** So many files are looked at before other work may have its turn. */
const filesATurn = 256;
/** Units that are rendered side by side: each may hold as much as its limits allow. */
const mostAtATime = 2;

export function createTreeRenderer(settings: LoadSettings, options: TreeRendererOptions = {}): TreeRenderer {
  const { kustomize, helm, sops, live, salt, unlooked, parsed = new ParsedFiles(), ...reading } = options;
  const { limits } = settings;
  const isManifest = (path: string): boolean => isManifestFile(path, settings);
  const plain: Renderer = createPlain({ parsed, limits, isManifest, ...reading });
  const encrypted = createEncryptedFiles({ sops, live, salt, unlooked }, settings);
  const kustomized = kustomize?.renderer({ parsed, limits, encrypted }, (goal) => plain.edit(goal));
  const { treeBytes } = limits ?? defaultLimits;
  const rooms = createRooms();
  /** Files that units of a tree are made from. */
  const inputsOf = new WeakMap<TreeFiles, Set<string>>();
  const loading = (
    listed: ReadonlyMap<string, FileOfTree>,
    files: TreeFiles,
    said: LoadCache,
    budget = createTreeBudget(treeBytes, (path) => areaOf(path, settings)),
  ): Steps<LoadedTree> => {
    const inputs = new Set<string>();
    inputsOf.set(files, inputs);
    const tree = {
      files,
      said,
      inputs,
      live,
      charts: kustomize?.rendersCharts ? helm : undefined,
      room: rooms.of(budget, (path) => files.has(fileOfUnit(path))),
      treeBytes,
    };
    const sources = { encrypted, live, settings };
    const ofCharts =
      helm && ((area: SourceTree) => renderingCharts(helm, area, { parsed, limits, encrypted }, sources));
    const render = kustomized && renderingKustomizations(kustomized, { ...tree, ofCharts, unlooked }, settings);
    const reading = { parsed, limits, budget, encrypted };
    const renderReleases =
      helm && renderingReleases(helm, (area) => areaTree(tree, area, settings), reading, settings, { encrypted, live });
    const open = openingPlain(files, encrypted, { parsed, limits });
    return loadingTree(listed, new Map(), said, settings, render, renderReleases, open);
  };
  function* render(files: TreeFiles): Steps<LoadedTree> {
    const known = new Map<string, Rendering>();
    const tree = { files, said: known, kustomizations: new Map(), isOwn: () => true };
    for (const unit of (yield* plain.detect(tree)).units) {
      const said = yield* plain.render(tree, unit);
      if (typeof said !== 'string') known.set(unit.path, said);
      if (known.size % filesATurn === 0) yield;
    }
    return yield* loading(known, files, known);
  }
  function* restoreKustomized(goal: RestoreGoal): Steps<Edit> {
    function* renderFiles(files: TreeFiles): Steps<RenderedFiles> {
      const { manifests, releases = [], problems, cache } = yield* render(files);
      const inputs = inputsOf.get(files) ?? new Set();
      const all = goal.isOfCharts
        ? [...manifests.filter(({ origin }) => origin.renderer !== 'helm'), ...releases]
        : manifests;
      return { manifests: all, problems, inputs, variables: variableSources(cache, settings) };
    }
    const written = yield* rendererOf('kustomize').edit(goal);
    return written.kind === 'refused' ? written : yield* restoreRendered(goal, written.files, renderFiles);
  }
  /** Of what is written in files, or in what kustomize reads. */
  const rendererOf = (name: Origin['renderer'] | undefined): Renderer =>
    name === 'kustomize' && kustomized ? kustomized : plain;
  function* edit(goal: EditGoal): Steps<Edit> {
    const makerOf = yield* makersOf(goal);
    if (goal.kind === 'field') {
      const maker = makerOf(identityKey(goal.object));
      const release = goal.tip.manifests.find(({ object, origin }) => isAbout(goal.object, object, origin))?.origin;
      if (release?.renderer === 'helm') {
        const set = maker === 'helm' ? setFieldOfChart : setReleaseField;
        return yield* set(goal, release, { editSources: edit, render });
      }
      return yield* rendererOf(maker).edit(goal);
    }
    const byMaker = new Map<Origin['renderer'], Map<string, ObjectFacts>>();
    for (const [key, facts] of goal.objects) {
      const maker = makerOf(key) ?? 'plain';
      byMaker.set(maker, (byMaker.get(maker) ?? new Map<string, ObjectFacts>()).set(key, facts));
    }
    const files = new Map<string, string | null>();
    const sources = new Set<string>();
    for (const [maker, objects] of byMaker) {
      const part = { ...goal, objects };
      const made =
        maker === 'helm'
          ? yield* restoreReleases(part, { editSources: edit, render })
          : maker === 'kustomize' && kustomized
            ? yield* restoreKustomized(part)
            : yield* rendererOf(maker).edit(part);
      if (made.kind === 'refused') return made;
      for (const key of made.sources ?? []) sources.add(key);
      for (const [path, text] of made.files) {
        if (files.has(path)) return { kind: 'refused', reason: 'it is written for several renderers', paths: [path] };
        files.set(path, text);
      }
    }
    return { kind: 'edited', files, sources };
  }
  return {
    renderKnown: (files, known, budget) => loading(files, files, known, budget),
    get weight() {
      return rooms.weight;
    },
    render,
    edit,
  };
}

/** Whether an object of a chart is meant, or the HelmRelease that it comes from. */
function isAbout(ref: ObjectRef, object: KubeObject, origin: Origin): boolean {
  if (origin.renderer !== 'helm') return false;
  const key = identityKey(ref);
  return key === identityOf(object) || key === identityKey(origin.release);
}

/** Of what is not there any more, whoever made it before. Undefined: nobody knows it. */
function* makersOf(goal: EditGoal): Steps<(key: string) => Origin['renderer'] | undefined> {
  const trees = goal.kind === 'field' ? [goal.tip] : [goal.tip, goal.judged, goal.base];
  const indexes: ObjectIndex[] = [];
  for (const tree of trees) indexes.push(yield* indexed(tree));
  return (key) => indexes.flatMap(({ byIdentity }) => byIdentity.get(key) ?? [])[0]?.origin.renderer;
}

/** What may take part in what one area says. */
function areaTree(
  { files, said, charts }: Pick<SourceTree, 'files' | 'said' | 'charts'>,
  area: string,
  settings: LoadSettings,
): SourceTree {
  return { files, said, charts, kustomizations: new Map(), isOwn: (path) => areaOf(path, settings) === area };
}

interface TreeToRender extends Pick<SourceTree, 'files' | 'said' | 'charts'> {
  readonly room: Room;
  readonly treeBytes: number;
  readonly live: LiveConfigs | undefined;
  /** Files that units are made from are added to it. */
  readonly inputs: Set<string>;
  /** Undefined: there is no program for charts. */
  readonly unlooked: Unlooked | undefined;
  readonly ofCharts: ((area: SourceTree) => RenderChart) | undefined;
}

function renderingKustomizations(
  renderer: Renderer,
  { files, said, room, treeBytes, inputs, live, charts, ofCharts, unlooked }: TreeToRender,
  settings: LoadSettings,
): RenderKustomizations {
  const turns = createTurns();
  const areas = new Map<string, Made & { readonly unit: Unit }>();
  const tooLarge = `kustomize is not rendered here (what it makes ${noRoom(treeBytes)})`;
  const crowdOut = (path: string): void => {
    const made = areas.get(path);
    if (!made) return;
    made.rendered.delete(path);
    made.refused.set(path, tooLarge);
    renderer.forget?.(made.unit);
  };
  return function* (kustomizations, area, counted) {
    const tree = { ...areaTree({ files, said, charts }, area, settings), kustomizations };
    const isStarted = hasStart(tree, counted, settings);
    // Where Flux has a root, all that counts is reached from there.
    const { units, refused } = isStarted ? { units: [], refused: new Map() } : yield* renderer.detect(tree);
    const made: Made = { rendered: new Map(), refused: new Map(refused) };
    const isExcess = (unit: Unit): boolean => room.isKnownExcess(unit.path, contentOf(unit));
    function* take(unit: Unit, result: Rendering | string | undefined): Steps<void> {
      areas.set(unit.path, { ...made, unit });
      for (const path of unit.inputs.keys()) inputs.add(path);
      if (typeof result === 'string') made.refused.set(unit.path, result);
      else if (result === undefined) crowdOut(unit.path);
      else {
        made.rendered.set(unit.path, result);
        for (const gone of room.take(unit.path, contentOf(unit), yield* weighing(result))) crowdOut(gone);
      }
    }
    const asked = new Map<Unit, Promise<Rendering | string>>();
    const ask = (unit: Unit | undefined): void => {
      if (!unit || asked.has(unit) || isExcess(unit)) return;
      const answer = turns.run(renderer.render(tree, unit));
      // Whoever waits for it is told.
      answer.catch(() => undefined);
      asked.set(unit, answer);
    };
    for (const [at, unit] of units.entries()) {
      for (const next of units.slice(at, at + mostAtATime)) ask(next);
      const answer = asked.get(unit);
      asked.delete(unit);
      yield* take(unit, answer && (yield* answered(answer)));
    }
    const claimed = new Set(units.flatMap(({ inputs }) => [...inputs.keys()]));
    const ofUnits = [...made.rendered.values()].flatMap(({ parsed }) => parsed.manifests);
    const described = yield* fluxRoots(
      {
        tree,
        counted,
        claimed,
        made: ofUnits,
        live,
        unlooked: unlooked?.units,
        *render(unit) {
          const result = isExcess(unit) ? undefined : yield* renderer.render(tree, unit);
          if (typeof result === 'string') return result;
          yield* take(unit, result);
          return made.rendered.get(unit.path) ?? made.refused.get(unit.path) ?? '';
        },
        *renderChart(release, path) {
          if (!ofCharts)
            return { inputs: new Map(), rendering: 'there is no program for charts: name one with --helm' };
          const { inputs: from, rendering: result } = yield* ofCharts(tree)(release, path);
          // Its values count as well for whether there may be room by now.
          const unit = {
            path,
            inputs: new Map([...from, ['values', JSON.stringify([release.values, release.parameters])]]),
          };
          if (typeof result === 'string') return { inputs: from, rendering: result };
          if (isExcess(unit)) return { inputs: from, rendering: tooLarge };
          yield* take(unit, result);
          return { inputs: from, rendering: made.rendered.get(path) ?? made.refused.get(path) ?? '' };
        },
      },
      settings,
    );
    for (const path of described ? [...made.rendered.keys()].filter((one) => one.includes('#')) : []) {
      const one = described?.rendered.get(path);
      if (one) made.rendered.set(path, one);
      else made.rendered.delete(path);
    }
    // What a root of Flux renders is not rendered beside it.
    const ofRoots = new Set(described?.units.flatMap(({ inputs }) => [...inputs.keys()]));
    // Nor what one would render that is not applied now: without what Flux adds it is something else.
    const isOfRoot = (path: string): boolean => ofRoots.has(path) || described?.leftOut(path) !== undefined;
    for (const { path } of units) if (isOfRoot(path)) made.rendered.delete(path);
    for (const path of made.refused.keys()) if (!path.includes('#') && isOfRoot(path)) made.refused.delete(path);
    for (const path of described?.strays.keys() ?? []) {
      made.rendered.delete(path);
      made.refused.delete(path);
    }
    return yield* withoutContested(described ? { ...made, described } : made, settings);
  };
}

interface Made {
  readonly rendered: Map<string, Rendering>;
  readonly refused: Map<string, string>;
  readonly described?: Described;
}

/** What a Kustomization of Flux describes is called as Flux calls it. */
function contestedWith(other: string, path: string, object: string): string {
  const isDescribed = (unit: string): boolean => unit.includes('#');
  const isArgo = (unit: string): boolean => /#Application\//.test(unit);
  const shown = isDescribed(other) ? `the ${describedName(other)}, in ${fileOfUnit(other)},` : other;
  const choice =
    isArgo(other) || isArgo(path)
      ? 'has to go, or to make something else (path, destination.namespace), or be chosen with --git-path'
      : isDescribed(other) || isDescribed(path)
        ? 'has to go, or to make something else (spec.path, spec.targetNamespace), or be left out by spec.suspend'
        : 'has to be chosen with --git-path';
  return `${shown} makes ${object} as well, so one of the two ${choice}`;
}

/** Where two of them make the same object, as of two environments, none of the two is applied: which one is meant cannot be known. */
function* withoutContested(made: Made, { defaultNamespace }: LoadSettings): Steps<RenderedKustomizations> {
  const { rendered, refused } = made;
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
      yield;
    }
  }
  const ofContested = new Set<string>();
  for (const [path, { with: other, ref }] of contested) {
    // What an object of another tool describes is not what stands in its files.
    if (path.includes('#')) for (const file of rendered.get(path)?.madeFrom ?? []) ofContested.add(file);
    rendered.delete(path);
    refused.set(path, contestedWith(other, path, nameOf(ref)));
  }
  const { described } = made;
  if (!described || ofContested.size === 0) return made;
  const leftOut = (path: string): string | undefined => (ofContested.has(path) ? notNow : described.leftOut(path));
  return { ...made, described: { ...described, leftOut } };
}
