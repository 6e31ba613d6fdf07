import type { ApiRequest } from './api-request.ts';
import type { Clock } from '../lib/clock.ts';
import { backoffMs } from '../lib/backoff.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { retryAfterMs } from '../lib/http/retry-after.ts';
import { roundTrip } from '../lib/http/round-trip.ts';
import type { Connection, Credentials } from './connection.ts';
import { countedAs } from './counted-as.ts';
import type { FlowControl, Verdict } from './flow-control.ts';
import { tooLong } from './pages.ts';
import { placeOf } from './priority.ts';

/** Called for each request that is sent, repeats and watches included. */
export type OnRequest = (counted: { readonly verb: string; readonly resource: string }) => void;

export interface RequestStatistics {
  /** Requests sent since the start, repeats included. */
  requests: number;
  throttled: number;
  readonly onRequest?: OnRequest;
}

const maxTries = 5;
const requestTimeoutMs = 30_000;

export interface SendOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly statistics: RequestStatistics;
  readonly flow: FlowControl;
}

/**
 * Sends one request when its turn has come; repeats it when the server is busy (429, 503 with Retry-After) and, for reads, when the
 * connection broke. It holds no place meanwhile.
 */
export async function send(
  { connection, clock, statistics, flow }: SendOptions,
  apiRequest: ApiRequest,
  signal: AbortSignal,
): Promise<unknown> {
  const { verb, resource } = countedAs(apiRequest);
  const place = { ...placeOf(apiRequest), kind: `${verb} ${resource}` };
  for (let attempt = 0; ; attempt += 1) {
    const last = attempt + 1 >= maxTries;
    let waitMs = backoffMs(attempt, { baseMs: 100, capMs: 5_000 }, Math.random());
    try {
      const { credentials, status, afterMs, body } = await flow.admit(
        { ...place, isRepeat: attempt > 0 },
        async () => {
          const used = await connection.credentials();
          return { credentials: used, ...(await exchange(connection, used, statistics, apiRequest, signal)) };
        },
        (answer) => (signal.aborted ? undefined : verdictOn(answer)),
        signal,
      );
      if (status < 300) return body;
      if (status === 401 && attempt === 0) {
        connection.renew(credentials);
        continue;
      }
      const busy =
        status === 429 ||
        ((status === 503 || status === 504) && (afterMs !== undefined || apiRequest.method === 'GET'));
      if (status === 429) statistics.throttled += 1;
      if (!busy || last) throw failureOf(apiRequest, status, body);
      waitMs = Math.max(waitMs, Math.min(afterMs ?? 0, 30_000));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof AgentError) throw error;
      if (apiRequest.method !== 'GET' || last) {
        throw new AgentError(
          'CLUSTER_UNREACHABLE',
          `${apiRequest.what}: the Kubernetes API at ${connection.server} does not answer: ${causeOf(error)}`,
          {
            cause: error,
          },
        );
      }
    }
    await clock.sleep(waitMs, signal);
  }
}

/** No answer is one of the server, too. */
function verdictOn(answer: { readonly status: number; readonly afterMs: number | undefined } | undefined): Verdict {
  if (answer === undefined) return { result: 'lost' };
  const { status, afterMs } = answer;
  if (status === 429) return { result: 'refused', retryAfterMs: afterMs };
  return { result: status === 503 || status === 504 ? 'lost' : 'good' };
}

async function exchange(
  connection: Connection,
  credentials: Credentials,
  statistics: RequestStatistics,
  { method, path, body, contentType, as, read, maxBytes, what }: ApiRequest,
  signal: AbortSignal,
): Promise<{ status: number; afterMs: number | undefined; body: unknown }> {
  statistics.requests += 1;
  statistics.onRequest?.(countedAs({ method, path }));
  const answer = await roundTrip(
    credentials.calls,
    {
      origin: connection.origin,
      path: `${connection.prefix}${path}`,
      method,
      headers: {
        ...credentials.headers,
        accept: 'application/json',
        'user-agent': 'serin',
        // The server adds the groups of a service account by itself.
        ...(as === undefined ? {} : { 'impersonate-user': as }),
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      timeoutMs: requestTimeoutMs,
      late: `no answer within ${requestTimeoutMs / 1_000} s`,
      ...(maxBytes === undefined ? {} : { maxBytes }),
    },
    signal,
  );
  if (answer.isCut && maxBytes !== undefined && answer.status < 300) throw tooLong(what, maxBytes);
  return {
    status: answer.status,
    afterMs: retryAfterMs(answer.headers['retry-after'], undefined),
    body: parseBody(answer.body, answer.status < 300 ? read : undefined),
  };
}

function parseBody(text: string, read: ApiRequest['read'] = (json) => JSON.parse(json) as unknown): unknown {
  if (text === '') return undefined;
  try {
    return read(text);
  } catch {
    return text;
  }
}

/** An API server answers 500 also where waiting does not help: a field that no schema declares, an object that its store does not take. */
const finalMessage =
  /failed to create typed patch object|field not declared in schema|etcdserver: request is too large|trying to send message larger than max/;

/** Translates a Status answer. The server's message is kept: it names objects and fields, not secrets. */
export function failureOf({ what }: ApiRequest, status: number, body: unknown): AgentError {
  const said = body as { message?: string; reason?: string } | undefined;
  const message =
    (typeof said === 'object' && said?.message) || (typeof body === 'string' ? body.slice(0, 200) : `status ${status}`);
  const details = { status, reason: (typeof said === 'object' && said?.reason) || '', serverSaid: message };
  if (status === 409 && details.reason !== 'AlreadyExists')
    return new AgentError('CLUSTER_CONFLICT', `${what}: ${message}`, { details });
  const isFinal = status === 500 && finalMessage.test(message);
  if (!isFinal && (status === 429 || status >= 500))
    return new AgentError('CLUSTER_UNREACHABLE', `${what}: the Kubernetes API answers ${status}: ${message}`, {
      details,
    });
  return new AgentError('CLUSTER_REFUSED', `${what}: ${message}`, { details });
}

export function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? `${code} ${messageOf(cause)}` : messageOf(cause);
}
