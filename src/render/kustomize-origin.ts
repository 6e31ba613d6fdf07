import type { Steps } from '../lib/turns.ts';
import { identityKey } from '../manifest/identity.ts';
import { groupOf, type KubeObject, type KustomizeOrigin, type Manifest, refOf } from '../manifest/types.ts';

const annotation = 'config.kubernetes.io/origin';
/** Paths in it are seen from a folder beside that of the tree. */
const above = '../tree/';

/** A file may hold thousands of them. */
interface WrittenFile {
  readonly byName: ReadonlyMap<string, Manifest>;
  readonly byKind: ReadonlyMap<string, readonly Manifest[]>;
}
/** Of more, which one was meant is not looked for. */
const mostOfKind = 50;

/**
 * Where kustomize says that objects of a unit come from; asked for many, it takes time in proportion. `writtenIn`: what stands in a file;
 * undefined: not known.
 */
export function kustomizeOrigins(
  unit: string,
  writtenIn: (path: string) => readonly Manifest[] | undefined,
): (object: KubeObject) => Steps<KustomizeOrigin> {
  const files = new Map<string, WrittenFile>();
  function* fileAt(path: string): Steps<WrittenFile> {
    const known = files.get(path);
    if (known) return known;
    const byName = new Map<string, Manifest>();
    const byKind = new Map<string, Manifest[]>();
    for (const manifest of writtenIn(path) ?? []) {
      const key = namelessKey(manifest.object);
      if (!byName.has(key)) byName.set(key, manifest);
      const ofKind = byKind.get(kindKey(manifest.object));
      if (ofKind) ofKind.push(manifest);
      else byKind.set(kindKey(manifest.object), [manifest]);
      yield;
    }
    const file = { byName, byKind };
    files.set(path, file);
    return file;
  }
  return function* (object) {
    const said = object.metadata.annotations?.[annotation] ?? '';
    const generator = pathIn(said, 'configuredIn');
    const nowhere = { renderer: 'kustomize' as const, line: 1, document: undefined, namespace: undefined, unit };
    if (generator !== undefined) return { ...nowhere, path: generator };
    const path = pathIn(said, 'path');
    if (path === undefined) return { ...nowhere, path: unit };
    const { byName, byKind } = yield* fileAt(path);
    // With a prefix it is called otherwise here: of a file with one object it is that one.
    const written = byName.get(namelessKey(object)) ?? only(byKind.get(kindKey(object)) ?? [], object);
    const { document, line } = written?.origin ?? { document: 0, line: 1 };
    const name = written?.object.metadata.name;
    return {
      renderer: 'kustomize',
      path,
      line,
      document,
      namespace: written?.object.metadata.namespace,
      ...(name === undefined || name === object.metadata.name ? {} : { name }),
      unit,
    };
  };
}

/** The file that an object is written in, or the kustomization whose generator makes it. Undefined: kustomize does not say. */
export function sourcePath(object: KubeObject): string | undefined {
  return pathSaid(object.metadata.annotations?.[annotation] ?? '');
}

/** The same, of what stands in the annotation. */
export const pathSaid = (said: string): string | undefined => pathIn(said, 'configuredIn') ?? pathIn(said, 'path');

/** The one that it is called by there, where a prefix or a suffix made another name of it. */
function only(ofKind: readonly Manifest[], { metadata }: KubeObject): Manifest | undefined {
  if (ofKind.length > mostOfKind) return undefined;
  const found = ofKind.filter(({ object: other }) => metadata.name.includes(other.metadata.name));
  return found.length === 1 ? found[0] : undefined;
}

const kindKey = ({ apiVersion, kind }: KubeObject): string => `${groupOf(apiVersion)}/${kind}`;

/** Without the annotation that it was asked for by. */
export function withoutOrigin(object: KubeObject): KubeObject {
  const { annotations, ...metadata } = object.metadata;
  const { [annotation]: origin, ...left } = annotations ?? {};
  if (origin === undefined) return object;
  return { ...object, metadata: Object.keys(left).length === 0 ? metadata : { ...metadata, annotations: left } };
}

function pathIn(said: string, field: string): string | undefined {
  const found = new RegExp(`^\\s*${field}: (.+)$`, 'm').exec(said)?.[1]?.replace(/^(["'])(.*)\1$/, '$2');
  return found?.startsWith(above) ? found.slice(above.length) : undefined;
}

/** The namespace may be another one. */
const namelessKey = (object: KubeObject): string => identityKey({ ...refOf(object), namespace: '' });
