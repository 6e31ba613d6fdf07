import type { IncomingHttpHeaders } from 'node:http';
import { Agent, type Dispatcher, EnvHttpProxyAgent, interceptors } from 'undici';
import { type Http, type HttpRequest, type HttpResponse, LastingHttpFailure } from './http.ts';
import { roundTrip } from './round-trip.ts';

export interface HttpOptions {
  /** The values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; absent: no proxy. */
  readonly proxy?: { readonly http?: string; readonly https?: string; readonly none?: string };
  /** Longer answers are cut here. */
  readonly maxBytes: number;
  readonly userAgent: string;
}

const MAX_REDIRECTS = 5;

/**
 * Http over kept connections. Redirects are followed as browsers do: POST becomes GET except after 307 and 308, credentials
 * stay with their origin. `timeoutMs` counts until the last byte of the body.
 */
export function createHttp(options: HttpOptions): Http & { close(): Promise<void> } {
  const dispatchers = new Map<string, Dispatcher>();
  const dispatcherFor = ({ insecure = false, proxy }: HttpRequest): Dispatcher => {
    const key = `${String(insecure)} ${proxy ?? ''}`;
    const known = dispatchers.get(key);
    if (known) return known;
    const fresh = createDispatcher(proxy === undefined ? options.proxy : { http: proxy, https: proxy }, insecure);
    dispatchers.set(key, fresh);
    return fresh;
  };
  return {
    async request(request, signal) {
      return exchange(dispatcherFor(request), request, options, signal);
    },
    async close() {
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function createDispatcher(proxy: HttpOptions['proxy'], insecure: boolean): Dispatcher {
  const tls = insecure ? { rejectUnauthorized: false } : {};
  // Our own timer covers the whole exchange, so undici's two are off.
  const common = { connect: tls, headersTimeout: 0, bodyTimeout: 0 };
  const agent =
    proxy?.http || proxy?.https
      ? // Empty strings, because undici reads the environment where a value is absent.
        new EnvHttpProxyAgent({
          ...common,
          requestTls: tls,
          // Plain HTTP in absolute form, as Go does: many proxies refuse CONNECT to other ports than 443.
          proxyTunnel: false,
          httpProxy: proxy.http ?? '',
          httpsProxy: proxy.https ?? '',
          noProxy: proxy.none ?? '',
        })
      : new Agent(common);
  return agent.compose(interceptors.redirect({ maxRedirections: MAX_REDIRECTS }));
}

async function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  { maxBytes, userAgent }: HttpOptions,
  signal: AbortSignal,
): Promise<HttpResponse> {
  signal.throwIfAborted();
  const { url, authorization } = withoutUserInfo(request.url);
  if (!/^https?:$/.test(url.protocol))
    throw new LastingHttpFailure(`unsupported protocol scheme "${url.protocol.slice(0, -1)}"`);
  const late = `no complete answer within ${request.timeoutMs / 1000} s`;
  try {
    const { status, headers, body } = await roundTrip(
      dispatcher,
      {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: request.method,
        headers: { 'user-agent': userAgent, ...authorization, ...request.headers },
        body: request.body,
        timeoutMs: request.timeoutMs,
        late,
        maxBytes,
      },
      signal,
    );
    return { status, headers: flatten(headers), body };
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof Error && cause.message === late) throw cause;
    throw isLasting(cause) ? new LastingHttpFailure(explain(cause), { cause }) : new Error(explain(cause), { cause });
  }
}

/** Credentials in a URL become a header: they would otherwise end up in messages, and undici ignores them. */
function withoutUserInfo(text: string): { url: URL; authorization: Record<string, string> } {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return { url, authorization: {} };
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return { url, authorization: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

function flatten(headers: IncomingHttpHeaders): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

const CONNECTION_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
};

/** One line that names the failure; vendors put addresses, headers or nothing into theirs. */
function explain(cause: unknown): string {
  for (let error = cause; error instanceof Error; error = firstOf(error)) {
    const code = 'code' in error ? String(error.code) : '';
    const known = CONNECTION_ERRORS[code];
    if (known !== undefined) return known;
    if (/CERT|TLS|SIGNED|UNABLE_TO_VERIFY/.test(code)) return `TLS: ${error.message}`;
  }
  return cause instanceof Error && cause.message !== '' ? cause.message : 'the request failed';
}

/** The certificate is not accepted, or a redirect led to something that is not HTTP. */
function isLasting(cause: unknown): boolean {
  for (let error = cause; error instanceof Error; error = firstOf(error)) {
    const code = 'code' in error ? String(error.code) : '';
    if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UND_ERR_INVALID_ARG/.test(code)) return true;
  }
  return false;
}

function firstOf(error: Error): unknown {
  return error instanceof AggregateError ? (error.errors as unknown[])[0] : error.cause;
}
