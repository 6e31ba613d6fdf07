import { attachmentJson } from './attachments.ts';
import { jsonHeaders, type Notifier } from './notifier.ts';

/** Slack: an incoming webhook, or chat.postMessage with a bot's token. https://api.slack.com/reference/messaging/attachments */
export const slack: Notifier = {
  name: 'slack',
  request(alert, channel) {
    const body = attachmentJson(alert, channel, alert.severity === 'error' ? 'danger' : 'good');
    return { url: channel.address, headers: jsonHeaders(channel.token), body };
  },
};
