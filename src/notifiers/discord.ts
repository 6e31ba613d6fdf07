import { withoutTrailing } from '../lib/trim.ts';
import { attachmentJson } from './attachments.ts';
import { jsonHeaders, type Notifier } from './notifier.ts';

/** Discord's webhook for Slack's messages: its URL ends in `/slack`. */
export const discord: Notifier = {
  name: 'discord',
  about: { title: 'Discord', url: 'https://discord.com/developers/docs/resources/webhook' },
  request(alert, channel) {
    const url = new URL(channel.address);
    const path = withoutTrailing(url.pathname, '/');
    if (!path.endsWith('/slack')) url.pathname = `${path}/slack`;
    const body = attachmentJson(alert, channel, alert.severity === 'error' ? 'danger' : 'good');
    return { url: url.href, headers: jsonHeaders(channel.token), body };
  },
};
