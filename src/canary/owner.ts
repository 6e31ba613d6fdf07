import type { KubeObject, ObjectRef, OwnerReference } from '../manifest/types.ts';

/** Makes generated objects go with the Canary. */
export function ownerOf(canary: KubeObject): OwnerReference {
  return {
    apiVersion: canary.apiVersion,
    kind: canary.kind,
    name: canary.metadata.name,
    uid: canary.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function isCanaryRef({ apiVersion, kind }: OwnerReference): boolean {
  return kind === 'Canary' && apiVersion.startsWith('flagger.app/');
}

export function isControlledBy(object: KubeObject, canary: KubeObject): boolean {
  return (object.metadata.ownerReferences ?? []).some(
    ({ controller, uid }) => controller === true && uid === canary.metadata.uid,
  );
}

/** Where a Canary stands. */
export function canaryRef({ namespace, name }: { readonly namespace: string; readonly name: string }): ObjectRef {
  return { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace, name };
}
