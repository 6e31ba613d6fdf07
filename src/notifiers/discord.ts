import { jsonOf, textOf } from '../lib/json.ts';
import { withoutTrailing } from '../lib/trim.ts';
import { attachmentJson } from './attachments.ts';
import { type Alert, type Channel, jsonHeaders, type HttpNotifier, subjectOf, wholeStory } from './notifier.ts';

/** What an embed may hold: https://discord.com/developers/docs/resources/message#embed-object-embed-limits */
const most = { text: 4_000, fields: 25, name: 256, value: 1_024, username: 80 } as const;
const colors = { info: 0x2e_cc_71, warn: 0xf1_c4_0f, error: 0xe7_4c_3c } as const;

/**
 * Discord's webhooks. Its own hosts get its own messages, one for each release; others, and an address that ends in `/slack`, what Flagger sends: Slack's message
 * at the webhook for it.
 */
export const discord: HttpNotifier = {
  name: 'discord',
  about: {
    title: 'Discord',
    url: 'https://discord.com/developers/docs/resources/webhook',
    notes: "one message a release; Flagger's messages at an address that ends in /slack",
  },
  request(alert, channel) {
    const url = new URL(channel.address);
    if (isNative(channel)) {
      // Else it does not say which message it has made.
      url.searchParams.set('wait', 'true');
      return { url: url.href, headers: jsonHeaders(undefined), body: messageOf(alert, channel) };
    }
    const path = withoutTrailing(url.pathname, '/');
    if (!path.endsWith('/slack')) url.pathname = `${path}/slack`;
    const body = attachmentJson(alert, channel, alert.severity === 'error' ? 'danger' : 'good');
    return { url: url.href, headers: jsonHeaders(channel.token), body };
  },
  inPlace: {
    holds: isNative,
    nameOf({ body }) {
      try {
        const id = textOf(jsonOf(JSON.parse(body))['id']);
        return id !== undefined && /^\d{1,32}$/.test(id) ? id : undefined;
      } catch {
        return undefined;
      }
    },
    update(alert, channel, name) {
      const url = new URL(channel.address);
      url.pathname = `${withoutTrailing(url.pathname, '/')}/messages/${name}`;
      const story = wholeStory(alert);
      const worst = story.find(({ severity }) => severity === 'error')?.severity ?? alert.severity;
      const message = story.map((one) => one.message).join('\n');
      const body = messageOf({ ...alert, severity: worst, message }, channel);
      return { method: 'PATCH', url: url.href, headers: jsonHeaders(undefined), body };
    },
    beside: (alert, channel) => discord.request(alert, channel),
  },
};

function isNative({ address }: Channel): boolean {
  const { hostname, pathname } = new URL(address);
  const isOwn = /^(?:[a-z]{1,20}\.)?discord(?:app)?\.com$/.test(hostname);
  return isOwn && !withoutTrailing(pathname, '/').endsWith('/slack');
}

function messageOf(alert: Alert, { username }: Channel): string {
  const { severity, message, fields } = alert;
  const embed = {
    author: { name: subjectOf(alert).slice(0, most.name) },
    description: message.slice(0, most.text),
    color: colors[severity],
    fields: fields.slice(0, most.fields).map(({ name, value }) => ({
      name: name.slice(0, most.name),
      value: value.slice(0, most.value) || '–',
      inline: false,
    })),
  };
  // What others wrote calls nobody.
  return JSON.stringify({
    username: username.slice(0, most.username),
    embeds: [embed],
    allowed_mentions: { parse: [] },
  });
}
