import { groupOf, type KubeObject } from '../manifest/types.ts';

interface CanaryFields {
  readonly targetRef?: { readonly name?: string };
  readonly service?: { readonly name?: string };
  readonly ingressRef?: { readonly name?: string };
}

/** Names under which the Canaries among these objects write: their own objects, and those that they take over. */
export function createCanaryNames(objects: readonly KubeObject[]): (object: KubeObject) => boolean {
  const names = new Map<string, string[]>();
  for (const object of objects) {
    if (object.kind !== 'Canary' || groupOf(object.apiVersion) !== 'flagger.app') continue;
    const spec = object['spec'] as CanaryFields | undefined;
    const { namespace = '' } = object.metadata;
    const own = [spec?.targetRef?.name, spec?.service?.name, spec?.ingressRef?.name].flatMap((name) => name ?? []);
    names.set(namespace, [...(names.get(namespace) ?? []), ...own]);
  }
  return ({ metadata }) =>
    (names.get(metadata.namespace ?? '') ?? []).some(
      (name) => metadata.name === name || metadata.name.startsWith(`${name}-`),
    );
}
