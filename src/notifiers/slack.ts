import { goJson } from '../lib/go-json.ts';
import { jsonHeaders, type Notifier, subjectOf } from './notifier.ts';

/** Slack: an incoming webhook, or chat.postMessage with a bot's token. https://api.slack.com/reference/messaging/attachments */
export const slack: Notifier = {
  name: 'slack',
  request(alert, { address, token, channel, username }) {
    const payload = {
      channel,
      username,
      icon_url: '',
      icon_emoji: ':rocket:',
      attachments: [
        {
          color: alert.severity === 'error' ? 'danger' : 'good',
          author_name: subjectOf(alert),
          text: alert.message,
          mrkdwn_in: ['text'],
          fields: alert.fields.map(({ name, value }) => ({ title: name, value, short: false })),
        },
      ],
    };
    return { url: address, headers: jsonHeaders(token), body: goJson(payload) };
  },
};
