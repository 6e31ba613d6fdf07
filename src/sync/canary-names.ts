import { groupOf, type KubeObject } from '../manifest/types.ts';

interface CanaryFields {
  readonly targetRef?: { readonly name?: string };
  readonly service?: { readonly name?: string };
  readonly ingressRef?: { readonly name?: string };
}

/** Names under which the Canaries among these objects write: their own objects, and those that they take over. */
export function createCanaryNames(objects: readonly KubeObject[]): (object: KubeObject) => boolean {
  const names = new Map<string, Set<string>>();
  for (const object of objects) {
    if (object.kind !== 'Canary' || groupOf(object.apiVersion) !== 'flagger.app') continue;
    const spec = object['spec'] as CanaryFields | undefined;
    const { namespace = '' } = object.metadata;
    const own = names.get(namespace) ?? new Set();
    for (const name of [spec?.targetRef?.name, spec?.service?.name, spec?.ingressRef?.name])
      if (name !== undefined) own.add(name);
    names.set(namespace, own);
  }
  return ({ metadata: { namespace = '', name } }) => {
    const own = names.get(namespace);
    if (!own || own.has(name)) return own !== undefined;
    for (let dash = name.indexOf('-'); dash >= 0; dash = name.indexOf('-', dash + 1))
      if (own.has(name.slice(0, dash))) return true;
    return false;
  };
}
