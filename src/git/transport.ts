import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AgentError } from '../lib/errors.ts';
import { createDispatcher, type Dispatcher, type ProxySettings } from '../lib/http/dispatcher.ts';
import { followRedirects, maxRedirects } from '../lib/http/redirects.ts';
import { asksForPause } from '../lib/http/retry.ts';
import { retryAfterMs } from '../lib/http/retry-after.ts';
import { type Answer as RoundTrip, headerOf, roundTripBytes } from '../lib/http/round-trip.ts';
import { type Authorities, markOf, readAuthorities } from './authorities.ts';
import { authorization, type RemoteAddress } from './credentials.ts';
import { hostFailure, redirectTarget } from './transport-failures.ts';

export interface TransportOptions {
  readonly remote: RemoteAddress;
  /** Certificates that are trusted instead of the system's. */
  readonly ca?: Authorities;
  /** Absent: no proxy. */
  readonly proxy?: ProxySettings;
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
    const { proxy, connectTimeoutMs, idleTimeoutMs } = options;
    // Counting a large pack is silent for long; the deadline of the whole exchange covers it.
    const common = { proxy, connectTimeoutMs, idleTimeoutMs, keepAliveMs: 60_000 };
    connections = { mark, dispatcher: createDispatcher(ca === undefined ? common : { ...common, tls: { ca } }) };
    former?.close().catch(() => undefined);
    return connections.dispatcher;
  };

  const followed = async (exchange: Exchange, endMs: number, signal: AbortSignal): Promise<Reply> => {
    const dispatcher = await dispatcherNow();
    return followRedirects(
      home + exchange.path,
      async (target) => {
        const credential = new URL(target).origin === new URL(home).origin ? await authorization(auth) : undefined;
        const headers = { ...exchange.headers, ...(credential === undefined ? {} : { authorization: credential }) };
        return once(dispatcher, target, { ...exchange, headers }, { ...options, endMs }, signal);
      },
      (from, { status, location }) => {
        if (location === undefined) return undefined;
        const target = redirectTarget(from, location);
        // Another repository may have the old name tomorrow, so the way is asked for each time, and a person is told.
        const isForGood = status === 301 || status === 308;
        const place = target.endsWith(exchange.path) ? target.slice(0, -exchange.path.length) : undefined;
        if (isForGood && place !== undefined && place !== movedTo) {
          movedTo = place;
          options.onMoved?.(place);
        }
        return target;
      },
      () => new AgentError('GIT_PROTOCOL', `${home} redirects more than ${maxRedirects} times; check the Git URL`),
    );
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
        const { location: _followed, againAfterMs, ...answer } = await followed(exchange, endMs, signal);
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

async function once(
  dispatcher: Dispatcher,
  url: string,
  { method, headers, body, timeoutMs, maxBytes }: Exchange,
  { connectTimeoutMs, endMs }: TransportOptions & { readonly endMs: number },
  signal: AbortSignal,
): Promise<Reply> {
  const { origin, host, pathname, search } = new URL(url);
  let answer: RoundTrip<Buffer>;
  try {
    answer = await roundTripBytes(
      dispatcher,
      {
        origin,
        path: `${pathname}${search}`,
        method,
        // Some hosts send only Git's own user agents to the Git service.
        headers: { 'user-agent': 'git/serin', 'accept-encoding': 'gzip', ...headers },
        body,
        timeoutMs: Math.max(0, endMs - performance.now()),
        late: `no complete answer within ${timeoutMs / 1000} s`,
        // One byte more tells that it is too long.
        maxBytes: maxBytes + 1,
      },
      signal,
    );
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw hostFailure(host, cause, connectTimeoutMs);
  }
  const { status, headers: received } = answer;
  if (answer.body.length > maxBytes) throw tooLarge(url, maxBytes);
  return {
    status,
    contentType: headerOf(received, 'content-type') ?? '',
    body: await unpacked(answer.body, headerOf(received, 'content-encoding') ?? '', maxBytes, url),
    location: status >= 300 && status < 400 ? headerOf(received, 'location') : undefined,
    againAfterMs: asksForPause(status)
      ? pauseMs(headerOf(received, 'retry-after'), headerOf(received, 'date'))
      : undefined,
  };
}

/** Dates are told by the server's own clock, which need not be ours. */
function pauseMs(wish: string | undefined, date: string | undefined): number | undefined {
  const ms = retryAfterMs(wish, Date.parse(date ?? ''));
  return ms === undefined ? undefined : Math.max(SHORTEST_QUIET_MS, ms);
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
