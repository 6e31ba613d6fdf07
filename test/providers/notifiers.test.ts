import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { alertProviderProblems } from '../../src/notifiers/check-provider.ts';
import { alertFields } from '../../src/notifiers/fields.ts';
import { notifiers } from '../../src/notifiers/registry.ts';
import { anAlert, describeNotifier } from '../conformance/describe-notifier.ts';

const channel = { address: 'http://receiver/secret', channel: 'rig', username: 'flagger' };

for (const [name, notifier] of Object.entries(notifiers)) {
  describeNotifier(notifier);

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

it('are all that the schema of AlertProviders allows, but those that come later', () => {
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
      spec: { type, address: 'https://example.test/' },
    }).map(({ severity }) => severity);
  expect(allowed.filter((type) => said(type).length === 0).toSorted()).toEqual(Object.keys(notifiers).toSorted());
  expect(allowed.flatMap(said)).not.toContain('error');
  expect(said('pager')).toEqual(['error']);
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
