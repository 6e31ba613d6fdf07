import { describe, expect, it } from 'vitest';
import { metricTemplateProblems, queryProblem } from '../../src/metrics/check-template.ts';

const problems = (spec: Record<string, unknown>) =>
  metricTemplateProblems({ apiVersion: 'flagger.app/v1beta1', kind: 'MetricTemplate', metadata: { name: 'm' }, spec });
const provider = { type: 'prometheus', address: 'http://prometheus:9090' };

describe('metricTemplateProblems', () => {
  it('has nothing to say about templates as users write them', () => {
    const query = `
      100 - sum(
          rate(
              http_requests_total{
                kubernetes_namespace="{{ namespace }}",
                kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)",
                status!="{{ variables.status }}"
              }[{{ interval }}]
          )
      ) * 100`;
    expect(problems({ provider, query })).toEqual([]);
  });

  it.each([
    ['/stats?app={{ target }}\n$.data[0].value', []],
    ['/stats\n$', []],
    ['$.data', ['spec.query']],
    ['/stats', ['spec.query']],
    ['stats\n$.a', ['spec.query']],
    ['/stats\n$..a', ['spec.query']],
    ['/stats\n$.a\n$.b', ['spec.query']],
  ])('knows how a query of a web provider is written: %j', (query, fields) => {
    const found = problems({ provider: { type: 'web', address: 'https://stats' }, query });
    expect(found.map(({ field }) => field)).toEqual(fields);
    for (const { message } of found) expect(message).toContain('a path on its first line');
  });

  it.each([`/a${' '.repeat(500_000)}b\n$.a`, '{{'.repeat(200_000), `/a\n${'\n'.repeat(500_000)}$.a`])(
    'judges a long query of a web provider with linear work',
    (query) => {
      const cpu = process.cpuUsage();
      problems({ provider: { type: 'web', address: 'https://stats' }, query });
      expect(process.cpuUsage(cpu).user).toBeLessThan(2_000_000);
    },
  );

  it('names the field and the fault', () => {
    expect(problems({ provider, query: 'x{a="{{ targte }}"}' })).toEqual([
      { field: 'spec.query', message: 'template line 1: function "targte" not defined' },
    ]);
    expect(problems({ provider: { type: 'cloudwatch' } })).toEqual([
      { field: 'spec.provider', message: 'region is missing: CloudWatch is asked in one, as eu-west-1' },
      { field: 'spec.query', message: 'the query is missing' },
    ]);
    expect(problems({ provider: { type: 'datadog' }, query: 'avg:x{*}' })).toEqual([
      {
        field: 'spec.provider.secretRef',
        message: 'is missing: datadog needs a Secret with datadog_api_key and datadog_application_key',
      },
    ]);
    expect(problems({ provider: { type: 'datadog', secretRef: { name: 'keys' } }, query: 'avg:x{*}' })).toEqual([]);
    expect(problems({ provider: { type: 'dynatrace', secretRef: { name: 'keys' } }, query: 'x' })).toEqual([
      { field: 'spec.provider', message: 'the address of the metrics server is no http or https URL' },
    ]);
    expect(problems({ provider: { type: 'prometheus' }, query: 'up' })).toEqual([
      { field: 'spec.provider', message: 'the address of the metrics server is no http or https URL' },
    ]);
  });

  it('warns of credentials that everybody on the way can read', () => {
    const secretRef = { name: 'token' };
    expect(problems({ provider: { ...provider, secretRef }, query: 'up' })).toEqual([
      { field: 'spec.provider.address', message: expect.stringContaining('is plain HTTP'), severity: 'warning' },
    ]);
    for (const address of [
      'https://prometheus:9090',
      'HTTPS://prometheus',
      'http://127.0.0.1:9090',
      'http://localhost',
      'http://[::1]:1',
    ])
      expect(problems({ provider: { ...provider, address, secretRef }, query: 'up' })).toEqual([]);
    for (const address of ['HTTP://prometheus', 'http://127.example.com', 'http://[::2]', 'http://10.0.0.1'])
      expect(problems({ provider: { ...provider, address, secretRef }, query: 'up' })).toHaveLength(1);
  });

  it('looks at queries alone', () => {
    expect(queryProblem('up{n="{{ name }}"}')).toBeUndefined();
    expect(queryProblem('{{ if name }}')).toContain('without {{end}}');
  });
});
