import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../../src/manifest/types.ts';

const folder = join(import.meta.dirname, '../../../fixtures/golden');

type Entry = Readonly<Record<string, unknown>>;

/** What Flagger 1.44.0 did on a real API server; `t` is seconds since the first action. See fixtures/golden. */
export interface Recording {
  readonly canarySpec: Entry;
  readonly actions: readonly { readonly t: number; readonly what: string }[];
  readonly events: readonly { readonly type: string; readonly message: string }[];
  readonly log: readonly { readonly t: number; readonly level: string; readonly msg: string }[];
  readonly status: readonly (Entry & { readonly t: number })[];
  readonly weights: readonly (Entry & { readonly t: number })[];
  readonly deployments: readonly { readonly name: string; readonly replicas: number; readonly image: string }[];
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

/** Outages provoked on purpose: what not to do. That of DaemonSets is told in daemonset.test.ts: the model of a cluster has none. */
export const faults: readonly string[] = namesIn(join(folder, 'faults'))
  .filter((name) => !name.startsWith('r08-'))
  .map((name) => `faults/${name}`);

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

/** The objects that stood before the Canary: the target, as it was when nobody had scaled it, and the Ingress. */
export function userObjects(): readonly KubeObject[] {
  const { before } = read<RecordedObjects>('objects-promotion.nginx');
  const { 'deployment/app': target, 'ingress/app': ingress } = before;
  if (!target || !ingress) throw new Error('not in the recording');
  return [{ ...target, spec: { ...(target['spec'] as object), replicas: 1 } }, ingress];
}
