import { describe, expect, it } from 'vitest';
import { createKeysFor, firstTickMs, mayWait } from '../../../src/agent/canaries/canary-index.ts';
import type { CanaryStatus, Phase } from '../../../src/canary/types.ts';
import type { Change } from '../../../src/cluster/cluster.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { appKey } from '../../helpers/key.ts';

const canary = (name: string, spec: Record<string, unknown>): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name, namespace: 'test' },
  spec,
});
const all = [
  canary('web', { targetRef: { kind: 'Deployment', name: 'web' }, service: { port: 80 } }),
  canary('api', {
    targetRef: { kind: 'Deployment', name: 'backend' },
    service: { name: 'api-service', port: 80 },
    ingressRef: { kind: 'Ingress', name: 'entry' },
    autoscalerRef: { kind: 'HorizontalPodAutoscaler', name: 'scaler' },
  }),
  canary('odd', { targetRef: { kind: 'Deployment', name: 'nightly-canary' }, service: null }),
];
const listeners: ((change: Change) => void)[] = [];
const keysFor = createKeysFor({
  list: (namespace) => (namespace === undefined || namespace === 'test' ? all : []),
  onChange: (listener) => {
    listeners.push(listener);
    return () => undefined;
  },
});
const tell = (change: Change): void => listeners.forEach((listener) => listener(change));

describe('the canaries that a changed object may belong to', () => {
  it.each([
    ['Deployment', 'web', ['test/web']],
    ['Deployment', 'web-primary', ['test/web']],
    ['Service', 'web', ['test/web']],
    ['Service', 'web-canary', ['test/web']],
    ['HTTPRoute', 'web', ['test/web']],
    ['Deployment', 'backend-primary', ['test/api']],
    ['Service', 'api-service-primary', ['test/api']],
    ['Ingress', 'entry', ['test/api']],
    ['Ingress', 'entry-canary', ['test/api']],
    ['IngressRoute', 'entry', ['test/api']],
    ['IngressRoute', 'entry-canary', ['test/api']],
    ['VirtualService', 'api-service', ['test/api']],
    ['DestinationRule', 'api-service-canary', ['test/api']],
    ['HorizontalPodAutoscaler', 'scaler-primary', ['test/api']],
    ['Deployment', 'nightly-canary', ['test/odd']],
    ['Deployment', 'nightly-canary-primary', ['test/odd']],
    ['Service', 'stranger', []],
  ])('for %s %s are %j', (kind, name, keys) => {
    expect(keysFor(kind, 'test', name)).toEqual(keys);
    expect(keysFor(kind, 'elsewhere', name)).toEqual([]);
  });

  it('are those that look at a ConfigMap or Secret, whether it is there or not', () => {
    keysFor.noteConfigs(appKey('test/web'), ['configmap/settings', 'configmap/settings-primary', 'secret/token']);
    keysFor.noteConfigs(appKey('test/api'), ['configmap/settings']);
    expect(keysFor('ConfigMap', 'test', 'settings')).toEqual(['test/web', 'test/api']);
    expect(keysFor('ConfigMap', 'test', 'settings-primary')).toEqual(['test/web']);
    expect(keysFor('Secret', 'test', 'token')).toEqual(['test/web']);
    for (const [kind, namespace, name] of [
      ['ConfigMap', 'test', 'token'],
      ['Secret', 'test', 'settings'],
      ['ConfigMap', 'elsewhere', 'settings'],
      ['ConfigMap', 'test', 'web'],
    ] as const)
      expect(keysFor(kind, namespace, name)).toEqual([]);
    keysFor.noteConfigs(appKey('test/web'), ['secret/token']);
    expect(keysFor('ConfigMap', 'test', 'settings')).toEqual(['test/api']);
    keysFor.noteConfigs(appKey('test/api'), []);
    expect(keysFor('ConfigMap', 'test', 'settings')).toEqual([]);
  });

  it('are those that measure by a MetricTemplate', () => {
    const metrics = [
      { name: 'own', templateRef: { name: 'near' } },
      { templateRef: { name: 'far', namespace: 'ops' } },
    ];
    const measured = canary('measured', { targetRef: { name: 'measured' }, analysis: { metrics } });
    tell({ kind: 'added', object: measured });
    expect(keysFor('MetricTemplate', 'test', 'near')).toEqual(['test/measured']);
    expect(keysFor('MetricTemplate', 'ops', 'far')).toEqual(['test/measured']);
    expect(keysFor('MetricTemplate', 'test', 'far')).toEqual([]);
    tell({ kind: 'deleted', object: measured });
    expect(keysFor('MetricTemplate', 'ops', 'far')).toEqual([]);
  });

  it('follow Canaries that come, change and go', () => {
    const early = canary('late', { targetRef: { name: 'one' } });
    const later = canary('late', { targetRef: { name: 'two' } });
    tell({ kind: 'added', object: early });
    expect(keysFor('Deployment', 'test', 'one-primary')).toEqual(['test/late']);
    tell({ kind: 'modified', object: later, previous: early });
    expect(keysFor('Deployment', 'test', 'one-primary')).toEqual([]);
    expect(keysFor('Deployment', 'test', 'two')).toEqual(['test/late']);
    keysFor.noteConfigs(appKey('test/late'), ['configmap/settings']);
    tell({ kind: 'deleted', object: later });
    expect(keysFor('Deployment', 'test', 'two')).toEqual([]);
    expect(keysFor('ConfigMap', 'test', 'settings')).toEqual([]);
  });
});

describe('the first ticks after a start', () => {
  const intervalMs = 10_000;
  const nowMs = Date.UTC(2026, 0, 1);
  const statusOf = (phase: Phase, secondsAgo: number): CanaryStatus => ({
    phase,
    failedChecks: 0,
    canaryWeight: 0,
    iterations: 0,
    lastAppliedSpec: '',
    lastPromotedSpec: '',
    lastTransitionTime: new Date(nowMs - secondsAgo * 1_000).toISOString(),
  });
  const inMs = (key: string, status: CanaryStatus): number =>
    firstTickMs(appKey(key), status, intervalMs, nowMs) - nowMs;

  it('are spread over the interval where canaries rest [R46]', () => {
    const resting = statusOf('Succeeded', 3_600);
    const waits = Array.from({ length: 100 }, (_, index) => inMs(`test/app-${index}`, resting));
    const tenths = new Set(waits.map((ms) => Math.floor(ms / 1_000)));
    expect([Math.min(...waits) >= 0, Math.max(...waits) < intervalMs, tenths.size]).toEqual([true, true, 10]);
  });

  it('give a canary under way the rest of its interval, so that no step comes too soon [R46]', () => {
    expect([0, 4, 10, 600].map((ago) => inMs('test/app', statusOf('Progressing', ago)))).toEqual([
      10_000, 7_000, 1_000, 0,
    ]);
  });

  it('wait for no more than an interval, wherever the clock was', () => {
    expect(inMs('test/app', statusOf('Progressing', -3_600))).toBe(intervalMs);
  });
});

describe('a canary at rest, after a start at which Git does not answer', () => {
  const status = { phase: 'Failed', canaryWeight: 0 } as CanaryStatus;

  it('is left alone', () => {
    expect(mayWait(canary('web', {}), status)).toBe(true);
  });

  it('is looked after while it has users, and while it is deleted', () => {
    expect(mayWait(canary('web', {}), { ...status, canaryWeight: 100 })).toBe(false);
    const deleted = { ...canary('web', {}).metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
    expect(mayWait({ ...canary('web', {}), metadata: deleted }, status)).toBe(false);
  });
});
