import { goJson } from '../lib/go-json.ts';
import { type Alert, type Channel, subjectOf } from './notifier.ts';

/** Slack's message with one attachment, which Discord and Rocket.Chat take as well. `color` is a name or `#RRGGBB`. */
export function attachmentJson(alert: Alert, { channel, username }: Channel, color: string): string {
  return goJson({ channel, username, icon_url: '', icon_emoji: ':rocket:', attachments: [attachment(alert, color)] });
}

/** The attachment alone. */
export function attachment(alert: Alert, color: string): unknown {
  return {
    color,
    author_name: subjectOf(alert),
    text: alert.message,
    mrkdwn_in: ['text'],
    fields: alert.fields.map(({ name, value }) => ({ title: name, value, short: false })),
  };
}
