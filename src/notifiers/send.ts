import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { type Http, LastingHttpFailure } from '../lib/http.ts';
import type { Alert, Channel, Notifier } from './notifier.ts';

export interface SendIo {
  readonly http: Http;
  readonly clock: Clock;
  /** In [0, 1); spreads the repeats. */
  readonly random?: () => number;
}

const timeoutMs = 5_000;
const tries = 4;
const backoff = { baseMs: 1_000, capMs: 30_000 };
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
 * Sends an alert; network errors, timeouts, 429 and 5xx are tried again. Undefined: it arrived; otherwise why it did not, without the
 * address. Rejects only when the signal aborts.
 */
export async function sendAlert(
  notifier: Notifier,
  alert: Alert,
  channel: Channel & { readonly proxy?: string },
  { http, clock, random = Math.random }: SendIo,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { proxy } = channel;
  const request = notifier.request(alert, channel);
  for (let attempt = 1; ; attempt += 1) {
    let reason: string;
    let mayPass = true;
    try {
      const options = { method: 'POST' as const, timeoutMs, ...(proxy === undefined ? {} : { proxy }) };
      const { status, body } = await http.request({ ...request, ...options }, signal);
      if (status >= 200 && status < 300) return undefined;
      const said = slackErrors.find((known) => known === body.slice(0, 60).trim());
      reason = `status ${status}${said === undefined ? '' : `: ${said}`}`;
      mayPass = status === 429 || status >= 500;
    } catch (error) {
      signal.throwIfAborted();
      reason = messageOf(error);
      mayPass = !(error instanceof LastingHttpFailure);
    }
    if (!mayPass || attempt >= tries) return reason;
    await clock.sleep(backoffMs(attempt - 1, backoff, random()), signal);
  }
}
