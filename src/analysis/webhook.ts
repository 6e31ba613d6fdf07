import { STATUS_CODES } from 'node:http';
import type { CanarySpec, CanaryStatus, HookAnswer, WebhookSpec } from '../canary/types.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { goJson, sortedByKey } from '../lib/go-json.ts';
import { canonicalJson, shortHash } from '../lib/hash.ts';
import { type Http, type HttpResponse, LastingHttpFailure } from '../lib/http.ts';
import { shownOrigin } from '../lib/shown-url.ts';

/** The body of every webhook, Flagger's. */
export interface WebhookPayload {
  readonly name: string;
  readonly namespace: string;
  readonly phase: string;
  /** Changes with the revision that is meant; opaque otherwise. */
  readonly checksum: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface WebhookIo {
  readonly http: Http;
  readonly clock: Clock;
  /** In [0, 1); spreads the repeats. */
  readonly random?: () => number;
  /** Sent along with every try. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Empty metadata is left out. `status` is what the canary's revision is taken from; undefined before there is one. */
export function webhookPayload(
  { name, namespace }: Pick<CanarySpec, 'name' | 'namespace'>,
  phase: string,
  status: Pick<CanaryStatus, 'trackedConfigs' | 'lastAppliedSpec'> | undefined,
  metadata: Readonly<Record<string, string>>,
): WebhookPayload {
  const { trackedConfigs = {}, lastAppliedSpec = '' } = status ?? {};
  const checksum = shortHash(canonicalJson({ trackedConfigs, lastAppliedSpec }));
  const payload = { name, namespace, phase, checksum };
  return Object.keys(metadata).length > 0 ? { ...payload, metadata: sortedByKey(metadata) } : payload;
}

const BACKOFF = { baseMs: 1_000, capMs: 30_000 };

/**
 * Posts to a webhook. Any 2xx passes. Network errors, timeouts, 429 and 5xx (not 501) are tried again `hook.retries` times;
 * every other answer rejects at once, and so does a certificate that is not trusted. What the server wrote is never told: it may be
 * any server. Rejects only when the signal aborts.
 */
export async function callWebhook(
  hook: WebhookSpec,
  payload: WebhookPayload,
  { http, clock, random = Math.random, headers = {} }: WebhookIo,
  signal: AbortSignal,
): Promise<HookAnswer> {
  const body = goJson(payload);
  for (let attempt = 0; ; attempt += 1) {
    const result = await post(hook, { body, headers }, http, signal);
    if ('answer' in result) return result.answer;
    if (result.isLasting || attempt >= hook.retries) {
      const reason = `POST ${shownOrigin(hook.url)} giving up after ${attempt + 1} attempt(s): ${result.reason}`;
      return { kind: 'rejected', reason };
    }
    const asked = result.response && retryAfterMs(result.response, clock.now());
    await clock.sleep(asked ?? backoffMs(attempt, BACKOFF, random()), signal);
  }
}

type Try =
  | { readonly answer: HookAnswer }
  | { readonly reason: string; readonly response?: HttpResponse; readonly isLasting?: boolean };

async function post(
  hook: WebhookSpec,
  { body, headers }: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
  http: Http,
  signal: AbortSignal,
): Promise<Try> {
  let response: HttpResponse;
  try {
    response = await http.request(
      {
        method: 'POST',
        url: hook.url,
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        timeoutMs: hook.timeoutMs,
        ...(hook.disableTls ? { insecure: true } : {}),
      },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    return { reason: messageOf(error), isLasting: error instanceof LastingHttpFailure };
  }
  const { status } = response;
  if (status >= 200 && status < 300) return { answer: { kind: 'passed' } };
  const reason = `status ${status} ${STATUS_CODES[status] ?? ''}`.trim();
  const again = status === 429 || (status >= 500 && status !== 501);
  return again ? { reason, response } : { answer: { kind: 'rejected', reason } };
}

/** Seconds or a date, never longer than our own longest wait: a rollout must not hang on one header. */
function retryAfterMs({ status, headers }: HttpResponse, nowMs: number): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined || (status !== 429 && status !== 503)) return undefined;
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), BACKOFF.capMs) : undefined;
}
