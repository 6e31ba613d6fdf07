import { describe, expect, it } from 'vitest';
import { prometheus } from '../../src/metrics/prometheus.ts';
import { metricProviderFor, metricProviderProblem } from '../../src/metrics/registry.ts';

const query = { query: 'up', address: 'http://prometheus:9090' };
const answer = (body: unknown, status = 200) =>
  prometheus.parse({ status, headers: {}, body: typeof body === 'string' ? body : JSON.stringify(body) });
const vector = (...values: unknown[]) =>
  answer({
    status: 'success',
    data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1, value] })) },
  });

describe('prometheus requests', () => {
  it('asks an instant query with collapsed white space [PV01]', () => {
    const request = prometheus.request({ ...query, query: '\n  sum(rate(x{a="b+c"}[1m]))\n   / 2\n' });
    expect(request).toMatchObject({ method: 'GET', timeoutMs: 5_000 });
    expect(request.insecure).toBeUndefined();
    const url = new URL(request.url);
    expect(`${url.origin}${url.pathname}`).toBe('http://prometheus:9090/api/v1/query');
    expect(url.searchParams.get('query')).toBe('sum(rate(x{a="b+c"}[1m])) / 2');
  });

  it('keeps the path of the address as prefix and drops its query', () => {
    const url = new URL(prometheus.request({ ...query, address: 'https://m.example/tenant/a/?x=1#y' }).url);
    expect(url.pathname).toBe('/tenant/a/api/v1/query');
    expect([...url.searchParams.keys()]).toEqual(['query']);
  });

  it('sends headers, and credentials over them, the same each time [PV02] [PV03] [R70]', () => {
    const headers = { 'X-Scope-OrgID': ['a', 'b'], Authorization: ['from header'] };
    expect(prometheus.request({ ...query, headers }).headers).toMatchObject({
      'x-scope-orgid': 'a, b',
      authorization: 'from header',
    });
    expect(prometheus.request({ ...query, headers, credentials: { token: 't\n' } }).headers).toMatchObject({
      authorization: 'Bearer t',
    });
    const basic = { username: 'u', password: 'p:w' };
    expect(prometheus.request({ ...query, credentials: basic, insecureSkipVerify: true })).toMatchObject({
      insecure: true,
      headers: { authorization: `Basic ${Buffer.from('u:p:w').toString('base64')}` },
    });
    // Asking twice gives the same request (Flagger's R70).
    expect(prometheus.request({ ...query, headers }).headers).toEqual(
      prometheus.request({ ...query, headers }).headers,
    );
  });

  it('refuses secrets and addresses that cannot be used, without showing them', () => {
    expect(() => prometheus.request({ ...query, credentials: { username: 'u' } })).toThrow(
      'the secret needs the key token, or both',
    );
    for (const address of ['', 'prometheus:9090', 'ftp://x']) {
      expect(() => prometheus.request({ ...query, address })).toThrow('no http or https URL');
    }
  });
});

describe('prometheus answers', () => {
  it('takes the one value', () => {
    expect(vector('99.5')).toEqual({ kind: 'value', value: 99.5 });
    expect(vector('1e-05')).toEqual({ kind: 'value', value: 1e-5 });
    expect(answer({ status: 'success', data: { resultType: 'scalar', result: [1, '1'] } })).toEqual({
      kind: 'value',
      value: 1,
    });
  });

  it('tells nothing from something [PV04] [R71] [R72]', () => {
    expect(vector()).toEqual({ kind: 'no-data', cause: 'noSeries', reason: 'no values found' });
    expect(vector('NaN')).toEqual({ kind: 'no-data', cause: 'noTraffic', reason: 'the result is NaN' });
    // A division of something by nothing is neither good nor silence (Flagger takes it for a value: R71).
    expect(vector('+Inf')).toMatchObject({ kind: 'refused', passing: false, reason: expect.stringContaining('+Inf') });
    expect(vector('many')).toMatchObject({ kind: 'refused', passing: false });
  });

  it('refuses more than one value [PV05] [R71]', () => {
    expect(vector('1', '2')).toMatchObject({
      kind: 'refused',
      passing: false,
      reason: expect.stringContaining('query returned multiple values: 2 series'),
    });
    const matrix = { status: 'success', data: { resultType: 'matrix', result: [{ metric: {}, values: [[1, '1']] }] } };
    expect(answer(matrix)).toMatchObject({
      kind: 'refused',
      passing: false,
      reason: expect.stringContaining('query returned multiple values: a matrix'),
    });
    const histogram = { status: 'success', data: { resultType: 'vector', result: [{ metric: {}, histogram: [] }] } };
    expect(answer(histogram)).toMatchObject({ kind: 'refused', passing: false });
  });

  it('tells a wrong question from a server in trouble', () => {
    expect(answer('{"status":"error","error":"parse error"}', 400)).toEqual({
      kind: 'refused',
      passing: false,
      reason: 'error response: Status 400 Bad Request: {"status":"error","error":"parse error"}',
    });
    for (const status of [408, 429, 500, 502, 503])
      expect(answer('x', status)).toMatchObject({ kind: 'refused', passing: true });
    expect(answer({ status: 'error', error: 'bad' })).toEqual({ kind: 'refused', passing: false, reason: 'bad' });
  });

  it.each(['', '<html>Sign in</html>', 'null', '[]', '{"status":"success"}', '{"status":"succ'])(
    'learns nothing from %j',
    (body) => {
      expect(answer(body)).toMatchObject({
        kind: 'refused',
        passing: true,
        reason: expect.stringContaining('not one of Prometheus'),
      });
    },
  );

  it('shows only the beginning of long answers', () => {
    const reading = answer('x'.repeat(10_000), 500);
    expect(reading.kind === 'refused' && reading.reason.length).toBeLessThan(500);
  });
});

describe('metricProviderFor', () => {
  it('knows what comes later and what does not exist', () => {
    expect(metricProviderFor('prometheus')).toBe(prometheus);
    expect(metricProviderProblem('prometheus')).toBeUndefined();
    expect(() => metricProviderFor('datadog')).toThrow(
      'datadog is not supported in this release; supported are prometheus',
    );
    expect(metricProviderProblem('promteheus')).toBe(
      'spec.provider.type: unknown provider "promteheus"; supported are prometheus',
    );
  });
});
