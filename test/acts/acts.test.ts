import { describe, expect, it } from 'vitest';
import { actNames, actsOf, obstacleTo, readAct, writeOf } from '../../src/acts/acts.ts';
import { readRequest } from '../../src/canary/requests.ts';
import { keyOf } from '../../src/lib/key.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { statusOf } from '../../src/report/status.ts';

const app = keyOf({ namespace: 'shop', name: 'cart' });
const nowMs = Date.parse('2026-11-30T12:00:00Z');

function statusIn(phase: string, webhooks: readonly object[] = [], weight = 10) {
  const canary: KubeObject = {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { namespace: 'shop', name: 'cart' },
    spec: {
      provider: 'traefik',
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'cart' },
      service: { port: 80 },
      analysis: { interval: '30s', threshold: 5, stepWeights: [10, 50], webhooks },
    },
    status: { phase, canaryWeight: weight, lastAppliedSpec: '5d5f' },
  };
  return statusOf({ canary, provider: 'traefik' }, nowMs);
}

const offered = (phase: string, webhooks?: readonly object[]): readonly string[] =>
  actsOf(statusIn(phase, webhooks)).flatMap(({ name, notNow }) => (notNow === undefined ? [name] : []));

describe('what a person can do', () => {
  it('depends on where the release is', () => {
    expect(offered('Progressing')).toEqual(['hold', 'promote', 'abort', 'release', 'set']);
    const gate = [{ name: 'boss', type: 'confirm-promotion', url: 'http://gate.shop/check' }];
    expect(offered('WaitingPromotion', gate)).toEqual(['approve', 'hold', 'promote', 'abort', 'release', 'set']);
    expect(offered('Promoting')).toEqual(['release', 'set']);
    expect(offered('Succeeded')).toEqual(['rollback', 'release', 'set']);
    expect(offered('Failed')).toEqual(['rollback', 'retry', 'release', 'set']);
  });

  it('is refused for another release than the one that was seen, and without a reason where one is needed', () => {
    const status = statusIn('Progressing');
    expect(obstacleTo({ kind: 'abort', app, release: 'older', reason: '' }, status)).toMatch(/another release/);
    expect(obstacleTo({ kind: 'promote', app, release: '5d5f', reason: ' ' }, status)).toMatch(/say why/);
    expect(obstacleTo({ kind: 'promote', app, release: '5d5f', reason: 'hotfix' }, status)).toBeUndefined();
  });

  it('names the release, the person and the reason in what it writes', () => {
    const write = writeOf(
      { kind: 'abort', app, release: '5d5f', reason: 'bad\nlogs' },
      statusIn('Progressing'),
      'jane',
      nowMs,
    );
    if (write.kind !== 'annotations') throw new Error('no annotations');
    expect(readRequest(write.annotations['serin.dev/abort'] ?? '')).toEqual({
      release: '5d5f',
      by: 'jane',
      reason: 'bad logs',
      atMs: nowMs,
    });
  });

  it('is read from a form, where nothing is taken on trust', () => {
    const fields = (entries: Record<string, string>) => new Map(Object.entries(entries));
    expect(actNames).toHaveLength(9);
    expect(readAct('drop', app, fields({}))).toMatch(/no act/);
    expect(readAct('hold', app, fields({ release: '<script>' }))).toMatch(/which release/);
    expect(readAct('release', app, fields({ container: 'app', tag: '1.2;rm' }))).toMatch(/no tag/);
    expect(readAct('set', app, fields({ 'set.__proto__': 'x' }))).toMatch(/no field/);
    expect(readAct('set', app, fields({ 'set.analysis.threshold': '3', csrf: 'x' }))).toEqual({
      kind: 'set',
      app,
      changes: [{ field: 'analysis.threshold', value: '3' }],
      reason: '',
    });
  });
});
