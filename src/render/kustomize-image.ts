import type { Steps } from '../lib/turns.ts';
import { editingDocument } from '../manifest/edit-object.ts';
import { writtenIn } from '../manifest/edit-tree.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { identityKey } from '../manifest/identity.ts';
import { fluxOf, type WrittenFlux } from './flux-image.ts';
import { closureOf, kustomizationIn } from './kustomize-units.ts';
import { indexed } from './object-index.ts';
import { settingField } from './plain-field.ts';
import type { Edit, FieldGoal } from './renderer.ts';
import { textAt } from './source-bytes.ts';
import type { TreeFiles } from './tree-files.ts';

/** Larger kustomizations are left to a person. */
const mostLength = 256 * 1024;

/**
 * Moves an image that an entry of `images` in a kustomization says, there: the outermost entry counts, as for kustomize, and what Flux's own
 * Kustomization says before that. Undefined: no entry says it, so it stands in a resource. Of what the entry says beside tag and digest nothing is changed.
 */
export function* settingImage({ tip, object, field, value }: FieldGoal): Steps<Edit | undefined> {
  if (field.at(-1) !== 'image' || typeof value !== 'string') return undefined;
  const manifest = (yield* indexed(tip)).byIdentity.get(identityKey(object));
  if (manifest?.origin.renderer !== 'kustomize') return undefined;
  const now = valueAt(manifest.object, field);
  if (typeof now !== 'string') return undefined;
  const [before, after] = [partsOf(now), partsOf(value)];
  if (before.name !== after.name || after.tag === undefined) return undefined;
  const tree = { files: tip.files, said: new Map(), kustomizations: new Map(), isOwn: () => true };
  const { unit } = manifest.origin;
  const flux = yield* fluxOf(unit, tip.files);
  if (typeof flux === 'string') return { kind: 'refused', reason: flux, paths: [] };
  const inFlux = flux && (yield* settingFluxImage(flux, before, { tag: after.tag, digest: after.digest }, tip.files));
  if (inFlux) return inFlux;
  const start = flux ? yield* kustomizationIn(flux.folder, tree) : unit;
  const { kustomizations, charts } =
    start === undefined ? { kustomizations: [], charts: undefined } : yield* closureOf(start, tree);
  for (const path of kustomizations) {
    const text = yield* textAt(path, tip);
    yield;
    if (text === undefined || text.length > mostLength) continue;
    const documents = writtenIn(text);
    const [document] = documents ?? [];
    if (documents?.length !== 1 || !document || !isObject(document.value)) continue;
    const wanted = withImage(document.value, before, { tag: after.tag, digest: after.digest });
    if (!wanted) continue;
    const edited = yield* editingDocument(text, 0, wanted, {});
    if (edited.kind === 'refused') return { kind: 'refused', reason: edited.reason, paths: [path] };
    return { kind: 'edited', files: new Map([[path, edited.text]]) };
  }
  const { path, document } = manifest.origin;
  if (charts && document === undefined)
    return {
      kind: 'refused',
      reason: `a chart of ${path} says its image: add an entry to images there, which is moved then`,
      paths: [path],
    };
  const written = flux && document !== undefined ? ((yield* textAt(path, tip)) ?? '') : '';
  const filled = written.includes('${') ? valueAt(writtenIn(written)?.[document ?? 0]?.value, field) : undefined;
  // Others who fill in the same variable would lose it.
  if (typeof filled === 'string' && filled.includes('${'))
    return {
      kind: 'refused',
      reason: `its image is written as ${filled.slice(0, 120)}, with a variable that is filled in`,
      paths: [path],
    };
  return undefined;
}

/** In `spec.images` of a Kustomization of Flux. Undefined: none of these says it. */
function* settingFluxImage(
  { path, object }: WrittenFlux,
  before: ImageParts,
  after: { readonly tag: string; readonly digest: string | undefined },
  files: TreeFiles,
): Steps<Edit | undefined> {
  const { spec } = object;
  const wanted = isObject(spec) ? withImage(spec, before, after) : undefined;
  const text = wanted && (yield* textAt(path, { files }));
  if (!wanted || text === undefined) return undefined;
  if (text.length > mostLength) return { kind: 'refused', reason: `${path} is too large to be edited`, paths: [path] };
  const value = wanted['images'];
  const made = yield* settingField({ kind: 'field', placed: { object, path }, text, field: ['spec', 'images'], value });
  return made.kind === 'edited' ? made : { kind: 'refused', reason: made.reason, paths: [path] };
}

interface ImageParts {
  /** Without tag and digest. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

function partsOf(image: string): ImageParts {
  const [rest = '', digest] = image.split('@');
  const colon = rest.lastIndexOf(':');
  const hasTag = colon > rest.lastIndexOf('/');
  return { name: hasTag ? rest.slice(0, colon) : rest, tag: hasTag ? rest.slice(colon + 1) : undefined, digest };
}

/** The kustomization with another tag in the entry that gives this image; undefined: none does. */
function withImage(
  kustomization: Readonly<Record<string, unknown>>,
  before: ImageParts,
  { tag, digest }: { readonly tag: string; readonly digest: string | undefined },
): Readonly<Record<string, unknown>> | undefined {
  const { images } = kustomization;
  if (!isList(images)) return undefined;
  // The last entry of a name counts.
  const at = images.findLastIndex((entry) => {
    if (!isObject(entry)) return false;
    const { name, newName, newTag, digest: pinned } = entry;
    const says = newTag !== undefined || pinned !== undefined;
    return says && (newName ?? name) === before.name && (newTag === undefined || newTag === before.tag);
  });
  const entry = images[at];
  if (!isObject(entry)) return undefined;
  const { digest: _former, ...kept } = entry;
  const moved = { ...kept, newTag: tag, ...(digest === undefined ? {} : { digest }) };
  return { ...kustomization, images: images.map((one, index) => (index === at ? moved : (one as unknown))) };
}

function valueAt(whole: unknown, field: readonly (string | number)[]): unknown {
  let value = whole;
  for (const step of field) {
    if (Array.isArray(value)) value = value[Number(step)] as unknown;
    else value = isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value;
}
