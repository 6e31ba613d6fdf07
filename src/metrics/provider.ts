import type { About } from '../lib/about.ts';
import type { Http } from '../lib/http/http.ts';

/** Whom a metric is asked of. */
export interface MetricTarget {
  /** Base URL: the MetricTemplate's, else the provider's own, else empty. */
  readonly address: string;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  /** Decoded data of the Secret that the MetricTemplate names; undefined where it names none, or nobody has read it. */
  readonly credentials?: Readonly<Record<string, string>>;
  readonly insecureSkipVerify?: boolean;
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
}

/**
 * One kind of metrics provider. What its server says is told in words of ours: whoever writes a MetricTemplate may name any server.
 *
 * How to add one: write its file (most are an `httpProvider`), add its line to `registry.ts` (and take it out of `later` there), and its answers to
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
