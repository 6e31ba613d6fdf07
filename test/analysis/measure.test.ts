import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { measure, type MetricIo, metricsOnline } from '../../src/analysis/measure.ts';
import type { CanarySpec, MetricSpec } from '../../src/canary/types.ts';
import { AgentError } from '../../src/lib/errors.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { aSpec } from '../helpers/a-route-context.ts';
import { deadUrl, startServer, type TestServer } from '../helpers/http-server.ts';

const signal = new AbortController().signal;
const http = createHttp({ maxBytes: 100_000, userAgent: 'test' });
const spec = aSpec({
  namespace: 'demo',
  name: 'app',
  target: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
});
const successRate: MetricSpec = { name: 'request-success-rate', interval: '1m', range: { min: 99 } };
const duration: MetricSpec = { name: 'request-duration', interval: '1m', range: { max: 500 } };
const inline: MetricSpec = {
  name: 'mine',
  interval: '30s',
  range: { max: 1 },
  query: 'x{ns="{{ namespace }}"}[{{ interval }}]',
};
const templated: MetricSpec = {
  name: 'lost',
  interval: '1m',
  range: { max: 1 },
  templateRef: { namespace: 'tpl', name: 'lost-percentage' },
  templateVariables: { code: '404' },
};

let server: TestServer;
let answers: (query: string) => { status?: number; body?: string; values?: readonly string[] };

beforeEach(async () => {
  answers = () => ({ values: [] });
  server = await startServer((request, response) => {
    const {
      status = 200,
      body,
      values = [],
    } = answers(new URL(request.url ?? '', 'http://x').searchParams.get('query') ?? '');
    const result = values.map((value) => ({ metric: {}, value: [1, value] }));
    response
      .writeHead(status)
      .end(body ?? JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
});
afterEach(() => server.close());

function io(more: Partial<MetricIo> = {}): MetricIo {
  return {
    http,
    clock: { now: () => 1_000_000 },
    metricsServer: server.url,
    meshProvider: 'traefik',
    template: () => undefined,
    secret: async () => undefined,
    ...more,
  };
}
const ask = (metric: MetricSpec, more: Partial<MetricIo> = {}, canary: CanarySpec = spec) =>
  measure(canary, metric, io(more), signal);
const queries = (): (string | null)[] =>
  server.requests.map(({ path }) => new URL(path, 'http://x').searchParams.get('query'));
/** How a value came about that was asked for by this query, counted from the last one. */
const asked = (at = -1) => ({
  provider: 'prometheus',
  query: queries().at(at),
  windowMs: 60_000,
  measuredAtMs: 1_000_000,
});

function template(spec: Record<string, unknown>): MetricIo['template'] {
  const object: KubeObject = {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'MetricTemplate',
    metadata: { name: 'lost-percentage', namespace: 'tpl' },
    spec,
  };
  return (namespace, name) => (namespace === 'tpl' && name === 'lost-percentage' ? object : undefined);
}

describe('built-in metrics', () => {
  it('come as percent and milliseconds', async () => {
    answers = (query) => ({ values: [query.startsWith('histogram') ? '0.25' : '98.7'] });
    const plain = { ...spec, provider: 'kubernetes' };
    expect(await ask(successRate, {}, plain)).toEqual({ kind: 'value', value: 98.7, source: asked() });
    expect(await ask(duration, {}, plain)).toEqual({ kind: 'value', value: 250, source: asked() });
    expect(await ask(duration)).toEqual({ kind: 'value', value: 0.25, source: asked() });
  });

  it('are asked of the canary’s own server where it names one [CM06]', async () => {
    answers = () => ({ values: ['1'] });
    const own = { ...spec, metricsServer: server.url };
    expect(await ask(successRate, { metricsServer: await deadUrl() }, own)).toEqual({
      kind: 'value',
      value: 1,
      source: asked(),
    });
  });

  it('tell that nothing was to be measured from that there is nothing', async () => {
    const noTraffic = { kind: 'no-data', cause: 'noTraffic' };
    answers = () => ({ values: ['NaN'] });
    expect(await ask(successRate)).toMatchObject({ ...noTraffic, reason: 'running query failed: the result is NaN' });
    expect(await ask(duration)).toMatchObject(noTraffic);
    // Nothing ever succeeded, and nothing was tried either.
    answers = (query) => ({ values: query.includes('!~') ? [] : ['0'] });
    expect(await ask(successRate)).toMatchObject({ ...noTraffic, reason: 'running query failed: no requests in 1m' });
  });

  it('have no data without series', async () => {
    expect(await ask(successRate)).toEqual({
      kind: 'no-data',
      cause: 'noSeries',
      reason: 'running query failed: no values found',
      source: asked(-2),
    });
    expect(await ask(duration)).toEqual({
      kind: 'no-data',
      cause: 'noSeries',
      reason: 'running query failed: no values found',
      source: asked(),
    });
  });

  it('are 0 percent where there is traffic and nothing ever succeeded', async () => {
    answers = (query) => ({ values: query.includes('!~') ? [] : ['3.5'] });
    expect(await ask(successRate)).toEqual({ kind: 'value', value: 0, source: asked(-2) });
    answers = (query) => ({ values: query.includes('!~') ? ['NaN'] : ['0'] });
    expect((await ask(successRate)).kind).toBe('no-data');
    answers = (query) => (query.includes('!~') ? { values: [] } : { status: 503, body: 'busy' });
    expect((await ask(successRate)).kind).toBe('unreachable');
  });

  it('tell an error of the server in Flagger’s words, and not in its own', async () => {
    answers = () => ({ status: 500, body: '{"status":"error","errorType":"internal","error":"stub"}' });
    expect(await ask(successRate)).toEqual({
      kind: 'unreachable',
      text: 'Prometheus query failed: running query failed: error response: Status 500 Internal Server Error: internal',
    });
  });

  it('tell that nobody answers, without the query', async () => {
    const dead = await deadUrl();
    expect(await ask(duration, { metricsServer: dead })).toEqual({
      kind: 'unreachable',
      text: `Prometheus query failed: running query failed: request failed: ${new URL(dead).host}: connection refused`,
    });
  });

  it('end with the agent', async () => {
    const stop = new AbortController();
    stop.abort(new Error('shutting down'));
    await expect(measure(spec, duration, io(), stop.signal)).rejects.toThrow('shutting down');
  });
});

describe('metrics with their own query', () => {
  it('are rendered and asked of the metrics server [CM07] [OB27]', async () => {
    answers = () => ({ values: ['7'] });
    expect(await ask(inline)).toEqual({ kind: 'value', value: 7, source: { ...asked(), windowMs: 30_000 } });
    expect(queries()).toEqual(['x{ns="demo"}[30s]']);
  });

  it('say what is wrong with them [R68]', async () => {
    expect(await ask({ ...inline, query: '{{ nope }}' })).toEqual({
      kind: 'invalid',
      text: 'Prometheus query failed for mine: rendering query failed: template line 1: function "nope" not defined',
    });
    answers = () => ({
      status: 400,
      body: '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\": 1:5: parse error: unexpected s3cret"}',
    });
    expect(await ask(inline)).toEqual({
      kind: 'invalid',
      text: 'Prometheus query failed for mine: error response: Status 400 Bad Request: bad_data: parse error at line 1, character 5 of the query',
    });
    answers = () => ({ values: ['1', '2'] });
    expect(await ask(inline)).toMatchObject({
      kind: 'invalid',
      text: expect.stringContaining('query returned multiple values: 2 series'),
    });
    answers = () => ({ values: [] });
    expect(await ask(inline)).toEqual({
      kind: 'no-data',
      cause: 'noSeries',
      reason: 'no values found',
      source: { ...asked(), windowMs: 30_000 },
    });
  });
});

describe('metrics with a template', () => {
  const query = '100 - sum(rate(x{n="{{ target }}",c="{{ variables.code }}"}[{{ interval }}]))';
  const provider = () => ({ type: 'prometheus', address: server.url });

  it('are asked of the template’s provider with its variables, its secret and a window [CM04] [OB28] [R67]', async () => {
    answers = () => ({ values: ['6.2'] });
    const secret: MetricIo['secret'] = async (namespace, name) =>
      `${namespace}/${name}` === 'tpl/auth' ? { token: 't' } : undefined;
    const found = template({
      provider: { ...provider(), secretRef: { name: 'auth' }, headers: { 'X-Scope-OrgID': ['a'] } },
      query,
    });
    expect(await ask(templated, { template: found, secret })).toEqual({ kind: 'value', value: 6.2, source: asked() });
    expect(queries()).toEqual(['100 - sum(rate(x{n="app",c="404"}[1m]))']);
    expect(server.requests[0]?.headers).toMatchObject({ authorization: 'Bearer t', 'x-scope-orgid': 'a' });
  });

  it('tell their query beside the value, unless it has in it what must not be told', async () => {
    answers = () => ({ values: ['1'] });
    const secret: MetricIo['secret'] = async () => ({ token: 'q7-topsecret', password: 'x' });
    const toldOf = async (text: string, more: MetricSpec = templated, address = server.url) => {
      const found = template({
        provider: { type: 'prometheus', address, secretRef: { name: 'auth' }, headers: { 'X-Scope': ['team-blue'] } },
        query: text,
      });
      const sample = await ask(more, { template: found, secret });
      if (sample.kind !== 'value') throw new Error(sample.kind);
      expect(JSON.stringify(sample)).not.toMatch(/topsecret|127\.0\.0\.1|team-blue|hunter22/);
      return sample.source?.query;
    };
    expect(await toldOf('sum(rate(errors{n="{{ target }}"}[{{ interval }}]))')).toBe('sum(rate(errors{n="app"}[1m]))');
    const keyed = { ...templated, templateVariables: { code: 'password=hunter22' } };
    const host = new URL(server.url).host;
    for (const [text, metric, address] of [
      ['x{key="q7-topsecret"}', templated],
      [`x{key="${Buffer.from('q7-topsecret').toString('base64')}"}`, templated],
      ['x{y="x"}', templated],
      ['x{tenant="team-blue"}', templated],
      [`x{instance="${host}"}`, templated],
      [`x{instance="${host}"}`, templated, `http://ann:pass-word@${host}`],
      ['x{y="pass-word"}', templated, `http://ann:pass-word@${host}`],
      ['x{y="{{ variables.code }}"}', keyed],
      ['x{url="https://ann:hunter22@elsewhere"}', templated],
      ['x{h="Bearer abcdefhunter22"}', templated],
      [`x{y="${'long '.repeat(200)}"}`, templated],
    ] as const)
      expect(await toldOf(text, metric, address), text).toBeUndefined();
  });

  it('win over a built-in metric of the same name', async () => {
    answers = () => ({ values: ['5'] });
    await ask(
      { ...templated, name: 'request-duration' },
      { template: template({ provider: provider(), query: 'up' }) },
    );
    expect(queries()).toEqual(['up']);
  });

  it.each<[string, Partial<MetricIo>, string]>([
    [
      'no template',
      {},
      'Metric template lost-percentage.tpl error: metrictemplate.flagger.app "lost-percentage" not found',
    ],
    [
      'no secret',
      {
        template: template({
          provider: { type: 'prometheus', address: 'http://x', secretRef: { name: 's' } },
          query: 'x',
        }),
      },
      'Metric template lost-percentage.tpl secret s error: secrets "s" not found',
    ],
    [
      'a secret without keys',
      {
        template: template({ provider: { address: 'http://x', secretRef: { name: 's' } }, query: 'x' }),
        secret: async () => ({}),
      },
      'Metric template lost-percentage.tpl provider prometheus error: the secret needs the key token, or both username and password',
    ],
    [
      'an unknown provider',
      { template: template({ provider: { type: 'skywalking' }, query: 'x' }) },
      'Metric template lost-percentage.tpl provider skywalking error: spec.provider.type: unknown provider "skywalking"; supported are prometheus, cloudwatch, datadog, dynatrace, externalmetrics, graphite, influxdb, keptn, newrelic, opensearch, splunk, stackdriver, web',
    ],
    [
      'no region where one is needed',
      { template: template({ provider: { type: 'cloudwatch' }, query: '[]' }) },
      'Metric template lost-percentage.tpl provider cloudwatch error: region is missing: CloudWatch is asked in one, as eu-west-1',
    ],
    [
      'no secret where one is needed',
      { template: template({ provider: { type: 'datadog' }, query: 'x' }) },
      'Metric template lost-percentage.tpl provider datadog error: a secretRef with datadog_api_key and datadog_application_key is needed',
    ],
    [
      'no address',
      { template: template({ provider: { type: 'prometheus' }, query: 'x' }) },
      'Metric template lost-percentage.tpl provider prometheus error: the address of the metrics server is no http or https URL',
    ],
    [
      'a missing variable [OB29]',
      { template: template({ provider: { type: 'prometheus', address: 'http://x' }, query: '{{ variables.nope }}' }) },
      'Metric template lost-percentage.tpl query render error: template line 1: map has no entry for key "nope"',
    ],
  ])('say that there is %s', async (_, more, text) => {
    expect(await ask(templated, more)).toEqual({ kind: 'invalid', text });
  });

  it('know nothing while the cluster does not give the secret', async () => {
    const found = template({ provider: { address: 'http://x', secretRef: { name: 's' } }, query: 'x' });
    const secret = (code: 'CLUSTER_UNREACHABLE' | 'CLUSTER_REFUSED') => async () => {
      throw new AgentError(code, 'told by the cluster');
    };
    expect(await ask(templated, { template: found, secret: secret('CLUSTER_UNREACHABLE') })).toEqual({
      kind: 'unreachable',
      text: 'Metric template lost-percentage.tpl secret s error: told by the cluster',
    });
    expect((await ask(templated, { template: found, secret: secret('CLUSTER_REFUSED') })).kind).toBe('invalid');
  });

  it('say how the query failed', async () => {
    const found = template({ provider: provider(), query: 'x' });
    expect(await ask(templated, { template: found })).toEqual({
      kind: 'no-data',
      cause: 'noSeries',
      reason: 'no values found',
      source: asked(),
    });
    answers = () => ({ status: 502, body: 'bad gateway' });
    expect(await ask(templated, { template: found })).toEqual({
      kind: 'unreachable',
      text: 'Metric query failed for lost: error response: Status 502 Bad Gateway',
    });
  });
});

it('refuses a metric of which nothing is known [CM05]', async () => {
  expect(await ask({ name: 'mystery', interval: '1m', range: {} })).toEqual({
    kind: 'invalid',
    text: 'Metric query failed for no usable metrics template and query were configured',
  });
});

describe('metricsOnline', () => {
  const online = (metrics: readonly MetricSpec[], more: Partial<MetricIo> = {}) =>
    metricsOnline({ ...spec, analysis: { ...spec.analysis, metrics } }, io(more), signal);

  it('probes every provider once [CM01] [CM02] [PV06]', async () => {
    answers = () => ({ values: ['1'] });
    const found = template({ provider: { type: 'prometheus', address: `${server.url}/other` }, query: 'x' });
    expect(await online([successRate, duration, inline, templated], { template: found })).toEqual({
      kind: 'value',
      value: 1,
    });
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/api/v1/query?query=vector(1)',
      '/other/api/v1/query?query=vector(1)',
    ]);
    expect(await online([])).toEqual({ kind: 'value', value: 1 });
  });

  it('tells the first that does not answer [CM01] [PV06]', async () => {
    answers = () => ({ status: 502, body: 'down' });
    expect(await online([successRate])).toEqual({
      kind: 'unreachable',
      text: 'Error checking metric providers: prometheus not available: error response: Status 502 Bad Gateway',
    });
    expect(await online([templated])).toMatchObject({
      kind: 'invalid',
      text: expect.stringContaining('Error checking metric providers: Metric template'),
    });
  });
});
