import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AlertText, createAlerts } from '../../src/outlets/alerts.ts';
import type { Deps } from '../../src/agent/deps.ts';
import { createTelemetry } from '../../src/outlets/telemetry.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { parseStatus } from '../../src/canary/status.ts';
import { agentSettings } from '../../src/cli/agent-settings.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { readSettings } from '../../src/config/settings.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import { createLogger } from '../../src/lib/log.ts';
import { createOutbox } from '../../src/lib/outbox.ts';
import { type KubeObject, refKey, refOf } from '../../src/manifest/types.ts';
import { deadUrl, startServer, type TestServer } from '../helpers/http-server.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';

let receiver: TestServer;
const http = createHttp({ maxBytes: 10_000, userAgent: 'test' });
beforeEach(async () => {
  receiver = await startServer((_, response) => response.end('ok'));
});
afterEach(() => receiver.close());

const provider = (name: string, spec: object, namespace = 'demo'): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'AlertProvider',
  metadata: { name, namespace },
  spec,
});
const secret = (name: string, values: Readonly<Record<string, string>>, namespace = 'demo'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
});
const aCanary = (alerts: readonly object[], status: object = { phase: 'Progressing' }): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { namespace: 'demo', name: 'app', uid: 'u1' },
  spec: {
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: { interval: '10s', threshold: 2, stepWeight: 10, maxWeight: 50, alerts },
  },
  status,
});
const effect = (severity: AlertText['severity'], message = 'something'): AlertText => ({
  severity,
  message,
  withFields: false,
});

interface Fixture {
  readonly send: (effect: AlertText, canary: KubeObject) => void;
  /** Waits for what is under way; the bodies that arrived, with their paths. */
  readonly told: () => Promise<string[]>;
  readonly refused: string[];
  readonly log: string[];
}

/** Alerts over a cluster that holds only these objects. */
function alertsOver(
  objects: readonly KubeObject[],
  flags: Readonly<Record<string, string>> = {},
  more: Partial<Deps['settings']> = {},
): Fixture {
  const byRef = new Map(objects.map((object) => [refKey(refOf(object)), object]));
  const cluster = { get: (ref: Parameters<Cluster['get']>[0]) => Promise.resolve(byRef.get(refKey(ref))) };
  const clock = skippingClock();
  const log: string[] = [];
  const refused: string[] = [];
  const deps: Deps = {
    clock,
    http,
    cluster: cluster as unknown as Cluster,
    log: createLogger('debug', (line) => void log.push(line)),
    sources: [],
    telemetry: createTelemetry('test', 'traefik'),
    settings: { ...agentSettings(readSettings({ flags, environment: {}, file: {} })), ...more },
  };
  const outbox = createOutbox({
    clock,
    limit: 10,
    onDropped: () => undefined,
    onError: (_, error) => {
      throw error;
    },
  });
  const alerts = createAlerts(deps, outbox, (_subject, message) => void refused.push(message));
  return {
    refused,
    log,
    send(alert, canary) {
      const spec = parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 });
      alerts.send(alert, { canary, spec, status: parseStatus(canary) });
    },
    async told() {
      while (outbox.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 2));
      return receiver.requests.map(({ path, body }) => `${path} ${body}`);
    },
  };
}

const slackTo = (path: string): object => ({ type: 'slack', address: `${receiver.url}/${path}` });
const ref = (name: string, more: object = {}): object => ({ name, providerRef: { name }, ...more });

describe('texts of alerts', () => {
  const template =
    '{{ if eq severity "error" }}!! {{ end }}{{ name }} in {{ cluster }}: {{ message }} {{ commit }} {{ dashboard }}';
  const commitUrl = 'https://github.com/org/shop/commit/0123456789abcdef0123456789abcdef01234567';
  const attachmentOf = (told: string | undefined) =>
    (JSON.parse(told?.replace(/^\S+ /, '') ?? '{}') as { attachments: { text: string; fields: unknown }[] })
      .attachments[0];

  it('are those of the template of their AlertProvider', async () => {
    const { send, told } = alertsOver(
      [provider('team', { ...slackTo('x'), template })],
      { 'cluster-name': 'north' },
      { uiUrl: 'https://serin.example.org/' },
    );
    send({ ...effect('error', 'it failed'), commitUrl }, aCanary([ref('team')]));
    expect(attachmentOf((await told())[0])?.text).toBe(
      `!! app in north: it failed ${commitUrl} https://serin.example.org/apps/demo/app`,
    );
  });

  it.each(['{{ index message 999999 }}', '{{ "" }}', '{{ printf "%d" name | len }}{{ slice message 9 1 }}'])(
    'are the plain ones where the template comes to nothing: %s',
    async (text) => {
      const { send, told, refused } = alertsOver([provider('team', { ...slackTo('x'), template: text })]);
      send(effect('error', 'it failed'), aCanary([ref('team')]));
      expect(attachmentOf((await told())[0])?.text).toBe('it failed');
      expect(refused).toEqual([]);
    },
  );

  it('are refused where the template cannot be read', async () => {
    const { send, told, refused } = alertsOver([provider('team', { ...slackTo('x'), template: '{{ nmae }}' })]);
    send(effect('error'), aCanary([ref('team')]));
    expect(await told()).toEqual([]);
    expect(refused).toEqual([
      'alert provider team.demo error: spec.template: template line 1: function "nmae" not defined',
    ]);
  });

  it('lead to the commit and to the dashboard, behind what Flagger tells, and only where these are known', async () => {
    const { send, told } = alertsOver([provider('team', slackTo('x'))], {}, { uiUrl: 'https://serin.example.org/ui' });
    send({ ...effect('warn', 'one'), commitUrl }, aCanary([ref('team')]));
    expect(attachmentOf((await told())[0])?.fields).toEqual([
      { title: 'Commit', value: commitUrl, short: false },
      { title: 'Dashboard', value: 'https://serin.example.org/ui/apps/demo/app', short: false },
    ]);
    const plain = alertsOver([provider('team', slackTo('y'))]);
    plain.send(effect('warn', 'two'), aCanary([ref('team')]));
    expect(attachmentOf((await plain.told())[1])?.fields).toEqual([]);
  });
});

describe('alerts of a Canary', () => {
  it('go to those who want to hear of their severity; none means all [R61]', async () => {
    const names = ['none', 'empty', 'info', 'warn', 'error'];
    const entries = [
      ref('none'),
      ref('empty', { severity: '' }),
      ...['info', 'warn', 'error'].map((severity) => ref(severity, { severity })),
    ];
    const { send, told } = alertsOver(names.map((name) => provider(name, slackTo(name))));
    const canary = aCanary(entries);
    const reached = async (severity: AlertText['severity']): Promise<string[]> => {
      const before = (await told()).length;
      send(effect(severity, severity), canary);
      return (await told())
        .slice(before)
        .map((line) => /^\/(\w+)/.exec(line)?.[1] ?? '')
        .toSorted();
    };
    expect(await reached('info')).toEqual(['empty', 'info', 'none']);
    expect(await reached('warn')).toEqual(['empty', 'info', 'none', 'warn']);
    expect(await reached('error')).toEqual(names.toSorted());
  });

  it('find their provider beside the Canary or in the namespace that is named, with address and token from its Secret [SD16]', async () => {
    const { send, told } = alertsOver([
      provider('here', { type: 'slack', secretRef: { name: 'url' }, channel: 'ops', username: 'serin' }),
      secret('url', { address: `${receiver.url}/here\n`, token: 't-1' }),
      provider('there', { type: 'slack', secretRef: { name: 'url' } }, 'ops'),
      secret('url', { address: `${receiver.url}/there` }, 'ops'),
    ]);
    const there = { name: 'there', providerRef: { name: 'there', namespace: 'ops' } };
    send(effect('info', 'New revision detected'), aCanary([ref('here'), there]));
    expect((await told()).length).toBe(2);
    const sent = receiver.requests.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    expect(sent.map(({ path }) => path)).toEqual(['/here', '/there']);
    expect(sent[0]?.headers['authorization']).toBe('Bearer t-1');
    expect(sent[1]?.headers['authorization']).toBeUndefined();
    expect(JSON.parse(sent[0]?.body ?? '')).toMatchObject({ channel: 'ops', username: 'serin' });
    expect(JSON.parse(sent[1]?.body ?? '')).toMatchObject({
      channel: 'general',
      username: 'flagger',
      attachments: [{ author_name: 'app.demo' }],
    });
  });

  it('are told of each trouble once on the Canary, each time in the log, and the others still arrive', async () => {
    const dead = await deadUrl();
    const { send, told, refused, log } = alertsOver([
      provider('pager', { type: 'pager', address: `${receiver.url}/pager` }),
      provider('nosecret', { type: 'slack', secretRef: { name: 'nothing' } }),
      provider('empty', { type: 'slack', secretRef: { name: 'empty' } }),
      secret('empty', { token: 'x' }),
      provider('odd', { type: 'slack', secretRef: { name: 'odd' } }),
      secret('odd', { address: 'hooks.example.org/topsecret' }),
      provider('dead', { type: 'slack', address: `${dead}/topsecret` }),
      provider('good', slackTo('good')),
    ]);
    const names = ['gone', 'pager', 'nosecret', 'empty', 'odd', 'dead', 'good'];
    const canary = aCanary(names.map((name) => ref(name)));
    send(effect('info', 'one'), canary);
    send(effect('info', 'two'), canary);
    expect((await told()).length).toBe(2);
    expect(refused.toSorted()).toEqual([
      'alert provider empty.demo secret does not contain an address',
      'alert provider gone.demo error: alertprovider.flagger.app "gone" not found',
      'alert provider nosecret.demo secretRef error: secrets "nothing" not found',
      'alert provider odd.demo secretRef error: key address of Secret odd is no http or https URL',
      'alert provider pager.demo error: spec.type: notifier pager is not supported in this release; use one of slack, msteams, discord, rocket, gchat, webhook, alertmanager, opsgenie, pagerduty, smtp',
    ]);
    expect(log.filter((line) => line.includes('alert provider gone.demo error'))).toHaveLength(2);
    expect(log.filter((line) => line.includes('alert provider dead.demo send error: connection refused'))).toHaveLength(
      2,
    );
    expect(log.join('')).not.toContain('topsecret');
  });

  it('do not leave their namespace where that is not allowed', async () => {
    const { send, told, refused } = alertsOver([provider('there', slackTo('there'), 'ops')], {
      'no-cross-namespace-refs': 'true',
    });
    send(effect('error'), aCanary([{ name: 'there', providerRef: { name: 'there', namespace: 'ops' } }]));
    expect(await told()).toEqual([]);
    expect(refused).toEqual(['alert provider there.ops error: references to other namespaces are not allowed']);
  });

  it('are not sent again by a tick that is done again, but by one that comes to the same later [R78]', async () => {
    const { send, told } = alertsOver([provider('a', slackTo('a'))]);
    const waiting = aCanary([ref('a')], { phase: 'Succeeded', lastAppliedSpec: 'x' });
    for (const _ of [1, 2, 3]) send(effect('warn', 'Canary is waiting for approval.'), waiting);
    expect(await told()).toHaveLength(1);
    const later = { phase: 'Succeeded', lastAppliedSpec: 'x', trackedConfigs: { 'configmap/a': 'changed' } };
    send(effect('warn', 'Canary is waiting for approval.'), aCanary([ref('a')], later));
    expect(await told()).toHaveLength(2);
  });
});

describe('the notifier of the settings', () => {
  const flags = (): Record<string, string> => ({
    'slack-url': `${receiver.url}/global`,
    'slack-channel': 'all',
    'slack-token': 't-2',
    'cluster-name': 'north',
  });

  it('is Teams where both are named, as with Flagger', async () => {
    const { send, told } = alertsOver([], { ...flags(), 'msteams-url': `${receiver.url}/teams` });
    send(effect('error', 'it failed'), aCanary([]));
    await told();
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/teams']);
    expect(JSON.parse(receiver.requests[0]?.body ?? '')).toMatchObject({
      '@type': 'MessageCard',
      sections: [{ activityTitle: 'it failed' }],
    });
  });

  it('hears of Canaries that name nobody, and of no others', async () => {
    const { send, told } = alertsOver([provider('own', slackTo('own'))], flags());
    send({ ...effect('info'), withFields: true }, aCanary([]));
    send(effect('error', 'other'), aCanary([ref('own')]));
    await told();
    const [global, own, ...rest] = receiver.requests.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    expect([global?.path, own?.path, rest]).toEqual(['/global', '/own', []]);
    expect(global?.headers['authorization']).toBe('Bearer t-2');
    const { attachments, ...head } = JSON.parse(global?.body ?? '') as {
      attachments: { fields: { title: string }[] }[];
    };
    expect(head).toMatchObject({ channel: 'all', username: 'flagger' });
    expect(attachments[0]?.fields.map(({ title }) => title)).toEqual([
      'Cluster',
      'Target',
      'Failed checks threshold',
      'Progress deadline',
      'Traffic routing',
    ]);
  });

  it('is told where it cannot be reached, without its address', async () => {
    const dead = await deadUrl();
    const { send, told, log } = alertsOver([], { ...flags(), 'slack-url': `${dead}/topsecret` });
    send(effect('error'), aCanary([]));
    await told();
    expect(log.join('')).toContain("alert can't be sent: connection refused");
    expect(log.join('')).not.toContain('topsecret');
  });

  it('needs a channel and a URL, and nobody else', async () => {
    const read = (more: Record<string, string>) => () =>
      agentSettings(readSettings({ flags: { ...flags(), ...more }, environment: {}, file: {} }));
    expect(read({ 'slack-channel': '' })).toThrow(/--slack-channel/);
    expect(read({ 'slack-url': 'topsecret' })).toThrow(/--slack-url .*no http or https URL/);
    expect(read({ 'slack-url': 'topsecret' })).not.toThrow(/topsecret/);
    expect(read({ 'msteams-url': 'topsecret' })).toThrow(/--msteams-url .*no http or https URL/);
    expect(read({ 'msteams-url': 'topsecret' })).not.toThrow(/topsecret/);
    const { send, told } = alertsOver([]);
    send(effect('error'), aCanary([]));
    expect(await told()).toEqual([]);
  });
});
