import type { Steps } from '../lib/turns.ts';
import {
  isBareKustomization,
  type Kustomization,
  kustomizationNames,
  readKustomization,
} from '../manifest/rendering-tools.ts';
import type { KustomizedChart } from '../manifest/kustomized-charts.ts';
import { textIn } from '../manifest/text.ts';
import { fileAt, filesUnder, sourceBytes } from './source-bytes.ts';
import type { Detected, SourceTree, Unit } from './renderer.ts';
import type { GitFile } from './tree-files.ts';

const mostInputs = 2_000;
/** Of a kustomization beside those that are synced, which is read here. */
const mostKustomizationBytes = 64 * 1024;
const linkMode = '120000';
const unlistedMode = '40000';

type Input = string | GitFile;

/** What a kustomization is made from, as far as it was found; `obstacle`: why it is not rendered. */
interface Closure {
  readonly inputs: ReadonlyMap<string, Input>;
  /** What `Unit.charts` is. */
  readonly charts: Unit['charts'];
  /** Kustomizations among them, and those that it names although it is not rendered. */
  readonly kustomizations: ReadonlySet<string>;
  readonly obstacle: string | undefined;
}

/**
 * The kustomizations that change objects, or bring some from beside the files that are synced, and that no other such kustomization is a base
 * for. One that only lists files that are synced is no unit: it changes nothing.
 */
export function* kustomizationUnits(tree: SourceTree): Steps<Detected> {
  const closures = new Map<string, Closure>();
  for (const [path, kustomization] of tree.kustomizations) {
    if (kustomization.transforms.length === 0 && !namesElsewhere(kustomization, tree)) continue;
    closures.set(path, yield* closureOf(path, tree));
    yield;
  }
  const isBase = new Set<string>();
  for (const [path, { kustomizations }] of closures)
    for (const other of kustomizations) if (other !== path) isBase.add(other);
  const units: Unit[] = [];
  const refused = new Map<string, string>();
  for (const [path, { inputs, charts, obstacle }] of closures) {
    if (obstacle !== undefined) refused.set(path, `kustomize is not rendered here (${obstacle})`);
    else if (!isBase.has(path) && tree.kustomizations.get(path)?.isComponent !== true)
      units.push({ path, inputs, ...(charts ? { charts } : {}) });
  }
  // Whoever has a base that is rendered for others, and is not rendered itself, is told of its own obstacle.
  return { units, refused };
}

/** Whether it lists what is not among the files that are synced, so that those say not all of it. */
function namesElsewhere({ inputs, names, isComponent }: Kustomization, { files }: SourceTree): boolean {
  if (isComponent) return false;
  return (inputs?.resources ?? names).some((name) => {
    if (name === '' || files.has(name)) return false;
    for (const path of files.keys()) if (path.startsWith(`${name}/`)) return false;
    return true;
  });
}

/** All that a kustomization is made from. `written`: what is to be in the place of the file, if there is one. */
export function* closureOf(root: string, tree: SourceTree, written?: Kustomization): Steps<Closure> {
  const inputs = new Map<string, Input>();
  const kustomizations = new Set<string>();
  let obstacle: string | undefined;
  const refuse = (reason: string): void => {
    obstacle ??= reason;
  };
  const take = (path: string, file: Input): void => {
    if (!tree.isOwn(path)) return refuse(`${path} belongs to another tenant`);
    if (typeof file === 'object' && file.mode === linkMode) return refuse(`${path} is a symbolic link`);
    inputs.set(path, file);
    if (inputs.size > mostInputs) refuse(`it is made from more than ${mostInputs} files`);
  };
  /** Files of charts, to be put where kustomize looks for one. */
  const takeChart = function* (chart: KustomizedChart): Steps<void> {
    if (!tree.charts) return refuse('helmCharts: they are rendered with --enable-helm only');
    const found = yield* filesUnder(chart.folder, tree.files);
    for (const [path, file] of found) {
      if (typeof file === 'object' && file.mode === unlistedMode) return refuse(`${path} is nested too deeply`);
      take(path, file);
    }
    if (found.size > 0) return undefined;
    if (chart.repo === undefined) return refuse(`there is no chart in ${chart.folder}`);
    const fetched = yield* tree.charts.fetch({ url: chart.repo, name: chart.name, version: chart.version ?? '*' });
    if (typeof fetched === 'string') return refuse(fetched);
    for (const [path, file] of fetched.files) take(`${chart.folder}/${path}`, file);
  };
  let saysCapabilities: boolean | undefined;
  let hasGenerators = false;
  const open: string[] = [root];
  const bases = new Map<string, string[]>();
  for (let path = open.pop(); path !== undefined && inputs.size <= mostInputs; path = open.pop()) {
    if (kustomizations.has(path)) continue;
    kustomizations.add(path);
    const isWritten = written !== undefined && path === root;
    const file = yield* fileAt(path, tree.files);
    if (file !== undefined) take(path, file);
    else if (!isWritten) continue;
    const kustomization = isWritten ? written : yield* kustomizationAt(path, file, tree);
    if (typeof kustomization === 'string') {
      refuse(kustomization);
      continue;
    }
    const { inputs: wanted } = kustomization;
    if (!wanted) refuse(path === root ? (kustomization.obstacle ?? '') : `${path}: ${kustomization.obstacle ?? ''}`);
    const own: string[] = [];
    bases.set(path, own);
    for (const name of wanted?.resources ?? kustomization.names) {
      const found = yield* fileAt(name, tree.files);
      if (found !== undefined) {
        take(name, found);
        continue;
      }
      const base = yield* kustomizationIn(name, tree);
      if (base === undefined)
        refuse(`${name || 'the root of the repository'} is no file and no folder with a kustomization`);
      else {
        own.push(base);
        open.push(base);
      }
    }
    for (const chart of wanted?.charts ?? []) {
      saysCapabilities = saysCapabilities === true || chart.saysCapabilities;
      yield* takeChart(chart);
    }
    hasGenerators ||= wanted?.hasGenerators === true;
    for (const name of wanted?.files ?? []) {
      // Of a chart that was fetched.
      if (inputs.has(name)) continue;
      const found = yield* fileAt(name, tree.files);
      if (found === undefined) refuse(`there is no file ${name}`);
      else take(name, found);
    }
  }
  // A folder may be a base twice, of different overlays; one that is its own base never ends.
  const endless = endlessIn(bases);
  if (endless !== undefined) refuse(`${endless} is a base of itself`);
  // One of those could be a generator of charts that nobody has looked at.
  if (saysCapabilities !== undefined && hasGenerators) refuse('generators beside helmCharts');
  return {
    inputs,
    charts: saysCapabilities === undefined ? undefined : { saysCapabilities },
    kustomizations,
    obstacle,
  };
}

/** A kustomization that, directly or not, is its own base; undefined: there is none. */
function endlessIn(bases: ReadonlyMap<string, readonly string[]>): string | undefined {
  const users = new Map<string, number>();
  for (const list of bases.values()) for (const base of list) users.set(base, (users.get(base) ?? 0) + 1);
  const free = [...bases.keys()].filter((path) => !users.has(path));
  for (let path = free.pop(); path !== undefined; path = free.pop()) {
    for (const base of bases.get(path) ?? []) {
      const left = (users.get(base) ?? 0) - 1;
      users.set(base, left);
      if (left === 0) free.push(base);
    }
  }
  return [...users].find(([path, left]) => left > 0 && bases.has(path))?.[0];
}

/** The path of the kustomization that a folder has. */
export function* kustomizationIn(folder: string, tree: SourceTree): Steps<string | undefined> {
  for (const name of kustomizationNames) {
    const path = folder === '' ? name : `${folder}/${name}`;
    if ((yield* fileAt(path, tree.files)) !== undefined) return path;
  }
  return undefined;
}

/** A text says why it cannot be known. */
function* kustomizationAt(path: string, file: Input | undefined, tree: SourceTree): Steps<Kustomization | string> {
  const known = tree.kustomizations.get(path) ?? tree.said.get(path)?.kustomization;
  if (known) return known;
  const bytes = file === undefined ? Buffer.alloc(0) : yield* sourceBytes(file, tree.files);
  if (bytes.length > mostKustomizationBytes) return `${path} is larger than ${mostKustomizationBytes / 1024} KiB`;
  const text = textIn(bytes);
  const read = typeof text === 'string' ? readKustomization(path, text) : undefined;
  return read ?? `${path} cannot be read${isBareKustomization(path) ? '' : ' as a kustomization'}`;
}
