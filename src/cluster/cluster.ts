import type { Operation } from 'fast-json-patch';
import type { AgentError } from '../lib/errors.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';

/** A kind as users write it, and what discovery says of it. */
export interface KindRef {
  readonly apiVersion: string;
  readonly kind: string;
}
export interface Resource extends KindRef {
  readonly plural: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface ApplyOptions {
  /** Field manager; each part of the agent has its own (see src/README.md). */
  readonly manager: string;
  /** Take fields over from other managers. */
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

interface WriteOptions {
  readonly manager: string;
  readonly subresource?: 'status' | 'scale';
  /** JSON Patch only: fail with CLUSTER_CONFLICT unless the live object still has this version. */
  readonly resourceVersion?: string;
}

/** How deletions pass on to what the object owns. Absent means background. */
type Propagation = 'Background' | 'Foreground' | 'Orphan';

/**
 * The only door to a Kubernetes API. Objects are raw JSON: nothing is dropped that we do not know.
 * Errors are AgentError: CLUSTER_UNREACHABLE (network, 5xx, 429 after retries), CLUSTER_CONFLICT (409),
 * CLUSTER_REFUSED (other 4xx; `details.status`, `details.reason`). Absent objects are undefined, never a throw.
 */
export interface Cluster {
  get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined>;
  /** All of a kind, in pages. Items carry apiVersion and kind, whatever the server left out. */
  list(kind: KindRef, options: ListOptions, signal: AbortSignal): Promise<readonly KubeObject[]>;
  /** Gives the object as it is stored; `unread`: as it was sent, where nobody wants to know. */
  create(
    object: KubeObject,
    options: { readonly manager: string; readonly unread?: boolean },
    signal: AbortSignal,
  ): Promise<KubeObject>;
  /** Server-side apply. */
  apply(object: KubeObject, options: ApplyOptions, signal: AbortSignal): Promise<KubeObject>;
  jsonPatch(
    ref: ObjectRef,
    operations: readonly Operation[],
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<KubeObject>;
  /** RFC 7386; null removes. `unread`: of what it gives only `metadata.resourceVersion` is sure. */
  mergePatch(
    ref: ObjectRef,
    patch: Readonly<Record<string, unknown>>,
    options: WriteOptions & { readonly unread?: boolean },
    signal: AbortSignal,
  ): Promise<KubeObject>;
  /** Absent objects are no error. */
  remove(ref: ObjectRef, options: { propagation?: Propagation; uid?: string }, signal: AbortSignal): Promise<void>;
  /** The last lines of a container's log. Undefined: there is no such log. */
  podLog(
    pod: { readonly namespace: string; readonly name: string },
    options: PodLogOptions,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** The values of an external metric, as its adapter lists them (`ExternalMetricValueList`). Undefined: there is no such metric, or no adapter. */
  externalMetric(
    metric: { readonly namespace: string; readonly name: string; readonly labelSelector: string },
    signal: AbortSignal,
  ): Promise<unknown>;
  /** What discovery knows; refreshed when an unknown kind is asked for. Undefined: the cluster does not serve it. */
  resource(kind: KindRef, signal: AbortSignal): Promise<Resource | undefined>;
  /** Lists, then watches for ever: survives resets, 410, 429, restarts. Stops when the signal aborts. */
  reflect(kind: KindRef, options: ReflectOptions, signal: AbortSignal): Reflection;
  /**
   * Tells of a look at an app that is so late. Until the returned function is called, requests about objects of these names go before
   * those of others that are equally urgent and less late, where not all can be sent at once.
   */
  late(namespace: string, names: readonly string[], lateMs: number): () => void;
  /**
   * The same cluster, where what is written and deleted is so in the name of a service account (impersonation): with its rights, and not with
   * the agent's own, which need be no more than to impersonate it. What is read is read as before.
   */
  as(account: ServiceAccountName): Cluster;
  /** The server's version, e.g. `v1.34.4`; also the cheapest proof that it answers. */
  version(signal: AbortSignal): Promise<string>;
}

export interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Give no more than these, whichever the server gives first. Absent: all. */
  readonly limit?: number;
}

interface PodLogOptions {
  readonly container: string;
  /** Of the run before the present one. */
  readonly previous: boolean;
  readonly tailLines: number;
  /** What is longer is cut at its end. */
  readonly limitBytes: number;
}

export interface ReflectOptions extends ListOptions {
  /** Keeps less in memory. Applied to each object as it arrives; managedFields are dropped before it unless `keepManagedFields`. */
  readonly project?: (object: KubeObject) => KubeObject;
  readonly keepManagedFields?: boolean;
}

export type Change =
  | { readonly kind: 'added' | 'modified'; readonly object: KubeObject; readonly previous?: KubeObject }
  | { readonly kind: 'deleted'; readonly object: KubeObject };

/**
 * What the API server gave as reason, without names and values, which it quotes: they are others', and may be words that are looked for. Where
 * it was not asked, the whole message.
 */
export function serverReason({ message, details }: AgentError): string {
  const { serverSaid } = details;
  return (typeof serverSaid === 'string' ? serverSaid : message).slice(0, 20_000).replaceAll(/"[^"\n]*"/g, '""');
}

/** A live, cached view of one kind. */
export interface Reflection {
  /** Resolves after the first complete list. */
  readonly synced: Promise<void>;
  readonly isSynced: boolean;
  /** When the server was last heard of (list, event or bookmark), epoch milliseconds; 0 before the first. */
  readonly lastContactMs: number;
  /** Why it is not in contact now; undefined while all is well. */
  readonly trouble: string | undefined;
  /** The server refuses to let this kind be read: the right is missing. */
  readonly isForbidden: boolean;
  get(namespace: string | undefined, name: string): KubeObject | undefined;
  list(namespace?: string): readonly KubeObject[];
  /** Called for each change, also those found by a new list. The returned function unsubscribes. */
  onChange(listener: (change: Change) => void): () => void;
}
