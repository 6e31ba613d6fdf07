import { attachmentJson } from './attachments.ts';
import { jsonHeaders, type HttpNotifier } from './notifier.ts';

/** Rocket.Chat's incoming webhook. */
export const rocket: HttpNotifier = {
  name: 'rocket',
  about: { title: 'Rocket.Chat', url: 'https://docs.rocket.chat/docs/integrations' },
  request(alert, channel) {
    const body = attachmentJson(alert, channel, alert.severity === 'error' ? '#FF0000' : '#0076D7');
    return { url: channel.address, headers: jsonHeaders(channel.token), body };
  },
};
