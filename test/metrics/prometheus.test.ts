import { describe, expect, it } from 'vitest';
import { prometheus } from '../../src/metrics/prometheus.ts';
import type { MetricQuery } from '../../src/metrics/provider.ts';
import { readingOf, requestOf } from '../conformance/describe-metric-provider.ts';
import { metricProviderFor, metricProviderProblem, metricProviders } from '../../src/metrics/registry.ts';

const query = { query: 'up', address: 'http://prometheus:9090', nowMs: 0, windowMs: 60_000 };
const sent = (asked: MetricQuery) => requestOf(prometheus, asked);
const answer = (body: unknown, status = 200) =>
  readingOf(prometheus, { status, body: typeof body === 'string' ? body : JSON.stringify(body) });
const vector = (...values: unknown[]) =>
  answer({
    status: 'success',
    data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1, value] })) },
  });

describe('prometheus requests', () => {
  it('asks an instant query with collapsed white space [PV01]', async () => {
    const request = await sent({ ...query, query: '\n  sum(rate(x{a="b+c"}[1m]))\n   / 2\n' });
    expect(request).toMatchObject({ method: 'GET', timeoutMs: 5_000 });
    expect(request.insecure).toBeUndefined();
    const url = new URL(request.url);
    expect(`${url.origin}${url.pathname}`).toBe('http://prometheus:9090/api/v1/query');
    expect(url.searchParams.get('query')).toBe('sum(rate(x{a="b+c"}[1m])) / 2');
  });

  it('keeps the path of the address as prefix and drops its query', async () => {
    const url = new URL((await sent({ ...query, address: 'https://m.example/tenant/a/?x=1#y' })).url);
    expect(url.pathname).toBe('/tenant/a/api/v1/query');
    expect([...url.searchParams.keys()]).toEqual(['query']);
  });

  it('sends headers, and credentials over them, the same each time [PV02] [PV03] [R70]', async () => {
    const headers = { 'X-Scope-OrgID': ['a', 'b'], Authorization: ['from header'] };
    expect((await sent({ ...query, headers })).headers).toMatchObject({
      'x-scope-orgid': 'a, b',
      authorization: 'from header',
    });
    expect((await sent({ ...query, headers, credentials: { token: 't\n' } })).headers).toMatchObject({
      authorization: 'Bearer t',
    });
    const basic = { username: 'u', password: 'p:w' };
    expect(await sent({ ...query, credentials: basic, insecureSkipVerify: true })).toMatchObject({
      insecure: true,
      headers: { authorization: `Basic ${Buffer.from('u:p:w').toString('base64')}` },
    });
    // Asking twice gives the same request (Flagger's R70).
    expect((await sent({ ...query, headers })).headers).toEqual((await sent({ ...query, headers })).headers);
  });

  it('refuses secrets and addresses that cannot be used, without showing them', () => {
    expect(() => prometheus.check({ ...query, credentials: { username: 'u' } })).toThrow(
      'the secret needs the key token, or both',
    );
    for (const address of ['', 'prometheus:9090', 'ftp://x']) {
      expect(() => prometheus.check({ ...query, address })).toThrow('no http or https URL');
    }
  });
});

describe('prometheus answers', () => {
  it('takes the one value', async () => {
    expect(await vector('99.5')).toEqual({ kind: 'value', value: 99.5 });
    expect(await vector('1e-05')).toEqual({ kind: 'value', value: 1e-5 });
    expect(await answer({ status: 'success', data: { resultType: 'scalar', result: [1, '1'] } })).toEqual({
      kind: 'value',
      value: 1,
    });
  });

  it('tells nothing from something [PV04] [R71] [R72]', async () => {
    expect(await vector()).toEqual({ kind: 'no-data', cause: 'noSeries', reason: 'no values found' });
    expect(await vector('NaN')).toEqual({ kind: 'no-data', cause: 'noTraffic', reason: 'the result is NaN' });
    // A division of something by nothing is neither good nor silence (Flagger takes it for a value: R71).
    expect(await vector('+Inf')).toMatchObject({
      kind: 'refused',
      passing: false,
      reason: expect.stringContaining('+Inf'),
    });
    expect(await vector('many')).toMatchObject({ kind: 'refused', passing: false });
  });

  it('refuses more than one value [PV05] [R71]', async () => {
    expect(await vector('1', '2')).toMatchObject({
      kind: 'refused',
      passing: false,
      reason: expect.stringContaining('query returned multiple values: 2 series'),
    });
    const matrix = { status: 'success', data: { resultType: 'matrix', result: [{ metric: {}, values: [[1, '1']] }] } };
    expect(await answer(matrix)).toMatchObject({
      kind: 'refused',
      passing: false,
      reason: expect.stringContaining('query returned multiple values: a matrix'),
    });
    const histogram = { status: 'success', data: { resultType: 'vector', result: [{ metric: {}, histogram: [] }] } };
    expect(await answer(histogram)).toMatchObject({ kind: 'refused', passing: false });
  });

  it('tells a wrong question from a server in trouble', async () => {
    expect(await answer('{"status":"error","error":"parse error"}', 400)).toEqual({
      kind: 'refused',
      passing: false,
      reason: 'error response: Status 400 Bad Request: the server refuses the query',
    });
    for (const status of [408, 429, 500, 502, 503])
      expect(await answer('x', status)).toMatchObject({ kind: 'refused', passing: true });
    expect(await answer({ status: 'error', errorType: 'execution', error: 'bad' })).toEqual({
      kind: 'refused',
      passing: false,
      reason: 'execution',
    });
  });

  it.each(['', '<html>Sign in</html>', 'null', '[]', '{"status":"success"}', '{"status":"succ'])(
    'learns nothing from %j',
    async (body) => {
      expect(await answer(body)).toMatchObject({
        kind: 'refused',
        passing: true,
        reason: expect.stringContaining('not one of Prometheus'),
      });
    },
  );

  it.each([
    ['a page', 'topsecret <html>', 200],
    ['an error page', 'topsecret', 500],
    ['a refusal', 'topsecret', 403],
    ['an error of Prometheus', '{"status":"error","errorType":"topsecret","error":"topsecret"}', 200],
    ['an error of Prometheus with a status', '{"status":"error","errorType":"topsecret","error":"topsecret"}', 400],
    ['an unknown type', '{"status":"success","data":{"resultType":"topsecret","result":[]}}', 200],
    ['a value', '{"status":"success","data":{"resultType":"scalar","result":[0,"topsecret"]}}', 200],
    ['nested lists', `{"status":"error","error":${'['.repeat(50_000)}"topsecret"${']'.repeat(50_000)}}`, 200],
    ['another kind of error', '{"status":"error","errorType":{"topsecret":1},"error":{"a":"topsecret"}}', 422],
    ['a long line', 'topsecret'.repeat(50_000), 502],
  ])('quotes nothing of %s: it may be any server that is asked', async (_, body, status) => {
    const reading = await answer(body, status);
    expect(reading).toMatchObject({ kind: 'refused', reason: expect.not.stringContaining('topsecret') });
    expect(reading.kind === 'refused' && reading.reason.length).toBeLessThan(150);
  });

  it('says where a query is wrong', async () => {
    const error = 'invalid parameter "query": 2:17: parse error: unexpected identifier "topsecret"';
    expect(await answer({ status: 'error', errorType: 'bad_data', error }, 400)).toMatchObject({
      reason: 'error response: Status 400 Bad Request: bad_data: parse error at line 2, character 17 of the query',
    });
  });

  it.each(['', ' ', '0x10', '1_000', 'Infinity', '1e999', 'null', '-', '.', '1.2.3', '٣', '1 ', 'NaN '])(
    'takes %j for no number',
    async (text) => {
      const reading = await answer({ status: 'success', data: { resultType: 'scalar', result: [0, text] } });
      expect(reading).toMatchObject({ kind: 'refused', passing: false });
    },
  );

  it.each([
    ['0', 0],
    ['-1.5', -1.5],
    ['+2', 2],
    ['1e-07', 1e-7],
    ['1.7976931348623157e+308', Number.MAX_VALUE],
    ['.5', 0.5],
  ])('reads %j', async (text, value) => {
    const reading = await answer({ status: 'success', data: { resultType: 'scalar', result: [0, text] } });
    expect(reading).toEqual({ kind: 'value', value });
  });
});

describe('metricProviderFor', () => {
  it('knows what does not exist', () => {
    expect(metricProviderFor('prometheus')).toBe(prometheus);
    expect(metricProviderProblem('prometheus')).toBeUndefined();
    expect(() => metricProviderFor('cloud-watch')).toThrow(
      'unknown provider "cloud-watch"; supported are prometheus, ',
    );
    expect(metricProviderProblem('promteheus')).toBe(
      'spec.provider.type: unknown provider "promteheus"; supported are ' + Object.keys(metricProviders).join(', '),
    );
  });
});
