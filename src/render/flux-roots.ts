import { namespacedName } from '../lib/key.ts';
import type { Steps } from '../lib/turns.ts';
import { isDeepStrictEqual } from 'node:util';
import { isList, isObject } from '../manifest/edit-value.ts';
import { identityOf, nameOf } from '../manifest/identity.ts';
import { type Described, isManifestFile, type LoadSettings, type Rendering } from '../manifest/load.ts';
import { heldCharts } from '../manifest/rendering-tools.ts';
import type { UnitHealth, UnitHealths, UnitNeed, UnitNeeds } from '../manifest/needs.ts';
import type { Stray } from '../manifest/stray.ts';
import { groupOf, type KubeObject, type Manifest, placesOf, type Problem, refOf, unitOf } from '../manifest/types.ts';
import { shownOrigin } from '../lib/http/shown-url.ts';
import { isApplication, isApplicationSet, isArgoDescription, keyOfApplication } from './argo-application.ts';
import { argoRoots } from './argo-roots.ts';
import { applicationsOf } from './argo-set.ts';
import { argoUnit } from './argo-unit.ts';
import type { ArgoSource } from './argo-application.ts';
import { withNamespaces } from './made-namespaces.ts';
import type { RenderChart } from './releases.ts';
import { type Description, orReason } from './described.ts';
import { toldOf } from './flux-fields.ts';
import {
  type FluxKustomization,
  isFluxDescription,
  isFluxKustomization,
  readFluxKustomization,
} from './flux-kustomization.ts';
import { fluxUnit } from './flux-unit.ts';
import { areInGit, valuesOf } from './flux-values.ts';
import type { LiveConfigs } from './live-configs.ts';
import { isSameRepositoryUrl } from './same-url.ts';
import { textAt } from './source-bytes.ts';
import type { SourceTree, Unit } from './renderer.ts';

/** What objects of Flux and Argo CD in a tree make of it. */
export interface FluxRoots extends Described {
  readonly rendered: ReadonlyMap<string, Rendering>;
  readonly units: readonly Pick<Unit, 'path' | 'inputs'>[];
}

export interface FluxTree {
  readonly tree: SourceTree;
  /** Files that no ignore file names. */
  readonly counted: ReadonlySet<string>;
  /** Files from which kustomizations are rendered that are no roots of Flux. */
  readonly claimed: ReadonlySet<string>;
  /** What is made of those kustomizations. */
  readonly made: readonly Manifest[];
  readonly render: (unit: Unit) => Steps<Rendering | string>;
  readonly renderChart: RenderChart;
  /** Absent: no cluster is there. */
  readonly live?: LiveConfigs | undefined;
  /** See `Unlooked`. Absent: all can be looked at. */
  readonly unlooked?: Set<string> | undefined;
}

/** With it, such an object is applied for its own controller, or, where it was before, followed from now on. */
const choice = 'serin.dev/render';
const partOf = 'app.kubernetes.io/part-of';
const mostRoots = 1_000;
/** One that describes others that describe others. */
const mostDepth = 16;

interface Root {
  readonly path: string;
  readonly described: FluxKustomization | ArgoSource;
}

const isFlux = (described: Root['described']): described is FluxKustomization => 'variables' in described;

/** Whether Flux was told by itself where to begin: see `isStart`. */
export function hasStart(tree: SourceTree, counted: ReadonlySet<string>, settings: LoadSettings): boolean {
  for (const path of counted)
    for (const manifest of tree.said.get(path)?.parsed.manifests ?? [])
      if (
        isFluxKustomization(manifest.object) &&
        isStart(manifest.object, path) &&
        isFollowed(inNamespace(manifest, settings), settings)
      )
        return true;
  return false;
}

interface Noted extends Pick<Description, 'manifest' | 'told'> {
  readonly path: string;
}

const isRoot = ({ object }: Manifest): boolean => isFluxKustomization(object) || isArgoDescription(object);

/**
 * Follows the Kustomizations of Flux and the Applications of Argo CD that a tree holds, and those that come of these, as far as their source is
 * the repository itself.
 */
export function* fluxRoots(
  { tree, counted, claimed, made, render, renderChart, live, unlooked }: FluxTree,
  settings: LoadSettings,
): Steps<FluxRoots | undefined> {
  const problems: Problem[] = [];
  // Templates of charts may look like objects.
  const templates = heldCharts([...counted]);
  const plain = [...counted].flatMap((path) =>
    templates.has(path) ? [] : (tree.said.get(path)?.parsed.manifests ?? []),
  );
  yield;
  const placed = plain.concat(made).map((manifest) => inNamespace(manifest, settings));
  const described = placed.filter(isRoot);
  const open = described.filter((manifest) => isFollowed(manifest, settings));
  for (const manifest of described)
    if (!open.includes(manifest))
      problems.push(
        told(
          manifest,
          'warning',
          `is applied as before, for ${isArgoDescription(manifest.object) ? 'Argo CD itself' : "Flux's own controller"}, and not followed`,
          `annotate it with ${choice}: "true" once that controller has let go of it`,
        ),
      );
  if (open.length === 0) return problems.length === 0 ? undefined : { ...nothing, problems };

  const found = new Map<string, Root>();
  const refused = new Set<string>();
  /** What is told of those, by path. */
  const refusals = new Map<string, Problem>();
  const held: string[] = [];
  const strays = new Map<string, Stray>();
  const refuse = ({
    manifest,
    path,
    why,
    isDeliberate = false,
  }: {
    manifest: Manifest;
    path: string;
    why: string;
    isDeliberate?: boolean;
  }): void => {
    refused.add(path);
    for (const folder of foldersNamedBy(manifest)) held.push(folder);
    strays.set(path, {
      line: manifest.origin.line,
      what: isDeliberate
        ? `describes what is ${why === 'is suspended' ? 'suspended' : 'left alone'}`
        : 'describes what is not applied now',
      describedIn: manifest.origin.path,
      ...(isDeliberate ? { isDeliberate } : {}),
    });
    const severity = isDeliberate ? 'warning' : 'error';
    const refusal = told(manifest, severity, why, 'what the cluster has of it stays as it is');
    refusals.set(path, isDeliberate ? refusal : { ...refusal, unit: path });
  };
  /** What `flux bootstrap` has written: all else is reached from there. */
  const starts = open.filter(({ object, origin }) => origin.renderer === 'plain' && isStart(object, origin.path));
  /** Files from which something is made that is not applied now. */
  const heldInputs = new Set<string>();
  const hold = (unit: Pick<Unit, 'inputs'>): void => {
    for (const path of unit.inputs.keys()) heldInputs.add(path);
  };
  if (starts.length > 1) {
    const folders = starts
      .map((manifest) => readFluxKustomization(manifest))
      .map((one) => (typeof one === 'string' ? '' : one.folder));
    for (const manifest of starts)
      refuse({
        manifest,
        path: pathOf(manifest),
        why: `is one of ${starts.length} roots, each of a cluster: choose this cluster's with --git-path (${folders.slice(0, 5).join(', ')})`,
      });
    return {
      ...nothing,
      problems: [...problems, ...refusals.values()],
      strays,
      leftOut: () => 'belongs to one of several clusters',
      keptOut: keptOutOf(settings),
    };
  }
  const [start] = starts;
  const isQueued = ({ object, origin }: Manifest): boolean =>
    origin.renderer === 'plain' ? !claimed.has(origin.path) : !isArgoDescription(object);
  const queue = start ? [start] : open.filter(isQueued);
  /** What kustomizations make that nobody names counts only where no Application names what makes others. */
  const later = start
    ? []
    : open.filter(({ object, origin }) => origin.renderer !== 'plain' && isArgoDescription(object));
  /** An Application that makes others: all else is reached from there. */
  let isAppOfApps = false;
  const objects: Manifest[] = [...placed];
  const waiting: Root[] = [];
  const noted: Noted[] = [];
  const units: Pick<Unit, 'path' | 'inputs'>[] = [];
  const rendered = new Map<string, Rendering>();
  const charted = new Map<string, Manifest>();
  const isHere = repositoryOf(start, settings);
  const ledgers = [settings.path, settings.ledgerDir, ''].filter((part, at) => part !== '' || at === 2).join('/');
  const isNoManifest = (file: string): boolean =>
    file.startsWith(ledgers) ||
    // An edit may have put one there that is read beside what is followed.
    (tree.files.has(file) &&
      isManifestFile(file, settings) &&
      (!counted.has(file) || tree.said.get(file)?.parsed.stray !== undefined));
  const twins = new Set<string>();
  /** ApplicationSets, by what they are called. */
  const sets = new Map<string, Pick<Noted, 'manifest' | 'path'>>();
  /** With all that it describes. */
  const forget = (path: string): void => {
    const isIt = (one: string): boolean => one === path || one.startsWith(`${path}#`);
    for (const map of [found, rendered, refusals, strays, charted])
      for (const one of map.keys()) if (isIt(one)) map.delete(one);
    for (const one of refused) if (isIt(one)) refused.delete(one);
    for (const list of [units, waiting, noted])
      for (let at = list.length - 1; at >= 0; at -= 1) if (isIt(list[at]?.path ?? '')) list.splice(at, 1);
  };
  const take = function* (manifest: Manifest, above?: string): Steps<void> {
    const path = pathOf(manifest, above);
    if (found.has(path) || refused.has(path)) return;
    if (placesOf(path).length > mostDepth)
      return refuse({ manifest, path, why: 'is not followed: it comes of too many others, one of another' });
    if (isApplicationSet(manifest.object)) {
      isAppOfApps = true;
      const former = sets.get(keyOfApplication(manifest.object));
      if (former && isWrittenAs(former.manifest, manifest)) {
        // As of an Application, below.
        if (isDeepStrictEqual(former.manifest.object, manifest.object)) return;
        if (former.manifest.origin.renderer === 'plain') forget(former.path);
      }
      sets.set(keyOfApplication(manifest.object), { manifest, path });
      const applications = yield* applicationsOf(manifest, tree, settings);
      if (typeof applications === 'string') return refuse({ manifest, path, why: `is not followed: ${applications}` });
      noted.push({ path, manifest, told: applications.told });
      for (const one of applications.manifests) yield* take(inNamespace(one, settings), path);
      return;
    }
    const read = isApplication(manifest.object) ? argoRoots(manifest, settings) : readFluxKustomization(manifest);
    if (typeof read === 'string') return refuse({ manifest, path, why: `is not followed: ${read}` });
    const twin = [...found.values()].find(({ described: { key } }) => key === read.key);
    const isSame = twin && above === undefined && isWrittenAs(twin.described.manifest, manifest);
    // The first of all describes itself. What another one makes of a file counts instead of what stands in it.
    if (isSame && (isFlux(twin.described) || isDeepStrictEqual(twin.described.manifest.object, manifest.object)))
      return;
    if (isSame && twin.described.manifest.origin.renderer === 'plain') {
      forget(twin.path);
      yield* take(manifest);
      return;
    }
    if (twin && !isFlux(twin.described)) twins.add(read.key);
    if (twin)
      return refuse({
        manifest,
        path,
        why: `is not followed: ${twin.described.manifest.origin.path} describes one of this name as well, so one of the two has to be chosen with --git-path`,
      });
    if (found.size >= mostRoots) return refuse({ manifest, path, why: 'is not followed: there are too many of them' });
    if ('sources' in read) {
      if (read.told.length > 0) noted.push({ ...read, path });
      const { leftAlone, elsewhere } = read;
      if (leftAlone !== undefined || elsewhere !== undefined) {
        const why = leftAlone ?? `is not followed: ${elsewhere ?? ''}`;
        return refuse({ manifest, path, why, isDeliberate: leftAlone !== undefined });
      }
      for (const source of read.sources) {
        const root = { path: source.at === undefined ? path : `${path}#${source.key}:${source.at}`, described: source };
        found.set(root.path, root);
        waiting.push(root);
      }
      return;
    }
    const source = sourceIn(objects, read.source);
    const ofSource = source && orReason(() => toldOf(source.object));
    const other = isHere(read, objects) ?? (typeof ofSource === 'string' ? `of its source ${ofSource}` : undefined);
    if (other !== undefined) {
      return refuse({ manifest, path, why: `is not followed: ${other}` });
    }
    found.set(path, { described: read, path });
    if (read.isSuspended) {
      return refuse({ manifest, path, why: 'is suspended', isDeliberate: true });
    }
    if (read.told.length > 0) noted.push({ ...read, path });
    if (source && typeof ofSource === 'object' && !noted.some((one) => one.manifest === source))
      noted.push({ manifest: source, told: ofSource, path });
    waiting.push({ described: read, path });
  };
  /** Gives what is made, or why nothing is. */
  const make = function* ({ described: one, path }: Root): Steps<Rendering | string> {
    if (isFlux(one)) {
      const values = yield* valuesOf(one, objects, { live, settings, missed: () => unlooked?.add(path) });
      const unit =
        typeof values === 'string' ? values : yield* fluxUnit(one, tree, { isLeftOut: isNoManifest, values });
      if (typeof unit === 'string') return unit;
      const rendering = yield* render(unit);
      if (typeof rendering === 'string') hold(unit);
      else units.push(unit);
      return rendering;
    }
    const unit = yield* argoUnit(one, tree, { path, isLeftOut: isNoManifest });
    if (typeof unit === 'string') return unit;
    if (unit.told.length > 0) noted.push({ path, manifest: one.manifest, told: unit.told });
    if (unit.kind === 'kustomize') {
      const rendering = yield* render(unit.unit);
      if (typeof rendering === 'string') hold(unit.unit);
      else units.push(unit.unit);
      return rendering;
    }
    const { inputs, rendering } = yield* renderChart(unit.release, path);
    const all = { path, inputs: new Map([...inputs, ...unit.inputs]) };
    if (typeof rendering === 'string') hold(all);
    else {
      units.push(all);
      charted.set(path, one.manifest);
    }
    return rendering;
  };
  for (const manifest of queue) yield* take(manifest);
  for (;;) {
    const [root] = waiting.splice(nextOf(waiting, objects), 1);
    if (!root) {
      if (isAppOfApps || later.length === 0) break;
      for (const manifest of later.splice(0)) yield* take(manifest);
      continue;
    }
    const { described: one, path } = root;
    const { manifest } = one;
    const rendering = yield* make(root);
    if (typeof rendering === 'string') {
      refuse({ manifest, path, why: `is not rendered: ${rendering}` });
      continue;
    }
    rendered.set(path, rendering);
    for (const made of rendering.parsed.manifests) {
      const here = inNamespace(made, settings);
      objects.push(here);
      if (!isRoot(here) || !isFollowed(here, settings)) continue;
      isAppOfApps ||= isArgoDescription(here.object) && !isFlux(one);
      yield* take(here);
    }
    yield;
  }
  problems.push(...(yield* fieldProblems(noted, tree)));
  const drop = (root: Root, why: string): void => {
    rendered.delete(root.path);
    for (const unit of units) if (unit.path === root.path) hold(unit);
    refuse({ manifest: root.described.manifest, path: root.path, why });
  };
  for (const root of found.values()) {
    if (!rendered.has(root.path)) continue;
    const { key } = root.described;
    if (twins.has(key))
      drop(
        root,
        'is not applied: another one of this name is in Git, so one of the two has to be chosen with --git-path',
      );
    // As Argo CD takes the sources of an Application together.
    else if (
      !isFlux(root.described) &&
      [...found.values()].some((one) => one.described.key === key && refused.has(one.path))
    )
      drop(root, 'is not applied: another one of its sources is not rendered');
  }
  for (const { needs, ...root } of missingNeeds(found, rendered)) {
    if (unlooked && unlooked.size > 0) unlooked.add(root.path);
    drop(root, `is not applied: it depends on ${needs}, which is not`);
  }
  /** Nothing but what is followed from there. */
  const isOfRoots = (path: string): boolean => {
    const ofFile = tree.said.get(path)?.parsed.manifests ?? [];
    return (
      ofFile.length > 0 &&
      ofFile.every((manifest) => isRoot(manifest) && isFollowed(inNamespace(manifest, settings), settings))
    );
  };
  const asked = [...found.values()].flatMap(({ path, described: one }) => {
    const rendering = rendered.get(path);
    if (isFlux(one) || !rendering) return [];
    const { namespace, made: metadata } = one.destination;
    const { path: file, line } = one.manifest.origin;
    const origin = {
      renderer: 'kustomize',
      path: file,
      line,
      document: undefined,
      namespace: undefined,
      unit: path,
    } as const;
    return namespace === undefined || !metadata ? [] : [{ key: path, rendering, namespace, ...metadata, origin }];
  });
  const namespaces = withNamespaces(asked, objects);
  for (const [path, rendering] of namespaces) rendered.set(path, rendering);
  return {
    rendered,
    units: units.filter(({ path }) => rendered.has(path)),
    strays,
    problems: [...problems, ...refusals.values()],
    needs: needsOf([...found.values()].filter(({ path }) => rendered.has(path))),
    health: healthOf([...found.values()].filter(({ path }) => rendered.has(path))),
    releases: [...charted].flatMap(([path, manifest]) => (rendered.has(path) ? [manifest] : [])),
    leftOut(path) {
      if (heldInputs.has(path) || held.some((folder) => folder === '' || path.startsWith(`${folder}/`))) return notNow;
      if (start) return 'is not reached from the root that Flux has';
      return isAppOfApps && !isOfRoots(path) ? 'is named by no Application' : undefined;
    },
    keptOut: keptOutOf(settings),
  };
}

/** Why such a file is not applied as it stands. */
export const notNow = 'belongs to what Flux or Argo CD describes and is not applied now';

const nothing: FluxRoots = {
  rendered: new Map(),
  units: [],
  strays: new Map(),
  problems: [],
  leftOut: () => undefined,
  keptOut: () => undefined,
};

/** Folders that a description names, however little else of it can be followed: what stands there is not meant to be applied as it is. */
function foldersNamedBy({ object }: Manifest): readonly string[] {
  const spec = isObject(object['spec']) ? object['spec'] : {};
  const { sources } = spec;
  const sourcesOf = isArgoDescription(object) ? [spec['source'], ...(isList(sources) ? sources : [])] : [spec];
  return sourcesOf.flatMap((one) => {
    const path = isObject(one) ? (one['path'] ?? (isArgoDescription(object) ? undefined : '')) : undefined;
    const parts = typeof path === 'string' ? path.split('/').filter((part) => part !== '' && part !== '.') : ['..'];
    return parts.includes('..') ? [] : [parts.join('/')];
  });
}

const isWrittenAs = ({ origin: a }: Manifest, { origin: b }: Manifest): boolean =>
  a.path === b.path && a.document === b.document;

/** `above`: what describes it. Absent: what it comes from. */
const pathOf = ({ object, origin }: Manifest, above = unitOf(origin)): string =>
  `${above}#${isArgoDescription(object) ? keyOfApplication(object) : namespacedName(object.metadata)}`;

function inNamespace(manifest: Manifest, { defaultNamespace }: LoadSettings): Manifest {
  const { object } = manifest;
  if (object.metadata.namespace !== undefined || !(isFluxDescription(object) || isArgoDescription(object)))
    return manifest;
  return { ...manifest, object: { ...object, metadata: { ...object.metadata, namespace: defaultNamespace } } };
}

/** One that an agent applied which did not follow it may still be followed by Flux itself. */
function isFollowed({ object }: Pick<Manifest, 'object'>, { placeOf }: LoadSettings): boolean {
  const said = object.metadata.annotations?.[choice];
  return said === 'true' || (said !== 'false' && placeOf?.(identityOf(object)) === undefined);
}

/** As `flux bootstrap` writes it: called as its source is, and naming the folder that it stands in. */
function isStart(object: KubeObject, path: string): boolean {
  const { path: folder, sourceRef } = isObject(object['spec']) ? object['spec'] : {};
  if (typeof folder !== 'string' || !isObject(sourceRef) || sourceRef['kind'] !== 'GitRepository') return false;
  if (sourceRef['name'] !== object.metadata.name) return false;
  const parts = folder.split('/').filter((part) => part !== '' && part !== '.');
  return path.startsWith(parts.map((part) => `${part}/`).join(''));
}

const keptOutOf =
  (settings: LoadSettings) =>
  (object: KubeObject): string | undefined => {
    if (isFluxDescription(object) || isArgoDescription(object))
      return isFollowed({ object }, settings)
        ? 'describes what is rendered here, and is not applied itself'
        : undefined;
    const isController = object.metadata.labels?.[partOf] === 'flux' && object.kind !== 'Namespace';
    return isController && settings.placeOf?.(identityOf(object)) === undefined
      ? 'is of the controllers of Flux, which are not needed'
      : undefined;
  };

/** Gives why a source is not this repository. */
function repositoryOf(
  start: Manifest | undefined,
  { repositoryUrl }: LoadSettings,
): (flux: FluxKustomization, objects: readonly Manifest[]) => string | undefined {
  const first = start && readFluxKustomization(start);
  const own = first && typeof first !== 'string' ? first.source : undefined;
  return ({ source }, objects) => {
    const { kind, name, namespace } = source;
    if (kind !== 'GitRepository')
      return `its source is a ${kind.slice(0, 60) || 'source without a kind'}: only a GitRepository is, and only this one`;
    if (own?.name === name && own.namespace === namespace) return undefined;
    const urlOf = (of: { name: string; namespace?: string }): unknown => specOf(objects, of)?.['url'];
    const spec = specOf(objects, source);
    if (!spec)
      return name === 'flux-system'
        ? undefined
        : `its source, the GitRepository ${name.slice(0, 100)}, is not in Git, so whether it is this repository is not known`;
    const { url, ref } = spec;
    const others = isObject(ref) ? ['tag', 'semver', 'commit', 'name'].filter((field) => ref[field] !== undefined) : [];
    if (others.length > 0) return `its source is another revision (spec.ref.${others.join(', ')} of the GitRepository)`;
    const known = [repositoryUrl, own && urlOf({ ...own })].filter((one) => typeof one === 'string');
    const isSame = typeof url === 'string' && known.some((one) => isSameRepositoryUrl(one, url));
    if (known.length === 0 || isSame) return undefined;
    return `its source is another repository, ${shownOrigin(typeof url === 'string' ? url : '')}: name it as a source in the settings`;
  };
}

function sourceIn(
  objects: readonly Manifest[],
  { name, namespace }: { readonly name: string; readonly namespace?: string },
): Manifest | undefined {
  return objects.find(
    ({ object }) =>
      object.kind === 'GitRepository' &&
      groupOf(object.apiVersion) === 'source.toolkit.fluxcd.io' &&
      object.metadata.name === name &&
      object.metadata.namespace === namespace,
  );
}

function specOf(
  objects: readonly Manifest[],
  source: { readonly name: string; readonly namespace?: string },
): Readonly<Record<string, unknown>> | undefined {
  const spec = sourceIn(objects, source)?.object['spec'];
  return isObject(spec) ? spec : undefined;
}

/** First those of which Git says all; of the others those that wait for none of them, as what they need may come of these. */
function nextOf(waiting: readonly Root[], objects: readonly Manifest[]): number {
  const known = waiting.findIndex(({ described: one }) => !isFlux(one) || areInGit(one, objects));
  if (known >= 0) return known;
  const keys = new Set(waiting.map(({ described: one }) => one.key));
  const isFree = ({ described: one }: Root): boolean =>
    !isFlux(one) || !one.dependsOn.some((needed) => keys.has(needed));
  return Math.max(waiting.findIndex(isFree), 0);
}

function needsOf(roots: readonly Root[]): UnitNeeds {
  const byKey = new Map(roots.map((root) => [root.described.key, root]));
  const needs = new Map<string, readonly UnitNeed[]>();
  for (const { path, described } of roots) {
    const own = described.dependsOn.flatMap((key): readonly UnitNeed[] => {
      const needed = byKey.get(key);
      if (!needed || !isFlux(needed.described)) return [];
      return [{ unit: needed.path, name: `Kustomization ${key}`, checks: needed.described.checks }];
    });
    if (own.length > 0) needs.set(path, own);
  }
  return needs;
}

function healthOf(roots: readonly Root[]): UnitHealths {
  const health = new Map<string, UnitHealth>();
  for (const { path, described } of roots) {
    if (!isFlux(described) || described.checks.length === 0) continue;
    const { key, checks, timeoutMs } = described;
    health.set(path, { name: `Kustomization ${key}`, checks, timeoutMs });
  }
  return health;
}

/** Those that depend, directly or not, on one that is not rendered or on themselves. */
function missingNeeds(
  found: ReadonlyMap<string, Root>,
  rendered: ReadonlyMap<string, Rendering>,
): readonly (Root & { readonly needs: string })[] {
  const left = new Map(
    [...found.values()].filter(({ path }) => rendered.has(path)).map((root) => [root.described.key, root]),
  );
  const done = new Set<string>();
  for (let before = -1; before !== done.size; ) {
    before = done.size;
    for (const [key, { described }] of left) if (described.dependsOn.every((needed) => done.has(needed))) done.add(key);
  }
  return [...left].flatMap(([key, root]) =>
    done.has(key)
      ? []
      : [{ ...root, needs: root.described.dependsOn.find((one) => !done.has(one))?.slice(0, 200) ?? '' }],
  );
}

/** Of fields that have no effect, at their lines where they stand as people write them. */
function* fieldProblems(
  noted: readonly Pick<Description, 'manifest' | 'told'>[],
  tree: SourceTree,
): Steps<readonly Problem[]> {
  const files = new Map<string, readonly string[]>();
  const problems: Problem[] = [];
  for (const { manifest, told: fields } of noted) {
    const { path, line: start } = manifest.origin;
    const lines = files.get(path) ?? (yield* linesOf(path, tree));
    files.set(path, lines);
    for (const { field, text } of fields)
      problems.push({ ...told(manifest, 'warning', text), line: specLine(lines, start, field) ?? start });
    yield;
  }
  return problems;
}

/** Without any where the file is not to be had now: no sync waits for a line. */
function* linesOf(path: string, tree: SourceTree): Steps<readonly string[]> {
  try {
    return ((yield* textAt(path, tree)) ?? '').split('\n');
  } catch {
    return [];
  }
}

/** The line of a field of `spec` in block style, of the document that begins at a line. Undefined: it is written otherwise. */
function specLine(lines: readonly string[], start: number, field: string): number | undefined {
  let indent: string | undefined;
  let isInSpec = false;
  for (let at = start - 1; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (at >= start && line.startsWith('---')) return undefined;
    if (isInSpec) {
      indent ??= /^ +(?=[^\s#])/.exec(line)?.[0];
      if (indent !== undefined && line.startsWith(`${indent}${field}:`)) return at + 1;
      if (/^[^\s#]/.test(line)) return undefined;
    } else isInSpec = /^spec:\s*(?:#.*)?$/.test(line);
  }
  return undefined;
}

function told({ object, origin }: Manifest, severity: Problem['severity'], message: string, hint?: string): Problem {
  const { path, line } = origin;
  return {
    severity,
    path,
    line,
    message: `${nameOf(refOf(object))} ${message}`,
    ...(hint === undefined ? {} : { hint }),
  };
}
