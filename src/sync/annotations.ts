import type { KubeObject } from '../manifest/types.ts';

type Annotated = Pick<KubeObject, 'metadata'>;

/** Annotations with which people keep an agent away from an object: our own, Flux v1's and Flux v2's. */
export function isIgnored({ metadata }: Annotated): boolean {
  const { annotations } = metadata;
  if (!annotations) return false;
  return (
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
    isIgnored(object)
  );
}

const prefixes = ['serin.dev/', 'fluxcd.io/', 'flux.weave.works/', 'kustomize.toolkit.fluxcd.io/'];

/** The annotations that this file looks at; undefined where there are none. */
export function controlAnnotations({ metadata }: Annotated): Record<string, string> | undefined {
  const found = Object.entries(metadata.annotations ?? {}).filter(([key]) =>
    prefixes.some((prefix) => key.startsWith(prefix)),
  );
  return found.length === 0 ? undefined : Object.fromEntries(found);
}
