import { lookup } from 'node:dns';
import type { IncomingHttpHeaders } from 'node:http';
import type { LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { own } from '../own.ts';
import { type AddressRefusal, type AddressRules, addressCheck, hostRefusal } from './addresses.ts';
import { createDispatcher, type Dispatcher, type ProxySettings } from './dispatcher.ts';
import { type Http, type HttpRequest, type HttpResponse, LastingHttpFailure, TargetRefused } from './http.ts';
import { causesOf, codeOf, connectionFailure, isTls } from './failures.ts';
import { followRedirects, isRedirect, maxRedirects } from './redirects.ts';
import { Late, roundTrip } from './round-trip.ts';

export interface HttpOptions {
  /** Absent: no proxy. */
  readonly proxy?: ProxySettings;
  /** Longer answers are cut here. */
  readonly maxBytes: number;
  readonly userAgent: string;
  /** Which addresses others may name. Absent: loopback is among them. */
  readonly addresses?: AddressRules;
  /** PEM certificates of authorities that are trusted beside those that Node trusts. Absent: none. */
  readonly ca?: string;
  /** URLs that the operator named: their origins may be at any address. */
  readonly trusted?: readonly string[];
}

/** Others may name any number of proxies. */
const maxDispatchers = 64;

/**
 * Http over kept connections, for URLs that others name. Redirects are followed within an origin only, as browsers do: POST becomes GET
 * except after 307 and 308. No link-local, metadata or multicast address is connected to: names are looked at when they have been
 * resolved for the connection, behind a proxy when they are asked for. `timeoutMs` counts until the last byte of the last body.
 */
export function createHttp(options: HttpOptions): Http & { close(): Promise<void> } {
  const check = addressCheck(options.addresses ?? { mayLoopback: true });
  const trusted = new Set((options.trusted ?? []).filter((url) => URL.canParse(url)).map((url) => new URL(url).origin));
  const authorities = options.ca === undefined ? {} : { ca: [...rootCertificates, options.ca] };
  const dispatchers = new Map<string, Dispatcher>();
  const dispatcherFor = ({ insecure = false, proxy }: HttpRequest, isTrusted: boolean): Dispatcher => {
    const key = `${String(insecure)} ${String(isTrusted)} ${proxy ?? ''}`;
    const known = dispatchers.get(key);
    if (known) return known;
    const guard = isTrusted ? undefined : guardedLookup(check);
    // Our own timer covers the whole exchange.
    const fresh = createDispatcher({
      tls: insecure ? { rejectUnauthorized: false } : authorities,
      ...(guard === undefined ? {} : { lookup: guard }),
      proxy: proxy === undefined ? options.proxy : { http: proxy, https: proxy },
      // The proxy that the operator named may be anywhere.
      ...(proxy === undefined || guard === undefined ? {} : { proxyLookup: guard }),
    });
    const [oldest] = dispatchers.keys();
    if (dispatchers.size >= maxDispatchers && oldest !== undefined) {
      // What is under way over it ends first.
      void dispatchers.get(oldest)?.close();
      dispatchers.delete(oldest);
    }
    dispatchers.set(key, fresh);
    return fresh;
  };
  const refuse = (url: URL): void => {
    const why = hostRefusal(url.hostname, check);
    if (why !== undefined) throw refusedTarget(why);
  };
  return {
    async request(request, signal) {
      const { url, authorization } = withoutUserInfo(request.url);
      if (!/^https?:$/.test(url.protocol))
        throw new LastingHttpFailure(`unsupported protocol scheme "${url.protocol.slice(0, -1)}"`);
      const isTrusted = trusted.has(url.origin);
      if (!isTrusted) refuse(url);
      if (request.proxy !== undefined) refuse(new URL(request.proxy));
      const headers = { 'user-agent': options.userAgent, ...authorization, ...request.headers };
      return followed(dispatcherFor(request, isTrusted), { ...request, url, headers }, options.maxBytes, signal);
    },
    async close() {
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/** Resolves as the system does, and leaves out what may not be asked: these are the addresses that are connected to. */
export function guardedLookup(check: (address: string) => AddressRefusal | undefined): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return done(error, '');
      const allowed = found.filter(({ address }) => check(address) === undefined);
      const [first] = allowed;
      const why = first ? undefined : check(found[0]?.address ?? '');
      if (!first) return done(refusedTarget(why ?? 'unspecified'), '');
      if (options.all === true) return done(null, allowed);
      return done(null, first.address, first.family);
    });
  };
}

export function refusedTarget(why: AddressRefusal): TargetRefused {
  return new TargetRefused(`its address is ${why} and is not asked; --allow-addresses can allow it`);
}

/** A request with its URL parsed and its headers complete. */
type Prepared = Omit<HttpRequest, 'url' | 'headers'> & {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
};

async function followed(
  dispatcher: Dispatcher,
  request: Prepared,
  maxBytes: number,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const untilMs = performance.now() + request.timeoutMs;
  return followRedirects(
    request,
    (next) =>
      exchange(
        dispatcher,
        { ...next, timeoutMs: next === request ? request.timeoutMs : untilMs - performance.now() },
        { maxBytes, ofMs: request.timeoutMs },
        signal,
      ),
    (next, { status, headers: { location } }) =>
      !isRedirect(status) || location === undefined || request.redirects === 'returned'
        ? undefined
        : redirected(next, status, location),
    () => new Error(`it redirects more than ${maxRedirects} times`),
  );
}

/** Throws where the way leads to another server: who named the first one has not named that, and nobody looked at its address. */
function redirected(request: Prepared, status: number, location: string): Prepared {
  const target = URL.canParse(location, request.url.href) ? new URL(location, request.url.href) : undefined;
  if (target?.origin !== request.url.origin) {
    const isUpgrade = target?.protocol === 'https:' && target.hostname === request.url.hostname;
    const hint = isUpgrade ? ' (https of the same host: name that)' : '';
    throw new LastingHttpFailure(`it redirects to another server, which is not followed${hint}`);
  }
  if (request.method !== 'POST' || status === 307 || status === 308) return { ...request, url: target };
  const { body: _body, ...rest } = request;
  const headers = Object.entries(rest.headers).filter(([name]) => !name.toLowerCase().startsWith('content-'));
  return { ...rest, method: 'GET', url: target, headers: Object.fromEntries(headers) };
}

async function exchange(
  dispatcher: Dispatcher,
  { url, method, headers, body, timeoutMs }: Prepared,
  { maxBytes, ofMs }: { readonly maxBytes: number; readonly ofMs: number },
  signal: AbortSignal,
): Promise<HttpResponse> {
  signal.throwIfAborted();
  const late = `no complete answer within ${ofMs / 1000} s`;
  try {
    const answer = await roundTrip(
      dispatcher,
      {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers,
        body,
        timeoutMs: Math.max(timeoutMs, 0),
        late,
        maxBytes,
      },
      signal,
    );
    return { ...answer, headers: flatten(answer.headers) };
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof Late) throw cause;
    const refusal = causesOf(cause).find((error) => error instanceof TargetRefused);
    if (refusal) throw refusal;
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

const tlsErrors: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another name',
  CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'self-signed certificate in certificate chain',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unable to verify the first certificate',
  UNABLE_TO_GET_ISSUER_CERT: 'unable to get issuer certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unable to get local issuer certificate',
  // OpenSSL says either of an answer in plain HTTP, by its version.
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server answers without it',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the server answers without it',
};

/** One line that names the failure, in our words: vendors put addresses, headers or what the server said into theirs. */
function explain(cause: unknown): string {
  const codes = causesOf(cause).flatMap((error) => codeOf(error) ?? []);
  for (const code of codes) {
    const failure = connectionFailure(code);
    if (failure) return failure.reason;
    if (isTls(code)) return `TLS: ${own(tlsErrors, code) ?? code}`;
    if (code.startsWith('HPE_')) return 'the answer is no HTTP';
  }
  const [code] = codes;
  return code !== undefined && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)
    ? `the request failed (${code})`
    : 'the request failed';
}

/** The certificate is not accepted, or the request itself cannot be sent. */
function isLasting(cause: unknown): boolean {
  return causesOf(cause).some(
    (error) => 'code' in error && /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UND_ERR_INVALID_ARG/.test(String(error.code)),
  );
}
