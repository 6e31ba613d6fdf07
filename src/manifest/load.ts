import { addAll } from '../lib/add-all.ts';
import { atOnce, type Steps } from '../lib/turns.ts';
import { faultOf } from './contained.ts';
import { type Claimants, leavingOutContested } from './contested.ts';
import { identityKey, identityOf, leavingOutDuplicates } from './identity.ts';
import { type Ignored, type IgnoreFile, ignoredPaths, isIgnoreFile, readIgnoreFile } from './ignore-file.ts';
import { isClusterScoped } from './kinds.ts';
import { defaultLimits, type ManifestLimits } from './limits.ts';
import { normalised } from './normalise.ts';
import type { UnitHealths, UnitNeeds } from './needs.ts';
import type { OwnObjects } from './own-objects.ts';
import { type ParsedFile, parsing } from './parse.ts';
import { leavingOutRefused, refusedAt } from './refused.ts';
import {
  chartProblem,
  heldCharts,
  heldFiles,
  isBareKustomization,
  type Kustomization,
  readKustomization,
} from './rendering-tools.ts';
import type { Stray } from './stray.ts';
import { leavingOutTaken, type Unknown } from './taken.ts';
import type { Tenancy } from './tenancy.ts';
import { type NoText, textIn, tooLarge } from './text.ts';
import { anyWord, joinedWords, unreadWords } from './unread-words.ts';
import {
  groupOf,
  holderOfRelease,
  type KubeObject,
  type Manifest,
  type ObjectRef,
  placesOf,
  type Problem,
  describedName,
  fileOfUnit,
  refOf,
  unitOf,
  unitOfRelease,
} from './types.ts';

/** What was parsed, by path, with its blob: the same blob at the same place is never parsed twice. Opaque to others. */
export type LoadCache = ReadonlyMap<string, Rendering>;

/** Likewise. */
export interface Rendering {
  readonly oid: string;
  readonly mode: string | undefined;
  readonly parsed: ParsedFile;
  readonly ignores: IgnoreFile | undefined;
  readonly kustomization: Kustomization | undefined;
  /** The manifests in their namespaces; the same objects as long as nothing of that changes. */
  placed: Placed | undefined;
  /** Absent: of the one file alone. */
  readonly madeFrom?: ReadonlySet<string>;
  /** It was not read to its end, and nobody else can: nothing is to be found out by trying again. Absent: it was. */
  readonly isGivenUp?: boolean;
  /** It is being read, as others of its tenant are, of whom nothing is known until all of it is. Absent: it was read. */
  readonly isAwaited?: true;
}

interface Placed {
  readonly defaultNamespace: string;
  readonly isTriedOut: boolean;
  readonly manifests: readonly Manifest[];
  /** Of objects that could not be worked on. */
  readonly faults: readonly Problem[];
}

export interface LoadSettings {
  /** Folder that is synced; the empty string is the whole repository. */
  readonly path: string;
  /** Under `path`; its files are never applied. */
  readonly ledgerDir: string;
  readonly defaultNamespace: string;
  /** Of the repository itself, to know it again where something in it names it. Absent: whatever is named is it. */
  readonly repositoryUrl?: string;
  /** The branch that is followed, likewise. */
  readonly repositoryBranch?: string;
  /** Absent: everything may be said from everywhere. */
  readonly tenancy?: Tenancy;
  /** Absent: nothing of it is refused. */
  readonly own?: OwnObjects;
  /** Absent: the defaults. */
  readonly limits?: ManifestLimits;
  /** The file from which an object, by identityKey, was applied last; undefined: not known. Absent: of none. */
  readonly placeOf?: (key: string) => string | undefined;
  /** What is done later with each object alone: one for which it throws is told, and not among the manifests. Absent: nothing. */
  readonly tryOut?: (object: KubeObject) => void;
}

export interface LoadedTree {
  /** Every object once, ordered by path and document. */
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** Files with something that could not be read or rendered: what they used to hold must not be taken for deleted. */
  readonly unreadablePaths: ReadonlySet<string>;
  /** Text of what could not be read, of all areas. */
  readonly unreadableText: string;
  /** Files that can be read and hold something else than objects, or are not looked at: what they used to hold is not deleted either. */
  readonly strays: ReadonlyMap<string, Stray>;
  /** By the name of the tenant; what is in nobody's folder, or all where there are no tenants, by the empty string. */
  readonly areas: ReadonlyMap<string, AreaOfTree>;
  readonly cache: LoadCache;
  /** Something in it asks for objects that a program makes, of files that may stand anywhere. Absent: nothing does. */
  readonly hasReleases?: boolean;
  /** What units wait for. Absent: for nothing. */
  readonly needs?: UnitNeeds;
  /** Of which units it is told where they are not ready in time. Absent: of none. */
  readonly health?: UnitHealths;
  /** What was rendered here and is not applied itself, as HelmReleases are. Absent: nothing was. */
  readonly releases?: readonly Manifest[];
  /** The files that what is rendered is made from: by its unit, or by the identity of its HelmRelease. Absent: nothing was. */
  readonly madeFrom?: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What files of one tenant say of objects of that tenant, and of nobody else's. */
export interface AreaOfTree {
  /** Text of what could not be read: an object that moved there must not be taken for deleted. */
  readonly unreadableText: string;
  /**
   * Objects that stand in files which are not applied, or are refused, so they are not gone from Git: by identityKey, or by `placeKey`
   * where a tool would set their namespace.
   */
  readonly elsewhere: ReadonlyMap<string, Elsewhere>;
}

/** The area of a file. */
export const areaOf = (path: string, { tenancy }: Pick<LoadSettings, 'tenancy'>): string =>
  tenancy?.tenantOf(path)?.name ?? '';

/** Where an object stands that is not applied, and why it is not. */
export interface Elsewhere extends Stray {
  readonly path: string;
}

/** What is left of an object's identity where a tool would set its namespace. */
export const placeKey = ({ apiVersion, kind, name }: ObjectRef): string => `${groupOf(apiVersion)}/${kind}/${name}`;

/** Whether `loadTree` wants a file: YAML and JSON outside hidden folders and the ledgers', and ignore files. */
export function isManifestFile(path: string, { path: folder, ledgerDir }: LoadSettings): boolean {
  const under = folder === '' ? path : path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : undefined;
  if (under === undefined || under.startsWith(`${ledgerDir}/`)) return false;
  const parts = under.split('/');
  if (isIgnoreFile(path)) parts.pop();
  else if (!/\.(ya?ml|json)$/i.test(path) && !isBareKustomization(path)) return false;
  return !parts.some((part) => part.startsWith('.'));
}

/** A file of a Git tree; `mode` as Git writes it. */
export interface FileOfTree {
  readonly oid: string;
  readonly mode?: string | undefined;
  /** A program made it of a file: what looks like a placeholder in it is meant. Absent: it stands in Git. */
  readonly isRendered?: true;
}

/** Files whose text `loadTree` needs: those that the cache does not know. */
export function missingTexts(files: ReadonlyMap<string, FileOfTree>, cache: LoadCache | undefined): readonly string[] {
  const missing: string[] = [];
  for (const [path, file] of files) if (!known(path, file, cache)) missing.push(path);
  return missing;
}

function known(path: string, { oid, mode }: FileOfTree, cache: LoadCache | undefined): Rendering | undefined {
  const file = cache?.get(path);
  return file?.oid === oid && file.mode === mode ? file : undefined;
}

/**
 * All objects of a tree. `texts` holds the content of every file that `missingTexts` names, by path. Objects without a namespace get the
 * default one where their kind has namespaces; of two objects with the same name the one counts that did so before, else the first by
 * path, and the other is a problem. What a file says of other files holds for those of its own tenant only.
 */
export function loadTree(
  files: ReadonlyMap<string, FileOfTree>,
  texts: ReadonlyMap<string, string | Uint8Array>,
  cache: LoadCache | undefined,
  settings: LoadSettings,
): LoadedTree {
  return atOnce(loadingTree(files, texts, cache, settings));
}

/** Renders kustomizations of one area. `counted`: its files that are not ignored. */
export type RenderKustomizations = (
  kustomizations: ReadonlyMap<string, Kustomization>,
  area: string,
  counted: ReadonlySet<string>,
) => Steps<RenderedKustomizations>;

export interface RenderedKustomizations {
  /** By the path of the kustomization. Until all areas are rendered, some of it may be taken back, so that there is room for others. */
  readonly rendered: ReadonlyMap<string, Rendering>;
  /** Why the others that change objects are not rendered, for people; likewise. Absent: nothing renders them. */
  readonly refused: ReadonlyMap<string, string>;
  /** What objects of another tool describe. Absent: there are none that are followed. */
  readonly described?: Described;
}

/** What is rendered because an object describes it has its place in `rendered` by a path of its own: `FILE#NAMESPACE/NAME`. */
export interface Described {
  readonly problems: readonly Problem[];
  /** See `LoadedTree`. Absent: none. */
  readonly needs?: UnitNeeds;
  /** Likewise. */
  readonly health?: UnitHealths;
  /** What asks for charts among what is described. Absent: nothing does. */
  readonly releases?: readonly Manifest[];
  /** Of what is described and not rendered now what the cluster has stays. */
  readonly strays: ReadonlyMap<string, Stray>;
  /** Why a file is not applied as it is. Undefined: it is. */
  leftOut(path: string): string | undefined;
  /** Why an object is not applied. Undefined: it is. */
  keptOut(object: KubeObject): string | undefined;
}

/** Renders what objects of one area ask for, as HelmReleases do. `manifests`: the area's, in their namespaces. */
export interface RenderReleases {
  render(manifests: readonly Manifest[], area: string): Steps<RenderedReleases>;
  /**
   * Once all areas were rendered: whether some have to be rendered again, because one that came first has more than its part of the room, and another
   * one had none. It gives the rest of the room to those.
   */
  shareOut(): boolean;
}

/** What an encrypted file says once it is decrypted; or the file with what is wrong. */
export type OpenEncrypted = (path: string, file: Rendering) => Steps<Rendering>;

export interface RenderedReleases {
  /** By what asks for it, which is not applied itself. */
  readonly rendered: ReadonlyMap<Manifest, Rendering>;
  /** What asks for something that cannot be rendered, and is not applied either. What was made for it before stays. */
  readonly refused: ReadonlyMap<Manifest, Stray>;
  /** `Chart.yaml` of the charts that are named, rendered or not. */
  readonly charts: ReadonlySet<string>;
  /** What says where charts come from, and is not applied either. */
  readonly sources: ReadonlySet<Manifest>;
  /** See `LoadedTree`. Absent: none. */
  readonly needs?: UnitNeeds;
  /** Likewise. */
  readonly health?: UnitHealths;
  readonly problems: readonly Problem[];
}

/**
 * As `loadTree`; yields again and again, so that a large tree can be looked at in turns. `render` absent: what kustomizations change is held back;
 * `renderReleases` absent: HelmReleases are applied as objects; `open` absent: what is encrypted is not applied.
 */
export function* loadingTree(
  files: ReadonlyMap<string, FileOfTree>,
  texts: ReadonlyMap<string, string | Uint8Array>,
  cache: LoadCache | undefined,
  settings: LoadSettings,
  render?: RenderKustomizations,
  renderReleases?: RenderReleases,
  open?: OpenEncrypted,
): Steps<LoadedTree> {
  const next = new Map<string, Rendering>();
  const byArea = new Map<string, string[]>([['', []]]);
  for (const path of [...files.keys()].sort()) {
    const blob = files.get(path) ?? { oid: '' };
    const file = known(path, blob, cache) ?? atOnce(readManifestFile(path, textOf(path, texts), blob, settings.limits));
    next.set(path, file);
    const name = areaOf(path, settings);
    const paths = byArea.get(name) ?? [];
    paths.push(path);
    byArea.set(name, paths);
    if (next.size % filesATurn === 0) yield;
  }
  const begun: (readonly [name: string, area: BegunArea])[] = [];
  const areas = new Map<string, LoadedArea>();
  for (const [name, paths] of byArea) {
    if (paths.some((path) => next.get(path)?.isAwaited)) areas.set(name, awaitedArea(paths));
    else
      begun.push([name, yield* beginning(paths, next, render && ((found, counted) => render(found, name, counted)))]);
  }
  // What was rendered may have taken the room of files.
  for (const [path, blob] of render ? files : []) {
    const now = known(path, blob, cache);
    if (now) next.set(path, now);
  }
  const loadAll = function* (): Steps<void> {
    for (const [name, area] of begun)
      areas.set(
        name,
        yield* loadingArea(area, next, settings, {
          renderReleases: renderReleases && ((found) => renderReleases.render(found, name)),
          open,
        }),
      );
  };
  yield* loadAll();
  if (renderReleases?.shareOut() === true) yield* loadAll();
  const all = [...areas.values()];
  const found = all.flatMap(({ manifests }) => manifests);
  // By path, whoever's they are.
  if (areas.size > 1) found.sort(({ origin: a }, { origin: b }) => (a.path === b.path ? 0 : a.path < b.path ? -1 : 1));
  const unreadablePaths = new Set(all.flatMap((area) => area.unreadablePaths));
  const strays = new Map(all.flatMap((area) => [...area.strays]));
  const unclear = new Set([...unreadablePaths, ...strays.keys()]);
  for (const place of unclear) {
    const holder = holderOfRelease(place);
    if (holder !== undefined) unclear.add(holder);
  }
  const mayStandIn = (path: string): boolean => placesOf(path).some((one) => unclear.has(one));
  const { placeOf = () => undefined } = settings;
  const claimants = { placeOf, areaOf: (path: string) => areaOf(path, settings) };
  const unknown = new Map([...areas].map(([name, area]) => [name, area.unknown]));
  const untaken = leavingOutTaken(found, { ...claimants, unknown, mayStandIn });
  const clear = yield* leavingOutContested(untaken.manifests, claimants);
  const { manifests, problems } = yield* leavingOutDuplicates(clear.manifests, placeOf);
  return {
    manifests,
    problems: [...all.flatMap((area) => area.problems), ...untaken.problems, ...clear.problems, ...problems],
    unreadablePaths,
    unreadableText: joinedWords(all.map(({ unreadableText }) => unreadableText)),
    strays,
    areas: withContested(areas, clear.contested, claimants),
    cache: next,
    hasReleases: all.some(({ hasReleases }) => hasReleases),
    releases: all.flatMap(({ releases }) => releases),
    needs: new Map(all.flatMap(({ needs }) => [...needs])),
    health: new Map(all.flatMap(({ health }) => [...health])),
    madeFrom: new Map(all.flatMap(({ madeFrom }) => [...madeFrom])),
  };
}

/** What is applied from none of its definitions still stands in Git, for each of their areas and the one from which it was applied. */
function withContested(
  areas: ReadonlyMap<string, AreaOfTree>,
  contested: readonly Manifest[],
  { placeOf, areaOf: areaAt }: Claimants,
): ReadonlyMap<string, AreaOfTree> {
  if (contested.length === 0) return areas;
  const byArea = new Map<string, Map<string, Elsewhere>>();
  for (const { object, origin } of contested) {
    const key = identityOf(object);
    const what = 'defines what is defined in another way as well';
    const at = { path: origin.path, line: origin.line, what, isDeliberate: true, describedIn: origin.path };
    for (const name of new Set([areaAt(origin.path), areaAt(placeOf(key) ?? unitOf(origin))]))
      byArea.set(name, (byArea.get(name) ?? new Map<string, Elsewhere>()).set(key, at));
  }
  const next = new Map(areas);
  for (const [name, added] of byArea) {
    const { unreadableText = '', elsewhere = new Map<string, Elsewhere>() } = next.get(name) ?? {};
    next.set(name, { unreadableText, elsewhere: new Map([...elsewhere, ...added]) });
  }
  return next;
}

interface LoadedArea extends AreaOfTree {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  readonly unreadablePaths: readonly string[];
  readonly unknown: Unknown;
  readonly strays: ReadonlyMap<string, Stray>;
  readonly hasReleases: boolean;
  readonly needs: UnitNeeds;
  readonly health: UnitHealths;
  readonly releases: readonly Manifest[];
  readonly madeFrom: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Nothing is known of it yet, so nothing of it is applied, and nothing that came from it is deleted. */
const awaitedArea = (paths: readonly string[]): LoadedArea => ({
  manifests: [],
  problems: [],
  unreadablePaths: paths,
  unreadableText: anyWord,
  unknown: new Map(),
  needs: new Map(),
  health: new Map(),
  strays: new Map(),
  elsewhere: new Map(),
  hasReleases: false,
  releases: [],
  madeFrom: new Map(),
});

const nothingRendered: RenderedKustomizations = { rendered: new Map(), refused: new Map() };
const nothingReleased: RenderedReleases = {
  rendered: new Map(),
  refused: new Map(),
  charts: new Set(),
  sources: new Set(),
  problems: [],
};

/** The files of one tenant, in order, and what was rendered of them. */
interface BegunArea {
  readonly paths: readonly string[];
  readonly ignored: Ignored;
  readonly kustomizations: ReadonlyMap<string, Kustomization>;
  readonly made: RenderedKustomizations;
}

function* beginning(
  paths: readonly string[],
  files: LoadCache,
  render:
    | ((
        kustomizations: ReadonlyMap<string, Kustomization>,
        counted: ReadonlySet<string>,
      ) => Steps<RenderedKustomizations>)
    | undefined,
): Steps<BegunArea> {
  const ignores: IgnoreFile[] = [];
  const kustomizations = new Map<string, Kustomization>();
  for (const path of paths) {
    const file = files.get(path);
    if (file?.ignores) ignores.push(file.ignores);
    if (file?.kustomization) kustomizations.set(path, file.kustomization);
  }
  const ignored = yield* ignoredPaths(paths, ignores);
  for (const path of kustomizations.keys()) if (ignored.paths.has(path)) kustomizations.delete(path);
  const counted = new Set(paths.filter((path) => !ignored.paths.has(path)));
  return { paths, ignored, kustomizations, made: render ? yield* render(kustomizations, counted) : nothingRendered };
}

interface AreaTools {
  readonly renderReleases: ((manifests: readonly Manifest[]) => Steps<RenderedReleases>) | undefined;
  readonly open: OpenEncrypted | undefined;
}

function* loadingArea(
  { paths, ignored, kustomizations: all, made }: BegunArea,
  files: LoadCache,
  settings: LoadSettings,
  { renderReleases, open }: AreaTools,
): Steps<LoadedArea> {
  const { rendered, refused: unrendered, described } = made;
  const claimed = new Set([...rendered.values()].flatMap(({ madeFrom = [] }) => [...madeFrom]));
  const leftOut = new Map<string, string>();
  for (const path of described ? paths : []) {
    const why =
      claimed.has(path) || isIgnoreFile(path) || ignored.paths.has(path) ? undefined : described?.leftOut(path);
    if (why !== undefined) leftOut.set(path, why);
  }
  const kustomizations = leftOut.size === 0 ? all : new Map([...all].filter(([path]) => !leftOut.has(path)));
  const counted = paths.filter((path) => !ignored.paths.has(path) && !leftOut.has(path));
  const held = heldFiles(counted, kustomizations, { claimed, reasons: unrendered, isOff: made === nothingRendered });
  const charts = heldCharts(counted.filter((path) => !claimed.has(path)));
  const strays = new Map<string, Stray>();
  const elsewhere = new Map<string, Elsewhere>();
  const note = (path: string, why: Omit<Stray, 'line'>, keyOf: (ref: ObjectRef) => string): void => {
    for (const { object, origin } of files.get(path)?.parsed.manifests ?? [])
      elsewhere.set(keyOf(refOf(object)), { path, line: origin.line, ...why });
  };
  const leaveOut = (path: string, why: Omit<Stray, 'line'>, keyOf: (ref: ObjectRef) => string): void => {
    strays.set(path, { line: 1, ...why });
    note(path, why, keyOf);
  };
  const identityHere = (ref: ObjectRef): string =>
    identityKey(isClusterScoped(ref) ? ref : { namespace: settings.defaultNamespace, ...ref });
  const isUnlisted = unlistedBy(kustomizations, (path) => claimed.has(path) || unrendered.has(path));
  const isCounted = new Set(counted);
  for (const path of paths) {
    const what = leftOut.get(path);
    // What stands there is of another place, so it says nothing of what is applied here.
    if (what !== undefined) strays.set(path, { line: 1, what, isToldOnce: true });
    if (isCounted.has(path) || isIgnoreFile(path) || what !== undefined) continue;
    leaveOut(path, { what: 'is named by an ignore file', isDeliberate: true, isToldOnce: true }, identityHere);
  }
  const used: (readonly [path: string, file: Rendering])[] = [];
  const broken: string[] = [];
  const unreadable: string[] = [];
  const unknown = new Map<string, string | undefined>();
  const found: Problem[] = [...(described?.problems ?? [])];
  const take = (path: string, file: Rendering): void => {
    used.push([path, file]);
    addAll(found, file.parsed.problems);
    if (file.parsed.stray) strays.set(path, file.parsed.stray);
    else if (file.kustomization)
      strays.set(path, {
        line: 1,
        what: 'is a kustomization, which is not rendered',
        // Then an error says why.
        ...(file.kustomization.transforms.length > 0 || unrendered.has(path) ? { describedIn: path } : {}),
      });
    if (file.parsed.unreadableText === '') return;
    broken.push(path);
    unreadable.push(file.parsed.unreadableText);
    unknown.set(path, file.parsed.unreadableText);
  };
  for (const path of counted) {
    const file = rendered.get(path) ?? files.get(path);
    if (!file || (claimed.has(path) && !rendered.has(path))) continue;
    if (charts.has(path)) continue;
    if (held.paths.has(path)) {
      leaveOut(path, { what: 'is part of what kustomize or Helm would render', isToldOnce: true }, placeKey);
      continue;
    }
    if (!kustomizations.has(path) && !isIgnoreFile(path) && isUnlisted(path)) {
      leaveOut(path, { what: 'stands beside a kustomization that does not list it', isToldOnce: true }, placeKey);
      if (file.parsed.manifests.length > 0) found.push(unlisted(path));
      continue;
    }
    take(path, open && file.parsed.isEncrypted ? yield* open(path, file) : file);
    if (used.length % filesATurn === 0) yield;
    if (held.named.has(path)) note(path, { what: 'is named by a kustomization', isToldOnce: true }, placeKey);
  }
  for (const [path, file] of rendered) if (!isCounted.has(path)) take(path, file);
  for (const [path, stray] of described?.strays ?? []) {
    strays.set(path, stray);
    if (stray.isDeliberate !== true) unknown.set(path, undefined);
  }
  for (const [path, reason] of unrendered) {
    if (!rendered.has(path)) unknown.set(path, undefined);
    // Of a kustomization it is told where the file is.
    if (!path.includes('#') || rendered.has(path)) continue;
    strays.set(path, { line: 1, what: 'describes what is not applied now', isToldOnce: true });
    const hint = 'what the cluster has of it stays as it is';
    found.push({ severity: 'error', path: fileOfUnit(path), line: 1, message: `${shownUnit(path)}: ${reason}`, hint });
  }
  const notReached = [...leftOut.keys()].filter((path) => (files.get(path)?.parsed.manifests.length ?? 0) > 0);
  if (notReached[0] !== undefined) found.push(notApplied(notReached[0], notReached.length, leftOut));
  const placed: Manifest[] = [];
  const faults: Problem[] = [];
  for (const [at, [path, file]] of used.entries()) {
    if (at % filesATurn === 0) yield;
    const ofFile = yield* placedOf(file, settings);
    addAll(placed, ofFile.manifests);
    addAll(faults, ofFile.faults);
    if (ofFile.faults.length > 0) broken.push(path);
  }
  const said = yield* leavingOutRefused(placed, settings);
  const releases = renderReleases ? yield* renderReleases(said.manifests) : nothingReleased;
  const ofCharts: Manifest[] = [];
  for (const [release, rendering] of releases.rendered) {
    const ofRelease = yield* placedOf(rendering, settings);
    addAll(ofCharts, ofRelease.manifests);
    addAll(faults, ofRelease.faults);
    addAll(faults, rendering.parsed.problems);
    if (ofRelease.faults.length === 0 && rendering.parsed.unreadableText === '') continue;
    const unit = unitOfRelease(release.origin, refOf(release.object));
    broken.push(unit);
    unreadable.push(rendering.parsed.unreadableText);
    unknown.set(unit, rendering.parsed.unreadableText);
  }
  const ofReleases = yield* leavingOutRefused(ofCharts, settings);
  for (const manifest of [...said.refused, ...ofReleases.refused])
    elsewhere.set(identityOf(manifest.object), refusedAt(manifest));
  const isDescription = (manifest: Manifest): boolean =>
    releases.rendered.has(manifest) || releases.refused.has(manifest) || releases.sources.has(manifest);
  for (const manifest of said.manifests.filter(isDescription)) {
    const { object, origin } = manifest;
    const stray = releases.refused.get(manifest);
    const unit = unitOfRelease(origin, refOf(object));
    if (stray) strays.set(unit, stray);
    if (stray && stray.isDeliberate !== true) unknown.set(unit, undefined);
    const what = 'describes what is rendered here, and is not applied itself';
    elsewhere.set(identityOf(object), { path: origin.path, line: origin.line, what, isDeliberate: true });
  }
  const keptOut = new Set<Manifest>();
  for (const manifest of described ? said.manifests : []) {
    const what = described?.keptOut(manifest.object);
    if (what === undefined || isDescription(manifest)) continue;
    keptOut.add(manifest);
    const { path, line } = manifest.origin;
    elsewhere.set(identityOf(manifest.object), { path, line, what, isDeliberate: true, isToldOnce: true });
  }
  const unused: Problem[] = [];
  const isUsed = new Set([...releases.rendered.values()].flatMap(({ madeFrom = [] }) => [...madeFrom]));
  for (const [path, chart] of charts) {
    if (isUsed.has(chart)) continue;
    leaveOut(path, { what: 'is part of what kustomize or Helm would render', isToldOnce: true }, placeKey);
    held.paths.add(path);
  }
  for (const chart of new Set(charts.values()))
    if (!isUsed.has(chart) && !releases.charts.has(chart))
      unused.push(chartProblem(chart, renderReleases !== undefined));
  const manifests = [
    ...said.manifests.filter((manifest) => !isDescription(manifest) && !keptOut.has(manifest)),
    ...ofReleases.manifests,
  ];
  if (ofCharts.length > 0)
    manifests.sort(({ origin: a }, { origin: b }) => (a.path === b.path ? 0 : a.path < b.path ? -1 : 1));
  return {
    manifests,
    problems: [
      ...ignored.problems,
      ...found,
      ...faults,
      ...held.problems,
      ...unused,
      ...said.problems,
      ...withoutSaid(releases.problems, described?.problems ?? []),
      ...ofReleases.problems,
    ],
    unreadablePaths: [...broken, ...held.paths],
    unreadableText: joinedWords(unreadable),
    unknown,
    strays,
    elsewhere,
    needs: new Map([...(described?.needs ?? []), ...(releases.needs ?? [])]),
    health: new Map([...(described?.health ?? []), ...(releases.health ?? [])]),
    releases: [...(described?.releases ?? []), ...releases.rendered.keys()],
    madeFrom: new Map(
      [
        ...rendered,
        ...[...releases.rendered].map(([{ object }, rendering]) => [identityOf(object), rendering] as const),
      ].flatMap(([key, { madeFrom }]) => (madeFrom ? [[key, madeFrom] as const] : [])),
    ),
    hasReleases: described !== undefined || releases.rendered.size + releases.refused.size > 0,
  };
}

/** Whether the nearest kustomization above a file is one of these: it lists what counts of its folder. The others are applied beside what is listed. */
function unlistedBy(
  kustomizations: ReadonlyMap<string, Kustomization>,
  isRendered: (path: string) => boolean,
): (path: string) => boolean {
  const folders = new Map([...kustomizations.keys()].map((path) => [folderOf(path), isRendered(path)] as const));
  return (path) => {
    for (let folder = folderOf(path); ; folder = folderOf(folder)) {
      const found = folders.get(folder);
      if (found !== undefined || folder === '') return found ?? false;
    }
  };
}

/** Of sources that both refer to, each is told once. */
function withoutSaid(problems: readonly Problem[], said: readonly Problem[]): readonly Problem[] {
  const messages = new Set(said.map(({ path, message }) => `${path} ${message}`));
  return messages.size === 0 ? problems : problems.filter(({ path, message }) => !messages.has(`${path} ${message}`));
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

const shownUnit = (path: string): string => `the ${describedName(path)}`;

function notApplied(path: string, count: number, leftOut: ReadonlyMap<string, string>): Problem {
  const files = count === 1 ? 'the file' : `the file, as ${count - 1} other${count === 2 ? '' : 's'}, `;
  return {
    severity: 'warning',
    path,
    line: 1,
    message: `${files} ${leftOut.get(path) ?? ''}: it is not applied`.replaceAll('  ', ' '),
    hint: 'what the cluster has of it stays as it is',
  };
}

const unlisted = (path: string): Problem => ({
  severity: 'warning',
  path,
  line: 1,
  message: 'the kustomization of this folder does not list the file: it is not applied',
  hint: 'list it under resources, or name it in .serinignore',
});

function textOf(path: string, texts: ReadonlyMap<string, string | Uint8Array>): string | Uint8Array {
  const text = texts.get(path);
  // An empty file instead would look as if its objects had been deleted.
  if (text === undefined) throw new Error(`the text of ${path} is missing`);
  return text;
}

/** So many files are looked at before other work may have its turn. */
const filesATurn = 256;

const nothing: ParsedFile = { manifests: [], problems: [], unreadableText: '', stray: undefined };
const symlinkMode = '120000';

/**
 * What `loadTree` makes of one file; in a cache, its content is not needed any more. Yields after each document, so that many or large files
 * can be read in turns.
 */
export function* readManifestFile(
  path: string,
  content: string | Uint8Array,
  { oid, mode, isRendered }: FileOfTree,
  limits = defaultLimits,
): Generator<void, Rendering> {
  const file = { oid, mode, parsed: nothing, ignores: undefined, kustomization: undefined, placed: undefined };
  if (isIgnoreFile(path)) {
    // Whatever bytes a comment is made of, what is ignored stays so.
    const patterns = typeof content === 'string' ? content : new TextDecoder().decode(content);
    return { ...file, ignores: readIgnoreFile(path, patterns) };
  }
  const text = textIn(content, limits);
  if (typeof text !== 'string') return { ...file, parsed: withoutText(path, text) };
  if (mode === symlinkMode) {
    const message = `a symbolic link to ${text.trim()} is not followed`;
    const stray = { line: 1, what: 'is a symbolic link' };
    return { ...file, parsed: { ...nothing, problems: [{ severity: 'warning', path, line: 1, message }], stray } };
  }
  const kustomization = readKustomization(path, text);
  if (kustomization || isBareKustomization(path)) return { ...file, kustomization };
  return { ...file, parsed: yield* parsing(path, text, limits, isRendered) };
}

/** `now`: a revert waits for it. `soon`: it is of a tenant of whom little is to be read, so it goes before the much of others. */
export type Haste = 'now' | 'soon' | 'later';

/** Reads one file of a tree, and lets other work go on meanwhile. What cannot be read is told in the file. */
export interface FileReader {
  /** `haste` absent: `later`. */
  read(path: string, content: string | Uint8Array, file: FileOfTree, haste?: Haste): Promise<Rendering>;
  /** Breaks off what is being read: it and whatever is asked for later rejects. Absent: nothing lasts long. */
  close?(): Promise<void>;
}

/** A file that a Git server leaves out, or that cannot even be held. What was applied of it stays. */
export function leftOutFile(path: string, { oid, mode }: FileOfTree, limits = defaultLimits): Rendering {
  const parsed = withoutText(path, tooLarge(limits));
  return { oid, mode, parsed, ignores: undefined, kustomization: undefined, placed: undefined, isGivenUp: true };
}

/** A file of a tenant whose files are being read. */
export const awaitedFile = ({ oid, mode }: FileOfTree): Rendering => ({
  oid,
  mode,
  parsed: nothing,
  ignores: undefined,
  kustomization: undefined,
  placed: undefined,
  isAwaited: true,
});

/** A file that cannot be read for a reason that lies not in its text. What was applied of it stays. */
export function unreadFile(path: string, content: string | Uint8Array, file: FileOfTree, reason: string): Rendering {
  const guess =
    typeof content === 'string'
      ? content
      : Buffer.from(content.buffer, content.byteOffset, content.length).toString('latin1');
  const parsed = withoutText(path, {
    line: 1,
    reason,
    hint: 'divide it, or name it in .serinignore',
    isMeant: true,
    guess,
  });
  const { oid, mode } = file;
  return { oid, mode, parsed, ignores: undefined, kustomization: undefined, placed: undefined, isGivenUp: true };
}

function withoutText(path: string, { line, reason, hint, isMeant, guess }: NoText): ParsedFile {
  const problem: Problem = { severity: isMeant ? 'error' : 'warning', path, line, message: `the file ${reason}`, hint };
  return { ...nothing, problems: [problem], unreadableText: unreadWords(guess), stray: { line, what: reason } };
}

/** Yields after each object: one alone may be as large as a cluster stores. */
function* placedOf(file: Rendering, { defaultNamespace, tryOut }: LoadSettings): Generator<void, Placed> {
  const known = file.placed?.defaultNamespace === defaultNamespace ? file.placed : undefined;
  if (known && (known.isTriedOut || !tryOut)) return known;
  const manifests: Manifest[] = [];
  const faults: Problem[] = [...(known?.faults ?? [])];
  for (const written of known?.manifests ?? file.parsed.manifests) {
    const fault = faultOf(written, () => {
      const manifest = known ? written : normalised(written, { defaultNamespace });
      tryOut?.(manifest.object);
      manifests.push(manifest);
    });
    if (fault) faults.push(fault);
    yield;
  }
  file.placed = { defaultNamespace, isTriedOut: tryOut !== undefined, manifests, faults };
  return file.placed;
}
