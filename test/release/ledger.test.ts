import { describe, expect, it } from 'vitest';
import { holdsRelease, ledgerPath, parseLedger, quarantineReason, type StableEntry } from '../../src/release/ledger.ts';
import { LedgerFile, withQuarantine, withRemoved, withStable, withWithdrawn } from '../../src/release/ledger-file.ts';
import { releaseId } from '../../src/release/release-id.ts';
import { aRevision } from './an-outcome.ts';

const app = { namespace: 'test', name: 'podinfo' };
const path = '.releases/test/podinfo.yaml';
const file = (text: string): LedgerFile => new LedgerFile(path, text);
const state = { images: { podinfod: 'podinfo:3.1.1' }, templateHash: '4567', content: 'abcd' };
const stable: StableEntry = {
  ...state,
  release: 3,
  releaseId: 'id3',
  revision: aRevision('a'),
  at: '2026-03-01T10:05:10Z',
  configs: { 'configmap/podinfo-config': '0011' },
};
const bad = {
  ...state,
  content: '12e4',
  releaseId: 'id4',
  revision: aRevision('b'),
  at: '2026-03-01T11:00:00Z',
  failedCheck: 'request-success-rate',
  reason: 'success rate 53.42% < 99%',
};

describe('the ledger', () => {
  it('stands under the synced path, one file for each app', () => {
    expect(ledgerPath({ path: 'clusters/eu', ledgerDir: '.releases' }, app)).toBe(
      'clusters/eu/.releases/test/podinfo.yaml',
    );
  });

  it('is written so that people can read it', () => {
    const text = withQuarantine(app, file(withStable(app, undefined, stable)), bad);
    expect(text).toMatchInlineSnapshot(`
      "# Releases of test/podinfo, written by Serin. "stable" is what was last promoted.
      # A version in quarantine has failed. Who pushes it again has it tried again, and an event says that it failed before.
      apiVersion: serin.dev/v1
      kind: Ledger
      app: test/podinfo
      stable:
        images:
          podinfod: podinfo:3.1.1
        templateHash: "4567"
        content: abcd
        release: 3
        releaseId: id3
        revision: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        at: 2026-03-01T10:05:10Z
        configs:
          configmap/podinfo-config: "0011"
      quarantine:
        - images:
            podinfod: podinfo:3.1.1
          templateHash: "4567"
          content: "12e4"
          releaseId: id4
          revision: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
          at: 2026-03-01T11:00:00Z
          failedCheck: request-success-rate
          reason: success rate 53.42% < 99%
      "
    `);
    expect(parseLedger(path, text)).toEqual({ stable, quarantine: [bad] });
    expect(withQuarantine(app, file(withStable(app, undefined, stable)), bad)).toBe(text);
  });

  it('loses what former agents wrote of Secrets with the next outcome, whatever that is', () => {
    const former = {
      'configmap/a': '0011',
      'secret/pin': '0123456789abcdef',
      'secret/kept': 'keyed-abcdef-0123456789abcdef',
    };
    const before = withStable(app, undefined, stable).replace(
      '    configmap/podinfo-config: "0011"\n',
      Object.entries(former)
        .map(([key, checksum]) => `    ${key}: "${checksum}" # by hand\n`)
        .join(''),
    );
    expect(before).toContain('0123456789abcdef" # by hand');
    const { 'secret/pin': _pin, ...left } = former;
    const removed = { revision: stable.revision, at: stable.at };
    const withdrawn = { releaseId: 'id6', revision: stable.revision, at: stable.at, images: {}, takenBackAt: '' };
    for (const text of [
      withQuarantine(app, file(before), bad),
      withRemoved(file(before), removed),
      withWithdrawn(file(before), withdrawn),
      withStable(app, file(before), { ...stable, configs: former }),
    ]) {
      expect(parseLedger(path, text).stable?.configs).toEqual(left);
      expect(text).not.toContain('secret/pin');
    }
  });

  it('keeps what people wrote into it', () => {
    const text = withQuarantine(app, file(withStable(app, undefined, stable)), bad)
      .replace('quarantine:', '# asked Ada about these\nquarantine:')
      .replace('release: 3', 'release: 3 # the good one')
      .replace('reason: success', 'owner: ada\n    reason: success');
    const next = withStable(app, file(text), { ...stable, release: 4, releaseId: 'id5' });
    expect(next).toBe(text.replace('release: 3', 'release: 4').replace('id3', 'id5'));
    const lifted = next.replace(/quarantine:\n[^]*$/, 'quarantine: []\n');
    expect(parseLedger(path, withQuarantine(app, file(lifted), { ...bad, releaseId: 'id6' })).quarantine).toHaveLength(
      1,
    );
  });

  it('forgets the oldest of very many rejected versions', () => {
    let text = withStable(app, undefined, stable);
    for (let index = 0; index < 55; index += 1)
      text = withQuarantine(app, file(text), { ...bad, releaseId: `id${index}` });
    expect(parseLedger(path, text).quarantine.map((entry) => entry.releaseId)).toHaveLength(50);
    expect(holdsRelease(parseLedger(path, text), 'id54')).toBe(true);
    expect(holdsRelease(parseLedger(path, text), 'id4')).toBe(false);
  });

  it.each([
    ['is no YAML', 'a: [', 'not readable as YAML'],
    ['is of a later version', 'apiVersion: serin.dev/v9\n', 'serin.dev/v9'],
    ['lost its stable content', 'apiVersion: serin.dev/v1\nstable: {release: 1}\n', 'stable'],
    ['says something twice', 'apiVersion: serin.dev/v1\napiVersion: serin.dev/v1\n', 'must be unique'],
    ['has an entry that names nothing', 'apiVersion: serin.dev/v1\nquarantine: [{reason: x}]\n', 'quarantine'],
  ])('is refused with file and reason where it %s', (_, text, reason) => {
    expect(() => parseLedger(path, text)).toThrow(reason);
    expect(() => parseLedger(path, text)).toThrow(new RegExp(`^${path}:[12] `));
  });

  const head = 'apiVersion: serin.dev/v1\nquarantine: []\n';
  const lines = (count: number, line: (at: number) => string): string =>
    Array.from({ length: count }, (_, at) => `${line(at)}\n`).join('');
  it.each([
    ['keys', head + lines(20_000, (at) => `k${at}: v`), 'more than 20000 words and signs'],
    ['comments', head + lines(40_000, () => '#'), 'more than 20000 words and signs'],
    ['brackets', `${head}a: [${'[],'.repeat(20_000)}]\n`, 'more than 20000 words and signs'],
    ['depth', `${head}a: ${'['.repeat(15_000)}\n`, 'not readable as YAML'],
    [
      'aliases',
      `${head}l:\n${lines(1_000, (at) => `- &a${at} x`)}${lines(1_000, (at) => `- *a${at}`)}`,
      'more than 100 aliases',
    ],
    ['text', `${head}a: ${'x'.repeat(600_000)}\n`, 'larger than 512 KiB'],
  ])('is refused before it costs others their time: %s', (_, text, reason) => {
    const before = process.cpuUsage();
    expect(() => parseLedger(path, text)).toThrow(reason);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(400);
  });

  it('takes what is not refused in proportion to its length', () => {
    const timeOf = (text: string): number => {
      const times = [1, 2, 3].map(() => {
        const before = process.cpuUsage();
        withWithdrawn(file(text), { ...bad, takenBackAt: aRevision('c') });
        const { user, system } = process.cpuUsage(before);
        return (user + system) / 1_000;
      });
      return Math.min(...times);
    };
    const keys = (count: number): string => head + lines(count, (at) => `k${at}: v`);
    expect(timeOf(keys(2_800))).toBeLessThan(Math.max(5 * timeOf(keys(1_400)), 150));
  });

  it('can be read again however many images the rejected versions have', () => {
    const images = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`container${at}`, `shop@sha256:${'1'.repeat(64)}`]),
    );
    let text = withStable(app, undefined, { ...stable, images });
    for (let index = 0; index < 12; index += 1)
      text = withQuarantine(app, file(text), { ...bad, images, releaseId: `id${index}` });
    const { quarantine } = parseLedger(path, text);
    expect(quarantine.length).toBeGreaterThan(3);
    expect(quarantine.at(-1)?.releaseId).toBe('id11');
  });
});

describe('quarantine', () => {
  const nowMs = Date.parse('2026-03-02T00:00:00Z');
  const ledger = { quarantine: [bad] };

  it('counts by content', () => {
    expect(quarantineReason(ledger, { ...state, content: bad.content, images: {} }, nowMs)).toBe(bad.reason);
    expect(quarantineReason(ledger, state, nowMs)).toBeUndefined();
  });

  it('ends where it says so', () => {
    const until = (expires: string): string | undefined =>
      quarantineReason({ quarantine: [{ ...bad, expires }] }, { ...state, content: bad.content }, nowMs);
    expect(until('2026-03-01T23:59:59Z')).toBeUndefined();
    expect(until('2026-03-02T00:00:01Z')).toBe(bad.reason);
    expect(until('tomorrow')).toBe(bad.reason);
  });

  it('can be ordered by a person who knows nothing but the image', () => {
    const written = parseLedger(path, 'apiVersion: serin.dev/v1\nquarantine:\n- images: {podinfod: "podinfo:3.1.1"}\n');
    expect(quarantineReason(written, state, nowMs)).toBe('in quarantine');
    expect(quarantineReason(written, { ...state, images: { podinfod: 'podinfo:3.1.2' } }, nowMs)).toBeUndefined();
  });
});

it('a release has one id for all times', () => {
  expect(releaseId(app, 'abcd', aRevision('a'))).toBe(releaseId({ ...app }, 'abcd', aRevision('a')));
  const ids = [
    releaseId(app, 'abcd', aRevision('a')),
    releaseId(app, 'abcd', aRevision('b')),
    releaseId(app, 'abce', aRevision('a')),
    releaseId({ ...app, name: 'x' }, 'abcd', aRevision('a')),
  ];
  expect(new Set(ids).size).toBe(4);
  expect(ids[0]).toMatch(/^[0-9a-f]{20}$/);
});
