import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, type Current, type Decision, pick, type Quarantined } from '../../src/images/pick.ts';
import { type ImagePolicy, plainly, readPattern, type Selection, type TagFilter } from '../../src/images/policy.ts';
import { readRange } from '../../src/images/range.ts';
import { readRegex } from '../../src/images/regex/regex.ts';
import { readVersion } from '../../src/images/version.ts';
import { readWindows } from '../../src/images/windows.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');
const hourMs = 3_600_000;
const digestOf = (letter: string): string => `sha256:${letter.repeat(64)}`;

function policyOf(text: string, more: Partial<ImagePolicy> = {}): ImagePolicy {
  const selection = readPattern(text);
  if ('problem' in selection) throw new Error(selection.problem);
  return { ...plainly, text, selection, ...more };
}
function filterOf(text: string, extract?: string): TagFilter {
  const regex = readRegex(text);
  if ('problem' in regex) throw new Error(regex.problem);
  return { text, regex, ...(extract === undefined ? {} : { extract }) };
}
function semver(range: string, more: Partial<ImagePolicy> = {}): ImagePolicy {
  const read = readRange(range);
  if ('problem' in read) throw new Error(read.problem);
  return {
    ...policyOf('*'),
    text: `semver:${range}`,
    selection: { kind: 'semver', range: read, form: 'strict', prereleases: 'semver' },
    ...more,
  };
}
const ordered = (kind: 'numerical' | 'alphabetical', order: 'asc' | 'desc', filter?: TagFilter): ImagePolicy => ({
  ...plainly,
  text: `${kind} ${order}`,
  selection: { kind, order },
  ...(filter ? { filter } : {}),
});

interface Asked {
  readonly policy: ImagePolicy;
  readonly current?: string | Current;
  readonly tags: readonly (string | Candidate)[];
  readonly quarantine?: readonly Quarantined[];
  readonly broken?: string;
  readonly formerCount?: number;
  readonly atMs?: number;
}
function decided({ policy, current = '', tags, quarantine = [], atMs = nowMs, ...listing }: Asked): Decision {
  return pick({
    policy,
    current: typeof current === 'string' ? { tag: current } : current,
    listing: { candidates: tags.map((tag) => (typeof tag === 'string' ? { tag } : tag)), ...listing },
    quarantine,
    nowMs: atMs,
  });
}
const why = (decision: Decision, tag: string): string | undefined =>
  decision.rejected.find((rejected) => rejected.tag === tag)?.reason;

describe('A policy picks', () => {
  const many = ['1.3.0', '1.4.0', '1.4.1', '1.4.2-rc.1', '1.4.10', '1.5.0', '2.0.0', 'latest', 'v1.4.9', 'main-1234'];

  it.each<[string, current: string, picked: string | undefined]>([
    ['semver:~1.4', '1.4.0', '1.4.10'],
    ['semver:~1.4', '1.3.0', '1.4.10'],
    ['semver:~1.4', '1.4.10', undefined],
    ['semver:~1.4', '1.5.0', undefined],
    ['semver:~1.4', '2.0.0', undefined],
    ['semver:~1.4-0', '1.4.1', '1.4.10'],
    ['semver:1.4.2-0', '1.4.1', undefined],
    ['semver:=1.4.2-rc.1', '1.4.1', '1.4.2-rc.1'],
    ['semver:^1', '1.4.0', '1.5.0'],
    ['semver:*', '1.4.0', '2.0.0'],
    ['semver:<1.4.10', '1.4.1', 'v1.4.9'],
    ['semver:>=3', '1.4.0', undefined],
    ['semver:1.x || 2.x', '1.4.0', '2.0.0'],
  ])('%s at %s: %s', (text, current, picked) => {
    expect(decided({ policy: policyOf(text), current, tags: many }).pick?.tag).toBe(picked);
  });

  it.each<[ImagePolicy, string, readonly string[], string | undefined]>([
    [ordered('numerical', 'asc'), '9', ['8', '9', '10', '2'], '10'],
    [ordered('numerical', 'desc'), '9', ['8', '9', '10', '2'], '2'],
    [
      ordered('numerical', 'asc'),
      '20240101000000000001',
      ['20240101000000000001', '20240101000000000002'],
      '20240101000000000002',
    ],
    [ordered('numerical', 'asc'), '1.5', ['1.5', '1.25', '1.50', '-3', '007'], '007'],
    [ordered('alphabetical', 'asc'), 'b', ['a', 'b', 'c', 'B'], 'c'],
    [ordered('alphabetical', 'desc'), 'b', ['a', 'b', 'c', 'B'], 'B'],
    [
      ordered('numerical', 'asc', filterOf('^main-[a-f0-9]+-(?P<ts>[0-9]+)', '$ts')),
      'main-abc-100',
      ['main-abc-100', 'main-fff-200', 'main-000-30', 'dev-fff-900', 'latest'],
      'main-fff-200',
    ],
    [
      { ...semver('>=1.0.0'), filter: filterOf('^(?P<v>.*)-alpine$', '$v') },
      '1.2.0-alpine',
      ['1.2.0-alpine', '1.3.0-alpine', '1.4.0', '1.9.0-debian'],
      '1.3.0-alpine',
    ],
    [semver('>=1.0.0'), '1.2.0', ['1.2.0', 'v1.3.0', '1.3', '1.04.0'], 'v1.3.0'],
    [
      semver('>=1.0.0-0', {
        selection: {
          ...(semver('>=1.0.0-0').selection as Extract<Selection, { kind: 'semver' }>),
          prereleases: 'natural',
        },
      }),
      '1.0.0-rc8',
      ['1.0.0-rc8', '1.0.0-rc9', '1.0.0-rc10'],
      '1.0.0-rc10',
    ],
    [semver('>=1.0.0-0'), '1.0.0-rc8', ['1.0.0-rc8', '1.0.0-rc9', '1.0.0-rc10'], '1.0.0-rc9'],
  ])('by the order that is asked for (%#)', (policy, current, tags, picked) => {
    expect(decided({ policy, current, tags }).pick?.tag).toBe(picked);
  });

  it('the one that was made last for globs and regular expressions', () => {
    const tags: Candidate[] = [
      { tag: 'master-a', createdMs: 100 },
      { tag: 'master-b', createdMs: 300 },
      { tag: 'master-c', createdMs: 200 },
      { tag: 'dev-d', createdMs: 900 },
      { tag: 'latest', createdMs: 950 },
    ];
    const from = (text: string, current: string): string | undefined =>
      decided({ policy: policyOf(text), current, tags }).pick?.tag;
    expect(from('glob:master-*', 'master-a')).toBe('master-b');
    expect(from('master-*', 'master-b')).toBeUndefined();
    expect(from('regex:^(master|dev)-', 'master-a')).toBe('dev-d');
    expect(from('regexp:^master', 'dev-d')).toBeUndefined();
    expect(from('*', 'master-a')).toBe('dev-d');
    expect(from('latest', 'master-a')).toBe('latest');
  });

  it('nothing by time before the time of all is known, and asks for it', () => {
    const policy = policyOf('glob:master-*');
    const asked = decided({
      policy,
      current: 'master-a',
      tags: [{ tag: 'master-a', createdMs: 1 }, 'master-b', 'dev-c'],
    });
    expect(asked).toMatchObject({ need: { what: 'created', tags: ['master-b'] } });
    const silent = decided({
      policy,
      current: 'master-a',
      tags: [
        { tag: 'master-a', createdMs: 1 },
        { tag: 'master-b', createdMs: null },
      ],
    });
    expect(silent.pick).toBeUndefined();
    expect(silent.need).toBeUndefined();
    expect(silent.reason).toContain('does not say when master-b was made');
  });

  it('of two spellings of a version the one that is written like the current', () => {
    const policy = policyOf('semver:^1');
    expect(decided({ policy, current: 'v1.0.0', tags: ['v1.0.0', '1.1.0', 'v1.1.0'] }).pick?.tag).toBe('v1.1.0');
    expect(decided({ policy, current: '1.0.0', tags: ['1.0.0', '1.1.0', 'v1.1.0'] }).pick?.tag).toBe('1.1.0');
    expect(decided({ policy, current: '1.1.0', tags: ['1.1.0', 'v1.1.0', '1.1'] }).pick).toBeUndefined();
  });
});

describe('Of what the library of Flux says that a range includes', () => {
  const { tags, ranges } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../fixtures/images/ranges.json'), 'utf8'),
  ) as {
    readonly tags: readonly string[];
    readonly ranges: readonly (readonly [text: string, answer: string | null])[];
  };
  const currents = ['0.0.0', '1.4.0', '2.0.0-alpha'];

  it.each(['loose', 'strict'] as const)(
    'the newest above the current is picked, and nothing where there is none (%s)',
    (form) => {
      let cases = 0;
      for (const [text, answer] of ranges) {
        const range = readRange(text);
        // What is refused, here or there, and the differences are in the tests of ranges.
        if (answer === null || 'problem' in range) continue;
        const versions = tags.map((tag) => readVersion(tag, form));
        if (versions.some((version, at) => version && range.includes(version) !== /y/i.test(answer[at] ?? '')))
          continue;
        for (const current of currents) {
          const now = readVersion(current, form);
          const expected = versions
            .filter((version, at) => version && /y/i.test(answer[at] ?? '') && now && version.compare(now) > 0)
            .sort((a, b) => (a && b ? b.compare(a) : 0))[0];
          const policy = {
            ...plainly,
            text,
            selection: { kind: 'semver', range, form, prereleases: 'semver' },
          } as const;
          const { pick: picked } = decided({ policy, current, tags });
          expect(picked && readVersion(picked.tag, form)?.version, `${text} at ${current}`).toBe(expected?.version);
          cases += 1;
        }
      }
      expect(cases).toBeGreaterThan(700);
    },
  );
});

describe('A policy holds', () => {
  const policy = policyOf('semver:~1.4');
  const tags = ['1.4.0', '1.4.1', '1.4.2'];

  it.each<[string, Omit<Asked, 'policy'>, string]>([
    [
      'when the current tag is missing from the list',
      { current: '1.3.9', tags },
      'the current tag "1.3.9" is not in the list',
    ],
    [
      'when the list broke off',
      { current: '1.4.0', tags, broken: 'page 3: 503' },
      'the list of tags is not whole: page 3: 503',
    ],
    ['when the list shrank by more than a fifth', { current: '1.4.0', tags, formerCount: 4 }, 'shrank from 4 to 3'],
    ['when the list is empty', { current: '1.4.0', tags: [] }, 'is not in the list'],
    ['when the image has no tag', { current: { digest: digestOf('a') }, tags }, 'has no tag'],
    [
      'when the current tag is no version',
      { current: 'latest', tags: [...tags, 'latest'] },
      'cannot be told: is no version',
    ],
  ])('%s', (_, asked, reason) => {
    const decision = decided({ policy, ...asked });
    expect(decision.pick).toBeUndefined();
    expect(decision.reason).toContain(reason);
    expect(decision.rejected).toHaveLength(asked.tags.length);
  });

  it('not when it shrank by a fifth', () => {
    expect(decided({ policy, current: '1.4.0', tags: [...tags, '1.0.0'], formerCount: 5 }).pick?.tag).toBe('1.4.2');
  });

  it('while it is frozen, or no window is open', () => {
    const windows = readWindows('0 9 * * 1-5 2h');
    if ('problem' in windows) throw new Error(windows.problem);
    const frozen = decided({ policy: { ...policy, frozen: 'sales' }, current: '1.4.0', tags });
    expect(frozen).toMatchObject({ reason: 'frozen: sales' });
    expect(frozen.pick).toBeUndefined();
    expect(why(frozen, '1.4.2')).toBe('frozen: sales');
    const closed = decided({ policy: { ...policy, windows }, current: '1.4.0', tags });
    expect(closed.reason).toContain('no window is open');
    const open = decided({ policy: { ...policy, windows }, current: '1.4.0', tags, atMs: nowMs - 2 * hourMs });
    expect(open.pick?.tag).toBe('1.4.2');
    const both = decided({
      policy: { ...policy, windows, frozen: 'sales' },
      current: '1.4.0',
      tags,
      atMs: nowMs - 2 * hourMs,
    });
    expect(both.reason).toBe('frozen: sales');
  });

  it('what is too new, and takes what is old enough', () => {
    const aged = { ...policy, minAgeMs: 24 * hourMs };
    const decision = decided({
      policy: aged,
      current: '1.4.0',
      tags: [
        { tag: '1.4.0', firstSeenMs: 0 },
        { tag: '1.4.1', firstSeenMs: nowMs - 24 * hourMs },
        // What its publisher says of its age counts nothing.
        { tag: '1.4.2', firstSeenMs: nowMs - 2 * hourMs, createdMs: 0 },
        { tag: '1.4.3', createdMs: 0 },
        { tag: '1.4.4', firstSeenMs: nowMs + hourMs },
      ],
    });
    expect(decision.pick?.tag).toBe('1.4.1');
    expect(why(decision, '1.4.2')).toBe('too new: 2h0m0s < 24h0m0s');
    expect(why(decision, '1.4.3')).toBe('too new: 0s < 24h0m0s');
    expect(why(decision, '1.4.4')).toBe('too new: 0s < 24h0m0s');
    const pushed = decided({
      policy: aged,
      current: '1.4.0',
      tags: ['1.4.0', { tag: '1.4.2', firstSeenMs: nowMs, pushedMs: nowMs - 25 * hourMs }],
    });
    expect(pushed.pick?.tag).toBe('1.4.2');
  });

  it('what its pattern takes too long for', () => {
    const slow = policyOf('regex:(a?){60}(a?){60}(a?){60}b');
    const list = Array.from({ length: 2_000 }, (_, index) => ({ tag: `${'a'.repeat(120)}${index}`, createdMs: index }));
    const decision = decided({ policy: slow, current: list[0]?.tag ?? '', tags: list });
    expect(decision.pick).toBeUndefined();
    expect(decision.reason).toContain('takes too long');
  });
});

describe('What is in quarantine', () => {
  const policy = policyOf('semver:~1.4');
  const known = (tag: string, letter: string): Candidate => ({ tag, digest: digestOf(letter) });

  it('is skipped by tag, and the next one is taken', () => {
    const decision = decided({
      policy,
      current: '1.4.0',
      tags: ['1.4.0', '1.4.1', '1.4.2'],
      quarantine: [{ tag: '1.4.2', reason: 'success rate 53% < 99%' }],
    });
    expect(decision.pick?.tag).toBe('1.4.1');
    expect(why(decision, '1.4.2')).toBe('in quarantine: success rate 53% < 99%');
  });

  it('is skipped by digest, whatever its tag is', () => {
    const tags = [known('1.4.0', 'a'), known('1.4.1', 'b'), known('1.4.2', 'b')];
    expect(
      decided({ policy, current: '1.4.0', tags, quarantine: [{ tag: '1.4.1', digest: digestOf('b') }] }).pick,
    ).toBeUndefined();
  });

  it('is a new candidate when its tag was pushed again with another digest', () => {
    const quarantine = [{ tag: '1.4.1', digest: digestOf('b') }];
    const asked = decided({ policy, current: '1.4.0', tags: ['1.4.0', '1.4.1'], quarantine });
    expect(asked.pick).toBeUndefined();
    expect(asked.need).toEqual({ what: 'digest', tags: ['1.4.1'] });
    expect(decided({ policy, current: '1.4.0', tags: ['1.4.0', known('1.4.1', 'c')], quarantine }).pick?.tag).toBe(
      '1.4.1',
    );
    expect(
      decided({ policy, current: '1.4.0', tags: ['1.4.0', known('1.4.1', 'b')], quarantine }).pick,
    ).toBeUndefined();
    const silent = [{ tag: '1.4.0' }, { tag: '1.4.1', digest: null }];
    expect(decided({ policy, current: '1.4.0', tags: silent, quarantine }).pick).toBeUndefined();
  });
});

describe('A digest', () => {
  const tags = (letter: string): readonly Candidate[] => [
    { tag: '1.4.0', digest: digestOf('a') },
    { tag: '1.4.1', digest: digestOf(letter) },
  ];

  it('is written behind the tag where that is asked for, and never guessed', () => {
    const policy = semver('~1.4', { digest: 'with-tag' });
    expect(decided({ policy, current: '1.4.0', tags: tags('b') }).pick).toEqual({
      tag: '1.4.1',
      digest: digestOf('b'),
    });
    expect(decided({ policy, current: '1.4.0', tags: ['1.4.0', '1.4.1'] }).need).toEqual({
      what: 'digest',
      tags: ['1.4.1'],
    });
    const silent = decided({ policy, current: '1.4.0', tags: ['1.4.0', { tag: '1.4.1', digest: null }] });
    expect(silent.reason).toContain('does not say its digest');
    const wrong = decided({ policy, current: '1.4.0', tags: ['1.4.0', { tag: '1.4.1', digest: 'sha256:zz' }] });
    expect(wrong.pick).toBeUndefined();
  });

  it('follows the tag where it is to be followed', () => {
    const moving = semver('~1.4', { digest: 'always' });
    const current = { tag: '1.4.1', digest: digestOf('b') };
    expect(decided({ policy: moving, current, tags: tags('c') })).toMatchObject({
      pick: { tag: '1.4.1', digest: digestOf('c') },
      reason: 'the tag was moved to another digest',
    });
    expect(decided({ policy: moving, current, tags: tags('b') }).pick).toBeUndefined();
    expect(decided({ policy: semver('~1.4', { digest: 'with-tag' }), current, tags: tags('c') }).pick).toBeUndefined();
    // Where none is written yet it is asked for, and written.
    expect(decided({ policy: moving, current: '1.4.1', tags: ['1.4.0', '1.4.1'] }).need).toEqual({
      what: 'digest',
      tags: ['1.4.1'],
    });
    expect(decided({ policy: moving, current: '1.4.1', tags: tags('c') })).toMatchObject({
      pick: { tag: '1.4.1', digest: digestOf('c') },
      reason: 'its digest is to be written',
    });
    const failed = decided({ policy: moving, current, tags: tags('c'), quarantine: [{ digest: digestOf('c') }] });
    expect(failed.pick).toBeUndefined();
  });
});

describe('Every candidate that is not picked', () => {
  it('has its reason', () => {
    const decision = decided({
      policy: policyOf('semver:~1.4'),
      current: '1.4.1',
      tags: ['1.4.0', '1.4.1', '1.4.2', '1.4.3', '1.5.0', '1.4.4-rc.1', 'latest', 'not/a tag', 'v1.4.1'],
    });
    expect(decision.pick?.tag).toBe('1.4.3');
    expect(decision.reason).toBe('the newest that semver:~1.4 takes');
    expect(Object.fromEntries(decision.rejected.map(({ tag, reason }) => [tag, reason]))).toEqual({
      '1.4.0': 'older than the current one',
      '1.4.1': 'the current one',
      'v1.4.1': 'as new as the current 1.4.1',
      '1.4.2': 'older than 1.4.3',
      '1.5.0': 'outside of ~1.4',
      '1.4.4-rc.1': 'a pre-release, and ~1.4 names none',
      latest: 'is no version',
      'not/a tag': 'no registry can have such a tag',
    });
  });

  it('also where its pattern cannot be read, because then there is no policy', () => {
    for (const text of [
      'semver:~1.x.y',
      'semver:',
      'regex:(',
      'regexp:(?=a)',
      'glob:',
      '',
      'semvr:~1.4',
      'glob:a b',
      'a/b',
    ])
      expect(readPattern(text), text).toHaveProperty('problem');
  });
});

describe('Whatever the list', () => {
  const tag = fc.oneof(
    fc.tuple(fc.nat(2), fc.nat(3), fc.nat(3)).map((parts) => parts.join('.')),
    fc.tuple(fc.nat(2), fc.nat(3), fc.nat(12)).map(([major, minor, rc]) => `${major}.${minor}.0-rc${rc}`),
    fc.constantFrom('latest', 'v1.2.3', '1.2', 'main-1', '1.2.3.4', 'x y'),
  );
  const question = fc.record({
    list: fc.uniqueArray(tag, { minLength: 1, maxLength: 25 }),
    at: fc.nat(),
    range: fc.constantFrom('~1.2', '*', '>=1.0.0-0', '^0', '1.x || 2.x', '<2', '!=1.2.3'),
    banned: fc.array(tag, { maxLength: 4 }),
  });

  it('never an older, a quarantined or another one than the range takes is picked, and the same for every order', () => {
    fc.assert(
      fc.property(question, fc.integer(), ({ list, at, range, banned }, seed) => {
        const current = list[at % list.length] ?? '';
        const asked = { policy: policyOf(`semver:${range}`), current, quarantine: banned.map((one) => ({ tag: one })) };
        const decision = decided({ ...asked, tags: list });
        const shuffled = [...list]
          .sort((a, b) => ((a.length * 31 + seed) % 7) - ((b.length * 31 + seed) % 7))
          .reverse();
        expect(decided({ ...asked, tags: shuffled })).toEqual(decision);
        expect(decision.rejected.length).toBe(list.length - (decision.pick ? 1 : 0));
        if (!decision.pick) return;
        const [now, next] = [readVersion(current, 'loose'), readVersion(decision.pick.tag, 'loose')];
        const read = readRange(range);
        if (!now || !next || 'problem' in read) throw new Error('picked what is no version');
        expect(next.compare(now)).toBe(1);
        expect(read.includes(next)).toBe(true);
        expect(banned).not.toContain(decision.pick.tag);
      }),
      { numRuns: 1_000 },
    );
  });

  it('nothing is picked from one that was cut off', () => {
    fc.assert(
      fc.property(question, fc.nat(), ({ list, at, range }, cut) => {
        const current = list[at % list.length] ?? '';
        const left = list.slice(0, cut % list.length);
        const policy = policyOf(`semver:${range}`);
        expect(decided({ policy, current, tags: left, broken: 'it broke off' }).pick).toBeUndefined();
        // Where nobody says so, its size does.
        if (left.length < 0.8 * list.length)
          expect(decided({ policy, current, tags: left, formerCount: list.length }).pick).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });
});
