import { identityKey } from '../manifest/identity.ts';
import { type KubeObject, type KustomizeOrigin, refOf } from '../manifest/types.ts';
import type { SourceTree } from './renderer.ts';

const annotation = 'config.kubernetes.io/origin';
/** Paths in it are seen from a folder beside that of the tree. */
const above = '../tree/';

/** Where kustomize says that an object comes from. */
export function kustomizeOrigin(object: KubeObject, unit: string, tree: SourceTree): KustomizeOrigin {
  const said = object.metadata.annotations?.[annotation] ?? '';
  const generator = pathIn(said, 'configuredIn');
  const nowhere = { renderer: 'kustomize' as const, line: 1, document: undefined, namespace: undefined, unit };
  if (generator !== undefined) return { ...nowhere, path: generator };
  const path = pathIn(said, 'path');
  if (path === undefined) return { ...nowhere, path: unit };
  const written = tree.said.get(path)?.parsed.manifests.find(({ object: other }) => isNamesake(other, object));
  const { document, line } = written?.origin ?? { document: 0, line: 1 };
  return { renderer: 'kustomize', path, line, document, namespace: written?.object.metadata.namespace, unit };
}

/** Without the annotation that it was asked for by. */
export function withoutOrigin(object: KubeObject): KubeObject {
  const { annotations, ...metadata } = object.metadata;
  const { [annotation]: origin, ...left } = annotations ?? {};
  if (origin === undefined) return object;
  return { ...object, metadata: Object.keys(left).length === 0 ? metadata : { ...metadata, annotations: left } };
}

function pathIn(said: string, field: string): string | undefined {
  const found = new RegExp(`^${field}: (.+)$`, 'm').exec(said)?.[1]?.replace(/^(["'])(.*)\1$/, '$2');
  return found?.startsWith(above) ? found.slice(above.length) : undefined;
}

/** The namespace may be another one. */
function isNamesake(a: KubeObject, b: KubeObject): boolean {
  const nameless = (object: KubeObject): string => identityKey({ ...refOf(object), namespace: '' });
  return nameless(a) === nameless(b);
}
