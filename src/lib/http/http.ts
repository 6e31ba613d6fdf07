/** An HTTP exchange as data. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  /** Skip the check of the server's certificate. */
  readonly insecure?: boolean;
  /** `returned`: a redirect is the answer. Absent: it is followed within its origin. */
  readonly redirects?: 'returned';
  /** URL of the proxy for this request alone. Absent: as the implementation is set up. */
  readonly proxy?: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** At most `maxBytes` of the implementation; longer answers are cut. */
  readonly body: string;
}

/** Resolves for every status; rejects only when nobody answered (network, timeout, abort). */
export interface Http {
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
}

/** A request that fails in the same way however often it is tried: the server's certificate, or the URL itself. */
export class LastingHttpFailure extends Error {
  override readonly name: string = 'LastingHttpFailure';
}

/** Nothing was sent: others may not name this address. */
export class TargetRefused extends LastingHttpFailure {
  override readonly name = 'TargetRefused';
}
