import { describe, expect, it } from 'vitest';
import { gateAnswer, type GateState, gatesOf, opensGate, ownGate } from '../../src/canary/gates.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { parseStatus } from '../../src/canary/status.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

const host = 'serin.ops';
const hook = (type: string, path: string, at = host) => ({ name: type, type, url: `http://${at}${path}` });

const aCanary = (
  annotations: Record<string, string>,
  webhooks: readonly object[] = [],
  status: object = {},
): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { namespace: 'demo', name: 'app', annotations },
  spec: {
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: { interval: '10s', threshold: 1, stepWeight: 10, webhooks },
  },
  status,
});

describe('gates on the Canary [R106]', () => {
  it('are closed until they are opened, and by everything but "open"', () => {
    expect(gatesOf(aCanary({}))).toEqual({ gate: 'closed', rollback: 'closed' });
    expect(gatesOf(aCanary({ 'serin.dev/gate': 'open' }))).toEqual({ gate: 'open', rollback: 'closed' });
    expect(gatesOf(aCanary({ 'serin.dev/gate': 'closed', 'serin.dev/rollback': 'open' }))).toEqual({
      gate: 'closed',
      rollback: 'open',
    });
    expect(gatesOf(aCanary({ 'serin.dev/gate': 'true' })).gate).toBe('closed');
  });

  it('answer webhooks that lead to the agent, as the load tester answers', () => {
    const open = aCanary({ 'serin.dev/gate': 'open' });
    const closed = aCanary({});
    const forbidden = { kind: 'rejected', reason: 'Forbidden' };
    expect(gateAnswer(`http://${host}/gate/check`, host, open)).toEqual({ kind: 'passed' });
    expect(gateAnswer(`http://${host}/gate/check`, host, closed)).toEqual(forbidden);
    expect(gateAnswer(`http://${host}/rollback/check`, host, open)).toEqual(forbidden);
    expect(gateAnswer(`http://${host}/gate/approve`, host, closed)).toEqual({ kind: 'passed' });
    expect(gateAnswer(`http://${host}/gate/halt`, host, open)).toEqual(forbidden);
  });

  it('are told by host, whatever the domain and the port', () => {
    for (const at of [host, `${host}.svc`, `${host}.svc.cluster.local`, `${host}:8081`])
      expect(ownGate(`http://${at}/gate/check`, host)).toBe('gate');
    for (const at of ['serin', 'serin.ops.evil.example', 'loadtester.test', 'xserin.ops'])
      expect(ownGate(`http://${at}/gate/check`, host)).toBeUndefined();
    expect(ownGate(`http://${host}/gate/open`, host)).toBeUndefined();
    expect(ownGate(`https://${host}/gate/check`, host)).toBeUndefined();
    expect(ownGate('no url', host)).toBeUndefined();
  });
});

describe('a gate that opens', () => {
  const shut: GateState = { gate: 'closed', rollback: 'closed' };
  const opens = (phase: string, webhooks: readonly object[], now: Partial<GateState>, iterations = 0): boolean => {
    const canary = aCanary({}, webhooks, { phase, iterations });
    const spec = parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 });
    return opensGate(spec, parseStatus(canary), host, { before: shut, now: { ...shut, ...now } });
  };
  const all = [
    hook('confirm-rollout', '/gate/check'),
    hook('confirm-traffic-increase', '/gate/check'),
    hook('confirm-promotion', '/gate/check'),
    hook('rollback', '/rollback/check'),
  ];

  it.each(['Waiting', 'WaitingPromotion'])('is noticed at once in %s', (phase) => {
    expect(opens(phase, all, { gate: 'open' })).toBe(true);
  });

  it('is noticed at once where more traffic waits for it, and never quickens steps that do not', () => {
    expect(opens('Progressing', all, { gate: 'open' }, -2)).toBe(true);
    expect(opens('Progressing', all, { gate: 'open' }, 2)).toBe(false);
    expect(opens('Progressing', all, { gate: 'open' })).toBe(false);
    expect(opens('Promoting', all, { gate: 'open' })).toBe(false);
    expect(opens('Succeeded', all, { gate: 'open' })).toBe(false);
  });

  it.each(['Progressing', 'Waiting', 'WaitingPromotion'])('calls a release back at once in %s', (phase) => {
    expect(opens(phase, all, { rollback: 'open' })).toBe(true);
  });

  it('changes nothing for a canary that asks somebody else', () => {
    expect(opens('Waiting', [hook('confirm-rollout', '/gate/check', 'loadtester.test')], { gate: 'open' })).toBe(false);
    expect(opens('Waiting', [hook('confirm-promotion', '/gate/check')], { gate: 'open' })).toBe(false);
  });

  it('is news only once', () => {
    const canary = aCanary({}, all, { phase: 'WaitingPromotion' });
    const spec = parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 });
    const open: GateState = { ...shut, gate: 'open' };
    expect(opensGate(spec, parseStatus(canary), host, { before: open, now: open })).toBe(false);
    expect(opensGate(spec, parseStatus(canary), host, { before: open, now: shut })).toBe(false);
  });
});
