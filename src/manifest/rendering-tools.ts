import { isRecord } from '../lib/json.ts';
import { type KustomizedChart, kustomizedCharts } from './kustomized-charts.ts';
import { readYaml, valueOf } from './read-yaml.ts';
import type { Problem } from './types.ts';

/** A kustomization.yaml, as far as it matters to what is applied. */
export interface Kustomization {
  /** Fields that change objects or make new ones. */
  readonly transforms: readonly string[];
  /** Rendered only as a part of others. */
  readonly isComponent: boolean;
  /** Files and folders it names, from the repository's root. */
  readonly names: readonly string[];
  /** What rendering it needs. Undefined: it needs more than is known of here, see `obstacle`. */
  readonly inputs: KustomizationInputs | undefined;
  /** Why it is not rendered, for people. */
  readonly obstacle?: string;
}

/** Paths from the repository's root. */
interface KustomizationInputs {
  /** Files of objects, and folders with a kustomization of their own. */
  readonly resources: readonly string[];
  /** Files that generators read. */
  readonly files: readonly string[];
  /** Charts of `helmCharts`. */
  readonly charts: readonly KustomizedChart[];
  /** Objects say what is generated. */
  readonly hasGenerators: boolean;
}

/** The first of them that a folder has counts. */
export const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** Fields that leave objects as they are. */
const harmless = new Set([
  'apiVersion',
  'kind',
  'metadata',
  'resources',
  'bases',
  'crds',
  'openapi',
  'buildMetadata',
  'generatorOptions',
  'sortOptions',
]);
const referring = [
  'resources',
  'bases',
  'components',
  'patches',
  'patchesStrategicMerge',
  'patchesJson6902',
  'replacements',
  'transformers',
  'generators',
];

/** The one name of a kustomization that says nothing of YAML. */
export const isBareKustomization = (path: string): boolean => baseName(path) === 'Kustomization';

/** Undefined where the file is none of kustomize's own (Flux has objects that are called Kustomization, too). */
export function readKustomization(path: string, text: string): Kustomization | undefined {
  if (!kustomizationNames.includes(baseName(path))) return undefined;
  let value: unknown;
  try {
    const [document, ...others] = readYaml(text);
    if (others.length > 0 || (document?.errors.length ?? 0) > 0) return undefined;
    value = document && valueOf(document);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return {
      transforms: [],
      isComponent: false,
      names: [],
      inputs: { resources: [], files: [], charts: [], hasGenerators: false },
    };
  const fields = value as Record<string, unknown>;
  const { apiVersion } = fields;
  if (typeof apiVersion === 'string' && !apiVersion.startsWith('kustomize.config.k8s.io/')) return undefined;
  const names = referring.flatMap((field) => pathsIn(fields[field]));
  const isRemote = names.some(isElsewhere);
  const transforms = Object.keys(fields).filter((field) => !harmless.has(field) && !isEmpty(fields[field]));
  return {
    transforms: isRemote ? [...transforms, 'resources from elsewhere'] : transforms,
    isComponent: fields['kind'] === 'Component',
    names: names.flatMap((name) => resolved(folderOf(path), name) ?? []),
    ...inputsOf(path, fields),
  };
}

/** Fields of which kustomize makes everything by itself, of files that are known beforehand. */
const rendered = new Set([
  'apiVersion',
  'kind',
  'metadata',
  'buildMetadata',
  'commonAnnotations',
  'commonLabels',
  'components',
  'configMapGenerator',
  'configurations',
  'crds',
  'bases',
  'generatorOptions',
  'generators',
  'helmCharts',
  'helmGlobals',
  'images',
  'labels',
  'namePrefix',
  'nameSuffix',
  'namespace',
  'openapi',
  'patches',
  'patchesJson6902',
  'patchesStrategicMerge',
  'replacements',
  'replicas',
  'resources',
  'secretGenerator',
  'sortOptions',
  'transformers',
  'validators',
  'vars',
]);
/** Objects, or folders with a kustomization. */
const ofResources = ['resources', 'bases', 'components', 'generators', 'transformers', 'validators'];
/** Files, in a `path` or written as a text of its own. */
const ofFiles = ['patches', 'patchesJson6902', 'patchesStrategicMerge', 'replacements', 'crds', 'configurations'];
const generatorFields = ['configMapGenerator', 'secretGenerator'];
const ofGenerators = new Set(['name', 'namespace', 'behavior', 'files', 'envs', 'env', 'literals', 'options', 'type']);

type Inputs = Pick<Kustomization, 'inputs' | 'obstacle'>;

/** What rendering a kustomization of these fields needs. */
export function inputsOf(path: string, fields: Readonly<Record<string, unknown>>): Inputs {
  const refused = (obstacle: string): Inputs => ({ inputs: undefined, obstacle });
  const unknown = Object.keys(fields).filter((field) => !rendered.has(field) && !isEmpty(fields[field]));
  if (unknown.length > 0) return refused(unknown.map((field) => field.slice(0, 60)).join(', '));
  const charted = kustomizedCharts(fields, (name) => resolved(folderOf(path), name));
  if (typeof charted === 'string') return refused(charted);
  const inputs = {
    resources: [] as string[],
    files: [] as string[],
    charts: charted.charts,
    hasGenerators: !isEmpty(fields['generators'] ?? null),
  };
  let wrong: string | undefined;
  const take = (into: string[], name: unknown): void => {
    wrong ??= takenInto(into, folderOf(path), name);
  };
  for (const field of ofResources) {
    for (const entry of listOf(fields[field])) if (!isInline(entry)) take(inputs.resources, entry);
  }
  for (const field of ofFiles) {
    for (const entry of listOf(fields[field])) {
      const name = isRecord(entry) ? entry['path'] : entry;
      if (name !== undefined && !isInline(name)) take(inputs.files, name);
    }
  }
  const { openapi } = fields;
  if (isRecord(openapi) && openapi['path'] !== undefined) take(inputs.files, openapi['path']);
  for (const field of generatorFields) {
    for (const generator of listOf(fields[field])) {
      if (!isRecord(generator)) return refused(`a ${field} that is none`);
      const strange = Object.keys(generator).find((name) => !ofGenerators.has(name));
      if (strange !== undefined) return refused(`${field}.${strange.slice(0, 60)}`);
      for (const name of generatorFiles(generator)) take(inputs.files, name);
    }
  }
  for (const name of charted.valuesFiles) take(inputs.files, name);
  return wrong === undefined ? { inputs } : refused(wrong);
}

/** What a generator reads: `key=file`, or a file. */
function generatorFiles({ files, envs, env }: Record<string, unknown>): readonly unknown[] {
  const named = listOf(files).map((entry) => (typeof entry === 'string' ? entry.replace(/^[^=]*=/, '') : entry));
  return [...named, ...listOf(envs), ...(isEmpty(env ?? null) ? [] : [env])];
}

/** Gives why it is not taken. */
function takenInto(into: string[], folder: string, name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return 'a resource that is no path';
  if (isElsewhere(name)) return 'resources from elsewhere';
  const found = name.startsWith('/') ? undefined : resolved(folder, name);
  if (found === undefined) return `${name.slice(0, 200)}, which is not in the repository`;
  into.push(found);
  return undefined;
}

/** Written into the kustomization itself. */
const isInline = (entry: unknown): boolean =>
  isRecord(entry) ||
  (typeof entry === 'string' && (entry.includes('\n') || /^\s*[{[]/.test(entry) || /^\w+: /.test(entry)));

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const isElsewhere = (name: string): boolean =>
  name.includes('://') || name.includes('?ref=') || /^[^/]+\.[a-z]+\/.*\/\//.test(name);

function pathsIn(entries: unknown): readonly string[] {
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry: unknown) => {
    if (typeof entry === 'string') return entry.includes('\n') ? [] : [entry];
    const path = (entry as { path?: unknown } | null)?.path;
    return typeof path === 'string' ? [path] : [];
  });
}

const isEmpty = (value: unknown): boolean => value === null || (Array.isArray(value) && value.length === 0);

/** Undefined where it leaves the repository. */
function resolved(folder: string, name: string): string | undefined {
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of name.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

export interface HeldFiles {
  /** Files whose objects are not applied, because rendering would make others of them. */
  readonly paths: Set<string>;
  /** Files that a kustomization names in a way that kustomize would refuse: they are applied, but what moved there was not deleted. */
  readonly named: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** What is rendered all the same. */
export interface Rendered {
  /** Files that it is made from. */
  readonly claimed: ReadonlySet<string>;
  /** Why a kustomization is not rendered, by its path. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Nothing is rendered at all. */
  readonly isOff: boolean;
}

/**
 * What kustomize and Helm would render is held back: half of it applied would be something that nobody wrote. A kustomization that only
 * lists files changes nothing, so they are applied.
 */
export function heldFiles(
  paths: readonly string[],
  kustomizations: ReadonlyMap<string, Kustomization>,
  { claimed, reasons, isOff }: Rendered,
): HeldFiles {
  const held = new Set<string>();
  const named = new Set<string>();
  const problems: Problem[] = [];
  const hold = (isPart: (path: string) => boolean): number => {
    const found = paths.filter((path) => isPart(path) && !kustomizations.has(path) && !claimed.has(path));
    for (const path of found) held.add(path);
    return found.length;
  };
  const userOf = usersIn(
    [...kustomizations].filter(
      ([path, { transforms }]) => !claimed.has(path) && (transforms.length > 0 || reasons.has(path)),
    ),
  );
  for (const [path, { transforms, names, isComponent }] of kustomizations) {
    if (claimed.has(path)) continue;
    const reason = reasons.get(path);
    const folder = folderOf(path);
    const user = userOf(folder);
    if (transforms.length === 0 && reason === undefined) {
      const message =
        user !== undefined
          ? `it is a part of ${user}, which is not rendered`
          : 'it only lists files, so it is not rendered: the files beside it are applied as they are, listed or not';
      problems.push({ severity: 'warning', path, line: 1, message });
      continue;
    }
    const missing = names.filter((name) => !isBase(name, folder, paths, kustomizations));
    for (const name of missing) {
      for (const file of paths) if (isBelow(file, name)) named.add(file);
      const message = `kustomize would refuse this: ${name || 'the root of the repository'} has no kustomization, or holds this one`;
      problems.push({ severity: 'error', path, line: 1, message, hint: 'what stands there is applied as it is' });
    }
    const bases = names.filter((name) => !missing.includes(name));
    const count = hold((file) => bases.some((name) => file === name || isBelow(file, name)));
    if (isComponent) {
      // As kustomize itself: it is nothing without somebody who uses it.
      if (count > 0 || reason !== undefined) problems.push(unusedComponent(path, count));
      continue;
    }
    const what =
      reason ??
      (isOff
        ? `no kustomization is rendered without a program kustomize, and this one needs it (${transforms.join(', ')})`
        : user === undefined
          ? `it is not rendered (${transforms.join(', ')})`
          : `it is a part of ${user}, which is not rendered`);
    problems.push({
      severity: 'error',
      path,
      line: 1,
      message: `${what}: ${namedFiles(count)} not applied`,
      hint: isOff
        ? 'name the program with --kustomize, or commit the output of "kubectl kustomize" instead'
        : 'what the cluster has of it stays as it is',
      unit: path,
    });
  }
  return { paths: held, named, problems };
}

/** The first of these kustomizations that names a folder. */
function usersIn(
  kustomizations: readonly (readonly [path: string, kustomization: Kustomization])[],
): (folder: string) => string | undefined {
  const users = new Map<string, string>();
  for (const [path, { names }] of kustomizations) for (const name of names) if (!users.has(name)) users.set(name, path);
  return (folder) => users.get(folder);
}

/** Files of charts that hold no objects as they stand, with the `Chart.yaml` of theirs. */
export function heldCharts(paths: readonly string[]): ReadonlyMap<string, string> {
  const charts = new Map<string, string>();
  for (const path of paths) if (baseName(path) === 'Chart.yaml') charts.set(folderOf(path), path);
  const held = new Map<string, string>();
  if (charts.size === 0) return held;
  for (const path of paths) {
    const parts = path.split('/');
    for (const [at, part] of parts.entries()) {
      if (at === parts.length - 1 || !['templates', 'charts', 'crds'].includes(part)) continue;
      const chart = charts.get(parts.slice(0, at).join('/'));
      if (chart === undefined) continue;
      held.set(path, chart);
      break;
    }
  }
  return held;
}

/** Nothing of it is applied. */
export const chartProblem = (chart: string, isRendered: boolean): Problem => ({
  severity: 'warning',
  path: chart,
  line: 1,
  message: isRendered
    ? 'nothing of this chart is applied: no HelmRelease that is rendered names it'
    : 'Helm charts are not rendered here: nothing of this chart is applied',
  hint: 'add a HelmRelease, or commit the output of "helm template" instead',
});

const unusedComponent = (path: string, count: number): Problem => ({
  severity: 'warning',
  path,
  line: 1,
  message: `a component that no kustomization uses here: ${namedFiles(count)} not applied`,
});

const isBelow = (path: string, folder: string): boolean => folder === '' || path.startsWith(`${folder}/`);

/** Whether kustomize would take something of that name: a folder beside it only with a kustomization, and none that it is in. */
function isBase(
  name: string,
  folder: string,
  paths: readonly string[],
  kustomizations: ReadonlyMap<string, Kustomization>,
): boolean {
  if (folder === name || isBelow(name, folder)) return true;
  if (isBelow(folder, name)) return false;
  if (!paths.some((path) => isBelow(path, name))) return true;
  return kustomizationNames.some((file) => kustomizations.has(`${name}/${file}`));
}

function namedFiles(count: number): string {
  if (count === 0) return 'what it makes is';
  return count === 1 ? 'the file it names is' : `the ${count} files it names are`;
}
