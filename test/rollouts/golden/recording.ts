import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../../src/manifest/types.ts';

const folder = join(import.meta.dirname, '../../../fixtures/golden');

type Entry = Readonly<Record<string, unknown>>;

/** A Service that was made, now leads elsewhere, or is gone. */
export interface ServiceChange {
  readonly t: number;
  readonly name: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly deleted?: true;
}

/** A Deployment after a change; `t` is seconds since the first action. */
export interface DeploymentSeen {
  readonly t: number;
  readonly name: string;
  readonly replicas: number;
  readonly image: string;
}

/** What Flagger 1.44.0 did on a real API server; `t` is seconds since the first action. See fixtures/golden. */
export interface Recording {
  readonly canarySpec: Entry;
  readonly actions: readonly { readonly t: number; readonly what: string }[];
  readonly events: readonly { readonly type: string; readonly message: string }[];
  readonly log: readonly { readonly t: number; readonly level: string; readonly msg: string }[];
  readonly status: readonly (Entry & { readonly t: number })[];
  readonly weights: readonly (Entry & { readonly t: number })[];
  readonly deployments: readonly DeploymentSeen[];
  readonly services: readonly ServiceChange[];
  readonly writes: readonly {
    readonly t: number;
    readonly verb: string;
    readonly resource: string;
    readonly sub?: string;
    readonly name: string;
    readonly code: number;
  }[];
  readonly webhooks?: readonly { readonly url: string; readonly payload: Entry }[];
}

/** Every generated object before the first action and at the end, by `kind/name`. */
export interface RecordedObjects {
  readonly before: Readonly<Record<string, KubeObject>>;
  readonly after: Readonly<Record<string, KubeObject>>;
}

const namesIn = (path: string): readonly string[] =>
  readdirSync(path)
    .filter((name) => name.endsWith('.json') && !name.startsWith('objects-'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();

export const recordings: readonly string[] = namesIn(folder);

/** Outages provoked on purpose: what not to do. */
export const faults: readonly string[] = namesIn(join(folder, 'faults')).map((name) => `faults/${name}`);

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as T;
}

export function recordingOf(name: string): Recording {
  return read<Recording>(name);
}

/** Undefined where none were recorded. */
export function objectsOf(name: string): RecordedObjects | undefined {
  return readdirSync(folder).includes(`objects-${name}.json`) ? read<RecordedObjects>(`objects-${name}`) : undefined;
}

/** What else stood before the Canary, as it was recorded: a route or an Upstream of its users. */
export function routesOfUsers(objects: RecordedObjects | undefined): readonly KubeObject[] {
  const core = new Set(['Deployment', 'DaemonSet', 'Service', 'ConfigMap', 'Secret', 'Ingress']);
  return Object.values(objects?.before ?? {}).filter(
    ({ kind, metadata }) => !core.has(kind) && !metadata.ownerReferences?.some((owner) => owner.kind === 'Canary'),
  );
}

/** The objects that stood before the Canary: the target, as it was when nobody had scaled it, and the Ingress. */
export function userObjects(kind = 'Deployment'): readonly KubeObject[] {
  const { before } = read<RecordedObjects>('objects-promotion.nginx');
  const { 'deployment/app': target, 'ingress/app': ingress } = before;
  if (!target || !ingress) throw new Error('not in the recording');
  const spec = target['spec'] as Entry;
  if (kind === 'Deployment') return [{ ...target, spec: { ...spec, replicas: 1 } }, ingress];
  // Not among the recorded objects; its pods are the same.
  const { replicas: _replicas, strategy: _strategy, progressDeadlineSeconds: _deadline, ...others } = spec;
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } };
  const { annotations: { 'deployment.kubernetes.io/revision': _revision, ...annotations } = {}, ...metadata } =
    target.metadata;
  return [{ ...target, kind, metadata: { ...metadata, annotations }, spec: { ...others, updateStrategy } }, ingress];
}
