export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path with query, e.g. `/api/v1/namespaces`. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  /** User in whose name it is asked. Absent: whom the credentials name. */
  readonly as?: string;
  /** For messages: `apply Deployment test/podinfo`. */
  readonly what: string;
  /** A longer answer is not read to its end, and the request rejects with `tooLong`. Absent: it may have any length. */
  readonly maxBytes?: number | undefined;
  /** Reads a good answer; throws where it cannot. Absent: it is JSON, or a text where it is none. */
  readonly read?: (text: string) => unknown;
}
