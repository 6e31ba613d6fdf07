import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request as send } from 'undici';
import { AgentError } from '../lib/errors.ts';
import { type Authorities, markOf, readAuthorities } from './authorities.ts';
import { authorization, type RemoteAddress } from './credentials.ts';
import { connectionFailure, redirectTarget } from './transport-failures.ts';

export interface TransportOptions {
  readonly remote: RemoteAddress;
  /** Certificates that are trusted instead of the system's. */
  readonly ca?: Authorities;
  /** The values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; absent: no proxy. */
  readonly proxy?: { readonly http?: string; readonly https?: string; readonly none?: string };
  readonly connectTimeoutMs: number;
  /** The longest silence inside an answer. */
  readonly idleTimeoutMs: number;
  /** Told of where the repository has moved for good. */
  readonly onMoved?: (url: string) => void;
}

interface Exchange {
  readonly method: 'GET' | 'POST';
  /** Below the repository's URL, such as `/git-upload-pack`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Until the last byte of the answer. */
  readonly timeoutMs: number;
  /** A longer answer is GIT_TOO_LARGE. */
  readonly maxBytes: number;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/**
 * HTTP to one repository over kept connections. Resolves for every status but redirects, which are followed and never remembered (POST
 * stays POST, credentials stay with their origin, https never becomes http). A server that names a time after which to come again is waited
 * for as long as the request may take, and left alone until then. Rejects with AgentError GIT_UNREACHABLE, whose
 * detail `phase` is `connect` while the server cannot have seen the request and `answer` afterwards, or with the
 * signal's reason.
 */
export interface Transport {
  readonly url: string;
  exchange(exchange: Exchange, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

const MAX_REDIRECTS = 5;
/** A server is left alone no longer, whatever it wishes, and at least so long. */
const LONGEST_QUIET_MS = 300_000;
const SHORTEST_QUIET_MS = 500;

interface Reply extends Answer {
  readonly location: string | undefined;
  readonly againAfterMs: number | undefined;
}

export function createTransport(options: TransportOptions): Transport {
  const { url: home, auth } = options.remote;
  let connections: { readonly mark: string; readonly dispatcher: Dispatcher } | undefined;
  let closed: Promise<void> | undefined;
  let movedTo: string | undefined;
  /** The server asked to be left alone until then, by a clock that nobody sets. */
  let quiet = { untilMs: 0, status: 0 };

  /** Of the certificates as they are now. Requests under way end with those that they began with. */
  const dispatcherNow = async (): Promise<Dispatcher> => {
    const mark = await markOf(options.ca);
    if (connections?.mark === mark) return connections.dispatcher;
    const ca = await readAuthorities(options.ca);
    const former = connections?.dispatcher;
    connections = { mark, dispatcher: createDispatcher(options, ca) };
    former?.close().catch(() => undefined);
    return connections.dispatcher;
  };

  const followed = async (exchange: Exchange, leftMs: number, signal: AbortSignal): Promise<Reply> => {
    const dispatcher = await dispatcherNow();
    let target = home + exchange.path;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const credential = new URL(target).origin === new URL(home).origin ? await authorization(auth) : undefined;
      const headers = { ...exchange.headers, ...(credential === undefined ? {} : { authorization: credential }) };
      const answer = await once(dispatcher, target, { ...exchange, headers }, { ...options, leftMs }, signal);
      if (answer.location === undefined) return answer;
      target = redirectTarget(target, answer.location);
      // Another repository may have the old name tomorrow, so the way is asked for each time, and a person is told.
      const isForGood = answer.status === 301 || answer.status === 308;
      const place = target.endsWith(exchange.path) ? target.slice(0, -exchange.path.length) : undefined;
      if (!isForGood || place === undefined || place === movedTo) continue;
      movedTo = place;
      options.onMoved?.(place);
    }
    throw new AgentError('GIT_PROTOCOL', `${home} redirects more than ${MAX_REDIRECTS} times; check the Git URL`);
  };

  return {
    url: home,
    close: () => (closed ??= connections?.dispatcher.destroy() ?? Promise.resolve()),
    async exchange(exchange, signal) {
      const endMs = performance.now() + exchange.timeoutMs;
      for (;;) {
        const quietMs = quiet.untilMs - performance.now();
        if (quietMs > 0 && quietMs >= endMs - performance.now()) throw leftAlone(home, quiet.status, quietMs);
        if (quietMs > 0) await sleep(quietMs, undefined, { signal }).catch(() => signal.throwIfAborted());
        const {
          location: _followed,
          againAfterMs,
          ...answer
        } = await followed(exchange, endMs - performance.now(), signal);
        if (againAfterMs === undefined) return answer;
        const untilMs = performance.now() + Math.min(againAfterMs, LONGEST_QUIET_MS);
        quiet = { untilMs, status: answer.status };
        if (untilMs >= endMs) return answer;
      }
    },
  };
}

const leftAlone = (url: string, status: number, ms: number): AgentError =>
  new AgentError(
    'GIT_UNREACHABLE',
    `${new URL(url).host}: the Git server answered HTTP ${status} and is asked again in ${Math.ceil(ms / 1000)} s, as it wishes`,
    { details: { phase: 'connect' } },
  );

function createDispatcher(
  { proxy, connectTimeoutMs, idleTimeoutMs }: TransportOptions,
  ca: string | undefined,
): Dispatcher {
  const tls = ca === undefined ? {} : { ca };
  const common = {
    connect: { ...tls, timeout: connectTimeoutMs },
    // Counting a large pack is silent for long; the deadline of the whole exchange covers it.
    headersTimeout: 0,
    bodyTimeout: idleTimeoutMs,
    keepAliveTimeout: 60_000,
  };
  if (!proxy?.http && !proxy?.https) return new Agent(common);
  return new EnvHttpProxyAgent({
    ...common,
    requestTls: tls,
    proxyTunnel: false,
    // Empty strings, because undici reads the environment where a value is absent.
    httpProxy: proxy.http ?? '',
    httpsProxy: proxy.https ?? '',
    noProxy: proxy.none ?? '',
  });
}

async function once(
  dispatcher: Dispatcher,
  url: string,
  exchange: Exchange,
  { connectTimeoutMs, leftMs }: TransportOptions & { readonly leftMs: number },
  signal: AbortSignal,
): Promise<Reply> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const late = new Error(`no complete answer within ${exchange.timeoutMs / 1000} s`);
  const timer = setTimeout(() => stop.abort(late), Math.max(0, leftMs));
  // undici does not look at the signal while a proxy's tunnel is being made.
  const stopped = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([roundTrip(dispatcher, url, exchange, stop.signal), stopped]);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof AgentError) throw cause;
    throw connectionFailure(url, cause, connectTimeoutMs);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

async function roundTrip(
  dispatcher: Dispatcher,
  url: string,
  { method, headers, body, maxBytes }: Exchange,
  signal: AbortSignal,
): Promise<Reply> {
  const response = await send(url, {
    dispatcher,
    method,
    // Some hosts send only Git's own user agents to the Git service.
    headers: { 'user-agent': 'git/serin', 'accept-encoding': 'gzip', ...headers },
    ...(body === undefined ? {} : { body }),
    signal,
  });
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    total += chunk.length;
    if (total > maxBytes) throw tooLarge(url, maxBytes);
    chunks.push(chunk);
  }
  const raw = Buffer.concat(chunks);
  const encoding = headerOf(response.headers, 'content-encoding') ?? '';
  const status = response.statusCode;
  return {
    status,
    contentType: headerOf(response.headers, 'content-type') ?? '',
    body: await unpacked(raw, encoding, maxBytes, url),
    location: status >= 300 && status < 400 ? headerOf(response.headers, 'location') : undefined,
    againAfterMs:
      status === 429 || status === 503
        ? againAfterMs(headerOf(response.headers, 'retry-after'), headerOf(response.headers, 'date'))
        : undefined,
  };
}

/** Seconds, or a date: told by the server's own clock, which need not be ours. */
function againAfterMs(text: string | undefined, date: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\s*\d+\s*$/.test(text) ? Number(text) : undefined;
  const ms = seconds === undefined ? Date.parse(text) - Date.parse(date ?? '') : seconds * 1_000;
  return Number.isFinite(ms) ? Math.max(SHORTEST_QUIET_MS, ms) : undefined;
}

const unzip = promisify(gunzip);

/** Proxies write the names of encodings in several ways, and may pack what is packed. */
async function unpacked(raw: Buffer, encoding: string, maxBytes: number, url: string): Promise<Buffer> {
  const names = encoding.split(',').map((name) => name.trim().toLowerCase());
  const applied = names.filter((name) => name !== '' && name !== 'identity');
  if (applied.length > 2) throw foreignEncoding(encoding, url);
  let body = raw;
  for (const name of applied) {
    if (name !== 'gzip' && name !== 'x-gzip') throw foreignEncoding(name, url);
    try {
      body = await unzip(body, { maxOutputLength: maxBytes });
    } catch (cause) {
      if (cause instanceof RangeError) throw tooLarge(url, maxBytes);
      throw new AgentError('GIT_PROTOCOL', `${new URL(url).host} sent a damaged gzip body`, { cause });
    }
  }
  return body;
}

const foreignEncoding = (name: string, url: string): AgentError =>
  new AgentError(
    'GIT_PROTOCOL',
    `${new URL(url).host} answers with the content encoding ${name.slice(0, 80)}, which was not asked for; does a proxy add it?`,
  );

const tooLarge = (url: string, maxBytes: number): AgentError =>
  new AgentError(
    'GIT_TOO_LARGE',
    `the answer of ${new URL(url).host} is larger than ${Math.round(maxBytes / 1048576)} MiB: keep large files out of the repository, or follow a smaller one`,
  );

function headerOf(headers: Dispatcher.ResponseData['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
