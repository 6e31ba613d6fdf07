import { canonicalJson, sha256Hex } from '../lib/hash.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import { configRefsOf, imagesOf, isTrackedConfig } from './configs.ts';
import { at, textOf, textsOf } from './json.ts';

/** One Canary with its target and the configs that the target refers to, as they stand in Git at one commit. */
export interface App {
  readonly id: { readonly namespace: string; readonly name: string };
  readonly canary: Manifest;
  /** Absent: Git has no such Deployment. */
  readonly target?: Manifest;
  /** Only those that stand in Git and are tracked. */
  readonly configs: readonly Manifest[];
  /** Container name to image, as written. */
  readonly images: Readonly<Record<string, string>>;
  /** Hash of what a release is about: pod template and config data. Not replicas, not the Canary. */
  readonly content: string;
}

/** All apps in the order of their Canaries. Canaries that cannot be parsed count too. */
export function appsOf(manifests: readonly Manifest[], defaultNamespace: string): App[] {
  const key = (kind: string, namespace: string, name: string): string => `${kind}/${namespace}/${name}`;
  const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? defaultNamespace;
  const index = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const { object } = manifest;
    const { apiVersion, kind } = object;
    const isPart = kind === 'Deployment' ? apiVersion.startsWith('apps/') : apiVersion === 'v1';
    if (isPart) index.set(key(kind, namespaceOf(object), object.metadata.name), manifest);
  }
  return manifests
    .filter(({ object }) => object.kind === 'Canary' && object.apiVersion.startsWith('flagger.app/'))
    .map((canary) => {
      const namespace = namespaceOf(canary.object);
      const id = { namespace, name: canary.object.metadata.name };
      const kind = textOf(at(canary.object, 'spec', 'targetRef', 'kind')) ?? 'Deployment';
      const targetName = textOf(at(canary.object, 'spec', 'targetRef', 'name')) ?? '';
      const target = kind === 'Deployment' ? index.get(key(kind, namespace, targetName)) : undefined;
      if (!target) return { id, canary, configs: [], images: {}, content: contentOf(undefined, []) };
      const configs = configRefsOf(target.object).flatMap((ref) => {
        const found = index.get(key(ref.kind, namespace, ref.name));
        return found && isTrackedConfig(found.object) ? [found] : [];
      });
      return { id, canary, target, configs, images: imagesOf(target.object), content: contentOf(target, configs) };
    });
}

function contentOf(target: Manifest | undefined, configs: readonly Manifest[]): string {
  const data = configs.map(({ object }) => [object.kind, object.metadata.name, dataOf(object), object['binaryData']]);
  return sha256Hex(canonicalJson([at(target?.object, 'spec', 'template'), data])).slice(0, 16);
}

/** `stringData` is only another way to write `data`. */
function dataOf(object: KubeObject): unknown {
  const plain = textsOf(object['stringData']);
  const encoded = Object.entries(plain).map(([name, text]) => [name, Buffer.from(text, 'utf8').toString('base64')]);
  return { ...textsOf(object['data']), ...Object.fromEntries(encoded) };
}
