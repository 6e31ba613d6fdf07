import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { messageOf } from '../lib/errors.ts';
import { sha256Hex } from '../lib/hash.ts';
import { shownOrigin } from '../lib/http/shown-url.ts';
import { LatestUsed } from '../lib/latest-used.ts';
import { createLimit } from '../lib/limit.ts';
import { answered, type Steps } from '../lib/turns.ts';
import { nameOf } from '../manifest/identity.ts';
import { isClusterScoped } from '../manifest/kinds.ts';
import type { Rendering } from '../manifest/load.ts';
import { defaultLimits, type ManifestLimits } from '../manifest/limits.ts';
import type { ParsedFiles } from '../manifest/parsed-files.ts';
import { weighing } from '../manifest/tree-budget.ts';
import { type HelmOrigin, type KubeObject, refOf, unitOfRelease } from '../manifest/types.ts';
import { chartAccess } from './chart-access.ts';
import type { Capabilities, Chart, RemoteChart } from './chart.ts';
import { changingWords, differing, lookingUp } from './helm-determinism.ts';
import type { HelmRelease } from './helm-release.ts';
import type { ReleaseValues } from './helm-values.ts';
import { withMetadata } from './flux-output.ts';
import type { Kustomize } from './kustomize.ts';
import { exactText, fileBytes } from './file-bytes.ts';
import { readingPlain } from './plain.ts';
import type { SourceTree } from './renderer.ts';
import type { EncryptedFiles } from './encrypted-files.ts';
import { unquoted, untold } from './encrypted-inputs.ts';
import { makeRunFolder, memoryFolder, type RunFolder } from './run-folder.ts';
import { inFolder, type ToolLimits, type ToolResult } from './run-tool.ts';
import { sourceBytes } from './source-bytes.ts';
import type { GitFile } from './tree-files.ts';
import { createToolProgram } from './tool-program.ts';
import { masked, shownReason } from './tool-reason.ts';

export interface HelmOptions {
  /** Path of the program, version 3. */
  readonly program: string;
  /** Absent: what one that is meant well never takes. */
  readonly limits?: ToolLimits;
  /** Where folders are made in which it is run, each for a moment. Absent: the machine's for such. */
  readonly folder?: string;
  /** Charts of indexes and registries may be fetched. Absent: nothing is asked of the network. */
  readonly fetchesCharts?: boolean;
  /** Runs post-renderers. Absent: releases that have some are refused. */
  readonly kustomize?: Pick<Kustomize, 'transform'> | undefined;
  /** What the cluster is. Rejects where it is not known yet. Absent: what Helm takes for granted. */
  readonly capabilities?: () => Promise<Capabilities>;
}

/** The program `helm`. One for all who render trees of a repository: what was rendered for one is not rendered for the next. */
export interface Helm {
  /** How often the program was asked to render. */
  readonly runs: number;
  /** Equal inputs give the same rendering, without any work. A text says why there is none. */
  render(tree: SourceTree, unit: ReleaseUnit, reading: HelmReading): Steps<Rendering | string>;
  /** Whether charts are fetched at all. */
  readonly fetchesCharts: boolean;
  /** The chart of an index, fetched where that may be. A text says why it is not. */
  fetch(chart: RemoteChart): Steps<Chart | string>;
  /** Ends the programs that run. */
  close(): Promise<void>;
}

/** A HelmRelease with all that its objects are made from. */
export interface ReleaseUnit {
  readonly release: HelmRelease;
  /** Folder of the chart, from the repository's root. */
  readonly folder: string;
  readonly chart: Chart;
  readonly values: ReleaseValues;
  /** What its objects are applied for. Absent: what the HelmRelease itself comes from. */
  readonly unit?: string;
}

export interface HelmReading {
  readonly parsed: ParsedFiles;
  readonly limits?: ManifestLimits | undefined;
  /** Absent: nothing is secret. */
  readonly encrypted?: EncryptedFiles | undefined;
}

const defaultToolLimits: ToolLimits = {
  timeMs: 20_000,
  memoryBytes: 512 * 1024 * 1024,
  outputBytes: 16 * 1024 * 1024,
};
/** Programs that run side by side. */
const mostRuns = 2;
/** Bytes that a release may be made from. */
const mostInputBytes = 16 * 1024 * 1024;
/** Renderings that are kept, the latest used. */
const mostKept = 2_000;
/** What they may take, as a part of what one tree may: it is in there, and what is rendered for it has to fit beside. */
const keptShare = 1.5;
/** As Helm made them they are needed again only where a HelmRelease has moved; most of each stands in the other as well. */
const keptBareShare = 0.5;
/** So many releases that failed are remembered. */
const mostFailed = 500;
/** What failed for a reason that may pass is tried again after so long. */
const retryMs = 300_000;
const retryFetchMs = 60_000;
/** So long a range of versions means what it meant. */
const rangeMs = 600_000;
const mostFetched = 200;
const mostFetchedBytes = 64 * 1024 * 1024;
/** Of a server that may be slow. */
const fetchLimits: ToolLimits = { timeMs: 60_000, memoryBytes: 512 * 1024 * 1024, outputBytes: 64 * 1024 };
/** So long after the first time is rendered again what may change with time. */
const apartMs = 1_100;

type Rendered = Rendering | string;

export function createHelm({
  program,
  limits = defaultToolLimits,
  folder: place = tmpdir(),
  fetchesCharts = false,
  kustomize,
  capabilities,
}: HelmOptions): Helm {
  /** By content: of the objects as Helm makes them. */
  const known = new LatestUsed<Rendered>(mostKept);
  /** By content and place of the HelmRelease: the same in its namespace, with their origin. */
  const placed = new LatestUsed<Rendering>(mostKept);
  const fetched = new LatestUsed<{ readonly chart: Chart | string; readonly untilMs: number }>(mostFetched);
  const fetching = new Map<string, Promise<Chart | string>>();
  const failed = new LatestUsed<{ readonly reason: string; readonly untilMs: number }>(mostFailed);
  const limit = createLimit(mostRuns);
  let runs = 0;
  const tool = createToolProgram({
    program,
    limits,
    name: 'helm',
    major: 3,
    versionArgs: ['version', '--short'],
    folder: place,
    environmentIn: (root) => {
      // Its own folders, or it would look for them in somebody's home.
      const own = ['CACHE', 'CONFIG', 'DATA'].map((name) => [`HELM_${name}_HOME`, join(root, 'helm')]);
      return {
        ...Object.fromEntries(own),
        HELM_PLUGINS: join(root, 'none'),
        GOMAXPROCS: '1',
        GOMEMLIMIT: '384MiB',
      };
    },
  });
  const { signal } = tool;

  const template = async (
    { release, folder, chart, values }: ReleaseUnit,
    contents: ReadonlyMap<string, Uint8Array>,
    { kubeVersion, apiVersions }: Partial<Capabilities>,
  ): Promise<ToolResult> => {
    const work = async (root: string): Promise<ToolResult> => {
      const staged = join(root, chartFolder);
      for (const [path, content] of contents) {
        await mkdir(dirname(join(staged, path)), { recursive: true });
        await writeFile(join(staged, path), content, { flag: 'wx' });
      }
      const args = ['template', release.name, staged, '--namespace', release.namespace, '--skip-tests'];
      if (release.crds !== 'Skip') args.push('--include-crds');
      if (!release.hasHooks) args.push('--no-hooks');
      if (!release.checksSchema) args.push('--skip-schema-validation');
      if (kubeVersion !== undefined) args.push('--kube-version', kubeVersion);
      // One argument has a limit that a cluster with thousands of definitions is over.
      for (let at = 0; apiVersions && at < apiVersions.length; at += namesAnArgument)
        args.push('--api-versions', apiVersions.slice(at, at + namesAnArgument).join(','));
      for (const [at, { content }] of values.files.entries()) {
        const name = join(root, `values-${at}.yaml`);
        await writeFile(name, content, { flag: 'wx', mode: 0o600 });
        args.push('--values', name);
      }
      args.push(...(release.parameters ?? []));
      runs += 1;
      const result = await tool.run(root, args);
      if (result.kind === 'done') return result;
      if (values.isSealed && result.kind === 'failed' && result.isFinal)
        return { ...result, reason: unquoted(result.reason, contents.keys()) };
      const secret = values.files.flatMap(({ content, isSecret }) =>
        isSecret ? [Buffer.concat([Buffer.from('Secret\n'), content])] : [],
      );
      const said = masked(result.reason, [...contents.values(), ...secret]);
      const reason = said
        .replaceAll(/^Use --debug flag.*$/gm, '')
        .replaceAll(`${staged}/`, '')
        .replaceAll(root, '')
        .replaceAll(`(${chart.name}/`, folder === '' ? '(' : `(${folder}/`);
      return { ...result, reason: shownReason(reason) };
    };
    return await inFolder(values.isSealed ? memoryFolder(place) : place, 'serin-helm-', work, signal);
  };

  function* render(tree: SourceTree, unit: ReleaseUnit, reading: HelmReading): Steps<Rendered> {
    const version = yield* answered(tool.version());
    if (version.problem !== undefined) return version.problem;
    let cluster: Partial<Capabilities> = {};
    try {
      if (capabilities) cluster = yield* answered(capabilities());
    } catch {
      return 'the cluster has not told its version yet';
    }
    const content = keyOf(version.said, cluster, unit);
    const origin = originOf(unit);
    const key = sha256Hex(JSON.stringify([content, origin, unit.release.labels, unit.release.annotations]));
    const before = placed.get(key);
    if (before) return before;
    const fault = failed.get(content);
    if (fault && performance.now() < fault.untilMs) return fault.reason;
    failed.delete(content);
    const { treeBytes } = reading.limits ?? defaultLimits;
    let rendered = known.get(content);
    if (rendered === undefined) {
      rendered = yield* renderAnew(tree, unit, { ...reading, content, cluster });
      if (typeof rendered !== 'string')
        known.set(content, rendered, yield* weighing(rendered), keptBareShare * treeBytes);
      else if (failed.get(content) === undefined) known.set(content, rendered);
    }
    if (typeof rendered === 'string') return rendered;
    const salt = unit.values.isSealed && reading.encrypted ? yield* reading.encrypted.salt() : undefined;
    const rendering = renderingAt(rendered, unit, origin, salt);
    placed.set(key, rendering, yield* weighing(rendering), keptShare * treeBytes);
    return rendering;
  }

  const afterwards = async (output: Uint8Array, postRenderers: HelmRelease['postRenderers']): Promise<ToolResult> => {
    let result: ToolResult = { kind: 'done', output };
    for (const one of postRenderers) {
      if (result.kind !== 'done') return result;
      if (!kustomize) return { kind: 'missing', reason: 'there is no program kustomize of version 5', isAbsent: true };
      result = await kustomize.transform(result.output, one);
    }
    return result;
  };

  function* renderAnew(
    tree: SourceTree,
    unit: ReleaseUnit,
    {
      content,
      cluster,
      ...reading
    }: HelmReading & { readonly content: string; readonly cluster: Partial<Capabilities> },
  ): Steps<Rendered> {
    const contents = new Map<string, Uint8Array>();
    let bytes = 0;
    for (const [path, file] of unit.chart.files) {
      const read = yield* sourceBytes(file, tree.files);
      bytes += read.length;
      if (bytes > mostInputBytes) return `its chart takes more than ${mostInputBytes / 1024 / 1024} MiB`;
      contents.set(path, read);
    }
    // The values files that a release names take the place of the chart's own.
    if (isInsteadOfOwn(unit.release)) contents.set('values.yaml', Buffer.from('{}\n'));
    const makeOnce = function* (turn: string): Steps<Rendered> {
      const result = yield* answered(limit(() => template(unit, contents, cluster)));
      const { postRenderers } = unit.release;
      const transformed =
        result.kind === 'done' && postRenderers.length > 0
          ? yield* answered(afterwards(result.output, postRenderers))
          : result;
      if (transformed.kind !== 'done' && result.kind === 'done') {
        const isQuoting = unit.values.isSealed && transformed.kind === 'failed' && transformed.isFinal;
        const why = `its post-renderers cannot be followed (${isQuoting ? unquoted('', []) : transformed.reason})`;
        if (transformed.kind !== 'failed' || !transformed.isFinal)
          failed.set(content, { reason: why, untilMs: performance.now() + retryMs });
        return why;
      }
      if (transformed.kind === 'done') {
        const file = { oid: `${content}${turn}`, isRendered: true } as const;
        return yield* readingPlain(reading.parsed, 'rendered.yaml', transformed.output, file, reading.limits);
      }
      const reason = `Helm cannot render it (${transformed.reason})`;
      if (transformed.kind !== 'failed' || !transformed.isFinal)
        failed.set(content, { reason, untilMs: performance.now() + retryMs });
      return reason;
    };
    const made = yield* makeOnce('');
    if (typeof made === 'string') return made;
    const rendered = withWarning(made, lookingUp(contents), unit);
    if (!changingWords(contents.values())) return rendered;
    yield* answered(new Promise((resolve) => setTimeout(resolve, apartMs)));
    const again = yield* makeOnce(' again');
    const changed =
      typeof again === 'string' ? undefined : differing(rendered.parsed.manifests, again.parsed.manifests);
    return changed === undefined
      ? rendered
      : `${changed} is another one each time that its chart is rendered: give it a value of its own`;
  }

  const fetchNow = async ({ url, name, version, credentials }: RemoteChart): Promise<Chart | string> => {
    let folder: RunFolder | undefined;
    try {
      folder = await makeRunFolder(credentials ? memoryFolder(place) : place, 'serin-chart-');
      const root = folder.path;
      const target = join(root, 'fetched');
      const isRegistry = url.startsWith('oci://');
      const access = credentials && (await chartAccess(root, url, credentials));
      const of = isRegistry
        ? [`${url.replace(/\/+$/, '')}/${name}`, ...(access?.args ?? [])]
        : access
          ? [`${access.repository}/${name}`]
          : [name, '--repo', url];
      const run = (args: readonly string[]): Promise<ToolResult> =>
        tool.run(root, args, fetchLimits, access ? { environment: access.environment } : {});
      // By what it is called in a file: on a command line credentials could be read.
      const listed =
        access && !isRegistry
          ? await run(['repo', 'update', access.repository, '--fail-on-repo-update-fail'])
          : undefined;
      const result =
        listed && listed.kind !== 'done'
          ? listed
          : await run(['pull', ...of, '--version', version, '--untar', '--untardir', target]);
      // Why not, Helm says where it tells of indexes that it read.
      if (listed?.kind === 'failed' && listed.isFinal)
        return `its chart ${name} cannot be fetched (the index of ${shownOrigin(url)} cannot be read: look at its URL, and at the credentials)`;
      if (result.kind !== 'done') {
        const said = access ? access.hidden(result.reason) : result.reason;
        return `its chart ${name} cannot be fetched (${shownReason(said.replaceAll(root, ''))})`;
      }
      return await readChart(join(target, name.slice(name.lastIndexOf('/') + 1)), name);
    } catch (error) {
      signal.throwIfAborted();
      return `its chart ${name} cannot be fetched (${shownReason(messageOf(error).replaceAll(folder?.path ?? place, ''))})`;
    } finally {
      await folder?.remove();
    }
  };
  function* fetch(chart: RemoteChart): Steps<Chart | string> {
    if (!fetchesCharts)
      return `its chart ${chart.name} is fetched only with --remote-charts: or put it into this repository (helm pull --untar), and name its folder`;
    const wrong = refusedRemote(chart);
    if (wrong !== undefined) return wrong;
    const { problem } = yield* answered(tool.version());
    if (problem !== undefined) return problem;
    // Whoever has other credentials may not have what these bring.
    const secret = chart.credentials ? [sha256Hex(JSON.stringify(chart.credentials))] : [];
    const key = JSON.stringify([chart.url, chart.name, chart.version, ...secret]);
    const before = fetched.get(key);
    const now = performance.now();
    if (before && now < before.untilMs) return before.chart;
    const asked = fetching.get(key) ?? limit(() => fetchNow(chart)).finally(() => fetching.delete(key));
    fetching.set(key, asked);
    const got = yield* answered(asked);
    // What was there goes on while its server does not answer.
    const found = typeof got === 'string' && typeof before?.chart === 'object' ? before.chart : got;
    const freshMs = typeof got === 'string' ? retryFetchMs : isExact(chart.version) ? Infinity : rangeMs;
    fetched.set(key, { chart: found, untilMs: performance.now() + freshMs }, bytesOf(found), mostFetchedBytes);
    return found;
  }

  return {
    get runs() {
      return runs;
    },
    fetchesCharts,
    render,
    fetch,
    close: () => tool.close(),
  };
}

const isInsteadOfOwn = ({ valuesFiles: { paths, replaceOwn } }: HelmRelease): boolean => replaceOwn && paths.length > 0;

const chartFolder = 'chart';
const namesAnArgument = 400;

/** Why a chart is not asked for: what it is named by becomes an argument. */
function refusedRemote({ url, name, version }: RemoteChart): string | undefined {
  if (!/^(?:https?|oci):\/\/[^\s@]+$/.test(url) || !URL.canParse(url))
    return 'its chart comes from no URL that can be asked (no credentials stand in it)';
  if (!/^[A-Za-z0-9][\w./-]*$/.test(name) || name.includes('..'))
    return `its chart is named ${JSON.stringify(name.slice(0, 100))}`;
  return !isRange(version) ? `the version ${JSON.stringify(version.slice(0, 100))} of its chart is none` : undefined;
}

const isExact = (version: string): boolean => /^v?\d+\.\d+\.\d+(?:[-+][\w.+-]*)?$/.test(version);
/** Helm tells what else is wrong with it. */
const isRange = (version: string): boolean => /^[\w.*<>=~^][\w.*+<>=~^|, -]*$/.test(version);

async function readChart(folder: string, name: string): Promise<Chart | string> {
  const files = new Map<string, GitFile>();
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const shown = relative(folder, path);
    if (!entry.isFile()) return `${shown} of its chart is a symbolic link`;
    const content = await readFile(path);
    bytes += content.length;
    if (bytes > mostInputBytes) return `its chart takes more than ${mostInputBytes / 1024 / 1024} MiB`;
    files.set(shown, { oid: blobId(content), text: exactText(content) });
  }
  return { files, inputs: new Map(), name: name.slice(name.lastIndexOf('/') + 1) };
}

/** Of the texts that are kept. */
function bytesOf(chart: Chart | string): number {
  if (typeof chart === 'string') return 0;
  let bytes = 0;
  for (const file of chart.files.values()) bytes += (typeof file === 'string' ? file : (file.text ?? '')).length;
  return bytes;
}

const blobId = (content: Uint8Array): string =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

/** `path`: of a template that looks something up. */
function withWarning(made: Rendering, path: string | undefined, { release, folder }: ReleaseUnit): Rendering {
  if (path === undefined) return made;
  const name = nameOf(refOf(release.manifest.object));
  const shown = folder === '' ? path : `${folder}/${path}`;
  const message = `${name}: ${shown} looks something up in the cluster, and finds nothing here`;
  const hint = 'where it matters, give the value that is looked up in spec.values';
  const problems = [...made.parsed.problems, { severity: 'warning' as const, path: '', line: 1, message, hint }];
  return { ...made, parsed: { ...made.parsed, problems } };
}

function renderingAt(
  read: Rendering,
  { release, chart, values }: ReleaseUnit,
  origin: HelmOrigin,
  salt: string | undefined,
): Rendering {
  const sealed = salt === undefined ? {} : { sealed: salt };
  const problems = read.parsed.problems.map((problem) => ({
    ...(values.isSealed && problem.severity === 'error' ? untold(problem) : problem),
    path: origin.path,
    line: origin.line,
  }));
  const manifests = read.parsed.manifests.map(({ object }) => ({
    object: placedIn(release, object),
    origin,
    ...sealed,
  }));
  return {
    ...read,
    parsed: { ...read.parsed, manifests, problems, stray: undefined },
    placed: undefined,
    madeFrom: new Set([...chart.inputs.keys(), ...values.paths]),
  };
}

function originOf({ release, unit }: ReleaseUnit): HelmOrigin {
  const { object, origin } = release.manifest;
  const { path, line } = origin;
  return {
    renderer: 'helm',
    path,
    line,
    document: undefined,
    namespace: undefined,
    unit: unit ?? unitOfRelease(origin, refOf(object)),
    release: refOf(object),
    source: origin.renderer === 'helm' ? origin.source : origin,
  };
}

/** In the namespace of the release; a definition out of a chart's folder `crds` as Helm treats those. */
function placedIn({ namespace, crds, ...release }: HelmRelease, object: KubeObject): KubeObject {
  const { metadata } = withMetadata(object, release);
  if (object.kind === 'CustomResourceDefinition') {
    // Helm never deletes one, nor what was made of it.
    const annotations = {
      ...metadata.annotations,
      'helm.sh/resource-policy': 'keep',
      ...(crds === 'Create' ? { 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' } : {}),
    };
    return { ...object, metadata: { ...metadata, annotations } };
  }
  if (isClusterScoped(object) || metadata.namespace !== undefined)
    return metadata === object.metadata ? object : { ...object, metadata };
  return { ...object, metadata: { ...metadata, namespace } };
}

function keyOf(version: string, { kubeVersion, apiVersions }: Partial<Capabilities>, unit: ReleaseUnit): string {
  const { release, chart, values } = unit;
  const files = [...chart.files].map(([path, file]) => [path, oidOf(file)]);
  return sha256Hex(
    JSON.stringify([
      [version, kubeVersion, sha256Hex(JSON.stringify((apiVersions ?? []).toSorted()))],
      [release.name, release.namespace, release.crds, release.hasHooks, release.checksSchema],
      [isInsteadOfOwn(release), release.postRenderers],
      ...(release.parameters ? [release.parameters] : []),
      [...values.files.map(({ content }) => sha256Hex(content)), ...(values.isSealed ? ['sealed'] : [])],
      files.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    ]),
  );
}

/** As Git names it, so that an edit that was proven is not rendered again when it has come back from Git. */
function oidOf(file: ReleaseUnit['chart']['files'] extends ReadonlyMap<string, infer Input> ? Input : never): string {
  if (typeof file === 'object') return file.oid;
  return blobId(Buffer.from(fileBytes(file)));
}
