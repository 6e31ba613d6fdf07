import { addressCheck, hostRefusal } from '../lib/http/addresses.ts';
import { guardedLookup } from '../lib/http/client.ts';
import { createDispatcher, type Dispatcher } from '../lib/http/dispatcher.ts';
import { causesOf, codeOf, connectionFailure, isTls } from '../lib/http/failures.ts';
import { TargetRefused } from '../lib/http/http.ts';
import { Late, roundTrip } from '../lib/http/round-trip.ts';
import { type Answer, type Call, type Client, NoAnswer } from './client.ts';

export interface NetworkOptions {
  /** The load tester's own machine: its ports, and those of its sidecars. */
  readonly mayLoopback: boolean;
  /** Addresses and networks that may be asked whatever else is true of them. */
  readonly allowed: readonly string[];
}

/** What is longer is cut, and its connection closed. */
const maxAnswerBytes = 1_048_576;
const maxHops = 10;

/** HTTP over kept connections, as many as there are workers. Link-local, metadata and multicast addresses are not asked. */
export function createNetworkClient(options: NetworkOptions): Client {
  const check = addressCheck(options);
  const lookup = guardedLookup(check);
  const dispatchers = new Map<string, Dispatcher>();
  const dispatcherFor = ({ insecure = false, http2 = false, fresh = false }: Call): Dispatcher => {
    const key = `${String(insecure)} ${String(http2)} ${String(fresh)}`;
    const known = dispatchers.get(key);
    if (known) return known;
    const tls = insecure ? { rejectUnauthorized: false } : {};
    const made = createDispatcher({ tls, lookup, http2, fresh, keepAliveMs: 15_000 });
    dispatchers.set(key, made);
    return made;
  };
  const once = async (call: Call, signal: AbortSignal): Promise<Answer> => {
    const { url, method, headers, body, timeoutMs } = call;
    if (!/^https?:$/.test(url.protocol)) throw new NoAnswer(1, `Protocol "${url.protocol.slice(0, -1)}" not supported`);
    const why = hostRefusal(url.hostname, check);
    if (why !== undefined) throw refusedAddress(url, why);
    const late = `Operation timed out after ${Math.round(timeoutMs)} milliseconds`;
    const exchange = {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: method as Dispatcher.HttpMethod,
      headers: { 'user-agent': 'serin-loadtester', ...userInfo(url), ...headers },
      body,
      timeoutMs,
      late,
      maxBytes: maxAnswerBytes,
    };
    try {
      return await roundTrip(dispatcherFor(call), exchange, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw noAnswer(url, error);
    }
  };
  return {
    close: () => {
      for (const dispatcher of dispatchers.values()) void dispatcher.destroy();
    },
    async send(call, signal) {
      let next = call;
      const untilMs = performance.now() + call.timeoutMs;
      for (let hop = 0; ; hop += 1) {
        const answer = await once({ ...next, timeoutMs: Math.max(1, untilMs - performance.now()) }, signal);
        const to = call.follow === true ? redirect(next, answer) : undefined;
        if (!to) return answer;
        if (hop >= maxHops) throw new NoAnswer(47, `Maximum (${maxHops}) redirects followed`);
        next = to;
      }
    },
  };
}

/** Where an answer sends the caller. Undefined: nowhere. What signs in is not taken to another origin. */
function redirect(call: Call, { status, headers }: Answer): Call | undefined {
  const { location } = headers;
  if (![301, 302, 303, 307, 308].includes(status) || typeof location !== 'string') return undefined;
  if (!URL.canParse(location, call.url.href)) return undefined;
  const url = new URL(location, call.url.href);
  const kept = Object.entries(call.headers).filter(
    ([name]) => url.origin === call.url.origin || !['authorization', 'cookie', 'host'].includes(name),
  );
  const same = { ...call, url, headers: Object.fromEntries(kept) };
  if (status === 307 || status === 308 || call.method === 'GET' || call.method === 'HEAD') return same;
  return { ...same, method: 'GET', body: undefined };
}

function userInfo({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

const refusedAddress = ({ hostname }: URL, why: string): NoAnswer =>
  new NoAnswer(7, `${hostname} is not asked: its address is ${why}; --allow-addresses can allow it`);

function noAnswer(url: URL, error: unknown): NoAnswer {
  if (error instanceof NoAnswer) return error;
  if (error instanceof Late) return new NoAnswer(28, error.message);
  const causes = causesOf(error);
  const refused = causes.find((cause) => cause instanceof TargetRefused);
  if (refused) return new NoAnswer(7, `${url.hostname} is not asked: ${refused.message}`);
  const code = causes.map(codeOf).find((one) => one !== undefined) ?? '';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return new NoAnswer(6, `Could not resolve host: ${url.hostname}`);
  const reason = connectionFailure(code)?.reason ?? (code || (causes.at(-1)?.message ?? 'unknown'));
  if (isTls(code)) return new NoAnswer(60, `SSL certificate problem: ${reason}`);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (connectionFailure(code)?.phase === 'connect')
    return new NoAnswer(7, `Failed to connect to ${url.hostname} port ${port}: ${reason}`);
  return new NoAnswer(56, `Failure when receiving data from ${url.hostname} port ${port}: ${reason}`);
}
