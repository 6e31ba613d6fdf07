import { jsonOf } from '../lib/json.ts';
import { attachment, attachmentJson } from './attachments.ts';
import { type Alert, type Channel, jsonHeaders, type HttpNotifier, wholeStory } from './notifier.ts';

const post = '/chat.postMessage';
/** What Slack's API says of a message that it does not take. Nothing else that it says is told. */
const refusals = [
  'account_inactive',
  'channel_not_found',
  'invalid_auth',
  'is_archived',
  'message_not_found',
  'missing_scope',
  'msg_too_long',
  'no_permission',
  'not_authed',
  'not_in_channel',
  'ratelimited',
  'restricted_action',
  'token_expired',
  'token_revoked',
] as const;

/**
 * Slack: an incoming webhook, or chat.postMessage with a bot's token. A bot keeps one message a release, and tells what is wrong in its thread, where the
 * channel sees it.
 */
export const slack: HttpNotifier = {
  name: 'slack',
  about: {
    title: 'Slack',
    url: 'https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks',
    notes: 'one message a release with a bot token and https://slack.com/api/chat.postMessage',
  },
  request(alert, channel) {
    return {
      url: channel.address,
      headers: jsonHeaders(channel.token),
      body: attachmentJson(alert, channel, colorOf(alert)),
    };
  },
  refusal({ body }, channel) {
    // It says so with 200.
    const answer = isBot(channel) ? answerOf(body) : {};
    if (answer['ok'] !== false) return undefined;
    const known = refusals.find((one) => one === answer['error']);
    return { reason: `refused${known === undefined ? '' : `: ${known}`}`, passes: known === 'ratelimited' };
  },
  inPlace: {
    holds: isBot,
    nameOf({ body }) {
      const { channel, ts } = answerOf(body);
      return isName(channel) && isName(ts) ? `${channel} ${ts}` : undefined;
    },
    update(alert, channel, name) {
      const [id = '', ts = ''] = name.split(' ');
      const story = wholeStory(alert);
      const worst = story.find(({ severity }) => severity === 'error')?.severity ?? alert.severity;
      const text = story.map(({ message }) => message).join('\n');
      const color = colorOf({ ...alert, severity: worst });
      return {
        url: channel.address.replace(/\/chat\.postMessage(?=\/?(?:[?#]|$))/, '/chat.update'),
        headers: jsonHeaders(channel.token),
        body: JSON.stringify({ channel: id, ts, attachments: [attachment({ ...alert, message: text }, color)] }),
      };
    },
    beside(alert, channel, name) {
      const [, ts = ''] = name.split(' ');
      const { url, headers, body = '' } = slack.request(alert, channel);
      const threaded = { ...jsonOf(JSON.parse(body)), thread_ts: ts, reply_broadcast: true };
      return { url, ...(headers ? { headers } : {}), body: JSON.stringify(threaded) };
    },
  },
};

const colorOf = ({ severity }: Pick<Alert, 'severity'>): string => (severity === 'error' ? 'danger' : 'good');

function isBot({ address, token }: Channel): boolean {
  return token !== undefined && new URL(address).pathname.replace(/\/$/, '').endsWith(post);
}

function answerOf(body: string): Readonly<Record<string, unknown>> {
  try {
    return jsonOf(JSON.parse(body));
  } catch {
    return {};
  }
}

const isName = (value: unknown): value is string => typeof value === 'string' && /^[\w.]{1,64}$/.test(value);
