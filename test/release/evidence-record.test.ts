import { describe, expect, it } from 'vitest';
import { textOf } from '../../src/canary/evidence-text.ts';
import type { Evidence, Finding, Measurement } from '../../src/canary/types.ts';
import { asRevision } from '../../src/git/repo.ts';
import { parseRecord, renderRecord } from '../../src/release/record.ts';
import type { ReleaseRecord } from '../../src/release/types.ts';

const revision = asRevision('a'.repeat(40));
const measurement: Measurement = {
  value: 53.4219,
  unit: 'percent',
  min: 99,
  broken: 'min',
  side: 'canary',
  provider: 'prometheus',
  query: 'sum(rate(x[1m]))',
  windowMs: 60_000,
  measuredAtMs: 1_700_000_000_000,
};
const findings: readonly Finding[] = [
  { kind: 'measured', metric: 'success-rate', measurement },
  {
    kind: 'measured',
    metric: 'template',
    measurement: { value: Number.NaN, unit: 'own', side: 'primary', max: 1, broken: 'max' },
  },
  { kind: 'no-data', metric: 'duration', cause: 'noTraffic', reason: 'the result is NaN' },
  { kind: 'unanswered', text: 'Prometheus query failed: connection refused' },
  { kind: 'unknown-metric' },
  { kind: 'hook' },
  { kind: 'hook', refusal: 'status 500' },
  { kind: 'hook', load: { canary: { requests: 600, failed: 3, p50Ms: 3, p95Ms: 9, p99Ms: 12.4 } } },
  { kind: 'approved' },
  { kind: 'pods', role: 'canary', summary: 'container crashes (exit 1)', lines: ['pod app-1', '  panic'] },
  { kind: 'not-ready', role: 'primary', why: 'exceeded its progressDeadlineSeconds: 60' },
  { kind: 'failed-checks', count: 5 },
  { kind: 'called-back' },
  { kind: 'metrics-lost', forMs: 70_000 },
  { kind: 'unpromotable', why: 'Secret db is missing' },
  { kind: 'ended-before' },
  { kind: 'said', text: 'x', lines: ['y'] },
];
const lookOf = (found: Finding): Evidence => ({
  atMs: 1,
  canaryWeight: 10,
  iterations: 0,
  checks: [{ name: 'x', passed: false, found }],
});
const recordOf = (found: Finding): ReleaseRecord => ({
  id: 'id',
  revision,
  base: revision,
  content: 'content',
  startedAtMs: 1,
  supersedes: [],
  outcome: {
    verdict: 'rolled-back',
    atMs: 2,
    failedCheck: { name: 'x', found },
    evidence: [lookOf(found)],
    state: { revision, images: {}, templateHash: '', configs: {}, content: 'content' },
  },
});
interface Written {
  readonly outcome: {
    readonly failedCheck: { readonly name: string; readonly reason: string; readonly detail?: readonly string[] };
    readonly evidence: readonly { readonly checks: readonly { readonly text: string }[] }[];
  };
}
const written = (record: ReleaseRecord): Written => JSON.parse(renderRecord(record)) as Written;

describe('evidence in the record of a release', () => {
  it.each(findings.map((found) => [found.kind, found] as const))('comes back as it was found: %s', (_kind, found) => {
    const record = recordOf(found);
    expect(parseRecord(renderRecord(record))).toEqual(record);
  });

  it('has texts beside it, for an agent of before that is put back', () => {
    for (const found of findings) {
      const text = textOf({ name: 'x', found });
      const { failedCheck, evidence } = written(recordOf(found)).outcome;
      expect(failedCheck).toMatchObject({ name: 'x', reason: text });
      expect(evidence).toMatchObject([{ checks: [{ name: 'x', text }] }]);
    }
  });

  it('of a former agent is known by its texts', () => {
    const former = {
      ...recordOf(findings[0] ?? { kind: 'approved' }),
      evidence: [
        {
          atMs: 1,
          canaryWeight: 5,
          iterations: 0,
          checks: [{ name: 'load', passed: true, text: 'check load passed' }],
        },
      ],
      outcome: {
        verdict: 'rolled-back',
        atMs: 2,
        failedCheck: { name: 'readiness', reason: 'container crashes (exit 1)', detail: ['pod app-1'] },
        evidence: [
          {
            atMs: 1,
            canaryWeight: 5,
            iterations: 0,
            checks: [{ name: 'rate', passed: false, inconclusive: 'hold', text: 'no values found for rate' }],
          },
        ],
        state: { revision, images: {}, templateHash: '', configs: {}, content: 'content' },
      },
    };
    const read = parseRecord(JSON.stringify(former));
    expect(read?.evidence?.[0]?.checks).toEqual([
      { name: 'load', passed: true, found: { kind: 'said', text: 'check load passed' } },
    ]);
    expect(read?.outcome?.failedCheck).toEqual({
      name: 'readiness',
      found: { kind: 'said', text: 'container crashes (exit 1)', lines: ['pod app-1'] },
    });
    expect(read?.outcome?.evidence[0]?.checks).toEqual([
      { name: 'rate', passed: false, inconclusive: 'hold', found: { kind: 'said', text: 'no values found for rate' } },
    ]);
  });

  it.each([
    ['a kind of a later agent', { kind: 'compared', p: 0.01 }],
    [
      'a number that is a text',
      { kind: 'measured', metric: 'success-rate', measurement: { ...measurement, value: '5' } },
    ],
    ['no unit', { kind: 'measured', metric: 'success-rate', measurement: { value: 1, side: 'canary' } }],
    ['an unknown role', { kind: 'not-ready', role: 'other', why: 'x' }],
    ['nothing', null],
    ['names of everything', { kind: 'constructor', __proto__: 1 }],
  ])('that is not understood is known by its text: %s', (_what, found) => {
    const text = written(recordOf({ kind: 'approved' }));
    const [look] = text.outcome.evidence;
    const changed = {
      ...text,
      outcome: {
        ...text.outcome,
        evidence: [{ ...look, checks: [{ name: 'x', passed: false, text: 'told', found }] }],
      },
    };
    expect(parseRecord(JSON.stringify(changed))?.outcome?.evidence[0]?.checks[0]?.found).toEqual({
      kind: 'said',
      text: 'told',
    });
  });

  it('is no record where neither finding nor text is there', () => {
    const text = written(recordOf({ kind: 'approved' }));
    const changed = { ...text, outcome: { ...text.outcome, failedCheck: { name: 'x' } } };
    expect(parseRecord(JSON.stringify(changed))).toBeUndefined();
  });
});
