import { expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import { parseStatus } from '../../src/canary/status.ts';
import { keyOf } from '../../src/lib/key.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import type { Happening } from '../../src/outlets/happening.ts';
import type { Outlet } from '../../src/outlets/outlet.ts';

const canary: KubeObject = {
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { namespace: 'demo', name: 'app', uid: 'u1' },
  spec: {
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: {
      interval: '10s',
      threshold: 2,
      stepWeight: 10,
      webhooks: [{ name: 'told', type: 'event', url: 'http://receiver.test/events' }],
      alerts: [{ name: 'all', severity: 'info', providerRef: { name: 'team' } }],
    },
  },
  status: { phase: 'Progressing' },
};
const spec = parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 });
const common = { app: keyOf(spec), releaseId: 'r1', canary, spec };

/** One of each kind, none of which may be changed, with a text that is not for people's eyes. */
export const happenings: readonly Happening[] = (
  [
    { ...common, kind: 'said', event: { type: 'Normal', level: 'info', message: 'Advance app.demo canary weight 10' } },
    {
      ...common,
      kind: 'said',
      spec: { namespace: 'demo', name: 'app' },
      event: { type: 'Warning', level: 'error', message: 'x\u0000y\n' },
    },
    {
      ...common,
      kind: 'alerted',
      status: parseStatus(canary),
      severity: 'error',
      message: 'Rolling back',
      withFields: true,
    },
    {
      ...common,
      kind: 'looked',
      phase: 'Progressing',
      weight: 10,
      seconds: 0.1,
      verdicts: ['promoted', 'rolled-back'],
    },
    { ...common, kind: 'measured', metric: 'request-duration', value: 250 },
    { kind: 'gone', app: common.app },
    { kind: 'gone', app: common.app },
  ] as const satisfies readonly Happening[]
).map(frozen);

function frozen<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) frozen(member);
  }
  return value;
}

/** What every outlet must do, whomever it tells; `outlet` makes one whose outside never answers, in real time. */
export function describeOutlet(name: string, outlet: () => Outlet): void {
  it(`${name} takes whatever happens, changes none of it, and does not wait`, async () => {
    const it = outlet();
    const startedMs = performance.now();
    for (let times = 0; times < 20; times += 1)
      for (const happening of happenings) expect(it.tell(happening)).toBeUndefined();
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await it.close?.(0);
  });

  it(`${name} ends in time where nobody answers, and may be told of more afterwards`, async () => {
    const it = outlet();
    for (const happening of happenings) it.tell(happening);
    const startedMs = performance.now();
    await it.close?.(50);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    for (const happening of happenings) it.tell(happening);
    await it.close?.(0);
  });
}
