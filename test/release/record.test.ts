import { describe, expect, it } from 'vitest';
import { asRevision } from '../../src/git/repo.ts';
import { renderAnnotation } from '../../src/release/annotation.ts';
import { keep, keptReleases, list, settle } from '../../src/release/outbox.ts';
import { formerRecord, parseRecord, releaseAnnotation, renderRecord } from '../../src/release/record.ts';
import type { ReleaseRecord } from '../../src/release/types.ts';
import { said } from '../helpers/said.ts';

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
  failedCheck: { name: 'x', found: said('y') },
  evidence: Array.from({ length: looks }, (_, at) => ({
    atMs: at,
    canaryWeight: at,
    iterations: 0,
    checks: Array.from({ length: 5 }, () => ({ name: 'x', passed: true, found: said(text) })),
  })),
  state: { revision, images: { a: 'b' }, templateHash: '', configs: {}, content: 'content' },
});

describe('the record of a release', () => {
  it('is read as it was written', () => {
    const whole = record({ outcome: outcome(3), unwritten: [record({ id: 'earlier', outcome: outcome(1) })] });
    expect(parseRecord(renderRecord(whole))).toEqual(whole);
    expect(parseRecord(renderRecord(record({ supersedes: ['b'] })))).toEqual(record({ supersedes: ['b'] }));
  });

  it('stays far below what an object may hold, whatever was said', () => {
    const long = record({
      outcome: outcome(2_000, 'x'.repeat(10_000)),
      evidence: outcome(2_000, 'ü'.repeat(10_000)).evidence,
      supersedes: Array.from({ length: 5_000 }, (_, at) => `superseded-${at}`),
    });
    const text = renderRecord(long);
    expect(Buffer.byteLength(text)).toBeLessThan(140_000);
    expect(parseRecord(text)?.outcome?.evidence.at(-1)?.atMs).toBe(1_999);
  });

  it.each([
    [
      'a thousand checks a look',
      { checks: Array.from({ length: 1_000 }, () => ({ name: 'n', found: said('t'), passed: true })) },
    ],
    ['names without end', { checks: [{ name: 'n'.repeat(500_000), found: said('t'), passed: false }] }],
  ])('loses evidence rather than its outcome: %s', (_what, more) => {
    const [look] = outcome(1).evidence;
    const told = { ...outcome(1), evidence: Array.from({ length: 100 }, () => ({ ...look, ...more })) };
    const text = renderRecord(record({ outcome: told as ReturnType<typeof outcome> }));
    expect(Buffer.byteLength(text)).toBeLessThan(140_000);
    expect(parseRecord(text)?.outcome?.verdict).toBe('rolled-back');
  });

  const foreign = [
    '',
    '{',
    'null',
    '[]',
    '{"id":1}',
    '{"id":"x","revision":"x","base":"x","content":"x","supersedes":1}',
    '{"id":"x","revision":"x","base":"x","content":"x","evidence":[null]}',
    '{"id":"x","revision":"x","base":"x","content":"x","outcome":{}}',
    '{"id":"x","revision":"x","base":"x","content":"x","outcome":{"verdict":"promoted","atMs":1,"evidence":[],"state":{}}}',
    '{"id":"x","revision":"x","base":"x","content":"x","outcome":{"verdict":"promoted","atMs":1,"evidence":[1],"state":{"revision":"x","content":"x","templateHash":"","images":{},"configs":{}}}}',
    `{"id":"${'x'.repeat(3 * 1024 * 1024)}","revision":"x","base":"x","content":"x"}`,
    '['.repeat(100_000),
  ];
  it.each(foreign)('is none where it is not ours: %#', (text) => {
    expect(parseRecord(text)).toBeUndefined();
    const metadata = { name: 'a', annotations: { [releaseAnnotation]: text } };
    expect(formerRecord({ apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata })).toBeUndefined();
  });
});

describe('the outbox of an app', () => {
  const at = (number: number, verdict: 'promoted' | 'rolled-back' = 'rolled-back'): ReleaseRecord =>
    record({ id: `release-${number}`, outcome: { ...outcome(50, 'x'.repeat(1_000)), verdict } });
  /** As many releases as that, none of which reaches Git. */
  const after = (count: number, promoted: readonly number[] = []): ReleaseRecord => {
    let now = at(0);
    for (let number = 1; number < count; number += 1)
      now = { ...at(number, promoted.includes(number) ? 'promoted' : 'rolled-back'), ...keep(now) };
    return now;
  };

  it('keeps what waits, oldest first, until it is settled', () => {
    const now = after(3);
    expect(list(now).map(({ id }) => id)).toEqual(['release-0', 'release-1', 'release-2']);
    const settled = settle(now, 'release-1', revision);
    expect(settled && list(settled).map(({ id }) => id)).toEqual(['release-0', 'release-2']);
    const own = settled && settle(settled, 'release-2', revision);
    expect(own?.outcome?.written).toBe(revision);
    expect(own && settle(own, 'nobody', revision)).toBeUndefined();
    expect(own && keep(own)).toEqual({ unwritten: [expect.objectContaining({ id: 'release-0' }) as unknown] });
  });

  it('gives up the oldest, with a count, and stays bounded in bytes whatever they tell', () => {
    const now = after(150);
    const waiting = now.unwritten?.length ?? 0;
    expect(waiting).toBeGreaterThan(10);
    expect(waiting).toBeLessThanOrEqual(keptReleases);
    expect(now.dropped).toBe(149 - waiting);
    expect(list(now).at(-1)?.id).toBe('release-149');
    expect(Buffer.byteLength(renderRecord(now))).toBeLessThan(500_000);
    expect(parseRecord(renderRecord(now))?.dropped).toBe(now.dropped);
  });

  it('never gives up the last promotion: it says what runs', () => {
    const now = after(150, [3, 7]);
    expect(now.unwritten?.[0]).toMatchObject({ id: 'release-7', outcome: { verdict: 'promoted' } });
    expect(now.unwritten?.some(({ id }) => id === 'release-3')).toBe(false);
  });
});

describe('what people read on a Canary', () => {
  it('is short, of one line, and names the release, how it ended and why it is not in Git', () => {
    const hostile = `x\u202e\n${'y'.repeat(100_000)}`;
    const images = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`c${n}`, hostile]));
    const told = { ...outcome(2_000), blocked: hostile, failedCheck: { name: 'success rate', found: said(hostile) } };
    const text = renderAnnotation(record({ outcome: told, images, startedAtMs: Number.MAX_VALUE }));
    expect(text.length).toBeLessThan(8_000);
    expect(text).not.toMatch(/[\u202e\n]/);
    expect(JSON.parse(text)).toMatchObject({
      release: 'id',
      outcome: { verdict: 'rolled-back', failedCheck: expect.stringContaining('success rate: x') as unknown },
      waitingForGit: 1,
    });
  });
});
