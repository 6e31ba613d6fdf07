import { readYaml, valueOf } from './read-yaml.ts';
import type { Problem } from './types.ts';

/** A kustomization.yaml, as far as it matters to an agent that does not render it. */
export interface Kustomization {
  /** Fields that change objects or make new ones. */
  readonly transforms: readonly string[];
  /** Files and folders it names, from the repository's root. */
  readonly names: readonly string[];
}

const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
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
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { transforms: [], names: [] };
  const fields = value as Record<string, unknown>;
  const { apiVersion } = fields;
  if (typeof apiVersion === 'string' && !apiVersion.startsWith('kustomize.config.k8s.io/')) return undefined;
  const names = referring.flatMap((field) => pathsIn(fields[field]));
  const isRemote = names.some(
    (name) => name.includes('://') || name.includes('?ref=') || /^[^/]+\.[a-z]+\/.*\/\//.test(name),
  );
  const transforms = Object.keys(fields).filter((field) => !harmless.has(field) && !isEmpty(fields[field]));
  return {
    transforms: isRemote ? [...transforms, 'resources from elsewhere'] : transforms,
    names: names.flatMap((name) => resolved(folderOf(path), name) ?? []),
  };
}

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
  readonly paths: ReadonlySet<string>;
  /** Files that a kustomization names in a way that kustomize would refuse: they are applied, but what moved there was not deleted. */
  readonly named: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/**
 * What kustomize and Helm would render is held back: half of it applied would be something that nobody wrote. A kustomization that only
 * lists files changes nothing, so they are applied.
 */
export function heldFiles(paths: readonly string[], kustomizations: ReadonlyMap<string, Kustomization>): HeldFiles {
  const held = new Set<string>();
  const named = new Set<string>();
  const problems: Problem[] = [];
  const hold = (isPart: (path: string) => boolean): number => {
    const found = paths.filter((path) => isPart(path) && !kustomizations.has(path));
    for (const path of found) held.add(path);
    return found.length;
  };
  for (const [path, { transforms, names }] of kustomizations) {
    if (transforms.length === 0) {
      const message = 'kustomize is not rendered yet: the files beside it are applied as they are, listed or not';
      problems.push({ severity: 'warning', path, line: 1, message });
      continue;
    }
    const folder = folderOf(path);
    const missing = names.filter((name) => !isBase(name, folder, paths, kustomizations));
    for (const name of missing) {
      for (const file of paths) if (isBelow(file, name)) named.add(file);
      const message = `kustomize would refuse this: ${name || 'the root of the repository'} has no kustomization, or holds this one`;
      problems.push({ severity: 'error', path, line: 1, message, hint: 'what stands there is applied as it is' });
    }
    const bases = names.filter((name) => !missing.includes(name));
    const count = hold((file) => bases.some((name) => file === name || isBelow(file, name)));
    const message = `kustomize is not rendered yet (${transforms.join(', ')}): ${namedFiles(count)} not applied`;
    problems.push({
      severity: 'error',
      path,
      line: 1,
      message,
      hint: 'commit the output of "kubectl kustomize" instead',
    });
  }
  for (const chart of paths.filter((path) => path.endsWith('Chart.yaml') && baseName(path) === 'Chart.yaml')) {
    const folder = folderOf(chart);
    const prefix = folder === '' ? '' : `${folder}/`;
    const parts = ['templates/', 'charts/', 'crds/'].map((part) => `${prefix}${part}`);
    if (hold((file) => parts.some((part) => file.startsWith(part))) === 0) continue;
    const message = 'Helm charts are not rendered yet: nothing of this chart is applied';
    problems.push({
      severity: 'warning',
      path: chart,
      line: 1,
      message,
      hint: 'commit the output of "helm template" instead',
    });
  }
  return { paths: held, named, problems };
}

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
