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
const shownBody = 200;

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
      const said = withoutAddress(body, channel.address).replace(/\s+/g, ' ').trim().slice(0, shownBody);
      reason = `status ${status}${said === '' ? '' : `: ${said}`}`;
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

/** Some servers answer with the path that they do not know. */
function withoutAddress(text: string, address: string): string {
  const { pathname, search } = new URL(address);
  const path = pathname === '/' ? [] : [`${pathname}${search}`, pathname];
  return [address, ...path].reduce((shown, secret) => shown.replaceAll(secret, '...'), text);
}
