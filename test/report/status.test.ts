import { describe, expect, it } from 'vitest';
import { requestAnnotations } from '../../src/canary/requests.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { statusOf } from '../../src/report/status.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');

interface Given {
  readonly status?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly webhooks?: readonly object[];
}

export function aCanary({ status = {}, annotations = {}, spec = {}, webhooks = [] }: Given): KubeObject {
  return {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { namespace: 'shop', name: 'cart', annotations },
    spec: {
      provider: 'traefik',
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'cart' },
      service: { port: 80 },
      analysis: { interval: '30s', threshold: 5, stepWeights: [10, 50], webhooks },
      ...spec,
    },
    status: { lastAppliedSpec: '5d5f', lastTransitionTime: '2026-11-30T11:59:40Z', ...status },
  };
}

const of = (given: Given) => statusOf({ canary: aCanary(given), provider: 'kubernetes' }, nowMs);
const release = {
  release: '0123abcd',
  revision: 'a'.repeat(40),
  since: '2026-11-30T11:50:00Z',
  images: { app: 'cart:2' },
};
const told = (outcome?: object): Record<string, string> => ({
  'serin.dev/release': JSON.stringify({ ...release, ...(outcome ? { outcome } : {}) }),
});

describe('the status of an app', () => {
  it('tells how far a release is, and until when it waits', () => {
    const status = { phase: 'Progressing', canaryWeight: 10, failedChecks: 2 };
    expect(of({ status, annotations: told() })).toMatchObject({
      group: 'moving',
      weight: 10,
      steps: [10, 50],
      requestFor: '0123abcd',
      waits: { what: 'the next look', untilMs: nowMs + 10_000 },
      line: '10% of 50%, 2 of 5 checks failed, waits for the next look',
    });
  });

  it('needs a person at each gate, and says which', () => {
    const gates = [
      ['Waiting', 'confirm-rollout'],
      ['WaitingPromotion', 'confirm-promotion'],
    ] as const;
    for (const [phase, type] of gates) {
      const webhooks = [{ name: 'boss', type, url: 'http://gate.shop/check' }];
      expect(of({ status: { phase }, webhooks, annotations: told() })).toMatchObject({
        group: 'needs-person',
        gate: type,
        line: `waits for approval (${type} boss)`,
        needsPerson: { acts: ['approve', 'abort'] },
      });
    }
  });

  it('is held by a request for this release only', () => {
    const hold = (id: string) => ({
      ...told(),
      [requestAnnotations.hold]: JSON.stringify({ release: id, by: 'jane', reason: 'logs' }),
    });
    const status = { phase: 'Progressing', canaryWeight: 10 };
    expect(of({ status, annotations: hold('0123abcd') })).toMatchObject({
      held: { cause: 'person', by: 'jane', reason: 'logs' },
      line: 'held at 10% by jane: logs',
    });
    expect(of({ status, annotations: hold('ffff') }).held).toBeUndefined();
  });

  it('says what a release failed at, and that Git cannot be written', () => {
    const outcome = { verdict: 'rolled-back', at: '2026-11-30T11:55:00Z', failedCheck: 'rate: success rate 53% < 99%' };
    expect(of({ status: { phase: 'Failed' }, annotations: told(outcome) })).toMatchObject({
      group: 'failed',
      requestFor: '',
      line: 'rolled back: rate: success rate 53% < 99%',
    });
    expect(
      of({ status: { phase: 'Failed' }, annotations: told({ ...outcome, blocked: 'protected branch' }) }),
    ).toMatchObject({
      group: 'needs-person',
      line: 'its outcome cannot be written to Git: protected branch',
    });
  });

  it('says of a Canary that cannot be understood what is wrong with it', () => {
    expect(of({ spec: { targetRef: 5 } }).line).toMatch(/^the Canary cannot be understood: .*targetRef/);
  });

  it('takes what others wrote into the annotation for text, whatever it is', () => {
    const nasty = ['{', '[]', 'null', '{"release":"<b>"}', '{"release":5}', `{"release":"${'a'.repeat(100_000)}"}`];
    for (const text of nasty) expect(of({ annotations: { 'serin.dev/release': text } }).release).toBeUndefined();
    const images = { 'a\u202Eb': 'x\n\u001B[31my' };
    const { release: shown } = of({ annotations: { 'serin.dev/release': JSON.stringify({ ...release, images }) } });
    expect(shown?.images).toEqual({ ab: 'x [31my' });
  });
});
