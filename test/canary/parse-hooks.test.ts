import { describe, expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import { warningsOf } from '../../src/canary/warnings.ts';
import type { AnalysisSpec } from '../../src/canary/types.ts';

const read = (analysis: object): AnalysisSpec =>
  parseCanary(
    {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name: 'app', namespace: 'demo' },
      spec: {
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
        service: { port: 80 },
        analysis: { interval: '30s', threshold: 5, stepWeight: 10, ...analysis },
      },
    },
    { provider: 'traefik', minIntervalMs: 10_000 },
  ).analysis;

const hook = (more: object): object => ({ name: 'h', url: 'http://hooks/', ...more });

describe('webhooks', () => {
  it.each([
    [undefined, 10_000],
    ['', 10_000],
    ['5', 10_000],
    ['0s', 10_000],
    ['5s', 5_000],
    ['1m30s', 90_000],
    ['250ms', 250],
    ['1h', 3_600_000],
    ['1h1ms', 3_600_000],
    ['1000000h', 3_600_000],
  ])('with timeout %j wait so many milliseconds: %i', (timeout, timeoutMs) => {
    expect(read({ webhooks: [hook({ timeout })] }).webhooks[0]?.timeoutMs).toBe(timeoutMs);
  });

  it('with a timeout, retries or URL that cannot be read are refused', () => {
    expect(() => read({ webhooks: [hook({ timeout: 'soon' })] })).toThrow(/webhooks\[0\]\.timeout/);
    expect(() => read({ webhooks: [hook({ retries: -1 })] })).toThrow(/webhooks\[0\]\.retries/);
    expect(() => read({ webhooks: [hook({ url: 'ftp://hooks/' })] })).toThrow(/webhooks\[0\]\.url/);
  });

  it.each([
    [0, 0],
    [20, 20],
    [21, 20],
    [2_147_483_647, 20],
  ])('with %i retries are tried again %i times', (retries, times) => {
    expect(read({ webhooks: [hook({ retries })] }).webhooks[0]?.retries).toBe(times);
  });

  it('of which less is done than they say are named by validate', () => {
    const said = (more: object): readonly string[] =>
      warningsOf(
        {
          apiVersion: 'flagger.app/v1beta1',
          kind: 'Canary',
          metadata: { name: 'app', namespace: 'demo' },
          spec: { analysis: { interval: '1m', threshold: 1, stepWeight: 10, webhooks: [hook(more)] } },
        },
        10_000,
      ).map(({ field, message }) => `${field} ${message}`);
    expect(said({ retries: 21, timeout: '61m' })).toEqual([
      'spec.analysis.webhooks[0].retries 21 counts as 20',
      'spec.analysis.webhooks[0].timeout 61m counts as 1h0m0s',
    ]);
    expect(said({ retries: 20, timeout: '60m' })).toEqual([]);
    expect(said({ retries: 1e9, timeout: '99999h' })).toHaveLength(2);
  });

  it('without a type are checks of the analysis', () => {
    const types = read({ webhooks: [hook({}), hook({ type: '' }), hook({ type: 'rollback' })] }).webhooks;
    expect(types.map(({ type }) => type)).toEqual(['rollout', 'rollout', 'rollback']);
  });
});

describe('alerts', () => {
  it('look for their provider beside the Canary and tell everything, where nothing else is said [R61]', () => {
    const alerts = [
      { name: 'a', providerRef: { name: 'slack' } },
      { name: 'b', severity: '', providerRef: { name: 'slack', namespace: 'ops' } },
      { name: 'c', severity: 'error', providerRef: { name: 'slack' } },
    ];
    expect(read({ alerts }).alerts).toEqual([
      { name: 'a', provider: { namespace: 'demo', name: 'slack' }, severity: 'info' },
      { name: 'b', provider: { namespace: 'ops', name: 'slack' }, severity: 'info' },
      { name: 'c', provider: { namespace: 'demo', name: 'slack' }, severity: 'error' },
    ]);
    expect(read({}).alerts).toEqual([]);
  });

  it('that name nobody, or an unknown severity, are refused', () => {
    expect(() => read({ alerts: [{ name: 'a' }] })).toThrow(/alerts\[0\]\.providerRef\.name: is required/);
    expect(() => read({ alerts: [{ providerRef: { name: 'x' } }] })).toThrow(/alerts\[0\]\.name: is required/);
    const wrong = [{ name: 'a', severity: 'warning', providerRef: { name: 'x' } }];
    expect(() => read({ alerts: wrong })).toThrow(/severity: unknown value "warning" \(one of info, warn, error\)/);
  });
});
