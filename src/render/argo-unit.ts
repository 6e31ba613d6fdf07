import { own } from '../lib/own.ts';
import type { Steps } from '../lib/turns.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { writtenIn } from '../manifest/edit-tree.ts';
import { inputsOf, type Kustomization, kustomizationNames } from '../manifest/rendering-tools.ts';
import type { ArgoSource } from './argo-application.ts';
import { readArgoGlob } from './argo-glob.ts';
import { type ArgoRelease, keeping, releaseOf, withEnvironment } from './argo-release.ts';
import { type Fields, orReason, type Told, Unusable } from './described.ts';
import { isNothing, listOf, mapsOf, textOf, textsIn, textsOf } from './described-fields.ts';
import { changed, fieldsAt } from './flux-unit.ts';
import { closureOf, kustomizationIn } from './kustomize-units.ts';
import type { SourceTree, Unit, UnitRoot } from './renderer.ts';
import { fileAt, filesUnder, textAt } from './source-bytes.ts';

const mostListed = 2_000;

/** What a source of an Application is rendered from, and what is told of it. */
export type ArgoUnit =
  | { readonly kind: 'kustomize'; readonly unit: Unit; readonly told: readonly Told[] }
  /** `inputs`: files beside the chart and its values that say something of it. */
  | ({ readonly kind: 'helm'; readonly inputs: Unit['inputs'] } & ArgoRelease);

export interface ArgoSurroundings {
  /** What the unit is called. */
  readonly path: string;
  /** Files that are no manifests. */
  readonly isLeftOut: (path: string) => boolean;
}

/** What is rendered for a source of an Application; a text says why nothing can be. */
export function* argoUnit(
  written: ArgoSource,
  tree: SourceTree,
  surroundings: ArgoSurroundings,
): Steps<ArgoUnit | string> {
  const { folder } = written;
  const overridden =
    folder === undefined ? { source: written, inputs: new Map() } : yield* overriding(written, folder, tree);
  if (typeof overridden === 'string') return overridden;
  const { source, inputs } = overridden;
  const isChart =
    source.chart !== undefined ||
    source.helm !== undefined ||
    (source.kustomize === undefined &&
      source.directory === undefined &&
      (yield* fileAt(inFolder(folder ?? '', 'Chart.yaml'), tree.files)) !== undefined);
  if (isChart) {
    const made = releaseOf(source);
    return typeof made === 'string' ? made : { kind: 'helm', inputs, ...made };
  }
  if (folder === undefined) return 'it names neither a path nor a chart';
  const own = source.directory === undefined ? yield* kustomizationIn(folder, tree) : undefined;
  if (own === undefined && source.kustomize !== undefined)
    return `there is no kustomization in ${folder || 'the root of the repository'}`;
  const path = own ?? inFolder(folder, 'kustomization.yaml');
  const fields =
    own === undefined ? yield* directoryOf(source, folder, tree, surroundings) : yield* fieldsAt(own, tree);
  if (typeof fields === 'string') return fields;
  const made = orReason(() => withOptions(fields, source));
  if (typeof made === 'string') return made;
  const kustomization: Kustomization = {
    transforms: [],
    names: [],
    isComponent: false,
    ...inputsOf(path, made.fields),
  };
  const closure = yield* closureOf(path, tree, kustomization);
  if (closure.obstacle !== undefined) return closure.obstacle;
  const root: UnitRoot = {
    folder,
    path,
    kustomization: JSON.stringify(made.fields),
    values: undefined,
    labels: {},
    annotations: keeping(source),
    namespace: source.destination.namespace,
  };
  const { charts } = closure;
  const all = new Map([...closure.inputs, ...inputs]);
  const unit = { path: surroundings.path, inputs: all, root, ...(charts ? { charts } : {}) };
  return { kind: 'kustomize', unit, told: made.told };
}

const inFolder = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/** With what files beside the folder's say of it, as image updaters write them. */
function* overriding(
  source: ArgoSource,
  folder: string,
  tree: SourceTree,
): Steps<{ readonly source: ArgoSource; readonly inputs: Unit['inputs'] } | string> {
  const inputs = new Map();
  let result = source;
  for (const name of ['.argocd-source.yaml', `.argocd-source-${source.manifest.object.metadata.name}.yaml`]) {
    const path = inFolder(folder, name);
    const file = yield* fileAt(path, tree.files);
    if (file === undefined) continue;
    if (!tree.isOwn(path)) return `${path} belongs to another tenant`;
    const documents = writtenIn((yield* textAt(path, tree)) ?? '');
    const value = documents?.length === 1 ? documents[0]?.value : undefined;
    if (!isObject(value)) return `${path} cannot be read`;
    const strange = Object.keys(value).find((field) => field !== 'helm' && field !== 'kustomize');
    if (strange !== undefined) return `${path}: ${strange.slice(0, 60)} is not followed there`;
    inputs.set(path, file);
    const { helm, kustomize } = value;
    if (isObject(helm)) result = { ...result, helm: merged(result.helm ?? {}, helm) };
    if (isObject(kustomize)) result = { ...result, kustomize: merged(result.kustomize ?? {}, kustomize) };
  }
  return { source: result, inputs };
}

/** As RFC 7386 merges: lists are replaced, null takes away. */
function merged(target: Fields, patch: Fields): Fields {
  const result = new Map(Object.entries(target));
  for (const [key, value] of Object.entries(patch)) {
    const there = result.get(key);
    if (value === null) result.delete(key);
    else result.set(key, isObject(value) && isObject(there) ? merged(there, value) : value);
  }
  return Object.fromEntries(result);
}

/** Files of the folder as Argo CD takes them: without those of folders below, unless it is asked for them. */
function* directoryOf(
  { directory }: ArgoSource,
  folder: string,
  tree: SourceTree,
  { isLeftOut }: ArgoSurroundings,
): Steps<Fields | string> {
  const prefix = folder === '' ? '' : `${folder}/`;
  const found = yield* filesUnder(folder, tree.files);
  if (found.size === 0) return `there is no folder ${folder}`;
  const [include, exclude] = [directory?.include, directory?.exclude].map((pattern) =>
    pattern === undefined ? undefined : (readArgoGlob(pattern) ?? 'unreadable'),
  );
  if (include === 'unreadable' || exclude === 'unreadable')
    return 'include or exclude of its directory cannot be read as a pattern';
  const resources: string[] = [];
  for (const path of [...found.keys()].toSorted()) {
    const name = path.slice(prefix.length);
    const inside = name.split('/');
    if (inside.length > 1 && directory?.isRecursive !== true) continue;
    // Here as everywhere what is hidden is no manifest: ledgers, `.sops.yaml`, pipelines.
    if (inside.some((part) => part.startsWith('.')) || isLeftOut(path)) continue;
    if (include && !include(name)) continue;
    if (exclude?.(name)) continue;
    if (name.endsWith('.jsonnet')) return `${path} is Jsonnet, which is not followed: commit what it makes`;
    if (!/\.(?:ya?ml|json)$/.test(name) || kustomizationNames.includes(inside.at(-1) ?? '')) continue;
    resources.push(`./${name}`);
    if (resources.length > mostListed) return `${folder} holds more than ${mostListed} files`;
  }
  if (resources.length > 0) return { resources };
  const others = [...found.keys()].find((path) => !tree.isOwn(path));
  return others === undefined ? { namespace: '_placeholder' } : `${others} belongs to another tenant`;
}

/** What of `kustomize` has no effect. An empty text: it is followed. */
const options: Readonly<Record<string, string>> = {
  namePrefix: '',
  nameSuffix: '',
  namespace: '',
  images: '',
  replicas: '',
  commonLabels: '',
  commonAnnotations: '',
  forceCommonLabels: '',
  forceCommonAnnotations: '',
  labelWithoutSelector: '',
  labelIncludeTemplates: '',
  patches: '',
  components: '',
  version: "has no effect: the agent's own kustomize renders it",
  kubeVersion: 'has no effect',
  apiVersions: 'has no effect',
};

/** The kustomization of the folder with what an Application says of it. Throws Unusable. */
function withOptions(written: Fields, source: ArgoSource): { readonly fields: Fields; readonly told: readonly Told[] } {
  const said = source.kustomize ?? {};
  const place = `spec.${source.at === undefined ? 'source' : `sources[${source.at}]`}.kustomize`;
  const told: Told[] = [];
  for (const [field, value] of Object.entries(said)) {
    if (isNothing(value)) continue;
    const why = own(options, field);
    if (why === undefined) throw new Unusable(`${place}.${field.slice(0, 60)} is not followed`);
    if (why !== '') told.push({ field: 'source', text: `${place}.${field} ${why}` });
  }
  const fields: Record<string, unknown> = {
    ...changed(written, {
      namespace: textOf(said['namespace'], `${place}.namespace`),
      namePrefix: textOf(said['namePrefix'], `${place}.namePrefix`),
      nameSuffix: textOf(said['nameSuffix'], `${place}.nameSuffix`),
      images: textsIn(said['images'], `${place}.images`).map((image) =>
        imageOf(withEnvironment(image, place, source), place),
      ),
      patches: mapsOf(said['patches'], `${place}.patches`),
      patchesStrategicMerge: [],
      patchesJson6902: [],
      components: textsIn(said['components'], `${place}.components`),
    }),
  };
  // Written in full: what Flux drops of a patch counts here.
  const patches = mapsOf(said['patches'], `${place}.patches`);
  if (patches.length > 0) fields['patches'] = [...listOf(written['patches'], 'patches'), ...patches];
  const replicas = mapsOf(said['replicas'], `${place}.replicas`).map(({ name, count }) => ({
    name,
    count: Number(count),
  }));
  if (replicas.length > 0) {
    const names = new Set(replicas.map(({ name }) => name));
    const kept = listOf(written['replicas'], 'replicas').filter((one) => !isObject(one) || !names.has(one['name']));
    fields['replicas'] = [...kept, ...replicas];
  }
  const labels = textsOf(said['commonLabels'], `${place}.commonLabels`);
  if (Object.keys(labels).length > 0) {
    if (said['labelWithoutSelector'] === true) {
      const entry = {
        pairs: labels,
        includeSelectors: false,
        ...(said['labelIncludeTemplates'] === true ? { includeTemplates: true } : {}),
      };
      fields['labels'] = [...(isList(written['labels']) ? written['labels'] : []), entry];
    } else
      fields['commonLabels'] = joined(
        written['commonLabels'],
        labels,
        said['forceCommonLabels'] === true,
        `${place}.commonLabels`,
      );
  }
  const annotations = textsOf(said['commonAnnotations'], `${place}.commonAnnotations`);
  if (Object.keys(annotations).length > 0)
    fields['commonAnnotations'] = joined(
      written['commonAnnotations'],
      annotations,
      said['forceCommonAnnotations'] === true,
      `${place}.commonAnnotations`,
    );
  return { fields, told };
}

/** What both say, as kustomize itself refuses it. */
function joined(there: unknown, more: Readonly<Record<string, string>>, isForced: boolean, place: string): Fields {
  const own = isObject(there) ? there : {};
  const twice = isForced ? undefined : Object.keys(more).find((key) => Object.hasOwn(own, key));
  if (twice !== undefined)
    throw new Unusable(
      `${place}: ${twice.slice(0, 60)} is in the kustomization as well, so force it or take one of the two`,
    );
  return { ...own, ...more };
}

/** `name=newName:tag`, `name:tag` or `name@digest`. */
function imageOf(text: string, place: string): Fields {
  const equals = text.indexOf('=');
  const right = text.slice(equals + 1);
  const found = /^([^@]+?)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(right);
  const [, image, newTag, digest] = found ?? [];
  const name = equals < 0 ? image : text.slice(0, equals);
  if (image === undefined || name === undefined || name === '' || text.length > 1_000 || /[*\s]/.test(text))
    throw new Unusable(`${place}.images: ${JSON.stringify(text.slice(0, 100))} is no image`);
  return {
    name,
    ...(equals < 0 || image === name ? {} : { newName: image }),
    ...(newTag === undefined || digest !== undefined ? {} : { newTag }),
    ...(digest === undefined ? {} : { digest }),
  };
}
