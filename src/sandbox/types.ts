import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';

/**
 * The embedded cluster's two halves meet here: `api/` stores objects and serves the Kubernetes API, `world/` makes
 * Deployments run, traffic flow and metrics count. Neither imports the other; `sandbox.ts` joins them.
 */
export interface StoredObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    generation?: number;
    creationTimestamp: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: {
      apiVersion: string;
      kind: string;
      name: string;
      uid: string;
      controller?: boolean;
      blockOwnerDeletion?: boolean;
    }[];
    finalizers?: string[];
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

export type StoreEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: StoredObject;
  readonly previous?: StoredObject;
};

/** What controllers inside the sandbox use: the same validation, defaulting, versions and garbage collection as over HTTP, without HTTP. */
export interface SandboxStore {
  /** `apiVersion` such as `apps/v1`; the namespace is undefined for cluster-scoped kinds. */
  get(apiVersion: string, kind: string, namespace: string | undefined, name: string): StoredObject | undefined;
  list(apiVersion: string, kind: string, namespace?: string): readonly StoredObject[];
  create(object: Record<string, unknown>): StoredObject;
  /** Calls `change` with a deep copy; writes it back when it differs. Undefined when the object is gone. Writes spec and metadata, or status only. */
  update(
    apiVersion: string,
    kind: string,
    namespace: string | undefined,
    name: string,
    change: (draft: StoredObject) => void,
    subresource?: 'status',
  ): StoredObject | undefined;
  /**
   * A pod that is bound to a node stays, marked with `deletionTimestamp`, until it is removed with `gracePeriodSeconds: 0`,
   * which is what its kubelet says when the containers have ended. For other kinds the option means nothing.
   */
  remove(
    apiVersion: string,
    kind: string,
    namespace: string | undefined,
    name: string,
    options?: { readonly gracePeriodSeconds?: number },
  ): void;
  /** Called after every committed write, synchronously, in order. Returns the unsubscribe function. */
  onEvent(listener: (event: StoreEvent) => void): () => void;
}

export interface WorldOptions {
  readonly store: SandboxStore;
  readonly clock: Clock;
  /** How long a container takes from scheduling to running, in the clock's milliseconds. */
  readonly podStartMs: number;
  /** Images that are not known run as a stand-in that answers everything; absent: they cannot be pulled. */
  readonly standIns?: boolean;
  /** Called once for each request that a pod has answered; probes and scrapes are left out. Must not throw. */
  readonly onRequest?: (seen: RequestSeen) => void;
  /**
   * Asked first, by pods (the load tester) and by the proxy, where a name leads: ingress addresses, mesh splits. Undefined:
   * the Services decide. `from` is the namespace of the asking pod; absent for the proxy.
   */
  readonly route?: (host: string, port: number, from?: string) => Address | undefined;
  /** Where controllers report what they could not do. Absent: nowhere. */
  readonly log?: Logger;
}

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A request as the pod that answered it saw it. */
export interface RequestSeen {
  readonly pod: PodIdentity;
  /** Name of the Deployment that owns the pod; absent for bare pods. */
  readonly workload?: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly status: number;
  /** In the clock's milliseconds: what the program took, told delays included. */
  readonly durationMs: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a ready pod really listens: always on 127.0.0.1. */
export interface Backend extends Address {
  readonly pod: PodIdentity;
}

export interface LogLine {
  readonly atMs: number;
  /** Without its end of line. */
  readonly text: string;
}

/** What one run of a container has written, the last 2,000 lines of it. */
export interface RunLog {
  readonly lines: readonly LogLine[];
  /** Tells of each further line and of the end of the run, at once when that was before. Returns what stops telling. */
  follow(onLine: (line: LogLine) => void, onEnd: () => void): () => void;
}

export interface ExecStreams {
  /** Absent: nothing can be read. */
  readonly input?: AsyncIterable<Buffer>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly tty: boolean;
}

/** How a command ended, or why there is no such command. */
export type ExecResult = { readonly exitCode: number } | { readonly failure: string };

/** A pod on its node. */
export interface PodInside {
  /** Of a container's present run (or its last one), or of the run before; undefined where there was none. */
  log(container: string, previous: boolean): RunLog | undefined;
  /** Undefined where the container does not run. */
  exec(
    container: string,
    command: readonly string[],
    streams: ExecStreams,
    signal: AbortSignal,
  ): Promise<ExecResult> | undefined;
  /** Where a port of the pod really is; undefined where nothing listens. */
  address(port: number): Address | undefined;
  /** Of the containers that run. */
  usage(): readonly ContainerUsage[];
}

export interface ContainerUsage {
  readonly container: string;
  /** Time that its program took to answer, in the last minute, as a share of that minute. */
  readonly cores: number;
  /** As a program of its kind might hold; nobody measures it. */
  readonly memoryBytes: number;
}

export interface World {
  /**
   * `name.namespace[.svc[.cluster.local]]`, a cluster IP or a pod IP to one ready pod, round robin. `from` is the namespace
   * that a bare `name` is looked up in; absent: `default`.
   */
  resolve(host: string, port: number, from?: string): Backend | undefined;
  /** All ready pods behind a port of a Service. */
  podBackends(namespace: string, service: string, port: number): readonly Backend[];
  /** Undefined for pods that no node has taken. */
  pod(namespace: string, name: string): PodInside | undefined;
  stop(): Promise<void>;
}

/** Off by default; switched by tests and by the demo. */
export interface Faults {
  /** Ends all open watch connections with a TCP reset. */
  resetWatches(): void;
  /** Ends them cleanly. */
  endWatches(): void;
  /** Watches stay open but say nothing until thawed. */
  freezeWatches(frozen: boolean): void;
  /** Forgets event history, so that every resume gets 410 Gone. */
  compact(): void;
  /** The next `count` requests get this status (429 carries Retry-After); watches included when they begin. */
  failRequests(count: number, status: 429 | 500 | 503, retryAfterSeconds?: number): void;
  /** Every request that comes now waits so long before it is looked at; 0: no more. Milliseconds of real time. */
  slowRequests(delayMs: number): void;
  /** Closes the listener and all connections until `up`, which takes the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Down, and up again after `downMs`. */
  restart(downMs: number): Promise<void>;
}

/** Of the sandbox's Prometheus. */
export interface MetricsFaults {
  /** Closes the listener and all connections until `up`, which takes the same port. What is counted meanwhile is there afterwards. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export interface Sandbox {
  /** `http://127.0.0.1:PORT` of the Kubernetes API. */
  readonly apiUrl: string;
  /** kubeconfig text for kubectl and the agent. */
  readonly kubeconfig: string;
  /** HTTP proxy (CONNECT and absolute-form) that resolves cluster names such as `podinfo.test` or `prometheus.monitoring:9090`. */
  readonly proxyUrl: string;
  /** Where ingress and gateway traffic enters; chosen by Host header. */
  readonly gatewayUrl: string;
  /** Prometheus-compatible API of the sandbox's own metrics. */
  readonly prometheusUrl: string;
  readonly faults: Faults;
  readonly metricsFaults: MetricsFaults;
  readonly store: SandboxStore;
  /** Kinds of the watches that are open, as `v1/ConfigMap`, each as often as it is watched. */
  watches(): readonly string[];
  stop(): Promise<void>;
}

export interface SandboxOptions {
  readonly clock?: Clock;
  readonly podStartMs?: number;
  /** See WorldOptions. */
  readonly standIns?: boolean;
  /** 0 or absent: any free port. */
  readonly apiPort?: number;
}
