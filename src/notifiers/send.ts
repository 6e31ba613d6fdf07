import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { type Http, type HttpRequest, type HttpResponse, LastingHttpFailure } from '../lib/http/http.ts';
import { asksForPause, mayPassLater, retried, type Tried } from '../lib/http/retry.ts';
import { retryAfterMs } from '../lib/http/retry-after.ts';
import type { Mailer } from '../lib/mail.ts';
import type { Alert, Channel, HttpNotifier, MailNotifier, Notifier, Sent } from './notifier.ts';

export interface SendIo {
  readonly http: Http;
  readonly clock: Clock;
  /** Absent: no mail is sent. */
  readonly mailer?: Mailer;
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
  io: SendIo,
  signal: AbortSignal,
): Promise<string | undefined> {
  if ('mail' in notifier) return sendMail(notifier, alert, channel, io, signal);
  const sent = await sendRequest(notifier, notifier.request(alert, channel), channel, io, signal);
  return 'value' in sent ? undefined : sent.reason;
}

async function sendMail(
  notifier: MailNotifier,
  alert: Alert,
  channel: Channel,
  { mailer, clock, random }: SendIo,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!mailer) return 'no mail is sent here';
  const { server, mail } = notifier.mail(alert, channel);
  const io = { clock, ...(random === undefined ? {} : { random }) };
  const sent = await retried(() => mailer(server, mail, signal), policy, io, signal);
  return 'value' in sent ? undefined : sent.reason;
}

/** Likewise one request of a notifier; gives the answer of who took it. */
export async function sendRequest(
  notifier: Pick<HttpNotifier, 'refusal'>,
  sent: Sent,
  channel: Channel & { readonly proxy?: string },
  { http, clock, random }: SendIo,
  signal: AbortSignal,
): Promise<{ readonly value: HttpResponse } | { readonly reason: string }> {
  const { proxy } = channel;
  const request: HttpRequest = { method: 'POST', ...sent, timeoutMs, ...(proxy === undefined ? {} : { proxy }) };
  return retried(
    async () => {
      const tried = await post(request, { http, clock }, signal);
      const refusal = 'value' in tried ? notifier.refusal?.(tried.value, channel) : undefined;
      return refusal ? { reason: refusal.reason, mayPass: refusal.passes } : tried;
    },
    policy,
    { clock, ...(random === undefined ? {} : { random }) },
    signal,
  );
}

async function post(
  request: HttpRequest,
  { http, clock }: Pick<SendIo, 'http' | 'clock'>,
  signal: AbortSignal,
): Promise<Tried<HttpResponse>> {
  try {
    const response = await http.request(request, signal);
    const { status, headers, body } = response;
    if (status >= 200 && status < 300) return { value: response };
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
