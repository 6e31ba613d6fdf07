import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { answered, type Steps } from '../lib/turns.ts';
import type { Rendering } from '../manifest/load.ts';
import { defaultLimits, type ManifestLimits } from '../manifest/limits.ts';
import type { ParsedFiles } from '../manifest/parsed-files.ts';
import { weighing } from '../manifest/tree-budget.ts';
import type { Manifest } from '../manifest/types.ts';
import { writtenInFiles } from './kustomize-edit.ts';
import { settingImage } from './kustomize-image.ts';
import { kustomizeOrigins, sourcePath, withoutOrigin } from './kustomize-origin.ts';
import { readSources, sourceProblems } from './kustomize-sources.ts';
import { filledIn, withCommon } from './flux-output.ts';
import { kustomizationUnits } from './kustomize-units.ts';
import { readingPlain } from './plain.ts';
import type { Edit, EditGoal, Renderer, SourceTree, Unit } from './renderer.ts';
import { inFolder, runTool, type ToolLimits, type ToolResult } from './run-tool.ts';
import { sourceBytes } from './source-bytes.ts';
import { createLine } from './tool-line.ts';
import { masked, shownReason, unusable, type Version } from './tool-reason.ts';
import { contentOf } from './unit-content.ts';

export interface KustomizeOptions {
  /** Path of the program, version 5. */
  readonly program: string;
  /** Absent: what one that is meant well never takes. */
  readonly limits?: ToolLimits;
  /** Where folders are made in which it is run, each for a moment. Absent: the machine's for such. */
  readonly folder?: string;
}

/** The program `kustomize`. One for all who render trees of a repository: what was rendered for one is not rendered for the next. */
export interface Kustomize {
  /** How often the program was asked to render. */
  readonly runs: number;
  /** Changes objects, a stream of YAML, as a kustomization of nothing else says. It names no files. */
  transform(objects: Uint8Array, kustomization: Readonly<Record<string, unknown>>): Promise<ToolResult>;
  renderer(reading: KustomizeReading, edit: (goal: EditGoal) => Steps<Edit>): Renderer;
  /** Ends the programs that run. */
  close(): Promise<void>;
}

interface KustomizeReading {
  readonly parsed: ParsedFiles;
  readonly limits?: ManifestLimits | undefined;
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
const missingRetryMs = 60_000;

type Rendered = Rendering | string;

export function createKustomize({
  program,
  limits = defaultToolLimits,
  folder: place = tmpdir(),
}: KustomizeOptions): Kustomize {
  const ending = new AbortController();
  const { signal } = ending;
  const known = new Map<string, { readonly rendered: Rendered; readonly weight: number }>();
  let weight = 0;
  const failed = new Map<string, { readonly reason: string; readonly untilMs: number }>();
  const line = createLine(mostRuns);
  const running = new Set<Promise<unknown>>();
  let runs = 0;
  let program5: { readonly version: Promise<Version>; readonly untilMs: number } | undefined;

  const run = (folder: string, args: readonly string[]): Promise<ToolResult> => {
    const result = runTool(
      { program, args, folder, environment: { GOMAXPROCS: '1', GOMEMLIMIT: '256MiB' }, limits },
      signal,
    );
    running.add(result);
    void result.catch(() => undefined).finally(() => running.delete(result));
    return result;
  };
  const versionOf = (): Promise<Version> => {
    if (program5 && performance.now() < program5.untilMs) return program5.version;
    const version = run(place, ['version']).then((result) => {
      const said = result.kind === 'done' ? Buffer.from(result.output).toString('utf8').trim() : '';
      // As a thing of its own: an older program than this renders something else.
      const isFound = /^v5\.\d+\.\d+(?:[-+].*)?$/.test(said);
      program5 = { version, untilMs: isFound ? Infinity : performance.now() + missingRetryMs };
      return isFound ? { said } : { problem: unusable('kustomize', 5, result) };
    });
    program5 = { version, untilMs: Infinity };
    return version;
  };

  const build = async (unit: Unit, contents: ReadonlyMap<string, Uint8Array>): Promise<ToolResult> => {
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
      const result = await run(join(root, 'unit'), ['build', '--load-restrictor', 'LoadRestrictionsRootOnly', '.']);
      if (result.kind === 'done') return result;
      return { ...result, reason: shownReason(withoutFolders(masked(result.reason, contents.values()), root)) };
    };
    return await inFolder(place, 'serin-render-', work, signal);
  };

  const transform: Kustomize['transform'] = async (objects, kustomization) => {
    const { problem } = await versionOf();
    if (problem !== undefined) return { kind: 'missing', reason: problem, isAbsent: false };
    const work = async (root: string): Promise<ToolResult> => {
      await writeFile(join(root, 'objects.yaml'), objects, { flag: 'wx' });
      const whole = JSON.stringify({ ...kustomization, resources: ['objects.yaml'] });
      await writeFile(join(root, 'kustomization.yaml'), whole, { flag: 'wx' });
      runs += 1;
      const result = await run(root, ['build', '--load-restrictor', 'LoadRestrictionsRootOnly', '.']);
      if (result.kind === 'done') return result;
      return { ...result, reason: shownReason(withoutFolders(masked(result.reason, [objects]), root)) };
    };
    return await inFolder(place, 'serin-render-', work, signal);
  };

  function* render(
    tree: SourceTree,
    unit: Unit,
    { parsed, limits: manifestLimits }: KustomizeReading,
  ): Steps<Rendered> {
    const version = yield* answered(versionOf());
    if (version.problem !== undefined) return `kustomize is not rendered here (${version.problem})`;
    const key = keyOf(version.said, unit);
    const before = known.get(key);
    if (before !== undefined) {
      known.delete(key);
      known.set(key, before);
      return before.rendered;
    }
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
    const result = yield* answered(line(() => build(unit, contents)));
    if (result.kind !== 'done') {
      const reason = `kustomize cannot render this (${result.reason})`;
      if (result.kind === 'failed' && result.isFinal) keep(key, { rendered: reason, weight: 0 });
      else failed.set(key, { reason, untilMs: performance.now() + retryMs });
      return reason;
    }
    failed.delete(key);
    const output = filledIn(result.output, unit.root?.values);
    if (typeof output === 'string') {
      keep(key, { rendered: output, weight: 0 });
      return output;
    }
    const rendering = yield* renderingOf(tree, unit, { key, output, parsed, limits: manifestLimits });
    keep(key, { rendered: rendering, weight: yield* weighing(rendering) }, manifestLimits);
    return rendering;
  }
  const drop = (key: string): void => {
    weight -= known.get(key)?.weight ?? 0;
    known.delete(key);
  };
  const keep = (key: string, one: { rendered: Rendered; weight: number }, { treeBytes } = defaultLimits): void => {
    drop(key);
    for (const [oldest] of known) {
      if (known.size < mostKept && weight + one.weight <= keptShare * treeBytes) break;
      drop(oldest);
    }
    known.set(key, one);
    weight += one.weight;
  };

  return {
    get runs() {
      return runs;
    },
    transform: (objects, kustomization) => line(() => transform(objects, kustomization)),
    renderer: (reading, edit) => ({
      name: 'kustomize',
      detect: kustomizationUnits,
      render: (tree, unit) => render(tree, unit, reading),
      forget(unit) {
        const content = contentOf(unit);
        for (const key of known.keys()) if (key.endsWith(content)) drop(key);
      },
      *edit(goal) {
        if (goal.kind === 'field') return (yield* settingImage(goal)) ?? (yield* edit(goal));
        // Resources are written as they are, so they are edited as plain files. What else made the objects is found by rendering: `restoreRendered`.
        return yield* edit({ ...goal, objects: yield* writtenInFiles(goal) });
      },
    }),
    async close() {
      ending.abort(new Error('nothing is rendered any more: the agent stops'));
      await Promise.allSettled(running);
    },
  };
}

/** Beside the kustomization that is built. */
const treeFolder = 'tree';

interface Output extends KustomizeReading {
  readonly key: string;
  readonly output: Uint8Array;
}

function* renderingOf(tree: SourceTree, unit: Unit, { key, output, parsed, limits }: Output): Steps<Rendering> {
  // What was filled in leaves nothing open.
  const file = { oid: key, ...(unit.root?.values ? { isRendered: true as const } : {}) };
  // Not under the kustomization's own name: it is none.
  const read = yield* readingPlain(parsed, `${unit.path}.rendered.yaml`, output, file, limits);
  const sources = yield* readSources(
    read.parsed.manifests.map(({ object }) => sourcePath(object)),
    tree,
    unit,
  );
  const originOf = kustomizeOrigins(unit.path, (path) => sources.get(path)?.parsed.manifests);
  const manifests: Manifest[] = [];
  for (const { object } of read.parsed.manifests)
    manifests.push({ object: withCommon(withoutOrigin(object), unit.root), origin: yield* originOf(object) });
  const problems = yield* sourceProblems(read.parsed.problems, output, { tree, unit });
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
    .replaceAll(`../${treeFolder}/`, '');

const keyOf = (version: string, unit: Unit): string => `${version} ${contentOf(unit)}`;
