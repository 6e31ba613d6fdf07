import type { App } from '../canary/app.ts';
import type { Workload } from '../canary/overlap.ts';
import { perObject } from '../lib/memo.ts';
import type { Manifest } from '../manifest/types.ts';

/** Kinds whose pods are meant to answer requests for as long as they are there. */
const serving = new Set(['Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet']);

/** Workloads by namespace, as Git has them. */
export function workloadsOf(
  manifests: readonly Manifest[],
  apps: readonly App[],
): ReadonlyMap<string, readonly Workload[]> {
  return byManifests(manifests)(apps);
}

const byManifests = perObject((manifests: readonly Manifest[]) =>
  perObject((apps: readonly App[]): ReadonlyMap<string, readonly Workload[]> => {
    const released = new Set(apps.map(({ target }) => target?.object));
    const found = new Map<string, Workload[]>();
    for (const { object } of manifests) {
      if (!serving.has(object.kind) || !object.apiVersion.startsWith('apps/')) continue;
      const namespace = object.metadata.namespace ?? '';
      const workloads = found.get(namespace) ?? [];
      workloads.push({ object, isReleased: released.has(object) });
      found.set(namespace, workloads);
    }
    return found;
  }),
);
