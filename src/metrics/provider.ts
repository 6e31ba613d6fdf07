import type { HttpRequest, HttpResponse } from '../lib/http.ts';

/** One question to a metrics provider, its template already rendered. */
export interface MetricQuery {
  readonly query: string;
  /** Base URL. */
  readonly address: string;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  /** Decoded data of the Secret that a MetricTemplate names; absent where it names none. */
  readonly credentials?: Readonly<Record<string, string>>;
  readonly insecureSkipVerify?: boolean;
}

export type Reading =
  | { readonly kind: 'value'; readonly value: number }
  /** `noTraffic`: the series exist, and there is nothing in them to measure. */
  | { readonly kind: 'no-data'; readonly cause: 'noTraffic' | 'noSeries'; readonly reason: string }
  /** `passing`: the same question may be answered later (server error, overload). Otherwise the question is wrong. */
  | { readonly kind: 'refused'; readonly reason: string; readonly passing: boolean };

/**
 * One kind of metrics provider: a question in, a request out; a response in, a reading out. It never talks to anybody.
 *
 * How to add one: write the file, export the constant, add it to `registry.ts`.
 */
export interface MetricProvider {
  /** The value of a MetricTemplate's `spec.provider.type`. */
  readonly name: string;
  /** Throws AgentError CANARY_INVALID where address or credentials cannot be used. */
  request(query: MetricQuery): HttpRequest;
  parse(response: HttpResponse): Reading;
  /** A query that gives a value whenever the provider works. */
  readonly probe: string;
}
