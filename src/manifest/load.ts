import { definedClusterScoped, isClusterScoped } from './kinds.ts';
import { type ParsedFile, parseManifests } from './parse.ts';
import { type KubeObject, type Manifest, type Problem, refKey, refOf } from './types.ts';

/** What was parsed, by blob id and path: the same blob at the same place is never parsed twice. */
export type LoadCache = ReadonlyMap<string, ParsedFile>;

export interface LoadSettings {
  /** Folder that is synced; the empty string is the whole repository. */
  readonly path: string;
  /** Under `path`; its files are never applied. */
  readonly ledgerDir: string;
  readonly defaultNamespace: string;
}

export interface LoadedTree {
  /** Every object once, ordered by path and document. */
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** Files with something that could not be read: what they used to hold must not be taken for deleted. */
  readonly unreadablePaths: ReadonlySet<string>;
  readonly cache: LoadCache;
}

/** Whether a file is looked at for objects: YAML and JSON, no hidden files or folders, no ledgers. */
export function isManifestFile(path: string, { path: folder, ledgerDir }: LoadSettings): boolean {
  if (!/\.(ya?ml|json)$/i.test(path)) return false;
  const under = folder === '' ? path : path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : undefined;
  if (under === undefined || under.startsWith(`${ledgerDir}/`)) return false;
  return !under.split('/').some((part) => part.startsWith('.'));
}

const cacheKey = (path: string, oid: string): string => `${oid} ${path}`;

/** Files whose text `loadTree` needs: those that the cache does not know. */
export function missingTexts(files: ReadonlyMap<string, { readonly oid: string }>, cache: LoadCache | undefined): readonly string[] {
  return [...files].filter(([path, { oid }]) => !cache?.has(cacheKey(path, oid))).map(([path]) => path);
}

/**
 * All objects of a tree. `texts` holds the text of every file that `missingTexts` names, by path. Objects without a namespace get the
 * default one where their kind has namespaces; of two objects with the same name the first by path counts, the other is a problem.
 */
export function loadTree(
  files: ReadonlyMap<string, { readonly oid: string }>,
  texts: ReadonlyMap<string, string>,
  cache: LoadCache | undefined,
  settings: LoadSettings,
): LoadedTree {
  const next = new Map<string, ParsedFile>();
  const parsed: ParsedFile[] = [];
  for (const path of [...files.keys()].sort()) {
    const key = cacheKey(path, files.get(path)?.oid ?? '');
    const file = cache?.get(key) ?? parseManifests(path, texts.get(path) ?? '');
    next.set(key, file);
    parsed.push(file);
  }
  const all = parsed.flatMap(({ manifests }) => manifests);
  const problems: Problem[] = parsed.flatMap((file) => file.problems);
  const unreadablePaths = new Set(problems.filter(({ severity }) => severity === 'error').map(({ path }) => path));
  const defined = definedClusterScoped(all.map(({ object }) => object));
  const seen = new Map<string, Manifest>();
  const manifests: Manifest[] = [];
  for (const manifest of all) {
    const placed = place(manifest, settings.defaultNamespace, defined);
    const key = refKey(refOf(placed.object));
    const first = seen.get(key);
    if (first) {
      const { path, line } = placed.source;
      const { kind, metadata } = placed.object;
      problems.push({
        severity: 'error',
        path,
        line,
        message: `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name} is defined a second time; the first is ${first.source.path}:${first.source.line}`,
        hint: 'only the first is applied: remove one of them',
      });
      continue;
    }
    seen.set(key, placed);
    manifests.push(placed);
  }
  return { manifests, problems, unreadablePaths, cache: next };
}

const placedOnce = new WeakMap<KubeObject, Map<string, Manifest>>();

/** Puts an object into its namespace. The same input gives the same object again, so that what was worked out for it stays valid. */
function place(manifest: Manifest, defaultNamespace: string, defined: ReadonlySet<string>): Manifest {
  const { object } = manifest;
  const clusterScoped = isClusterScoped(object, defined);
  const { namespace } = object.metadata;
  if (clusterScoped ? namespace === undefined : namespace !== undefined) return manifest;
  const wanted = clusterScoped ? '' : defaultNamespace;
  const known = placedOnce.get(object)?.get(wanted);
  if (known) return known;
  const { namespace: _dropped, ...metadata } = object.metadata;
  const placed = { ...manifest, object: { ...object, metadata: clusterScoped ? metadata : { ...object.metadata, namespace: defaultNamespace } } };
  placedOnce.set(object, new Map([[wanted, placed]]));
  return placed;
}
