import { namespacedName } from '../lib/key.ts';
import type { Steps } from '../lib/turns.ts';
import { isObject } from '../manifest/edit-value.ts';
import { identityOf, nameOf } from '../manifest/identity.ts';
import type { Described, LoadSettings, Rendering } from '../manifest/load.ts';
import type { Stray } from '../manifest/stray.ts';
import { groupOf, type KubeObject, type Manifest, placesOf, type Problem, refOf, unitOf } from '../manifest/types.ts';
import { shownOrigin } from '../lib/http/shown-url.ts';
import {
  type FluxKustomization,
  isFluxDescription,
  isFluxKustomization,
  readFluxKustomization,
} from './flux-kustomization.ts';
import { fluxUnit } from './flux-unit.ts';
import { isSameRepositoryUrl } from './same-url.ts';
import { textAt } from './source-bytes.ts';
import type { SourceTree, Unit } from './renderer.ts';

/** What Flux's own objects in a tree make of it. */
export interface FluxRoots extends Described {
  readonly rendered: ReadonlyMap<string, Rendering>;
  readonly units: readonly Unit[];
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
}

/** With it, such an object is applied for Flux's own controller, or, where it was before, followed from now on. */
const choice = 'serin.dev/render';
const partOf = 'app.kubernetes.io/part-of';
const mostRoots = 1_000;
/** One that describes others that describe others. */
const mostDepth = 16;

interface Root {
  readonly flux: FluxKustomization;
  readonly path: string;
}

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

/** Follows the Kustomizations of Flux that a tree holds, and those that come of these, as far as their source is the repository itself. */
export function* fluxRoots(
  { tree, counted, claimed, made, render }: FluxTree,
  settings: LoadSettings,
): Steps<FluxRoots | undefined> {
  const problems: Problem[] = [];
  const plain = [...counted].flatMap((path) => tree.said.get(path)?.parsed.manifests ?? []);
  yield;
  const placed = plain.concat(made).map((manifest) => inNamespace(manifest, settings));
  const described = placed.filter(({ object }) => isFluxKustomization(object));
  const open = described.filter((manifest) => isFollowed(manifest, settings));
  for (const manifest of described)
    if (!open.includes(manifest))
      problems.push(
        told(
          manifest,
          'warning',
          "is applied as before, for Flux's own controller, and not followed",
          `annotate it with ${choice}: "true" once that controller has let go of it`,
        ),
      );
  if (open.length === 0) return problems.length === 0 ? undefined : { ...nothing, problems };

  const found = new Map<string, Root>();
  const refused = new Map<string, string>();
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
    refused.set(path, why);
    strays.set(path, {
      line: manifest.origin.line,
      what: isDeliberate ? 'describes what is suspended' : 'describes what is not applied now',
      describedIn: manifest.origin.path,
      ...(isDeliberate ? { isDeliberate } : {}),
    });
    problems.push(told(manifest, isDeliberate ? 'warning' : 'error', why, 'what the cluster has of it stays as it is'));
  };
  /** What `flux bootstrap` has written: all else is reached from there. */
  const starts = open.filter(({ object, origin }) => origin.renderer === 'plain' && isStart(object, origin.path));
  const held: string[] = [];
  /** Files from which something is made that is not applied now. */
  const heldInputs = new Set<string>();
  const hold = (unit: Unit): void => {
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
      problems,
      strays,
      leftOut: () => 'belongs to one of several clusters',
      keptOut: keptOutOf(settings),
    };
  }
  const [start] = starts;
  const queue = start ? [start] : open.filter(({ origin }) => origin.renderer !== 'plain' || !claimed.has(origin.path));
  const objects: Manifest[] = [...placed];
  const waiting: Root[] = [];
  const noted: FluxKustomization[] = [];
  const units: Unit[] = [];
  const rendered = new Map<string, Rendering>();
  const isHere = repositoryOf(start, settings);
  const ledgers = [settings.path, settings.ledgerDir, ''].filter((part, at) => part !== '' || at === 2).join('/');
  const take = (manifest: Manifest): void => {
    const path = pathOf(manifest);
    if (found.has(path) || refused.has(path)) return;
    const flux = readFluxKustomization(manifest);
    if (typeof flux === 'string') return refuse({ manifest, path, why: `is not followed: ${flux}` });
    const twin = [...found.values()].find(({ flux: { key } }) => key === flux.key);
    // The first of all describes itself.
    if (twin && isWrittenAs(twin.flux.manifest, manifest)) return;
    if (twin)
      return refuse({
        manifest,
        path,
        why: `is not followed: ${twin.flux.manifest.origin.path} describes one of this name as well, so one of the two has to be chosen with --git-path`,
      });
    if (placesOf(path).length > mostDepth)
      return refuse({ manifest, path, why: 'is not followed: it comes of too many others, one of another' });
    if (found.size >= mostRoots) return refuse({ manifest, path, why: 'is not followed: there are too many of them' });
    const other = isHere(flux, objects);
    if (other !== undefined) {
      held.push(flux.folder);
      return refuse({ manifest, path, why: `is not followed: ${other}` });
    }
    found.set(path, { flux, path });
    if (flux.isSuspended) {
      held.push(flux.folder);
      return refuse({ manifest, path, why: 'is suspended', isDeliberate: true });
    }
    if (flux.told.length > 0) noted.push(flux);
    waiting.push({ flux, path });
  };
  for (const manifest of queue) take(manifest);
  for (;;) {
    const at = waiting.findIndex(({ flux }) => typeof valuesOf(flux, objects) !== 'string');
    const [root] = waiting.splice(Math.max(at, 0), 1);
    if (!root) break;
    const { flux, path } = root;
    const { manifest } = flux;
    const values = valuesOf(flux, objects);
    const unit =
      typeof values === 'string'
        ? values
        : yield* fluxUnit(flux, tree, {
            isLeftOut: (file) =>
              file.startsWith(ledgers) ||
              (tree.files.has(file) && (!counted.has(file) || tree.said.get(file)?.parsed.stray !== undefined)),
            values,
          });
    const rendering = typeof unit === 'string' ? undefined : yield* render(unit);
    const why = typeof unit === 'string' ? unit : rendering;
    if (typeof unit === 'string' || typeof rendering !== 'object') {
      held.push(flux.folder);
      if (typeof unit !== 'string') hold(unit);
      refuse({ manifest, path, why: `is not rendered: ${typeof why === 'string' ? why : ''}` });
      continue;
    }
    units.push(unit);
    rendered.set(path, rendering);
    for (const one of rendering.parsed.manifests) {
      const here = inNamespace(one, settings);
      objects.push(here);
      if (isFluxKustomization(here.object) && isFollowed(here, settings)) take(here);
    }
    yield;
  }
  problems.push(...(yield* fieldProblems(noted, tree)));
  for (const root of missingNeeds(found, rendered)) {
    rendered.delete(root.path);
    held.push(root.flux.folder);
    for (const unit of units) if (unit.path === root.path) hold(unit);
    refuse({
      manifest: root.flux.manifest,
      path: root.path,
      why: `is not applied: it depends on ${root.needs}, which is not`,
    });
  }
  return {
    rendered,
    units: units.filter(({ path }) => rendered.has(path)),
    strays,
    problems,
    leftOut(path) {
      if (heldInputs.has(path) || held.some((folder) => folder === '' || path.startsWith(`${folder}/`))) return notNow;
      return start ? 'is not reached from the root that Flux has' : undefined;
    },
    keptOut: keptOutOf(settings),
  };
}

/** Why such a file is not applied as it stands. */
export const notNow = 'belongs to what Flux describes and is not applied now';

const nothing: FluxRoots = {
  rendered: new Map(),
  units: [],
  strays: new Map(),
  problems: [],
  leftOut: () => undefined,
  keptOut: () => undefined,
};

const isWrittenAs = ({ origin: a }: Manifest, { origin: b }: Manifest): boolean =>
  a.path === b.path && a.document === b.document;

const pathOf = ({ object: { metadata }, origin }: Manifest): string => `${unitOf(origin)}#${namespacedName(metadata)}`;

function inNamespace(manifest: Manifest, { defaultNamespace }: LoadSettings): Manifest {
  const { object } = manifest;
  if (object.metadata.namespace !== undefined || !isFluxDescription(object)) return manifest;
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
    if (isFluxDescription(object))
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

function specOf(
  objects: readonly Manifest[],
  { name, namespace }: { readonly name: string; readonly namespace?: string },
): Readonly<Record<string, unknown>> | undefined {
  const found = objects.find(
    ({ object }) =>
      object.kind === 'GitRepository' &&
      groupOf(object.apiVersion) === 'source.toolkit.fluxcd.io' &&
      object.metadata.name === name &&
      object.metadata.namespace === namespace,
  );
  const spec = found?.object['spec'];
  return isObject(spec) ? spec : undefined;
}

/** The values of its variables, as far as the objects say them; a text says what is missing. */
function valuesOf(
  { variables }: FluxKustomization,
  objects: readonly Manifest[],
): ReadonlyMap<string, string> | undefined | string {
  if (!variables) return undefined;
  const values = new Map<string, string>();
  const put = (name: string, value: string): void => void values.set(name, value.replaceAll('\n', ''));
  for (const { kind, name, namespace } of variables.from) {
    const found = objects.find(
      ({ object }) =>
        object.kind === kind &&
        object.apiVersion === 'v1' &&
        object.metadata.name === name &&
        object.metadata.namespace === namespace,
    );
    if (!found)
      return `spec.postBuild.substituteFrom names the ${kind} ${namespacedName({ namespace, name: name.slice(0, 100) })}, which is not in Git, and the cluster is not asked for it: write its values into spec.postBuild.substitute, or the object into Git`;
    const { data, stringData } = found.object as { data?: unknown; stringData?: unknown };
    for (const [key, value] of Object.entries(isObject(data) ? data : {}))
      if (typeof value === 'string')
        put(key, kind === 'Secret' ? Buffer.from(value, 'base64').toString('utf8') : value);
    for (const [key, value] of Object.entries(isObject(stringData) ? stringData : {}))
      if (typeof value === 'string' && kind === 'Secret') put(key, value);
  }
  for (const [name, value] of variables.inline) put(name, value);
  return values;
}

/** Those that depend, directly or not, on one that is not rendered or on themselves. */
function missingNeeds(
  found: ReadonlyMap<string, Root>,
  rendered: ReadonlyMap<string, Rendering>,
): readonly (Root & { readonly needs: string })[] {
  const left = new Map(
    [...found.values()].filter(({ path }) => rendered.has(path)).map((root) => [root.flux.key, root]),
  );
  const done = new Set<string>();
  for (let before = -1; before !== done.size; ) {
    before = done.size;
    for (const [key, { flux }] of left) if (flux.dependsOn.every((needed) => done.has(needed))) done.add(key);
  }
  return [...left].flatMap(([key, root]) =>
    done.has(key) ? [] : [{ ...root, needs: root.flux.dependsOn.find((one) => !done.has(one))?.slice(0, 200) ?? '' }],
  );
}

/** Of fields that have no effect, at their lines where they stand as people write them. */
function* fieldProblems(noted: readonly FluxKustomization[], tree: SourceTree): Steps<readonly Problem[]> {
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
