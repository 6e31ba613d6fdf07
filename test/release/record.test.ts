import { describe, expect, it } from 'vitest';
import { asRevision } from '../../src/git/repo.ts';
import { readRecord, releaseAnnotation, renderRecord } from '../../src/release/record.ts';
import type { ReleaseRecord } from '../../src/release/types.ts';

const revision = asRevision('a'.repeat(40));
const record = (more: Partial<ReleaseRecord> = {}): ReleaseRecord => ({
  id: 'id',
  revision,
  base: revision,
  content: 'content',
  startedAtMs: 1,
  supersedes: [],
  ...more,
});
const outcome = (looks: number, text = '99%'): NonNullable<ReleaseRecord['outcome']> => ({
  verdict: 'rolled-back',
  atMs: 2,
  failedCheck: { name: 'x', reason: 'y' },
  evidence: Array.from({ length: looks }, (_, at) => ({
    atMs: at,
    canaryWeight: at,
    iterations: 0,
    checks: Array.from({ length: 5 }, () => ({ name: 'x', passed: true, text })),
  })),
  state: { revision, images: { a: 'b' }, templateHash: '', configs: {}, content: 'content' },
});
const read = (text: string): ReleaseRecord | undefined =>
  readRecord({
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name: 'a', annotations: { [releaseAnnotation]: text } },
  });

describe('the record of a release on its Canary', () => {
  it('is read as it was written', () => {
    const whole = record({ outcome: outcome(3), unwritten: [record({ id: 'earlier', outcome: outcome(1) })] });
    expect(read(renderRecord(whole))).toEqual(whole);
    expect(read(renderRecord(record({ supersedes: ['b'] })))).toEqual(record({ supersedes: ['b'] }));
  });

  it('stays far below what annotations may hold, whatever was said and however much waits', () => {
    const long = record({
      outcome: outcome(2_000, 'x'.repeat(10_000)),
      supersedes: Array.from({ length: 5_000 }, (_, at) => `superseded-${at}`),
    });
    const text = renderRecord({ ...long, unwritten: [long, long, long] });
    expect(text.length).toBeLessThan(180_000);
    expect(read(text)?.unwritten).toHaveLength(3);
    expect(read(text)?.outcome?.evidence.at(-1)?.atMs).toBe(1_999);
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{"id":1}',
    '{"id":"x","revision":"x","base":"x","content":"x","supersedes":1}',
    '{"id":"x","revision":"x","base":"x","content":"x","outcome":{}}',
    '{"id":"x","revision":"x","base":"x","content":"x","outcome":{"verdict":"promoted","atMs":1,"evidence":[],"state":{}}}',
  ])('is none where it is not ours: %s', (text) => {
    expect(read(text)).toBeUndefined();
  });
});
