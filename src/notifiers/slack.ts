import { attachmentJson } from './attachments.ts';
import { jsonHeaders, type Notifier } from './notifier.ts';

/** Slack: an incoming webhook, or chat.postMessage with a bot's token. */
export const slack: Notifier = {
  name: 'slack',
  about: { title: 'Slack', url: 'https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks' },
  request(alert, channel) {
    const body = attachmentJson(alert, channel, alert.severity === 'error' ? 'danger' : 'good');
    return { url: channel.address, headers: jsonHeaders(channel.token), body };
  },
};
