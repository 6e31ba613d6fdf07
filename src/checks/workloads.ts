import type { App } from '../canary/app.ts';
import { labelsOf } from '../canary/labels.ts';
import type { Workload } from '../canary/overlap.ts';
import { perObject } from '../lib/memo.ts';
import type { Manifest } from '../manifest/types.ts';

/** Kinds whose pods are meant to answer requests for as long as they are there. */
const serving = new Set(['Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet']);

/** Workloads as Git has them. */
export interface GitWorkloads {
  in(namespace: string): readonly Workload[];
  /** Those of a namespace that have one of the labels by which pods are told apart in common with these: a thousand apps need not be compared. */
  near(namespace: string, labels: Readonly<Record<string, string>>): readonly Workload[];
}

/** `keys`: the labels by which pods are told apart. */
export function workloadsOf(
  manifests: readonly Manifest[],
  apps: readonly App[],
  keys: readonly string[],
): GitWorkloads {
  return byManifests(manifests)(apps)(keys);
}

const byManifests = perObject((manifests: readonly Manifest[]) =>
  perObject((apps: readonly App[]) => perObject((keys: readonly string[]) => gather(manifests, apps, keys))),
);

function gather(manifests: readonly Manifest[], apps: readonly App[], keys: readonly string[]): GitWorkloads {
  const released = new Set(apps.map(({ target }) => target?.object));
  const found = new Map<string, Workload[]>();
  const add = (place: string, workload: Workload): void => {
    const workloads = found.get(place);
    if (workloads) workloads.push(workload);
    else found.set(place, [workload]);
  };
  const placesOf = (namespace: string, labels: Readonly<Record<string, string>>): readonly string[] =>
    keys.filter((key) => Object.hasOwn(labels, key)).map((key) => `${namespace} ${key}=${labels[key] ?? ''}`);
  for (const { object } of manifests) {
    if (!serving.has(object.kind) || !object.apiVersion.startsWith('apps/')) continue;
    const { namespace = '' } = object.metadata;
    const workload = { object, isReleased: released.has(object) };
    add(namespace, workload);
    for (const place of placesOf(namespace, labelsOf(object))) add(place, workload);
  }
  return {
    in: (namespace) => found.get(namespace) ?? [],
    near: (namespace, labels) => [...new Set(placesOf(namespace, labels).flatMap((place) => found.get(place) ?? []))],
  };
}
