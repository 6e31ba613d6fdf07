import { hintAnnotations, readHints } from '../manifest/hints.ts';
import type { KubeObject } from '../manifest/types.ts';

type Annotated = Pick<KubeObject, 'metadata'>;

/** Annotations with which people keep an agent away from an object: our own, Flux v1's and Flux v2's. */
export function isIgnored(object: Annotated): boolean {
  const { annotations } = object.metadata;
  if (!annotations) return false;
  return (
    readHints(object).ignore ||
    annotations['serin.dev/ignore'] === 'true' ||
    ['true', 'sync_only'].includes(annotations['fluxcd.io/ignore'] ?? '') ||
    ['true', 'sync_only'].includes(annotations['flux.weave.works/ignore'] ?? '') ||
    annotations['kustomize.toolkit.fluxcd.io/reconcile'] === 'disabled'
  );
}

/** Whether an object stays when it is gone from Git. */
export function isKept(object: Annotated): boolean {
  const annotations = object.metadata.annotations ?? {};
  return (
    annotations['serin.dev/prune'] === 'disabled' ||
    annotations['kustomize.toolkit.fluxcd.io/prune'] === 'disabled' ||
    readHints(object).keep ||
    isIgnored(object)
  );
}

/**
 * On a Deployment that was a Canary's target: what Git asked for when the Canary left, and left it more pods, as its primary had. It keeps
 * them until Git asks for another number: nobody has said that so few are enough for all users.
 */
export const keptReplicas = 'serin.dev/kept-replicas';

/** `kept`: its size is not Git's; `over`: Git asks for another number by now. Undefined: no Canary has left it more pods. */
export function keptSize(inGit: KubeObject, live: Annotated | undefined): 'kept' | 'over' | undefined {
  const kept = live?.metadata.annotations?.[keptReplicas];
  if (kept === undefined) return undefined;
  return kept === String((inGit['spec'] as { replicas?: unknown } | undefined)?.replicas) ? 'kept' : 'over';
}

/** What canaries write on objects that they take over, to keep Flux away. */
const handsOff = 'kustomize.toolkit.fluxcd.io/reconcile';

/** Whether a canary has taken an object over that it does not own, as Services and routes that stood before it. */
export function isTakenOver(object: Annotated, isCanaryManager: (manager: string) => boolean): boolean {
  const owners = (object.metadata['managedFields'] ?? []) as readonly { manager?: string; fieldsV1?: Fields }[];
  return (
    object.metadata.annotations?.[handsOff] !== undefined &&
    owners.some(({ manager = '', fieldsV1 }) => {
      const annotations = (fieldsV1?.['f:metadata'] as Fields | undefined)?.['f:annotations'] as Fields | undefined;
      return isCanaryManager(manager) && annotations?.[`f:${handsOff}`] !== undefined;
    })
  );
}

type Fields = Readonly<Record<string, unknown>>;

/** The object without the annotation that a canary has written on it. */
export function withoutHandsOff<Any extends Annotated>(object: Any): Any {
  const { [handsOff]: _handsOff, ...annotations } = object.metadata.annotations ?? {};
  return { ...object, metadata: { ...object.metadata, annotations } };
}

const prefixes = ['serin.dev/', 'fluxcd.io/', 'flux.weave.works/', 'kustomize.toolkit.fluxcd.io/'];

/** The annotations by which people tell what to do with an object; undefined where there are none. */
export function controlAnnotations({ metadata }: Annotated): Record<string, string> | undefined {
  const found = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => hintAnnotations.includes(key) || prefixes.some((prefix) => key.startsWith(prefix)),
  );
  return found.length === 0 ? undefined : Object.fromEntries(found);
}
