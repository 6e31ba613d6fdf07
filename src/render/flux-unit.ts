import { answered, type Steps } from '../lib/turns.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { writtenIn } from '../manifest/edit-tree.ts';
import { inputsOf, type Kustomization } from '../manifest/rendering-tools.ts';
import { unitOf } from '../manifest/types.ts';
import type { FluxChanges, FluxKustomization } from './flux-kustomization.ts';
import type { FluxValues } from './flux-values.ts';
import { closureOf, kustomizationIn } from './kustomize-units.ts';
import type { SourceTree, Unit, UnitRoot } from './renderer.ts';
import { textAt } from './source-bytes.ts';
import { othersOf } from './tree-files.ts';

const mostListed = 2_000;

/** What is not rendered of a folder without a kustomization: `isLeftOut` says it of a path. */
export interface FluxSurroundings {
  readonly isLeftOut: (path: string) => boolean;
  /** Values of `substituteFrom` and `substitute`. Undefined: nothing is filled in. */
  readonly values: FluxValues | undefined;
}

/** What is rendered for a Kustomization of Flux; a text says why nothing can be. */
export function* fluxUnit(
  flux: FluxKustomization,
  tree: SourceTree,
  { isLeftOut, values }: FluxSurroundings,
): Steps<Unit | string> {
  const { folder, changes } = flux;
  const own = yield* kustomizationIn(folder, tree);
  const path = own ?? (folder === '' ? 'kustomization.yaml' : `${folder}/kustomization.yaml`);
  const written = own === undefined ? yield* listedFolder(folder, tree, isLeftOut) : yield* fieldsAt(own, tree);
  if (typeof written === 'string') return written;
  const fields = changed(written, changes);
  const kustomization: Kustomization = { transforms: [], names: [], isComponent: false, ...inputsOf(path, fields) };
  const { inputs, charts, obstacle } = yield* closureOf(path, tree, kustomization);
  if (obstacle !== undefined) return obstacle;
  const root: UnitRoot = {
    folder,
    path,
    kustomization: JSON.stringify(fields),
    values: values?.values,
    ...(values?.isSecret ? { hasSecretValues: true as const } : {}),
    ...(flux.keys ? { keys: flux.keys } : {}),
    labels: flux.labels,
    // It says on the object itself that it stays when it leaves Git.
    annotations: { ...flux.annotations, ...(flux.prune ? {} : { 'kustomize.toolkit.fluxcd.io/prune': 'disabled' }) },
  };
  return { path: `${unitOf(flux.manifest.origin)}#${flux.key}`, inputs, root, ...(charts ? { charts } : {}) };
}

export function* fieldsAt(path: string, tree: SourceTree): Steps<Readonly<Record<string, unknown>> | string> {
  const documents = writtenIn((yield* textAt(path, tree)) ?? '');
  const value = documents?.length === 1 ? documents[0]?.value : {};
  return documents && isObject(value) ? value : `${path} cannot be read as a kustomization`;
}

/** As Flux does it: a folder with a kustomization counts as that, other files are resources. */
function* listedFolder(
  folder: string,
  tree: SourceTree,
  isLeftOut: (path: string) => boolean,
): Steps<Readonly<Record<string, unknown>> | string> {
  const prefix = folder === '' ? '' : `${folder}/`;
  const paths = new Set([...tree.files.keys()].filter((path) => path.startsWith(prefix)));
  const others = othersOf(tree.files);
  for (const path of others ? (yield* answered(others.list(folder))).keys() : []) paths.add(path);
  if (paths.size === 0) return `there is no folder ${folder}`;
  const kustomized = new Set<string>();
  for (const path of paths) {
    const [, at = '', name = ''] = /^(.*\/)?([^/]*)$/.exec(path) ?? [];
    if (/^(?:kustomization\.ya?ml|Kustomization)$/.test(name) && at !== prefix) kustomized.add(at);
  }
  const resources = new Set<string>();
  for (const path of [...paths].toSorted()) {
    const inside = path.slice(prefix.length).split('/');
    // Here as everywhere what is hidden is no manifest: ledgers, `.sops.yaml`, pipelines.
    if (!/\.ya?ml$/.test(path) || inside.some((part) => part.startsWith('.')) || isLeftOut(path)) continue;
    const at = inside.slice(0, -1).map((_, index) => `${prefix}${inside.slice(0, index + 1).join('/')}/`);
    const topmost = at.find((one) => kustomized.has(one));
    resources.add(`./${(topmost ?? path).slice(prefix.length).replace(/\/$/, '')}`);
    if (resources.size > mostListed) return `${folder} holds more than ${mostListed} files`;
  }
  if (resources.size > 0) return { resources: [...resources] };
  const foreign = [...paths].find((path) => !tree.isOwn(path));
  return foreign === undefined ? { namespace: '_placeholder' } : `${foreign} belongs to another tenant`;
}

const base = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' };

/** The folder's kustomization as Flux writes it before it builds. */
export function changed(
  written: Readonly<Record<string, unknown>>,
  changes: FluxChanges,
): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = { ...base, ...written };
  const { namespace, namePrefix, nameSuffix } = changes;
  if (namespace !== undefined) fields['namespace'] = namespace;
  if (namePrefix !== undefined) fields['namePrefix'] = namePrefix;
  if (nameSuffix !== undefined) fields['nameSuffix'] = nameSuffix;
  const append = (field: string, more: readonly unknown[]): void => {
    const there = fields[field];
    if (more.length > 0) fields[field] = [...(isList(there) ? there : []), ...more];
  };
  append(
    'patches',
    changes.patches.map(({ patch, target }) => ({ patch, ...(target === undefined ? {} : { target }) })),
  );
  append('components', changes.components);
  append(
    'patchesStrategicMerge',
    changes.patchesStrategicMerge.map((patch) => (typeof patch === 'string' ? patch : JSON.stringify(patch))),
  );
  append(
    'patchesJson6902',
    changes.patchesJson6902.map(({ patch, target }) => ({ patch: JSON.stringify(patch), target })),
  );
  const there = isList(fields['images']) ? fields['images'] : [];
  const named = new Map(changes.images.map((image) => [image['name'], image]));
  const kept = there.map((image) =>
    isObject(image) && named.has(image['name']) ? takenFrom(named, image['name']) : image,
  );
  if (there.length + named.size > 0) fields['images'] = [...kept, ...named.values()];
  return fields;
}

function takenFrom<Value>(map: Map<unknown, Value>, key: unknown): Value | undefined {
  const value = map.get(key);
  map.delete(key);
  return value;
}
