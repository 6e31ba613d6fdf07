import type { LookupFunction } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';

export type { Dispatcher } from 'undici';

/** The values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  readonly none?: string;
}

export interface DispatcherOptions {
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>;
  /** Resolves the names of servers. Absent: the system. */
  readonly lookup?: LookupFunction;
  /** Absent or without addresses: no proxy. */
  readonly proxy?: ProxySettings | undefined;
  /** Resolves the name of the proxy. Absent: the system. */
  readonly proxyLookup?: LookupFunction;
  /** Until there is a connection. Absent: undici's 10 s. */
  readonly connectTimeoutMs?: number;
  /** Until the first byte of an answer. Absent: for ever, whoever sends a request has a deadline of its own. */
  readonly headersTimeoutMs?: number;
  /** The longest silence inside an answer. Absent: for ever. */
  readonly idleTimeoutMs?: number;
  /** How long an unused connection is kept. Absent: undici's 4 s. */
  readonly keepAliveMs?: number;
  /** How many connections to one server. Absent: any number. */
  readonly connections?: number;
  /** HTTP/2 with servers that offer it over TLS. Absent: HTTP/1.1. */
  readonly http2?: boolean;
  /** A connection of its own for each request. Absent: they are kept. */
  readonly fresh?: boolean;
}

/** Kept connections. The only place that knows how undici is told of certificates, proxies and times. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { tls = {}, lookup, proxy, proxyLookup, connectTimeoutMs, headersTimeoutMs = 0, idleTimeoutMs = 0 } = options;
  const { keepAliveMs, connections, http2 = false, fresh = false } = options;
  const given = {
    ...tls,
    ...(lookup === undefined ? {} : { lookup }),
    ...(connectTimeoutMs === undefined ? {} : { timeout: connectTimeoutMs }),
  };
  // Absent, because undici takes undefined for a value.
  const connect = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const common = {
    connect,
    headersTimeout: headersTimeoutMs,
    bodyTimeout: idleTimeoutMs,
    ...(keepAliveMs === undefined ? {} : { keepAliveTimeout: keepAliveMs }),
    ...(connections === undefined ? {} : { connections, pipelining: 1 }),
    ...(http2 ? { allowH2: true } : {}),
    ...(fresh ? { pipelining: 0 } : {}),
  };
  if (!proxy?.http && !proxy?.https) return new Agent(common);
  return new EnvHttpProxyAgent({
    ...common,
    requestTls: tls,
    ...(proxyLookup === undefined ? {} : { proxyTls: { lookup: proxyLookup } }),
    // Plain HTTP in absolute form, as Go does: many proxies refuse CONNECT to other ports than 443.
    proxyTunnel: false,
    // Empty strings, because undici reads the environment where a value is absent.
    httpProxy: proxy.http ?? '',
    httpsProxy: proxy.https ?? '',
    noProxy: proxy.none ?? '',
  });
}
