import { answered, createTurns, type Steps } from '../lib/turns.ts';
import { identityOf, nameOf } from '../manifest/identity.ts';
import type { LoadSettings, RenderedReleases, RenderReleases, Rendering } from '../manifest/load.ts';
import type { UnitHealth, UnitHealths, UnitNeed, UnitNeeds } from '../manifest/needs.ts';
import type { Stray } from '../manifest/stray.ts';
import { type Manifest, type Problem, refOf, unitOfRelease } from '../manifest/types.ts';
import { namespacedName } from '../lib/key.ts';
import { shownOrigin } from '../lib/http/shown-url.ts';
import { isObject } from '../manifest/edit-value.ts';
import { orReason, Unusable } from './described.ts';
import { toldOf } from './flux-fields.ts';
import { defaultLimits } from '../manifest/limits.ts';
import { noRoom, type TreeBudget, weighing } from '../manifest/tree-budget.ts';
import { chartCredentials } from './chart-credentials.ts';
import type { Chart, RemoteChart } from './chart.ts';
import type { Helm, HelmReading, ReleaseUnit } from './helm.ts';
import { chartIn, pathIn } from './helm-chart.ts';
import { chartAsked, type HelmRelease, isHelmRelease, readHelmRelease, type SourceRef } from './helm-release.ts';
import { createReleaseRoom } from './release-room.ts';
import { type ValueSources, valuesOf } from './helm-values.ts';
import { withoutKeys } from './sops-stand-in.ts';
import { withNamespaces } from './made-namespaces.ts';
import type { SourceTree, Unit } from './renderer.ts';
import { isSameRepositoryUrl } from './same-url.ts';
import { fileAt } from './source-bytes.ts';
import type { GitFile } from './tree-files.ts';

/** HelmReleases that are rendered side by side: each may hold as much as its limits allow. */
const mostAtATime = 2;

/** With it a HelmRelease is applied for another controller, or, where it was before, rendered from then on. */
const choice = 'serin.dev/render';

/** Renders the HelmReleases of an area. `treeOf`: what may take part. */
export function renderingReleases(
  helm: Helm,
  treeOf: (area: string) => SourceTree,
  { budget, ...reading }: HelmReading & { readonly budget: TreeBudget },
  settings: LoadSettings,
  sources: Pick<ValueSources, 'encrypted' | 'live'>,
): RenderReleases {
  const room = createReleaseRoom(budget);
  const render = function* (manifests: readonly Manifest[], area: string): Steps<RenderedReleases> {
    const problems: Problem[] = [];
    const unlooked = sources.encrypted.unlooked?.units;
    const units = new Map<Manifest, ReleaseUnit>();
    const refused = new Map<Manifest, Stray>();
    const charts = new Set<string>();
    const tell = (manifest: Manifest, severity: Problem['severity'], message: string, hint?: string): void => {
      const { path, line } = manifest.origin;
      const shown = `${nameOf(refOf(manifest.object))} ${message}`;
      const unit = severity === 'error' ? { unit: unitNamed(manifest) } : {};
      problems.push({ severity, path, line, message: shown, ...(hint === undefined ? {} : { hint }), ...unit });
    };
    const refuse = (manifest: Manifest, reason: string): void => {
      units.delete(manifest);
      const { line, path } = manifest.origin;
      refused.set(manifest, { line, what: 'holds a HelmRelease that cannot be rendered', describedIn: path });
      tell(manifest, 'error', `is not rendered: ${reason}`, 'what the cluster has of it stays as it is');
    };
    const tree = treeOf(area);
    let isForOthers = false;
    const around = { ...sources, manifests, settings, helm, charts: new Map<string, Chart | string>() };
    const toldSources = new Set<Manifest>();
    for (const manifest of manifests) {
      if (!isHelmRelease(manifest.object)) continue;
      if (isAppliedForOthers(manifest, settings)) {
        isForOthers = true;
        const hint = `annotate it with ${choice}: "true" once that controller has let go of it`;
        const isAsked = manifest.object.metadata.annotations?.[choice] === 'false';
        if (!isAsked)
          tell(manifest, 'warning', "is applied as before, for Flux's own controller, and not rendered", hint);
        continue;
      }
      const chart = chartOf(manifest);
      if (chart !== undefined) charts.add(chart);
      if (isSuspended(manifest)) {
        const what = 'holds a HelmRelease that is suspended';
        const { line, path } = manifest.origin;
        refused.set(manifest, { line, what, isDeliberate: true, describedIn: path });
        tell(manifest, 'warning', 'is suspended: what the cluster has of it stays as it is');
        continue;
      }
      const unit = yield* unitOf(manifest, tree, around);
      if (typeof unit === 'string') refuse(manifest, unit);
      else {
        units.set(manifest, unit);
        for (const text of unit.release.told) tell(manifest, 'warning', text);
        const otherBranch = otherBranchOf(unit.release, settings);
        if (otherBranch !== undefined)
          tell(
            manifest,
            'warning',
            `spec.chart.ref names ${otherBranch}: the chart of the branch that is followed is rendered`,
          );
        for (const source of sourcesOfRelease(unit.release, manifests)) {
          if (!toldSources.has(source)) for (const { text } of toldOf(source.object)) tell(source, 'warning', text);
          toldSources.add(source);
        }
      }
      yield;
    }
    // Side by side, so that no more of them stand in memory than there is room for.
    const turns = createTurns();
    const asked = new Map<Manifest, Promise<Rendering | string>>();
    const all = [...units];
    const rendered = new Map<Manifest, Rendering>();
    for (const [at, [manifest]] of all.entries()) {
      for (const [next, unit] of all.slice(at, at + mostAtATime)) {
        if (asked.has(next)) continue;
        const answer = turns.run(helm.render(tree, unit, reading));
        // Whoever waits for it is told.
        answer.catch(() => undefined);
        asked.set(next, answer);
      }
      const result = yield* answered(asked.get(manifest) ?? Promise.resolve(''));
      if (typeof result === 'string') {
        const isStoodIn = units.get(manifest)?.values.isSealed === true && unlooked !== undefined;
        if (isStoodIn) unlooked.add(unitNamed(manifest));
        refuse(manifest, isStoodIn ? withoutKeys : result);
        continue;
      }
      const weight = yield* weighing(result);
      if (!room.take(`${manifest.origin.path}\0${identityOf(manifest.object)}`, area, weight)) {
        refuse(manifest, `what it makes ${noRoom((reading.limits ?? defaultLimits).treeBytes)}`);
        continue;
      }
      rendered.set(manifest, result);
    }
    for (const [manifest, needed] of missingNeeds(units, rendered)) {
      rendered.delete(manifest);
      if (unlooked && unlooked.size > 0) unlooked.add(unitNamed(manifest));
      refuse(manifest, `it depends on ${needed}, which is not rendered`);
    }
    const inNamespaces = [...rendered].flatMap(([manifest, rendering]) => {
      const { makesNamespace = false, namespace } = units.get(manifest)?.release ?? {};
      const origin = units.get(manifest) && rendering.parsed.manifests[0]?.origin;
      return makesNamespace && namespace !== undefined && origin
        ? [{ key: manifest, rendering, namespace, origin }]
        : [];
    });
    const made = [...rendered.values()].flatMap(({ parsed }) => parsed.manifests);
    for (const [manifest, rendering] of withNamespaces(inNamespaces, [...manifests, ...made]))
      rendered.set(manifest, rendering);
    const chartSources = isForOthers ? [] : sourcesOf([...units.values()], manifests, settings);
    return {
      rendered,
      refused,
      charts,
      sources: new Set(chartSources),
      needs: needsOf(units, rendered),
      health: healthOf(units, rendered),
      problems,
    };
  };
  return { render, shareOut: () => room.shareOut() };
}

/** Renders a chart for what is called `unit`; gives the files that it is made from as well. A text says why there is nothing. */
export type RenderChart = (
  release: HelmRelease,
  unit: string,
) => Steps<{ readonly inputs: Unit['inputs']; readonly rendering: Rendering | string }>;

/** Of an area, where all that a release is made from is said by itself. */
export function renderingCharts(
  helm: Helm,
  tree: SourceTree,
  reading: HelmReading,
  sources: Omit<ValueSources, 'manifests'>,
): RenderChart {
  return function* (release, unit) {
    const inputs = new Map<string, string | GitFile>();
    const { chart: from } = release;
    const folder = from.kind === 'folder' ? pathIn('', from.path) : undefined;
    const chart =
      from.kind === 'remote'
        ? yield* helm.fetch({ url: from.url ?? '', name: from.name, version: from.version })
        : folder === undefined
          ? 'its chart is not in the repository'
          : yield* chartIn(folder, tree);
    if (typeof chart === 'string') return { inputs, rendering: chart };
    for (const [path, file] of chart.inputs) inputs.set(path, file);
    for (const path of release.valuesFiles.paths) {
      const file = yield* fileAt(path, tree.files);
      if (file !== undefined) inputs.set(path, file);
    }
    const values = yield* valuesOf(release, chart, tree, { ...sources, manifests: [] });
    if (typeof values === 'string') return { inputs, rendering: values };
    const made = { release, folder: folder ?? chart.name, chart, values, unit };
    return { inputs, rendering: yield* helm.render(tree, made, reading) };
  };
}

/** Of Helm's own operator, whose HelmReleases name one themselves. */
function otherBranchOf({ chart }: HelmRelease, { repositoryBranch }: LoadSettings): string | undefined {
  const revision = chart.kind === 'folder' ? chart.revision : undefined;
  return repositoryBranch === undefined || revision === repositoryBranch ? undefined : revision?.slice(0, 100);
}

const unitNamed = ({ object, origin }: Manifest): string => unitOfRelease(origin, refOf(object));

function isSuspended({ object }: Manifest): boolean {
  const spec = object['spec'];
  return isObject(spec) && spec['suspend'] === true;
}

/** Where charts come from, as far as nobody else was told of it. */
function sourcesOf(
  units: readonly ReleaseUnit[],
  manifests: readonly Manifest[],
  { placeOf }: LoadSettings,
): readonly Manifest[] {
  const found = units.flatMap(({ release }) => sourcesOfRelease(release, manifests));
  return [...new Set(found)].filter(({ object }) => placeOf?.(identityOf(object)) === undefined);
}

/** Objects in Git that say where its chart comes from. */
function sourcesOfRelease({ chart, named }: HelmRelease, manifests: readonly Manifest[]): readonly Manifest[] {
  return [named, chart.kind === 'named' ? undefined : chart.source].flatMap(
    (source) => (source && sourceIn(manifests, source)) ?? [],
  );
}

/** With what an OCIRepository or a HelmChart says in the place of its name. Throws Unusable. */
function withNamedChart(release: HelmRelease, manifests: readonly Manifest[]): HelmRelease {
  if (release.chart.kind !== 'named') return release;
  const { source: named } = release.chart;
  const found = sourceIn(manifests, named);
  const spec = found?.object['spec'];
  const shown = `the ${named.kind} ${namespacedName(named)} of its chart`.slice(0, 300);
  if (!isObject(spec)) throw new Unusable(`${shown} is not in Git`);
  if (named.kind === 'HelmChart') return { ...release, named, ...chartAsked(spec, named.namespace, 'spec') };
  const { url, ref } = spec;
  const [, folder, name] = typeof url === 'string' ? (/^(oci:\/\/.+)\/([^/]+)\/?$/.exec(url) ?? []) : [];
  if (folder === undefined || name === undefined) throw new Unusable(`${shown} has no url of a registry`);
  const { semver, tag, digest } = isObject(ref) ? ref : {};
  if (digest !== undefined) throw new Unusable(`${shown} names a digest, which is not followed: name a tag`);
  const version = semver ?? tag;
  if (typeof version !== 'string') throw new Unusable(`${shown} names neither a tag nor a range (spec.ref)`);
  return { ...release, named, chart: { kind: 'remote', url: folder, name, version, source: undefined } };
}

/** The `Chart.yaml` that a HelmRelease names, whether it is there or not. */
function chartOf(manifest: Manifest): string | undefined {
  const release = readHelmRelease(manifest);
  if (typeof release === 'string' || release.chart.kind !== 'folder') return undefined;
  return pathIn('', `${release.chart.path}/Chart.yaml`);
}

/** What a HelmRelease is made from; a text says why it cannot be rendered. */
function* unitOf(manifest: Manifest, tree: SourceTree, around: Around): Steps<ReleaseUnit | string> {
  if (manifest.origin.renderer === 'helm') return 'a chart made it';
  const written = readHelmRelease(manifest);
  if (typeof written === 'string') return written;
  const release = orReason(() => {
    const whole = withNamedChart(written, around.manifests);
    for (const { object } of sourcesOfRelease(whole, around.manifests)) toldOf(object);
    return whole;
  });
  if (typeof release === 'string') return release;
  let found: { readonly path: string; readonly chart: Chart | string };
  if (release.chart.kind === 'remote') {
    const remote = yield* remoteOf(release.chart, release.named, manifest, around);
    if (typeof remote === 'string') return remote;
    if (release.valuesFiles.paths.length > 0)
      return 'values files of a chart that comes from elsewhere are not followed';
    found = { path: release.chart.name, chart: yield* around.helm.fetch(remote) };
  } else {
    if (release.chart.kind === 'named') return 'its chart is not known';
    const folder = folderOf(release.chart, around);
    if (typeof folder !== 'object') return folder;
    const chart = around.charts.get(folder.path) ?? (yield* chartIn(folder.path, tree));
    around.charts.set(folder.path, chart);
    found = { path: folder.path, chart };
  }
  const { path, chart } = found;
  if (typeof chart === 'string') return chart;
  const values = yield* valuesOf(release, chart, tree, around);
  return typeof values === 'string' ? values : { release, folder: path, chart, values };
}

/** What a HelmRelease may refer to. */
interface Around extends ValueSources {
  readonly settings: LoadSettings;
  readonly helm: Helm;
  /** Of this tree, by folder: many releases may have one. */
  readonly charts: Map<string, Chart | string>;
}

type ChartOf<Kind> = Extract<HelmRelease['chart'], { readonly kind: Kind }>;

/** `described`: the object in Git that says all of it. Undefined: none does. */
function* remoteOf(
  { name, version, url, source, pullSecret }: ChartOf<'remote'>,
  described: SourceRef | undefined,
  asking: Manifest,
  around: Around,
): Steps<RemoteChart | string> {
  const missed = (): unknown => around.encrypted.unlooked?.units.add(unitNamed(asking));
  const withCredentials = function* (repository: Manifest | undefined, at: string): Steps<RemoteChart | string> {
    const isAsked = repository !== undefined && around.helm.fetchesCharts;
    const credentials = isAsked
      ? yield* chartCredentials(repository, at, { ...around, missed }, pullSecret)
      : undefined;
    return typeof credentials === 'string'
      ? credentials
      : { url: at, name, version, ...(credentials ? { credentials } : {}) };
  };
  if (url !== undefined) {
    const named = pullSecret === undefined ? described && sourceIn(around.manifests, described) : asking;
    return yield* withCredentials(named, url);
  }
  const repository = source && sourceIn(around.manifests, source);
  const spec = repository?.object['spec'];
  if (!repository || !isObject(spec))
    return `the HelmRepository ${namespacedName(source ?? { name: '' })} of its chart is not in Git`.slice(0, 300);
  const { url: named } = spec;
  if (typeof named !== 'string') return 'the HelmRepository of its chart has no url';
  return yield* withCredentials(repository, named);
}

const sourceIn = (manifests: readonly Manifest[], { kind, namespace, name }: SourceRef): Manifest | undefined =>
  manifests.find(
    ({ object }) =>
      object.kind === kind &&
      object.apiVersion.startsWith('source.toolkit.fluxcd.io/') &&
      object.metadata.name === name &&
      object.metadata.namespace === namespace,
  );

function folderOf(chart: ChartOf<'folder'>, around: Around): { readonly path: string } | string {
  const elsewhere = otherRepository(chart, around);
  if (elsewhere !== undefined) return elsewhere;
  const path = chart.path.startsWith('/') ? undefined : pathIn('', chart.path);
  return path === undefined ? `its chart ${chart.path.slice(0, 200)} is not in the repository` : { path };
}

/** Why the chart's folder is not looked for here. Undefined: as far as can be told it is of this repository. */
function otherRepository(
  { url, source, path }: ChartOf<'folder'>,
  { manifests, settings: { repositoryUrl } }: Around,
): string | undefined {
  const found = source && sourceIn(manifests, source);
  const spec = found?.object['spec'];
  const { url: named = url, ref } = isObject(spec) ? spec : {};
  const at = isObject(ref) ? ['tag', 'semver', 'commit', 'name'].find((field) => ref[field] !== undefined) : undefined;
  const shown = `its chart ${path.slice(0, 100)} comes from`;
  if (repositoryUrl !== undefined && typeof named === 'string' && !isSameRepositoryUrl(named, repositoryUrl))
    return `${shown} another repository, ${shownOrigin(named)}: only charts of this one are rendered`;
  return at === undefined
    ? undefined
    : `${shown} another revision (spec.ref.${at} of the GitRepository): only this one is rendered`;
}

/** One that an agent applied which did not render it: whoever rendered it then may still do so. */
function isAppliedForOthers({ object }: Manifest, { placeOf }: LoadSettings): boolean {
  const said = object.metadata.annotations?.[choice];
  return said === 'false' || (said !== 'true' && placeOf?.(identityOf(object)) !== undefined);
}

/** As Flux has Helm wait, unless it is told not to. */
function healthOf(units: ReadonlyMap<Manifest, ReleaseUnit>, rendered: ReadonlyMap<Manifest, Rendering>): UnitHealths {
  const health = new Map<string, UnitHealth>();
  for (const manifest of rendered.keys()) {
    const timeoutMs = units.get(manifest)?.release.timeoutMs;
    if (timeoutMs === undefined) continue;
    const name = `HelmRelease ${namespacedName(manifest.object.metadata)}`;
    health.set(unitNamed(manifest), { name, checks: 'all', timeoutMs });
  }
  return health;
}

/** As Helm waits for what it installs, unless it is told not to. */
function needsOf(units: ReadonlyMap<Manifest, ReleaseUnit>, rendered: ReadonlyMap<Manifest, Rendering>): UnitNeeds {
  const byKey = new Map([...rendered.keys()].map((manifest) => [namespacedName(manifest.object.metadata), manifest]));
  const needs = new Map<string, readonly UnitNeed[]>();
  for (const manifest of rendered.keys()) {
    const own = (units.get(manifest)?.release.dependsOn ?? []).flatMap((key): readonly UnitNeed[] => {
      const needed = byKey.get(key);
      const release = needed && units.get(needed)?.release;
      return release
        ? [
            {
              unit: unitNamed(needed),
              name: `HelmRelease ${key}`,
              checks: release.isWaitedFor === false ? [] : 'all',
            },
          ]
        : [];
    });
    if (own.length > 0) needs.set(unitNamed(manifest), own);
  }
  return needs;
}

/** Those that depend, directly or not, on one that is not rendered or on themselves, with the first that is missing. */
function missingNeeds(
  units: ReadonlyMap<Manifest, ReleaseUnit>,
  rendered: ReadonlyMap<Manifest, Rendering>,
): ReadonlyMap<Manifest, string> {
  const left = new Map([...rendered.keys()].map((manifest) => [namespacedName(manifest.object.metadata), manifest]));
  const done = new Set<string>();
  for (let before = -1; before !== done.size; ) {
    before = done.size;
    for (const [key, manifest] of left)
      if (units.get(manifest)?.release.dependsOn.every((needed) => done.has(needed)) === true) done.add(key);
  }
  const missing = new Map<Manifest, string>();
  for (const [key, manifest] of left) {
    const needed = units.get(manifest)?.release.dependsOn.find((one) => !done.has(one));
    if (!done.has(key) && needed !== undefined) missing.set(manifest, needed.slice(0, 200));
  }
  return missing;
}
