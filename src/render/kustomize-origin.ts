import { identityKey } from '../manifest/identity.ts';
import { groupOf, type KubeObject, type KustomizeOrigin, type Manifest, refOf } from '../manifest/types.ts';

const annotation = 'config.kubernetes.io/origin';
/** Paths in it are seen from a folder beside that of the tree. */
const above = '../tree/';

/** Where kustomize says that an object comes from. `writtenIn`: what stands in a file; undefined: not known. */
export function kustomizeOrigin(
  object: KubeObject,
  unit: string,
  writtenIn: (path: string) => readonly Manifest[] | undefined,
): KustomizeOrigin {
  const said = object.metadata.annotations?.[annotation] ?? '';
  const generator = pathIn(said, 'configuredIn');
  const nowhere = { renderer: 'kustomize' as const, line: 1, document: undefined, namespace: undefined, unit };
  if (generator !== undefined) return { ...nowhere, path: generator };
  const path = pathIn(said, 'path');
  if (path === undefined) return { ...nowhere, path: unit };
  const there = writtenIn(path);
  // With a prefix it is called otherwise here: of a file with one object it is that one.
  const written = there?.find(({ object: other }) => isNamesake(other, object)) ?? only(there, object);
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
}

/** The file that an object is written in, or the kustomization whose generator makes it. Undefined: kustomize does not say. */
export function sourcePath(object: KubeObject): string | undefined {
  return pathSaid(object.metadata.annotations?.[annotation] ?? '');
}

/** The same, of what stands in the annotation. */
export const pathSaid = (said: string): string | undefined => pathIn(said, 'configuredIn') ?? pathIn(said, 'path');

/** The one that it is called by there, where a prefix or a suffix made another name of it. */
function only(
  there: readonly Manifest[] | undefined,
  { apiVersion, kind, metadata }: KubeObject,
): Manifest | undefined {
  const found = there?.filter(
    ({ object: other }) =>
      other.kind === kind &&
      groupOf(other.apiVersion) === groupOf(apiVersion) &&
      metadata.name.includes(other.metadata.name),
  );
  return found?.length === 1 ? found[0] : undefined;
}

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
function isNamesake(a: KubeObject, b: KubeObject): boolean {
  const nameless = (object: KubeObject): string => identityKey({ ...refOf(object), namespace: '' });
  return nameless(a) === nameless(b);
}
