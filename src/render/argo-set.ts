import { own } from '../lib/own.ts';
import type { Steps } from '../lib/turns.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { matchesGlob, readGlob } from '../manifest/glob.ts';
import type { LoadSettings } from '../manifest/load.ts';
import { readYaml, valueOf } from '../manifest/read-yaml.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import { whyElsewhere } from './argo-roots.ts';
import { filledTemplate } from './argo-template.ts';
import { type Fields, type Told, Unusable } from './described.ts';
import { isNothing, mapOf, mapsOf, textOf, textsOf } from './described-fields.ts';
import type { SourceTree } from './renderer.ts';
import { filesUnder, textAt } from './source-bytes.ts';

/** What an ApplicationSet of Argo CD makes. */
export interface ArgoSet {
  readonly manifests: readonly Manifest[];
  readonly told: readonly Told[];
}

const mostApplications = 500;
/** Work on patterns over paths, in steps of `matchesGlob`. */
const mostSteps = 2_000_000;
const mostParameterBytes = 64 * 1024;

const followed = new Set(['generators', 'template', 'goTemplate', 'goTemplateOptions']);
const notFollowed: Readonly<Record<string, string>> = {
  strategy: 'has no effect: all its Applications are applied at once',
  syncPolicy: 'has no effect: what is gone from Git goes, unless the Applications do not prune',
  preservedFields: 'has no effect: no Application is written',
  ignoreApplicationDifferences: 'has no effect: no Application is written',
  applyNestedSelectors: 'has no effect: selectors are not followed',
};

/** The Applications of an ApplicationSet. A text says why it cannot be followed. */
export function* applicationsOf(manifest: Manifest, tree: SourceTree, settings: LoadSettings): Steps<ArgoSet | string> {
  try {
    return yield* expanded(manifest, tree, settings);
  } catch (error) {
    if (error instanceof Unusable) return error.message;
    throw error;
  }
}

function* expanded(manifest: Manifest, tree: SourceTree, settings: LoadSettings): Steps<ArgoSet> {
  const { metadata } = manifest.object;
  const spec = mapOf(manifest.object['spec'], 'spec');
  if (!isNothing(spec['templatePatch'])) throw new Unusable('spec.templatePatch is not followed');
  const told = Object.keys(spec).flatMap((field): readonly Told[] => {
    if (followed.has(field) || isNothing(spec[field])) return [];
    const why = own(notFollowed, field) ?? 'has no effect: it is not known here';
    return [{ field, text: `spec.${field.slice(0, 60)} ${why}` }];
  });
  const isGo = spec['goTemplate'] === true;
  const template = mapOf(spec['template'], 'spec.template');
  const parameters: Fields[] = [];
  for (const [at, generator] of mapsOf(spec['generators'], 'spec.generators').entries())
    for (const one of yield* generated(generator, { place: `spec.generators[${at}]`, isGo, tree, settings })) {
      parameters.push(one);
      if (parameters.length > mostApplications)
        throw new Unusable(`it would make more than ${mostApplications} Applications`);
    }
  const manifests: Manifest[] = [];
  for (const one of parameters) {
    const filled = filledTemplate(template, one, isGo);
    if (!isObject(filled)) throw new Unusable('spec.template is no map');
    const made = mapOf(filled['metadata'], 'spec.template.metadata');
    const name = textOf(made['name'], 'spec.template.metadata.name');
    if (name === undefined) throw new Unusable('spec.template.metadata.name is missing');
    const annotations = textsOf(made['annotations'], 'spec.template.metadata.annotations');
    const object: KubeObject = {
      apiVersion: manifest.object.apiVersion,
      kind: 'Application',
      metadata: {
        name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        annotations,
      },
      spec: filled['spec'],
    };
    manifests.push({ object, origin: manifest.origin });
    yield;
  }
  return { manifests, told };
}

interface Around {
  readonly place: string;
  readonly isGo: boolean;
  readonly tree: SourceTree;
  readonly settings: LoadSettings;
}

/** What a generator fills in, once for each Application. */
function* generated(generator: Fields, around: Around): Steps<readonly Fields[]> {
  const { place } = around;
  const kinds = Object.keys(generator).filter((field) => generator[field] !== undefined && generator[field] !== null);
  const strange = kinds.find((kind) => !['list', 'git', 'clusters'].includes(kind));
  if (strange !== undefined)
    throw new Unusable(
      `${place}.${strange.slice(0, 60)} is not followed: list, git and clusters without a selector are`,
    );
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) throw new Unusable(`${place} names not exactly one generator`);
  const fields = mapOf(generator[kind], `${place}.${kind}`);
  if (!isNothing(fields['template'])) throw new Unusable(`${place}.${kind}.template is not followed`);
  if (kind === 'list') {
    if (!isNothing(fields['elementsYaml'])) throw new Unusable(`${place}.list.elementsYaml is not followed`);
    return mapsOf(fields['elements'], `${place}.list.elements`);
  }
  if (kind === 'clusters') {
    if (!isNothing(fields['selector']) || fields['flatList'] === true)
      throw new Unusable(`${place}.clusters with a selector is not followed: nobody here knows other clusters`);
    const name = 'in-cluster';
    const own = { name, nameNormalized: name, server: 'https://kubernetes.default.svc' };
    return [{ ...own, ...valuesOf(fields, place) }];
  }
  const elsewhere = whyElsewhere(
    {
      url: textOf(fields['repoURL'], `${place}.git.repoURL`) ?? '',
      revision: textOf(fields['revision'], `${place}.git.revision`),
    },
    around.settings,
  );
  if (elsewhere !== undefined) throw new Unusable(`${place}.git: ${elsewhere}`);
  if (!isNothing(fields['pathParamPrefix'])) throw new Unusable(`${place}.git.pathParamPrefix is not followed`);
  const more = valuesOf(fields, `${place}.git`);
  const made = isNothing(fields['directories']) ? yield* ofFiles(fields, around) : yield* ofDirectories(fields, around);
  return made.map((one) => ({ ...one, ...more }));
}

function valuesOf(fields: Fields, place: string): Fields {
  const values = textsOf(fields['values'], `${place}.values`);
  if (Object.values(values).some((text) => text.includes('{{')))
    throw new Unusable(`${place}.values with {{ }} are not followed`);
  return Object.keys(values).length === 0 ? {} : { values };
}

/** Patterns, and whether what they match is left out. */
function patternsIn(fields: Fields, name: string, place: string): readonly { path: string; isExcluded: boolean }[] {
  return mapsOf(fields[name], `${place}.git.${name}`).map((one) => ({
    path: textOf(one['path'], `${place}.git.${name}.path`) ?? '',
    isExcluded: one['exclude'] === true,
  }));
}

/** Whether the patterns take a path. Throws where that would be too much work. */
function choosing(patterns: readonly { path: string; isExcluded: boolean }[]): (path: string) => boolean {
  const globs = patterns.map(({ path, isExcluded }) => ({ glob: readGlob(path), isExcluded }));
  let steps = 0;
  const spend = (): boolean => {
    steps += 1;
    if (steps > mostSteps) throw new Unusable('its patterns and folders are too many');
    return true;
  };
  return (path) => {
    const matching = globs.filter(({ glob }) => matchesGlob(glob, path, spend));
    return matching.length > 0 && matching.every(({ isExcluded }) => !isExcluded);
  };
}

/** The folders above which nothing is a pattern. */
function* pathsBelow(patterns: readonly { path: string }[], tree: SourceTree): Steps<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { path } of patterns) {
    const parts = path.split('/');
    const at = parts.findIndex((part) => /[*?[{]/.test(part));
    const above = parts.slice(0, at < 0 ? -1 : at).join('/');
    for (const one of (yield* filesUnder(above, tree.files)).keys()) if (tree.isOwn(one)) found.add(one);
  }
  return found;
}

function* ofDirectories(fields: Fields, { place, isGo, tree }: Around): Steps<readonly Fields[]> {
  const patterns = patternsIn(fields, 'directories', place);
  const isChosen = choosing(patterns);
  const folders = new Set<string>();
  for (const path of yield* pathsBelow(
    patterns.filter(({ isExcluded }) => !isExcluded),
    tree,
  )) {
    const parts = path.split('/').slice(0, -1);
    for (let end = parts.length; end > 0; end -= 1) {
      const folder = parts.slice(0, end).join('/');
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  const chosen: string[] = [];
  for (const folder of [...folders].toSorted()) {
    if (!folder.split('/').some((part) => part.startsWith('.')) && isChosen(folder)) chosen.push(folder);
    yield;
  }
  return chosen.map((folder) => pathParameters(folder, isGo));
}

function* ofFiles(fields: Fields, { place, isGo, tree }: Around): Steps<readonly Fields[]> {
  const patterns = patternsIn(fields, 'files', place);
  if (patterns.length === 0) throw new Unusable(`${place}.git names neither directories nor files`);
  const isChosen = choosing(patterns);
  const made: Fields[] = [];
  const paths = yield* pathsBelow(
    patterns.filter(({ isExcluded }) => !isExcluded),
    tree,
  );
  for (const path of [...paths].toSorted()) {
    if (!isChosen(path)) continue;
    const text = (yield* textAt(path, tree)) ?? '';
    if (text.length > mostParameterBytes) throw new Unusable(`${path} is larger than ${mostParameterBytes / 1024} KiB`);
    const value = parameters(text);
    const all = isList(value) ? value : [value];
    for (const one of all) {
      if (!isObject(one)) throw new Unusable(`${path} holds no map`);
      made.push({ ...one, ...pathParameters(path.slice(0, Math.max(0, path.lastIndexOf('/'))), isGo, path) });
    }
    yield;
  }
  return made;
}

function parameters(text: string): unknown {
  try {
    const [document, ...more] = readYaml(text);
    return document && more.length === 0 && document.errors.length === 0 ? valueOf(document) : undefined;
  } catch {
    return undefined;
  }
}

/** What a template may call a folder. */
function pathParameters(folder: string, isGo: boolean, file?: string): Fields {
  const segments = folder.split('/');
  const basename = segments.at(-1) ?? '';
  const filename = file?.slice(file.lastIndexOf('/') + 1);
  const normalised = (name: string): string =>
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')
      .slice(0, 253);
  const names = {
    basename,
    basenameNormalized: normalised(basename),
    ...(filename === undefined ? {} : { filename, filenameNormalized: normalised(filename) }),
  };
  if (isGo) return { path: { path: folder, segments, ...names } };
  const flat = Object.entries(names).map(([name, value]) => [`path.${name}`, value] as const);
  return Object.fromEntries([['path', folder], ...flat, ...segments.map((one, at) => [`path[${at}]`, one] as const)]);
}
