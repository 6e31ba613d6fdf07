import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { alertProviderProblems } from '../../src/notifiers/check-provider.ts';
import { alertFields } from '../../src/notifiers/fields.ts';
import type { Alert, Notifier } from '../../src/notifiers/notifier.ts';
import { notifiers } from '../../src/notifiers/registry.ts';
import { anAlert, describeNotifier } from '../conformance/describe-notifier.ts';

const channel = { address: 'http://receiver/secret', channel: 'rig', username: 'flagger' };

const asHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Where those have their token that are not asked with a bearer token. */
const tokens: Readonly<Record<string, Parameters<typeof describeNotifier>[2]>> = {
  opsgenie: ({ headers }) => headers['authorization']?.replace('GenieKey ', ''),
  pagerduty: ({ body }) => (JSON.parse(body) as { routing_key: string }).routing_key,
};

for (const [name, notifier] of Object.entries<Notifier>(notifiers)) {
  // Mail has its own: smtp.test.ts.
  if ('mail' in notifier) continue;
  describeNotifier(notifier, name === 'gchat' ? asHtml : undefined, tokens[name]);

  describe(`notifier ${name}`, () => {
    it('is called as AlertProviders call it', () => {
      expect(notifier.name).toBe(name);
    });

    it('writes what its golden file shows, byte for byte', async () => {
      const told = [
        anAlert,
        { ...anAlert, severity: 'error' as const, message: 'success rate 53.42% < 99%', fields: [] },
      ].map((alert) => notifier.request(alert, channel).body ?? '');
      await expect(`${told.join('\n')}\n`).toMatchFileSnapshot(`../../fixtures/notifiers/${name}.jsonl`);
    });
  });
}

const needsSecret = (type: string): boolean =>
  (notifiers as Readonly<Record<string, Notifier>>)[type]?.needsToken === true;

it('are all that the schema of AlertProviders allows', () => {
  const schema = readFileSync(
    join(import.meta.dirname, '../../manifests/crds/alertproviders.flagger.app.yaml'),
    'utf8',
  );
  const allowed = /enum: \[(slack[^\]]*)\]/.exec(schema)?.[1]?.split(', ') ?? [];
  const said = (type: string): readonly string[] =>
    alertProviderProblems({
      apiVersion: 'flagger.app/v1beta1',
      kind: 'AlertProvider',
      metadata: { name: 'a', namespace: 'demo' },
      spec: {
        type,
        ...(type === 'smtp' ? { channel: 'ops@example.test', username: 'serin@example.test' } : {}),
        ...(needsSecret(type)
          ? { secretRef: { name: 'keys' } }
          : { address: type === 'smtp' ? 'smtps://example.test' : 'https://example.test/' }),
      },
    }).map(({ severity }) => severity);
  expect(allowed).toEqual(Object.keys(notifiers));
  expect(allowed.flatMap(said)).toEqual([]);
  expect(said('pager')).toEqual(['error']);
});

describe('messages to others', () => {
  const bodyOf = (name: Exclude<keyof typeof notifiers, 'smtp'>, alert: Alert, address = channel.address): unknown =>
    JSON.parse(notifiers[name].request(alert, { ...channel, address }).body ?? '');

  it.each([
    ['http://receiver/api/webhooks/1/abc', 'http://receiver/api/webhooks/1/abc/slack'],
    ['http://receiver/api/webhooks/1/abc/', 'http://receiver/api/webhooks/1/abc/slack'],
    ['http://receiver/api/webhooks/1/abc/slack', 'http://receiver/api/webhooks/1/abc/slack'],
    ['http://receiver/api/webhooks/1/abc?wait=true', 'http://receiver/api/webhooks/1/abc/slack?wait=true'],
  ])('go to Discord in the form of Slack’s: %s [NT02]', (address, wanted) => {
    const { url, body } = notifiers.discord.request(anAlert, { ...channel, address });
    expect(url).toBe(wanted);
    expect(body).toBe(notifiers.slack.request(anAlert, channel).body);
  });

  it('go to Alertmanager as one alert with labels that it takes', () => {
    const request = notifiers.alertmanager.request(
      { ...anAlert, severity: 'error' },
      { ...channel, address: 'http://alertmanager:9093/am/' },
    );
    expect(request.url).toBe('http://alertmanager:9093/am/api/v2/alerts');
    expect(JSON.parse(request.body ?? '')).toEqual([
      {
        labels: { alertname: 'SerinCanary', namespace: 'demo', canary: 'app', severity: 'critical' },
        annotations: {
          summary: 'app.demo',
          description: anAlert.message,
          cluster: 'north',
          target: 'Deployment/app.demo',
          traffic_routing: 'Weight step: 10 max: 50',
        },
      },
    ]);
  });

  it('go to PagerDuty as one incident for each Canary, and as a change where nothing is wrong', () => {
    const asked = (severity: Alert['severity'], message = 'm') => {
      const { url, body } = notifiers.pagerduty.request(
        { ...anAlert, severity, message },
        { ...channel, address: 'https://events.pagerduty.com', token: 'key' },
      );
      return { url, body: JSON.parse(body ?? '') as { payload: { summary: string } } };
    };
    expect(asked('info').url).toBe('https://events.pagerduty.com/v2/change/enqueue');
    expect(asked('info').body).not.toHaveProperty('event_action');
    expect(asked('error')).toMatchObject({
      url: 'https://events.pagerduty.com/v2/enqueue',
      body: {
        event_action: 'trigger',
        dedup_key: 'serin/app.demo',
        payload: { severity: 'error', source: 'app.demo' },
      },
    });
    expect(asked('error', 'x'.repeat(5_000)).body.payload.summary).toHaveLength(1_024);
  });

  it('are refused for those who take none without a token, where no Secret is named', () => {
    const spec = { type: 'pagerduty', address: 'https://events.pagerduty.com' };
    const object = { apiVersion: 'flagger.app/v1beta1', kind: 'AlertProvider', metadata: { name: 'a' }, spec };
    expect(alertProviderProblems(object)).toEqual([
      {
        field: 'spec.secretRef',
        message: 'is missing: pagerduty needs a Secret with address and token',
        severity: 'error',
      },
    ]);
  });

  it('are signed for any receiver, where the Secret has a key for it', () => {
    const { body = '', headers = {} } = notifiers.webhook.request(anAlert, { ...channel, signingKey: 'k' });
    const signature = createHmac('sha256', 'k').update(body).digest('hex');
    expect(headers['x-serin-signature-256']).toBe(`sha256=${signature}`);
    expect(notifiers.webhook.request(anAlert, channel).headers).not.toHaveProperty('x-serin-signature-256');
  });

  it('go to Rocket.Chat with colours of its own [NT03]', () => {
    const colorOf = (alert: Alert): unknown =>
      (bodyOf('rocket', alert) as { attachments: { color: string }[] }).attachments[0]?.color;
    expect([colorOf(anAlert), colorOf({ ...anAlert, severity: 'error' })]).toEqual(['#0076D7', '#FF0000']);
  });

  it('go to Teams as a connector’s card, and to its Workflows as an Adaptive Card [NT04]', () => {
    expect(bodyOf('msteams', anAlert, 'https://x.webhook.office.com/webhookb2/1')).toMatchObject({
      '@type': 'MessageCard',
      themeColor: '0076D7',
      summary: 'app.demo',
      sections: [{ activityTitle: anAlert.message, activitySubtitle: 'app.demo', facts: anAlert.fields }],
    });
    for (const address of [
      'https://prod-1.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=s',
      'https://default1.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/1?sig=s',
    ])
      expect(bodyOf('msteams', { ...anAlert, severity: 'error' }, address)).toMatchObject({
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            content: {
              type: 'AdaptiveCard',
              body: [{ text: anAlert.message, color: 'Attention' }, {}, { type: 'FactSet' }],
            },
          },
        ],
      });
    // Only the host itself says so.
    expect(bodyOf('msteams', anAlert, 'https://logic.azure.com.example.org/')).toHaveProperty('@type');
  });

  it('go to Google Chat as HTML in which nobody can put a link [NT05]', () => {
    const alert = { ...anAlert, message: '<a href="https://evil">click</a> & see' };
    const text = JSON.stringify(bodyOf('gchat', alert));
    expect(text).not.toContain('<a ');
    expect(text).toContain('&lt;a href=&quot;https://evil&quot;&gt;click&lt;/a&gt; &amp; see');
    const { cards } = bodyOf('gchat', anAlert) as { cards: { sections: unknown[] }[] };
    expect(cards[0]?.sections).toHaveLength(1 + anAlert.fields.length);
  });
});

interface Recorded {
  readonly canarySpec: Readonly<Record<string, unknown>>;
  readonly payloads: readonly { readonly attachments: readonly { readonly text: string; readonly color: string }[] }[];
}
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/notifiers/recorded-slack.json'), 'utf8'),
) as Recorded;

describe('messages to Slack [NT01]', () => {
  const canary: KubeObject = {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { namespace: 'demo', name: 'app' },
    spec: recorded.canarySpec,
  };
  const spec = parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 });

  it.each(recorded.payloads.map((payload) => [payload.attachments[0]?.text ?? '', payload] as const))(
    'are those of Flagger: %s',
    (message, payload) => {
      const severity = payload.attachments[0]?.color === 'danger' ? 'error' : 'info';
      const fields = alertFields(spec, canary, { clusterName: '', withDetails: severity === 'info' });
      const alert = { namespace: 'demo', name: 'app', severity, message, fields } as const;
      expect(notifiers.slack.request(alert, channel).body).toBe(JSON.stringify(payload));
    },
  );

  it('show the steps as they are written', () => {
    const routing = (analysis: Readonly<Record<string, unknown>>): string | undefined => {
      const object = { ...canary, spec: { ...recorded.canarySpec, analysis: { ...analysis, threshold: 3 } } };
      const parsed = parseCanary(object, { provider: 'istio', minIntervalMs: 10_000 });
      const options = { clusterName: '', withDetails: true };
      return alertFields(parsed, object, options).find(({ name }) => name === 'Traffic routing')?.value;
    };
    expect(routing({ stepWeight: 10 })).toBe('Weight step: 10 max: 0');
    expect(routing({ stepWeights: [1, 2, 10] })).toBe('Weight steps: 1,2,10 max: 0');
    expect(routing({ iterations: 3 })).toBe('Blue/Green');
    expect(routing({ iterations: 3, match: [{ headers: {} }] })).toBe('A/B Testing');
  });
});
