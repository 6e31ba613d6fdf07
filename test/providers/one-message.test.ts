import { afterEach, describe, expect, it } from 'vitest';
import { createHttp } from '../../src/lib/http/client.ts';
import type { Http } from '../../src/lib/http/http.ts';
import { discord } from '../../src/notifiers/discord.ts';
import type { Alert, Channel, Notifier } from '../../src/notifiers/notifier.ts';
import { createOneMessage } from '../../src/notifiers/one-message.ts';
import { slack } from '../../src/notifiers/slack.ts';
import { anAlert } from '../conformance/describe-notifier.ts';
import { type Answer, startServer, type TestServer } from '../helpers/http-server.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';

const { signal } = new AbortController();
const http = createHttp({ maxBytes: 10_000, userAgent: 'test' });
const opened: TestServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

const alert = (severity: Alert['severity'], message: string, fields: Alert['fields'] = []): Alert => ({
  ...anAlert,
  severity,
  message,
  fields,
});
const began = alert('info', 'New revision detected', anAlert.fields);
const failed = alert('error', 'Failed checks threshold reached 5');

/** The notifier as it tells over a server of its own; what it was asked, method and path without the host. */
async function told(
  notifier: Notifier,
  channel: Omit<Channel, 'channel' | 'username'>,
  answer: Answer,
  alerts: readonly (readonly [release: string | undefined, alert: Alert])[],
) {
  const server = await startServer(answer);
  opened.push(server);
  const led: Http = {
    request: (request, stop) =>
      http.request({ ...request, url: request.url.replace(new URL(request.url).origin, server.url) }, stop),
  };
  const messages = createOneMessage({ http: led, clock: skippingClock(), random: () => 0.5 });
  const failures: (string | undefined)[] = [];
  for (const [release, one] of alerts)
    failures.push(
      await messages.tell(notifier, one, { ...channel, channel: 'rig', username: 'flagger' }, release, signal),
    );
  const asked = server.requests.map(({ method, path, body, headers }) => ({
    what: `${method} ${path}`,
    body: JSON.parse(body) as Readonly<Record<string, unknown>> & {
      readonly embeds: { readonly description: string }[];
    },
    headers,
  }));
  return { asked, failures };
}

describe('a bot of Slack', () => {
  const bot = { address: 'https://slack.com/api/chat.postMessage', token: 'xoxb-1' };
  /** As Slack's API answers: each message has a time for its name. */
  const workspace = (): Answer => {
    let count = 0;
    return (request, response, body) => {
      const { channel, ts } = JSON.parse(body) as { readonly channel: string; readonly ts?: string };
      if (request.headers.authorization !== 'Bearer xoxb-1') return response.end('{"ok":false,"error":"not_authed"}');
      if (request.url === '/api/chat.update' && ts !== '170.1')
        return response.end('{"ok":false,"error":"message_not_found"}');
      count += 1;
      return response.end(
        JSON.stringify({ ok: true, channel: channel === 'rig' ? 'C024' : channel, ts: ts ?? `170.${count}` }),
      );
    };
  };
  const attachmentOf = (body: Readonly<Record<string, unknown>>) =>
    (
      body['attachments'] as readonly { readonly text: string; readonly color: string; readonly fields: unknown[] }[]
    )[0];

  it('keeps one message a release, the first as Flagger sends it', async () => {
    const { asked, failures } = await told(slack, bot, workspace(), [
      ['r1', began],
      ['r1', alert('info', 'Canary analysis completed successfully, promotion finished.')],
    ]);
    expect(failures).toEqual([undefined, undefined]);
    expect(asked.map(({ what }) => what)).toEqual(['POST /api/chat.postMessage', 'POST /api/chat.update']);
    expect(asked[0]?.body).toEqual(
      JSON.parse(slack.request(began, { ...bot, channel: 'rig', username: 'flagger' }).body ?? ''),
    );
    expect(asked[1]?.body).toMatchObject({ channel: 'C024', ts: '170.1' });
    const shown = asked[1] && attachmentOf(asked[1].body);
    expect(shown?.text).toBe('Canary analysis completed successfully, promotion finished.\nNew revision detected');
    // The details of the first stay.
    expect(shown?.fields).toHaveLength(anAlert.fields.length);
  });

  it('tells what is wrong beside it first, where people hear of it, and puts it on top', async () => {
    const { asked } = await told(slack, bot, workspace(), [
      ['r1', began],
      ['r1', failed],
      ['r1', alert('info', 'later')],
    ]);
    expect(asked.map(({ what, body }) => [what, body['thread_ts'], body['reply_broadcast']])).toEqual([
      ['POST /api/chat.postMessage', undefined, undefined],
      ['POST /api/chat.postMessage', '170.1', true],
      ['POST /api/chat.update', undefined, undefined],
      ['POST /api/chat.update', undefined, undefined],
    ]);
    expect(asked[3] && attachmentOf(asked[3].body)).toMatchObject({
      color: 'danger',
      text: 'Failed checks threshold reached 5\nlater\nNew revision detected',
    });
  });

  it('keeps releases and apps apart, and what is of no release', async () => {
    const { asked } = await told(slack, bot, workspace(), [
      ['r1', began],
      ['r2', began],
      [undefined, began],
      [undefined, began],
    ]);
    expect(asked.map(({ what }) => what)).toEqual(Array.from({ length: 4 }, () => 'POST /api/chat.postMessage'));
  });

  it('begins anew where somebody has deleted the message', async () => {
    const { asked, failures } = await told(
      slack,
      bot,
      (request, response) =>
        response.end(
          request.url === '/api/chat.update'
            ? '{"ok":false,"error":"message_not_found"}'
            : '{"ok":true,"channel":"C024","ts":"170.9"}',
        ),
      [
        ['r1', began],
        ['r1', alert('info', 'next')],
      ],
    );
    expect(failures).toEqual([undefined, undefined]);
    expect(asked.map(({ what }) => what)).toEqual([
      'POST /api/chat.postMessage',
      'POST /api/chat.update',
      'POST /api/chat.postMessage',
    ]);
  });

  it.each([
    ['{"ok":false,"error":"channel_not_found"}', 'refused: channel_not_found', 1],
    ['{"ok":false,"error":"topsecret"}', 'refused', 1],
    ['{"ok":false,"error":"ratelimited"}', 'refused: ratelimited', 4],
    ['{"ok":true}', undefined, 1],
    ['what is this', undefined, 1],
  ])('is not believed to have taken a message that it refuses with 200: %s', async (body, failure, times) => {
    const { asked, failures } = await told(slack, bot, (_, response) => response.end(body), [['r1', began]]);
    expect(failures).toEqual([failure]);
    expect(asked).toHaveLength(times);
  });

  it('is none without a token, or at another address', async () => {
    for (const channel of [
      { address: bot.address },
      { address: 'https://hooks.slack.com/services/T/B/x', token: 'x' },
    ]) {
      const { asked, failures } = await told(slack, channel, (_, response) => response.end('{"ok":false}'), [
        ['r1', began],
        ['r1', began],
      ]);
      expect(failures).toEqual([undefined, undefined]);
      expect(new Set(asked.map(({ what }) => what)).size).toBe(1);
    }
  });
});

describe('a webhook of Discord', () => {
  const hook = { address: 'https://discord.com/api/webhooks/12/topsecret?thread_id=7' };
  const answer: Answer = (_, response) => response.end('{"id":"99887766","type":0}');

  it('keeps one message a release', async () => {
    const { asked } = await told(discord, hook, answer, [
      ['r1', began],
      ['r1', alert('info', 'promotion finished')],
      ['r1', failed],
    ]);
    expect(asked.map(({ what }) => what)).toEqual([
      'POST /api/webhooks/12/topsecret?thread_id=7&wait=true',
      'PATCH /api/webhooks/12/topsecret/messages/99887766?thread_id=7',
      'POST /api/webhooks/12/topsecret?thread_id=7&wait=true',
      'PATCH /api/webhooks/12/topsecret/messages/99887766?thread_id=7',
    ]);
    expect(asked[3]?.body.embeds[0]?.description).toBe(
      'Failed checks threshold reached 5\npromotion finished\nNew revision detected',
    );
  });

  it('gets texts that it takes, which call nobody', async () => {
    const long = alert('warn', '@everyone '.repeat(2_000), [
      ...Array.from({ length: 40 }, (_, at) => ({ name: `n${at}`.repeat(200), value: 'v'.repeat(3_000) })),
      { name: 'empty', value: '' },
    ]);
    const { asked } = await told(discord, hook, answer, [['r1', long]]);
    const { embeds, allowed_mentions: mentions } = (asked[0]?.body ?? {}) as never as {
      readonly embeds: {
        readonly description: string;
        readonly fields: { readonly name: string; readonly value: string }[];
      }[];
      readonly allowed_mentions: unknown;
    };
    expect(mentions).toEqual({ parse: [] });
    expect(embeds[0]?.description.length).toBeLessThanOrEqual(4_096);
    expect(embeds[0]?.fields.length).toBeLessThanOrEqual(25);
    for (const { name, value } of embeds[0]?.fields ?? []) {
      expect(name.length).toBeLessThanOrEqual(256);
      expect(value.length).toBeGreaterThan(0);
      expect(value.length).toBeLessThanOrEqual(1_024);
    }
  });

  it.each([
    'https://discord.com/api/webhooks/12/x/slack',
    'https://discord.example.org/api/webhooks/12/x',
    'https://notdiscord.com/api/webhooks/12/x',
    'https://discord.com.evil.example/api/webhooks/12/x',
  ])('gets what Flagger sends at %s', async (address) => {
    const { asked } = await told(discord, { address }, answer, [['r1', began]]);
    expect(asked[0]?.what).toBe('POST /api/webhooks/12/x/slack');
    expect(asked[0]?.body).toHaveProperty('attachments');
  });

  it.each(['', 'ok', '{"id":7}', '{"id":"../../x"}', '[]'])(
    'is not asked to change a message that it names %j',
    async (body) => {
      const { asked, failures } = await told(discord, hook, (_, response) => response.end(body), [
        ['r1', began],
        ['r1', failed],
      ]);
      expect(failures).toEqual([undefined, undefined]);
      expect(asked.map(({ what }) => what.split(' ')[0])).toEqual(['POST', 'POST']);
    },
  );
});
