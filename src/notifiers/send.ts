import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { type Http, type HttpRequest, LastingHttpFailure } from '../lib/http/http.ts';
import { asksForPause, mayPassLater, retried, type Tried } from '../lib/http/retry.ts';
import { retryAfterMs } from '../lib/http/retry-after.ts';
import type { Alert, Channel, Notifier } from './notifier.ts';

export interface SendIo {
  readonly http: Http;
  readonly clock: Clock;
  /** In [0, 1); spreads the repeats. */
  readonly random?: () => number;
}

const timeoutMs = 5_000;
/** Nobody waits for an alert, so a receiver that asks for minutes gets them: Slack and Discord ask for up to one, and count what comes sooner. */
const policy = { tries: 4, backoff: { baseMs: 1_000, capMs: 30_000 }, longestPauseMs: 300_000 };
/** What Slack answers when it refuses. Nothing else that a receiver says is told: it may be any server. */
const slackErrors = [
  'action_prohibited',
  'channel_is_archived',
  'channel_not_found',
  'invalid_payload',
  'invalid_token',
  'no_active_hooks',
  'no_service',
  'no_service_id',
  'no_team',
  'no_text',
  'posting_to_general_channel_denied',
  'team_disabled',
  'too_many_attachments',
  'user_not_found',
];

/**
 * Sends an alert; network errors, timeouts, 429 and 5xx are tried again, not before the receiver wishes. Undefined: it arrived; otherwise why it
 * did not, without the address. Rejects only when the signal aborts.
 */
export async function sendAlert(
  notifier: Notifier,
  alert: Alert,
  channel: Channel & { readonly proxy?: string },
  { http, clock, random }: SendIo,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { proxy } = channel;
  const request: HttpRequest = {
    ...notifier.request(alert, channel),
    method: 'POST',
    timeoutMs,
    ...(proxy === undefined ? {} : { proxy }),
  };
  const sent = await retried(
    () => post(request, { http, clock }, signal),
    policy,
    { clock, ...(random === undefined ? {} : { random }) },
    signal,
  );
  return 'value' in sent ? undefined : sent.reason;
}

async function post(
  request: HttpRequest,
  { http, clock }: Pick<SendIo, 'http' | 'clock'>,
  signal: AbortSignal,
): Promise<Tried<'arrived'>> {
  try {
    const { status, headers, body } = await http.request(request, signal);
    if (status >= 200 && status < 300) return { value: 'arrived' };
    const said = slackErrors.find((known) => known === body.slice(0, 60).trim());
    return {
      reason: `status ${status}${said === undefined ? '' : `: ${said}`}`,
      mayPass: mayPassLater(status),
      afterMs: asksForPause(status) ? retryAfterMs(headers['retry-after'], clock.now()) : undefined,
    };
  } catch (error) {
    signal.throwIfAborted();
    return { reason: messageOf(error), mayPass: !(error instanceof LastingHttpFailure) };
  }
}
