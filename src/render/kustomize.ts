import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sha256Hex } from '../lib/hash.ts';
import { LatestUsed } from '../lib/latest-used.ts';
import { createLimit } from '../lib/limit.ts';
import { answered, type Steps } from '../lib/turns.ts';
import type { Rendering } from '../manifest/load.ts';
import { defaultLimits, type ManifestLimits } from '../manifest/limits.ts';
import type { ParsedFiles } from '../manifest/parsed-files.ts';
import { weighing } from '../manifest/tree-budget.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import { writtenInFiles } from './kustomize-edit.ts';
import { settingImage } from './kustomize-image.ts';
import { kustomizeOrigins, sourcePath, withoutOrigin } from './kustomize-origin.ts';
import { readSources, sourceProblems } from './kustomize-sources.ts';
import { filledIn, withCommon } from './flux-output.ts';
import { type EncryptedFiles } from './encrypted-files.ts';
import { holdsOpened, openedInputs, type OpenedInputs, unguessableName, unquoted, untold } from './encrypted-inputs.ts';
import { isConfigMap } from './encrypted-plain.ts';
import type { Capabilities } from './chart.ts';
import { changingWords, lookingUp } from './helm-determinism.ts';
import { bounds, changedLine, chartAccessories, lookedUp, noCharts } from './kustomize-charts.ts';
import { kustomizationUnits } from './kustomize-units.ts';
import { readingPlain } from './plain.ts';
import type { Edit, EditGoal, Renderer, SourceTree, Unit } from './renderer.ts';
import { memoryFolder } from './run-folder.ts';
import { inFolder, type ToolLimits, type ToolResult } from './run-tool.ts';
import { withoutKeys } from './sops-stand-in.ts';
import { sourceBytes } from './source-bytes.ts';
import { createToolProgram } from './tool-program.ts';
import { masked, shownReason } from './tool-reason.ts';
import { contentOf } from './unit-content.ts';

export interface KustomizeOptions {
  /** Path of the program, version 5. */
  readonly program: string;
  /** Absent: what one that is meant well never takes. */
  readonly limits?: ToolLimits;
  /** Where folders are made in which it is run, each for a moment. Absent: the machine's for such. */
  readonly folder?: string;
  /** Renders `helmCharts`. Absent: they are refused. */
  readonly helm?: ChartProgram | undefined;
}

/** Helm, as kustomize calls it. */
interface ChartProgram {
  readonly program: string;
  /** What the cluster is. Rejects where it is not known yet. Absent: what Helm takes for granted. */
  readonly capabilities?: () => Promise<Capabilities>;
}

/** The program `kustomize`. One for all who render trees of a repository: what was rendered for one is not rendered for the next. */
export interface Kustomize {
  /** How often the program was asked to render. */
  readonly runs: number;
  /** Whether kustomizations may have charts. */
  readonly rendersCharts: boolean;
  /** Changes objects, a stream of YAML, as a kustomization of nothing else says. It names no files. */
  transform(objects: Uint8Array, kustomization: Readonly<Record<string, unknown>>): Promise<ToolResult>;
  renderer(reading: KustomizeReading, edit: (goal: EditGoal) => Steps<Edit>): Renderer;
  /** Ends the programs that run. */
  close(): Promise<void>;
}

interface KustomizeReading {
  readonly parsed: ParsedFiles;
  readonly limits?: ManifestLimits | undefined;
  /** Absent: what is encrypted is taken as it is. */
  readonly encrypted?: EncryptedFiles | undefined;
}

const defaultToolLimits: ToolLimits = {
  timeMs: 20_000,
  memoryBytes: 384 * 1024 * 1024,
  outputBytes: 16 * 1024 * 1024,
};
/** Programs that run side by side. */
const mostRuns = 2;
/** Bytes that a unit may be made from. */
const mostInputBytes = 32 * 1024 * 1024;
/** Renderings that are kept, the latest used. */
const mostKept = 2_000;
/** What they may take, as a part of what one tree may: it is in there, and what is rendered for it has to fit beside. */
const keptShare = 1.5;
/** What failed for a reason that may pass is tried again after so long. */
const retryMs = 300_000;
/** So many of those are remembered. */
const mostFailed = 500;

/** So long after the first time is rendered again what may change with time. */
const apartMs = 1_100;
const untoldChange =
  'kustomize is not rendered here: what its charts make is something else each time: give it a value of its own';

type Rendered = Rendering | string;

export function createKustomize({
  program,
  limits = defaultToolLimits,
  folder: place = tmpdir(),
  helm,
}: KustomizeOptions): Kustomize {
  const known = new LatestUsed<Rendered>(mostKept);
  const failed = new LatestUsed<{ readonly reason: string; readonly untilMs: number }>(mostFailed);
  const limit = createLimit(mostRuns);
  let runs = 0;
  const tool = createToolProgram({
    program,
    limits,
    name: 'kustomize',
    major: 5,
    versionArgs: ['version'],
    folder: place,
    environmentIn: () => bounds,
  });

  const build = async (
    unit: Unit,
    { contents, opened }: OpenedInputs,
    cluster: Partial<Capabilities>,
  ): Promise<ToolResult> => {
    const hasSecrets = opened.size > 0 || unit.root?.hasSecretValues === true;
    const work = async (root: string): Promise<ToolResult> => {
      const tree = join(root, treeFolder);
      for (const [path, content] of contents) {
        await mkdir(dirname(join(tree, path)), { recursive: true });
        await writeFile(join(tree, path), content, { flag: 'wx' });
      }
      const above = unit.root?.folder ?? (dirname(unit.path) === '.' ? '' : dirname(unit.path));
      if (unit.root) {
        await mkdir(join(tree, above), { recursive: true });
        await writeFile(join(tree, unit.root.path), unit.root.kustomization);
      }
      // It asks for origins, so that nothing has to be written into what somebody else wrote.
      const wrapper = {
        resources: [`../${treeFolder}${above === '' ? '' : `/${above}`}`],
        buildMetadata: ['originAnnotations'],
      };
      await mkdir(join(root, 'unit'));
      await writeFile(join(root, 'unit', 'kustomization.yaml'), JSON.stringify(wrapper));
      runs += 1;
      const charts = unit.charts && helm ? await chartAccessories(root, helm.program, cluster) : noCharts;
      const args = ['build', '--load-restrictor', 'LoadRestrictionsRootOnly', ...charts.args, '.'];
      const result = await tool.run(join(root, 'unit'), args, limits, charts);
      if (result.kind !== 'failed') return result;
      // What it takes too long or too much for is not its own word.
      if (hasSecrets && result.isFinal) return { ...result, reason: unquoted(result.reason, contents.keys()) };
      return { ...result, reason: shownReason(withoutFolders(masked(result.reason, contents.values()), root)) };
    };
    return await inFolder(opened.size > 0 ? memoryFolder(place) : place, 'serin-render-', work, tool.signal);
  };

  const transform: Kustomize['transform'] = async (objects, kustomization) => {
    const { problem } = await tool.version();
    if (problem !== undefined) return { kind: 'missing', reason: problem, isAbsent: false };
    const work = async (root: string): Promise<ToolResult> => {
      await writeFile(join(root, 'objects.yaml'), objects, { flag: 'wx' });
      const whole = JSON.stringify({ ...kustomization, resources: ['objects.yaml'] });
      await writeFile(join(root, 'kustomization.yaml'), whole, { flag: 'wx' });
      runs += 1;
      const result = await tool.run(root, ['build', '--load-restrictor', 'LoadRestrictionsRootOnly', '.']);
      if (result.kind === 'done') return result;
      return { ...result, reason: shownReason(withoutFolders(masked(result.reason, [objects]), root)) };
    };
    return await inFolder(place, 'serin-render-', work, tool.signal);
  };

  function* render(
    tree: SourceTree,
    unit: Unit,
    { parsed, limits: manifestLimits, encrypted }: KustomizeReading,
  ): Steps<Rendered> {
    const version = yield* answered(tool.version());
    if (version.problem !== undefined) return `kustomize is not rendered here (${version.problem})`;
    let cluster: Partial<Capabilities> = {};
    try {
      if (unit.charts?.saysCapabilities === false && helm?.capabilities) cluster = yield* answered(helm.capabilities());
    } catch {
      return 'kustomize is not rendered here: the cluster has not told its version yet';
    }
    const key = keyOf(version.said, unit, cluster);
    const before = known.get(key);
    if (before !== undefined) return before;
    const fault = failed.get(key);
    if (fault && performance.now() < fault.untilMs) return fault.reason;
    const contents = new Map<string, Uint8Array>();
    let bytes = 0;
    for (const [path, file] of unit.inputs) {
      const content = yield* sourceBytes(file, tree.files);
      bytes += content.length;
      if (bytes > mostInputBytes) return 'kustomize is not rendered here (it is made from more than 32 MiB)';
      contents.set(path, content);
    }
    const opened = yield* openedInputs(unit, contents, encrypted);
    if (typeof opened === 'string') return `kustomize is not rendered here: ${opened}`;
    const result = yield* answered(limit(() => build(unit, opened, cluster)));
    if (result.kind !== 'done') {
      const unlooked = opened.opened.size > 0 ? encrypted?.unlooked : undefined;
      unlooked?.units.add(unit.path);
      const reason = unlooked ? withoutKeys : `kustomize cannot render this (${result.reason})`;
      if (result.kind === 'failed' && result.isFinal) known.set(key, reason);
      else failed.set(key, { reason, untilMs: performance.now() + retryMs });
      return reason;
    }
    failed.delete(key);
    if (unit.charts && changingWords(opened.contents.values())) {
      yield* answered(new Promise((resolve) => setTimeout(resolve, apartMs)));
      const again = yield* answered(limit(() => build(unit, opened, cluster)));
      if (again.kind === 'done' && !Buffer.from(again.output).equals(result.output)) {
        const why = `kustomize is not rendered here: what its charts make is something else each time (${changedLine(result.output, again.output)}): give it a value of its own`;
        known.set(key, opened.opened.size > 0 ? untoldChange : why);
        return known.get(key) ?? why;
      }
    }
    const filled = filledIn(result.output, unit.root?.values);
    if (typeof filled === 'string') {
      const hasSecrets = opened.opened.size > 0 || unit.root?.hasSecretValues === true;
      const why = hasSecrets ? `its variables cannot be filled in (${unquoted('', [])})` : filled;
      known.set(key, why);
      return why;
    }
    const hasSecrets = opened.opened.size > 0 || unit.root?.hasSecretValues === true;
    const salt = hasSecrets ? ((yield* encrypted?.salt() ?? none()) ?? '') : undefined;
    const whole = { key, parsed, limits: manifestLimits, opened, salt };
    const output = salt === undefined ? filled : yield* withUnguessableNames(filled, unit, whole);
    const rendering = yield* renderingOf(tree, unit, { ...whole, output });
    const open = rendering.parsed.manifests.find(
      ({ object, origin }) => isConfigMap(object) && opened.opened.has(origin.path),
    );
    if (open) {
      const why = `kustomize is not rendered here: the ConfigMap ${open.object.metadata.name} in ${open.origin.path} is encrypted with SOPS, and everybody who reads ConfigMaps could read it: make it a Secret`;
      known.set(key, why);
      return why;
    }
    const { treeBytes } = manifestLimits ?? defaultLimits;
    const looking = unit.charts && lookingUp(opened.contents);
    const told = looking === undefined ? rendering : lookedUp(rendering, looking);
    known.set(key, told, yield* weighing(told), keptShare * treeBytes);
    return told;
  }

  return {
    get runs() {
      return runs;
    },
    rendersCharts: helm !== undefined,
    transform: (objects, kustomization) => limit(() => transform(objects, kustomization)),
    renderer: (reading, edit) => ({
      name: 'kustomize',
      detect: kustomizationUnits,
      render: (tree, unit) => render(tree, unit, reading),
      forget(unit) {
        const content = contentOf(unit);
        for (const key of known.keys()) if (key.endsWith(content)) known.delete(key);
      },
      *edit(goal) {
        if (goal.kind === 'field') return (yield* settingImage(goal)) ?? (yield* edit(goal));
        // Resources are written as they are, so they are edited as plain files. What else made the objects is found by rendering: `restoreRendered`.
        return yield* edit({ ...goal, objects: yield* writtenInFiles(goal) });
      },
    }),
    close: () => tool.close(),
  };
}

/** Beside the kustomization that is built. */
const treeFolder = 'tree';

interface Output extends Omit<KustomizeReading, 'encrypted'> {
  readonly key: string;
  readonly output: Uint8Array;
  readonly opened: OpenedInputs;
  /** Undefined: nothing of it is secret. */
  readonly salt: string | undefined;
}

function* none(): Steps<undefined> {}

/** See `unguessableName`. */
function* withUnguessableNames(
  output: Uint8Array,
  unit: Unit,
  { key, parsed, limits, opened, salt = '' }: Omit<Output, 'output'>,
): Steps<Uint8Array> {
  if (opened.opened.size === 0 || salt === '') return output;
  const file = { oid: `${key} as built`, isRendered: true as const };
  const read = yield* readingPlain(parsed, `${unit.path}.rendered.yaml`, output, file, limits);
  let text = Buffer.from(output).toString('utf8');
  for (const { object } of read.parsed.manifests) {
    const { name } = object.metadata;
    const other = holdsOpened(object, opened.opened.values()) ? unguessableName(name, salt) : undefined;
    // Letters and digits alone stand in it, and an end that nobody writes by chance.
    if (other !== undefined) text = text.split(name).join(other);
    yield;
  }
  return Buffer.from(text);
}

function* renderingOf(
  tree: SourceTree,
  unit: Unit,
  { key, output, parsed, limits, opened, salt }: Output,
): Steps<Rendering> {
  // What was filled in leaves nothing open.
  const file = { oid: key, ...(unit.root?.values ? { isRendered: true as const } : {}) };
  // Not under the kustomization's own name: it is none.
  const read = yield* readingPlain(parsed, `${unit.path}.rendered.yaml`, output, file, limits);
  const sources = yield* readSources(
    read.parsed.manifests.map(({ object }) => sourcePath(object)),
    tree,
    unit,
    opened.opened,
  );
  const isSealed = (object: KubeObject, path: string): boolean =>
    unit.root?.hasSecretValues === true ||
    opened.isWide ||
    opened.opened.has(path) ||
    holdsOpened(object, opened.opened.values());
  const originOf = kustomizeOrigins(unit.path, (path) => sources.get(path)?.parsed.manifests);
  const manifests: Manifest[] = [];
  for (const { object } of read.parsed.manifests) {
    const origin = yield* originOf(object);
    const sealed = salt !== undefined && isSealed(object, origin.path) ? { sealed: salt } : {};
    manifests.push({ object: withCommon(withoutOrigin(object), unit.root), origin, ...sealed });
  }
  const found = yield* sourceProblems(read.parsed.problems, output, { tree, unit });
  const problems = salt === undefined ? found : found.map(untold);
  return {
    ...read,
    parsed: { ...read.parsed, manifests, problems, stray: undefined },
    madeFrom: new Set(unit.inputs.keys()),
  };
}

/** It begins with the way down to what is wrong. */
const withoutFolders = (reason: string, root: string): string =>
  reason
    .replaceAll(`${root}/${treeFolder}/`, '')
    .replaceAll(root, '')
    .replaceAll(/^.*must resolve to a file': /gm, '')
    .replaceAll(`../${treeFolder}/`, '')
    // The whole command line of Helm.
    .replace(/: unable to run: '[^]*$/, '');

const keyOf = (version: string, unit: Unit, cluster: Partial<Capabilities>): string =>
  // It ends so: see `forget`.
  `${version} ${unit.charts ? sha256Hex(JSON.stringify([cluster.kubeVersion, cluster.apiVersions?.toSorted()])) : ''} ${contentOf(unit)}`;
