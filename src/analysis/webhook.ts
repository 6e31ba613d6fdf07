import { STATUS_CODES } from 'node:http';
import { type Load, readLoad } from '../canary/evidence.ts';
import type { CanarySpec, CanaryStatus, HookAnswer, WebhookSpec } from '../canary/types.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { goJson, sortedByKey } from '../lib/go-json.ts';
import { canonicalJson, shortHash } from '../lib/hash.ts';
import { type Http, type HttpResponse, LastingHttpFailure } from '../lib/http/http.ts';
import { asksForPause, mayPassLater, retried, type Tried } from '../lib/http/retry.ts';
import { retryAfterMs } from '../lib/http/retry-after.ts';
import { shownOrigin } from '../lib/http/shown-url.ts';

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

/** A release waits for the answer: it must not hang on one header. */
const longestPauseMs = 30_000;
const backoff = { baseMs: 1_000, capMs: longestPauseMs };

/**
 * Posts to a webhook. Any 2xx passes. Network errors, timeouts, 429 and 5xx (not 501) are tried again `hook.retries` times;
 * every other answer rejects at once, and so does a certificate that is not trusted. What the server wrote is never told: it may be
 * any server. Rejects only when the signal aborts.
 */
export async function callWebhook(
  hook: WebhookSpec,
  payload: WebhookPayload,
  { http, clock, random, headers = {} }: WebhookIo,
  signal: AbortSignal,
): Promise<HookAnswer> {
  const body = goJson(payload);
  const result = await retried(
    () => post(hook, { body, headers }, { http, clock }, signal),
    { tries: hook.retries + 1, backoff, longestPauseMs },
    { clock, ...(random === undefined ? {} : { random }) },
    signal,
  );
  if ('value' in result) return result.value;
  const reason = `POST ${shownOrigin(hook.url)} giving up after ${result.tries} attempt(s): ${result.reason}`;
  return { kind: 'rejected', reason };
}

/** How our load tester tells what it has sent. */
const loadHeader = 'serin-load';
const maxHeader = 1_000;

/** Numbers only, whoever answers. */
function loadOf(header: string | undefined): Load | undefined {
  if (header === undefined || header.length > maxHeader) return undefined;
  try {
    return readLoad(JSON.parse(header));
  } catch {
    return undefined;
  }
}

async function post(
  hook: WebhookSpec,
  { body, headers }: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
  { http, clock }: Pick<WebhookIo, 'http' | 'clock'>,
  signal: AbortSignal,
): Promise<Tried<HookAnswer>> {
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
    return { reason: messageOf(error), mayPass: !(error instanceof LastingHttpFailure) };
  }
  const { status, headers: answered } = response;
  if (status >= 200 && status < 300) {
    const load = loadOf(answered[loadHeader]);
    return { value: { kind: 'passed', ...(load ? { load } : {}) } };
  }
  const reason = `status ${status} ${STATUS_CODES[status] ?? ''}`.trim();
  // An answer that stays the same is the hook's verdict.
  if (!mayPassLater(status)) return { value: { kind: 'rejected', reason } };
  const afterMs = asksForPause(status) ? retryAfterMs(answered['retry-after'], clock.now()) : undefined;
  return { reason, mayPass: true, afterMs };
}
