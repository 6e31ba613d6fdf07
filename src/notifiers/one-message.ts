import type { Alert, AlertField, Channel, Notifier } from './notifier.ts';
import { sendAlert, sendRequest, type SendIo } from './send.ts';

/** A message that holds what is told of one release. */
interface Kept {
  /** As its channel calls it. */
  readonly name: string;
  readonly fields: readonly AlertField[];
  readonly told: readonly Pick<Alert, 'severity' | 'message'>[];
}

const maxKept = 1_000;
/** Of one release; what was told before is not shown any more. */
const maxTold = 20;

/** One message for each release, where the channel lets it be changed. */
export interface OneMessage {
  /**
   * Tells an alert as `sendAlert` does. `release`: what its message is kept under; undefined: it is a message of its own. What is wrong is told
   * beside the message, too: nobody hears of a change. After a restart a release has a new message.
   */
  tell(
    notifier: Notifier,
    alert: Alert,
    channel: Channel & { readonly proxy?: string },
    release: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined>;
}

export function createOneMessage(io: SendIo): OneMessage {
  const kept = new Map<string, Kept>();
  const keep = (release: string, message: Kept): void => {
    kept.delete(release);
    kept.set(release, message);
    const [oldest] = kept.keys();
    if (kept.size > maxKept && oldest !== undefined) kept.delete(oldest);
  };
  return {
    async tell(notifier, alert, channel, release, signal) {
      const inPlace = 'mail' in notifier ? undefined : notifier.inPlace;
      if (release === undefined || 'mail' in notifier || !inPlace?.holds(channel))
        return sendAlert(notifier, alert, channel, io, signal);
      const { severity, message } = alert;
      const begin = async (): Promise<string | undefined> => {
        const sent = await sendRequest(notifier, notifier.request(alert, channel), channel, io, signal);
        if ('reason' in sent) return sent.reason;
        const name = inPlace.nameOf(sent.value);
        if (name !== undefined) keep(release, { name, fields: alert.fields, told: [{ severity, message }] });
        return undefined;
      };
      const present = kept.get(release);
      if (!present) return begin();
      const whole: Alert = {
        ...alert,
        fields: present.fields.length > alert.fields.length ? present.fields : alert.fields,
        before: present.told,
      };
      // First of all, so that nobody waits for it.
      if (severity !== 'info') {
        const beside = await sendRequest(notifier, inPlace.beside(alert, channel, present.name), channel, io, signal);
        if ('reason' in beside) {
          kept.delete(release);
          return begin();
        }
      }
      const updated = await sendRequest(notifier, inPlace.update(whole, channel, present.name), channel, io, signal);
      if ('reason' in updated) {
        // Somebody may have deleted it.
        kept.delete(release);
        return severity === 'info' ? begin() : undefined;
      }
      const told = [...present.told, { severity, message }].slice(-maxTold);
      keep(release, { name: present.name, fields: whole.fields, told });
      return undefined;
    },
  };
}
