import { describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/checks/check.ts';
import { appsOf } from '../../src/canary/app.ts';
import { parseManifests } from '../../src/manifest/parse.ts';

/** What `validate` says of these documents. */
function told(...documents: readonly object[]): readonly string[] {
  const text = documents.map((document) => JSON.stringify(document)).join('\n---\n');
  const { manifests } = parseManifests('shop.yaml', text);
  const settings = { provider: 'istio', minIntervalMs: 10_000, defaultNamespace: 'default' };
  return checkManifests(manifests, appsOf(manifests, 'default'), settings, () => text)
    .filter(({ message }) => !message.includes('spec.targetRef'))
    .map(({ severity, message }) => `${severity}: ${message}`);
}

const canary = (metric: object) => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'shop', namespace: 'prod' },
  spec: {
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' },
    service: { port: 80 },
    analysis: { interval: '1m', threshold: 2, stepWeight: 10, metrics: [metric] },
  },
});
const template = (provider: object, query = 'up') => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'MetricTemplate',
  metadata: { name: 'errors', namespace: 'prod' },
  spec: { provider, query },
});
const secret = (values: Readonly<Record<string, string>>, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'keys', namespace: 'prod' },
  stringData: values,
  ...more,
});
const secretRef = { name: 'keys' };

describe('a metric whose provider is absent is told before the release', () => {
  it.each([
    ['no provider', { spec: { query: 'up' } }, 'error: MetricTemplate prod/errors spec.provider'],
    ['an unknown type', template({ type: 'promteheus', address: 'http://p' }), 'unknown provider "promteheus"'],
    ['no address', template({ type: 'graphite' }), 'error: MetricTemplate prod/errors spec.provider'],
    ['no region', template({ type: 'cloudwatch' }, '[{"Id":"a"}]'), 'region is missing'],
    [
      'no Secret where one is needed',
      template({ type: 'splunk', address: 'https://api.us1.signalfx.com' }),
      'needs a Secret with sf_token_key',
    ],
    ['a query of another provider', template({ type: 'cloudwatch', region: 'eu-west-1' }), 'the query is no JSON'],
    ['a query that names no metric', template({ type: 'externalmetrics' }, 'a/b/c'), 'namespace/metric'],
    [
      'a query that cannot be rendered',
      template({ type: 'prometheus', address: 'http://p' }, '{{ targte }}'),
      '"targte" not defined',
    ],
  ])('%s', (_what, given, text) => {
    const document = 'kind' in given ? given : { ...template({}), ...given };
    const errors = told(document).filter((line) => line.startsWith('error'));
    expect(errors.join('\n')).toContain(text);
  });

  it.each([
    [
      'a metric that is neither built in nor has a query',
      { name: 'request-sucess-rate', thresholdRange: { min: 99 } },
      'error',
    ],
    // It may be in the cluster all the same.
    [
      'a MetricTemplate that Git has not',
      { name: 'x', templateRef: { name: 'errors' }, thresholdRange: { max: 1 } },
      'warning',
    ],
    [
      'a MetricTemplate of another namespace that Git has not',
      { name: 'x', templateRef: { name: 'errors', namespace: 'shared' }, thresholdRange: { max: 1 } },
      'warning',
    ],
  ])('%s', (_what, metric, severity) => {
    expect(told(canary(metric)).filter((line) => line.startsWith(severity))).toHaveLength(1);
  });

  it.each([
    ['datadog', { type: 'datadog', secretRef }, { datadog_api_key: 'topsecret' }, 'datadog_application_key'],
    [
      'prometheus',
      { type: 'prometheus', address: 'https://p', secretRef },
      { username: 'topsecret' },
      'token, or both username and password',
    ],
    ['stackdriver', { type: 'stackdriver', secretRef }, { serviceAccountKey: 'topsecret' }, 'project'],
    [
      'cloudwatch',
      { type: 'cloudwatch', region: 'eu-west-1', secretRef },
      { aws_access_key_id: 'topsecret' },
      'aws_secret_access_key',
    ],
  ])('a Secret in Git without what %s needs', (_what, provider, values, missing) => {
    const query = '[{"Id":"a","Expression":"1"}]';
    const errors = told(template(provider, query), secret(values)).filter((line) => line.startsWith('error'));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain('spec.provider.secretRef.name: of Secret prod/keys: the secret needs');
    expect(errors[0]).toContain(missing);
    expect(errors[0]).not.toContain('topsecret');
  });

  it('a Secret in Git without what a notifier needs', () => {
    const provider = { ...template({}), kind: 'AlertProvider', spec: { type: 'pagerduty', secretRef } };
    expect(told(provider, secret({ address: 'https://events.pagerduty.com' })).join()).toContain(
      'the secret needs the key token',
    );
    expect(told(provider, secret({ address: 'https://events.pagerduty.com', token: 'x' }))).toEqual([]);
    expect(told(provider, secret({ token: 'x' })).join()).toContain('the secret needs the key address');
  });

  it('nothing of a Secret that is elsewhere, of another namespace, or right', () => {
    const datadog = template({ type: 'datadog', secretRef });
    expect(told(datadog)).toEqual([]);
    expect(told(datadog, secret({}, { metadata: { name: 'keys', namespace: 'other' } }))).toEqual([]);
    expect(told(datadog, secret({ datadog_api_key: 'a', datadog_application_key: 'b' }))).toEqual([]);
    const data = { datadog_api_key: 'YQ==', datadog_application_key: 'Yg==' };
    expect(told(datadog, secret({}, { data }))).toEqual([]);
  });
});
