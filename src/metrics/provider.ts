import type { About } from '../lib/about.ts';
import type { Clock } from '../lib/clock.ts';
import type { Http } from '../lib/http/http.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';

/** Whom a metric is asked of. */
export interface MetricTarget {
  /** Base URL: the MetricTemplate's, else the provider's own, else empty. */
  readonly address: string;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  /** Decoded data of the Secret that the MetricTemplate names; undefined where it names none, or nobody has read it. */
  readonly credentials?: Readonly<Record<string, string>>;
  readonly insecureSkipVerify?: boolean;
  /** Of a cloud. Absent: none is written. */
  readonly region?: string;
}

/** One question, its template already rendered. */
export interface MetricQuery extends MetricTarget {
  readonly query: string;
  /** The time that is measured ends here. */
  readonly nowMs: number;
  /** The metric's `interval`. */
  readonly windowMs: number;
}

export type Reading =
  | { readonly kind: 'value'; readonly value: number }
  /** `noTraffic`: the series exist, and there is nothing in them to measure. */
  | { readonly kind: 'no-data'; readonly cause: 'noTraffic' | 'noSeries'; readonly reason: string }
  /** `passing`: the same question may be answered later (server error, overload). Otherwise the question is wrong. */
  | { readonly kind: 'refused'; readonly reason: string; readonly passing: boolean };

/** One question over a time; its values may be compared, or drawn. */
export interface SeriesQuery extends MetricQuery {
  /** Values from here to `nowMs`. */
  readonly fromMs: number;
  /** How far apart they are. A provider that keeps fewer, or gives no more than `maxPoints`, puts them farther apart. */
  readonly stepMs: number;
}

export interface Point {
  readonly atMs: number;
  /** Finite. */
  readonly value: number;
}

/** More than these are not given for one question. */
export const maxPoints = 1_000;

/** `points`: oldest first, at least one; of a time at which there is no number there is none. */
export type SeriesReading =
  | { readonly kind: 'series'; readonly points: readonly Point[] }
  | Exclude<Reading, { readonly kind: 'value' }>;

/** All that a provider may touch. */
export interface ProviderIo {
  readonly http: Http;
  readonly clock: Pick<Clock, 'now'>;
  /** Who the agent is to clouds. Absent: nobody. */
  readonly clouds?: CloudIdentity;
  /** The cluster that the agent looks after. Absent: it is not asked. */
  readonly cluster?: MetricsOfCluster;
}

/** Who the agent is to clouds, by what the platform gives its pod. All reject with AgentError CANARY_INVALID where it is nobody, and with another error where it may be told later. */
export interface CloudIdentity {
  aws(region: string, signal: AbortSignal): Promise<AwsSession>;
  /** An access token: of the service account whose key (JSON) is given, else of the agent's own. */
  google(scope: string, key: string | undefined, signal: AbortSignal): Promise<string>;
}

export interface AwsSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Base URL that the operator names in the place of the service's own. Absent: none. */
  readonly endpoint?: string;
}

/** What is read of the cluster, with the agent's own rights. Rejects as `Cluster` does. */
export interface MetricsOfCluster {
  /** Of the Canary that is judged. */
  readonly namespace: string;
  get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined>;
  /** The list of values (`ExternalMetricValueList`); undefined where the metric is not known, or nobody serves such metrics. */
  externalMetric(
    metric: { readonly namespace: string; readonly name: string; readonly labelSelector: string },
    signal: AbortSignal,
  ): Promise<unknown>;
}

/**
 * One kind of metrics provider. What its server says is told in words of ours: whoever writes a MetricTemplate may name any server.
 *
 * How to add one: write its file (most are an `httpProvider`), add its line to `registry.ts`, and its answers to
 * `test/metrics/providers.test.ts`, which fails until they are there. `npx vitest run test/arch --update` writes its line of the README; the same tests
 * say where `manifests/crds/metrictemplates.flagger.app.yaml` lacks it, if Flagger does not know it either.
 */
export interface MetricProvider {
  /** The value of a MetricTemplate's `spec.provider.type`. */
  readonly name: string;
  /** What people call it, and where its own documentation is. */
  readonly about: About;
  /** Base URL where a MetricTemplate names none. Undefined: it has to. */
  readonly address?: string;
  /** It knows where to ask, also where a MetricTemplate names no address. Absent: it does not, but for `address`. */
  readonly hasOwnAddress?: boolean;
  /** Keys that the Secret must have. Undefined: a Secret is not needed. */
  readonly secretKeys?: readonly string[];
  /** Sends nothing. Throws AgentError CANARY_INVALID where the address or what is known of the credentials cannot be used. */
  check(target: MetricTarget): void;
  /** What is wrong with a query as it is written, its template not yet rendered. Absent: it cannot be told. */
  queryProblem?(query: string): string | undefined;
  /** Rejects where nobody answers, as `Http` does; throws AgentError CANARY_INVALID where the question cannot be put. */
  measure(query: MetricQuery, io: ProviderIo, signal: AbortSignal): Promise<Reading>;
  /** Values over a time; rejects and throws as `measure` does. Undefined: this provider cannot tell them of a query as it stands. */
  series?(query: SeriesQuery, io: ProviderIo, signal: AbortSignal): Promise<SeriesReading>;
  /** Whether the provider answers and lets us in, whatever it has measured: a value says yes. Rejects as `measure` does. */
  probe(target: MetricTarget, io: ProviderIo, signal: AbortSignal): Promise<Reading>;
}
