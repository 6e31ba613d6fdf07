import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request as send } from 'undici';
import { AgentError } from '../lib/errors.ts';
import { authorization, type RemoteAddress } from './credentials.ts';
import { connectionFailure, redirectTarget } from './transport-failures.ts';

export interface TransportOptions {
  readonly remote: RemoteAddress;
  /** PEM certificates that are trusted instead of the system's. */
  readonly ca?: string;
  /** The values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; absent: no proxy. */
  readonly proxy?: { readonly http?: string; readonly https?: string; readonly none?: string };
  readonly connectTimeoutMs: number;
  /** The longest silence inside an answer. */
  readonly idleTimeoutMs: number;
}

export interface Exchange {
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
 * HTTP to one repository over kept connections. Resolves for every status but redirects, which are followed (POST stays
 * POST, credentials stay with their origin, https never becomes http). Rejects with AgentError GIT_UNREACHABLE, whose
 * detail `phase` is `connect` while the server cannot have seen the request and `answer` afterwards, or with the
 * signal's reason.
 */
export interface Transport {
  readonly url: string;
  exchange(exchange: Exchange, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

const MAX_REDIRECTS = 5;

export function createTransport(options: TransportOptions): Transport {
  const dispatcher = createDispatcher(options);
  const { url: home, auth } = options.remote;
  let base = home;
  return {
    url: home,
    close: () => dispatcher.destroy(),
    async exchange(exchange, signal) {
      let target = base + exchange.path;
      for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
        const credential = new URL(target).origin === new URL(home).origin ? await authorization(auth) : undefined;
        const headers = { ...exchange.headers, ...(credential === undefined ? {} : { authorization: credential }) };
        const { location, ...answer } = await once(dispatcher, target, { ...exchange, headers }, options, signal);
        if (location === undefined) return answer;
        target = redirectTarget(target, location);
        // Later requests go straight to where the repository has moved.
        if (target.endsWith(exchange.path)) base = target.slice(0, -exchange.path.length);
      }
      throw new AgentError('GIT_PROTOCOL', `${home} redirects more than ${MAX_REDIRECTS} times; check the Git URL`);
    },
  };
}

function createDispatcher({ ca, proxy, connectTimeoutMs, idleTimeoutMs }: TransportOptions): Dispatcher {
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
  { connectTimeoutMs }: TransportOptions,
  signal: AbortSignal,
): Promise<Answer & { location: string | undefined }> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const late = new Error(`no complete answer within ${exchange.timeoutMs / 1000} s`);
  const timer = setTimeout(() => stop.abort(late), exchange.timeoutMs);
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
): Promise<Answer & { location: string | undefined }> {
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
  };
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
    `the answer of ${new URL(url).host} is larger than ${Math.round(maxBytes / 1048576)} MiB; raise the limit or watch a smaller repository`,
  );

function headerOf(headers: Dispatcher.ResponseData['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
