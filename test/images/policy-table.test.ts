import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyOfSpec } from '../../src/images/flux-objects.ts';
import { type Candidate, type Decision, pick, type Quarantined } from '../../src/images/pick.ts';
import { type ImagePolicy, plainly, readPattern } from '../../src/images/policy.ts';
import { readWishes, withWishes } from '../../src/images/wishes.ts';

/** A policy of Flux v1 as its annotation says it, or of Flux v2 as its object says it. */
type Written = string | { readonly policy: object; readonly filterTags?: object };

function policyOf(written: Written, annotations: Readonly<Record<string, string>> = {}): ImagePolicy {
  const selection = typeof written === 'string' ? readPattern(written) : undefined;
  const policy =
    typeof written === 'string'
      ? selection && !('problem' in selection) && { ...plainly, text: written, selection }
      : policyOfSpec(written);
  if (!policy || 'problem' in policy) throw new Error(`${JSON.stringify(written)} is not read`);
  return withWishes(policy, readWishes(annotations));
}
const semver = (range: string): Written => ({ policy: { semver: { range } } });
const taken = (policy: object, pattern: string, extract?: string): Written => ({
  policy,
  filterTags: { pattern, ...(extract === undefined ? {} : { extract }) },
});

/**
 * One list of tags and what policies take of it. `ordered` is written by hand, oldest first, as the documentation of the policies orders them;
 * `others` cannot be ordered. Of each policy the newest tag that it takes is written down; null: it takes none. What is picked follows: that
 * tag, where the current one stands before it, and else nothing.
 */
interface Group {
  readonly title: string;
  readonly ordered: readonly string[];
  readonly others: readonly string[];
  readonly newest: readonly (readonly [written: Written, tag: string | null])[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** Each tag was made a second after the one before it; what cannot be ordered, before all. */
  readonly isByTime?: boolean;
}

const groups: readonly Group[] = [
  {
    title: 'versions as Flux v1 reads them',
    ordered: ['1.3.0', '1.4', '1.4.1', '1.4.9', '1.4.10', 'v1.4.11', '1.5.0-rc.1', '1.5.0', '2.0.0', '2.1.0-rc.1'],
    others: ['latest', 'main', '1.4.0.1', '1.4.0_1'],
    newest: [
      // ~ stays within the least part that is written, or within the major version where only that is.
      ['semver:~1.4', 'v1.4.11'],
      ['semver:~1.4.0', 'v1.4.11'],
      ['semver:~1.4.9', 'v1.4.11'],
      ['semver:~v1.4', 'v1.4.11'],
      ['semver:~1', '1.5.0'],
      ['semver:~1.x', '1.5.0'],
      // A part that is missing or wild stands for all.
      ['semver:1.4', 'v1.4.11'],
      ['semver:1.4.x', 'v1.4.11'],
      ['semver:1.4.*', 'v1.4.11'],
      ['semver:1', '1.5.0'],
      ['semver:1.x', '1.5.0'],
      ['semver:*', '2.0.0'],
      ['semver:x', '2.0.0'],
      // ^ stays within the major version.
      ['semver:^1', '1.5.0'],
      ['semver:^1.4', '1.5.0'],
      ['semver:^1.4.9', '1.5.0'],
      ['semver:^2', '2.0.0'],
      // Pre-releases are taken where the range names one.
      ['semver:^2.0.0-0', '2.1.0-rc.1'],
      ['semver:>=1.4-0', '2.1.0-rc.1'],
      ['semver:=1.5.0-rc.1', '1.5.0-rc.1'],
      ['semver:~1.5.0-rc', '1.5.0'],
      // Comparisons, which a blank or a comma joins, and || divides.
      ['semver:>=1.4', '2.0.0'],
      ['semver:>=1.4 <2', '1.5.0'],
      ['semver:>=1.4, <1.5', 'v1.4.11'],
      ['semver:>1.4.9 <=1.4.10', '1.4.10'],
      ['semver:1.3 - 1.4', 'v1.4.11'],
      ['semver:1.3.0 - 1.4.9', '1.4.9'],
      ['semver:=1.4.9', '1.4.9'],
      ['semver:1.4.9', '1.4.9'],
      ['semver:!=2.0.0', '1.5.0'],
      ['semver:<2', '1.5.0'],
      ['semver:<=1.4.10', '1.4.10'],
      ['semver:1.4.1 || 1.4.9', '1.4.9'],
      ['semver:~1.3 || ^2', '2.0.0'],
      ['semver:>=3', null],
      ['semver:~1.6', null],
    ],
  },
  {
    title: 'versions as Flux v2 reads them: all three parts',
    ordered: ['1.3.0', '1.4.0', '1.4.1', 'v1.4.2', '1.5.0-alpha.2', '1.5.0-alpha.10', '1.5.0', '2.0.0'],
    others: ['latest', '1.6', '3', '1.4.0.1', 'main-1'],
    newest: [
      [semver('1.4.x'), 'v1.4.2'],
      [semver('~1.4'), 'v1.4.2'],
      [semver('^1.0.0'), '1.5.0'],
      [semver('>=1.0.0'), '2.0.0'],
      [semver('>=1.0.0-0'), '2.0.0'],
      [semver('>=1.5.0-alpha.0 <1.5.0-beta'), '1.5.0-alpha.10'],
      [semver('=1.4.1'), '1.4.1'],
      [semver('<1.4.0'), '1.3.0'],
      [semver('>=1.6.0 <2.0.0'), null],
      [semver('*'), '2.0.0'],
    ],
  },
  {
    title: 'pre-releases by their numbers, where that is asked for',
    ordered: ['1.0.0-rc1', '1.0.0-rc2', '1.0.0-rc9', '1.0.0-rc10', '1.0.0-rc11', '1.0.0', '1.1.0-rc9', '1.1.0-rc10'],
    others: ['rc12', 'latest'],
    annotations: { 'serin.dev/image-prereleases': 'natural' },
    newest: [
      ['semver:~1.0-0', '1.0.0'],
      ['semver:>=1.0.0-0', '1.1.0-rc10'],
      [semver('>=1.1.0-0'), '1.1.0-rc10'],
      [semver('~1.0'), '1.0.0'],
    ],
  },
  {
    title: 'numbers, the greatest the newest',
    ordered: ['0', '1.5', '2', '9', '10', '0100', '20240101000000', '99999999999999999999'],
    others: ['-3', 'x', 'v1', '1a', '1.2.3'],
    newest: [
      [{ policy: { numerical: { order: 'asc' } } }, '99999999999999999999'],
      [{ policy: { numerical: {} } }, '99999999999999999999'],
    ],
  },
  {
    title: 'numbers that a filter takes; what it passes over cannot be compared with',
    ordered: ['2', '9', '10', '99'],
    others: ['100', '20240101', '007', 'x'],
    newest: [
      [taken({ numerical: { order: 'asc' } }, '^[0-9]{1,2}$'), '99'],
      [taken({ numerical: {} }, '^[0-9]{1,2}$', '$0'), '99'],
    ],
  },
  {
    title: 'numbers, the least the newest',
    ordered: ['100', '10', '9', '2', '1'],
    others: ['x', '1-1'],
    newest: [[{ policy: { numerical: { order: 'desc' } } }, '1']],
  },
  {
    title: 'names, the last of the alphabet the newest',
    ordered: ['1.0', 'B', 'RELEASE.2020-01-31', 'RELEASE.2021-02-01', 'a', 'b', 'ba'],
    others: [],
    newest: [
      [{ policy: { alphabetical: { order: 'asc' } } }, 'ba'],
      [{ policy: { alphabetical: {} } }, 'ba'],
    ],
  },
  {
    title: 'names that a filter takes',
    ordered: ['RELEASE.2020-01-31', 'RELEASE.2021-02-01', 'RELEASE.2021-02-01T2'],
    others: ['1.0', 'a', 'latest', 'DEBUG.2025'],
    newest: [[taken({ alphabetical: { order: 'asc' } }, '^RELEASE\\..*$'), 'RELEASE.2021-02-01T2']],
  },
  {
    title: 'names, the first of the alphabet the newest',
    ordered: ['zesty', 'focal', 'bionic', 'artful'],
    others: [],
    newest: [[{ policy: { alphabetical: { order: 'desc' } } }, 'artful']],
  },
  {
    title: 'what a filter takes out of a tag',
    ordered: ['main-fff0-30', 'main-abc0-100', 'main-0000-200', 'main-1111-1000'],
    others: ['dev-aaaa-9999', 'latest', 'main-xyz-5', 'main-abcd-'],
    newest: [
      [taken({ numerical: { order: 'asc' } }, '^main-[a-f0-9]+-(?P<ts>[0-9]+)$', '$ts'), 'main-1111-1000'],
      [taken({ numerical: { order: 'asc' } }, '^main-[a-f0-9]+-([0-9]+)$', '$1'), 'main-1111-1000'],
      [taken({ numerical: {} }, '^main-[a-f0-9]+-(?P<ts>[0-9]+)$', '${ts}'), 'main-1111-1000'],
    ],
  },
  {
    title: 'versions behind a filter',
    ordered: ['1.2.0-alpine', '1.3.0-alpine', '1.10.0-alpine'],
    others: ['1.4.0', '1.9.0-debian', 'alpine', '1.x-alpine'],
    newest: [
      [taken({ semver: { range: '>=1.0.0' } }, '^(?P<v>.*)-alpine$', '$v'), '1.10.0-alpine'],
      [taken({ semver: { range: '~1.3' } }, '^(?P<v>.*)-alpine$', '$v'), '1.3.0-alpine'],
      [taken({ semver: { range: '2.x' } }, '^(?P<v>.*)-alpine$', '$v'), null],
    ],
  },
  {
    title: 'the one that was made last, as Flux v1 takes it by globs and expressions',
    ordered: ['master-c', 'dev-1', 'master-a', 'v1.2', 'master-b', 'dev-2', 'latest'],
    others: ['old-1', 'old-2'],
    isByTime: true,
    newest: [
      ['glob:master-*', 'master-b'],
      ['master-*', 'master-b'],
      ['glob:*', 'dev-2'],
      ['*', 'dev-2'],
      ['glob:v1.*', 'v1.2'],
      ['latest', 'latest'],
      ['glob:latest', 'latest'],
      ['regex:^master', 'master-b'],
      ['regexp:^(master|dev)-', 'dev-2'],
      // Not anchored.
      ['regex:1', 'v1.2'],
      ['regexp:^x', null],
    ],
  },
];
function candidatesOf({ ordered, others, isByTime = false }: Group): readonly Candidate[] {
  if (!isByTime) return [...ordered, ...others].map((tag) => ({ tag }));
  return [
    ...others.map((tag, at) => ({ tag, createdMs: 100 + at })),
    ...ordered.map((tag, at) => ({ tag, createdMs: 10_000 + at * 1_000 })),
  ];
}
function decided(
  policy: ImagePolicy,
  current: string,
  candidates: readonly Candidate[],
  quarantine: readonly Quarantined[] = [],
): Decision {
  return pick({ policy, current: { tag: current }, listing: { candidates }, quarantine, nowMs: 1e12 });
}

describe('What policies take', () => {
  let cases = 0;
  it.each(groups)('of $title', (group) => {
    const { ordered, others, newest, annotations, isByTime = false } = group;
    const candidates = candidatesOf(group);
    for (const [written, tag] of newest) {
      const policy = policyOf(written, annotations);
      for (const current of [...ordered, ...others, 'not-listed']) {
        const at = isByTime && others.includes(current) ? 0 : ordered.indexOf(current);
        const isKnown = current !== 'not-listed' && (isByTime || ordered.includes(current));
        const isBefore = isByTime && others.includes(current) ? true : at < ordered.indexOf(tag ?? '');
        const expected = tag !== null && isKnown && isBefore ? tag : undefined;
        const { pick: picked, reason } = decided(policy, current, candidates);
        expect(picked?.tag, `${JSON.stringify(written)} at ${current}: ${reason}`).toBe(expected);
        cases += 1;
      }
    }
  });

  it('is said of many cases', () => {
    expect(cases).toBeGreaterThan(650);
  });
});

describe('Whatever kind of policy, and whatever list', () => {
  const question = fc
    .record({ group: fc.nat(groups.length - 1), policy: fc.nat(), current: fc.nat(), seed: fc.nat() })
    .chain(({ group: at, policy, current }) => {
      const group = groups[at];
      if (!group) throw new Error('unreachable');
      const candidates = candidatesOf(group);
      return fc.record({
        group: fc.constant(group),
        written: fc.constant(group.newest[policy % group.newest.length]?.[0] ?? ''),
        current: fc.constant(candidates[current % candidates.length]?.tag ?? ''),
        list: fc.shuffledSubarray([...candidates], { minLength: 1 }),
        again: fc.shuffledSubarray([...candidates], { minLength: candidates.length }),
        banned: fc.subarray([...group.ordered], { maxLength: 3 }),
        byDigest: fc.boolean(),
      });
    });

  it('no older one is picked, none that failed, by tag or digest, and the same for every order', () => {
    let picks = 0;
    fc.assert(
      fc.property(question, ({ group, written, current, list, again, banned, byDigest }) => {
        const policy = policyOf(written, group.annotations);
        const digestOf = (tag: string): string =>
          `sha256:${Buffer.from(tag).toString('hex').padEnd(64, '0').slice(0, 64)}`;
        const known = (one: Candidate): Candidate => ({ ...one, digest: digestOf(one.tag) });
        const quarantine = banned.map((tag) => (byDigest ? { digest: digestOf(tag) } : { tag }));
        const shuffled = again.filter(({ tag }) => list.some((one) => one.tag === tag));
        const decision = decided(policy, current, list.map(known), quarantine);
        expect(decided(policy, current, shuffled.map(known), quarantine)).toEqual(decision);
        const { pick: picked } = decision;
        expect(decision.rejected).toHaveLength(list.length - (picked ? 1 : 0));
        if (!picked) return;
        picks += 1;
        // By time the others are the oldest, in their order; else no policy takes them.
        const order = [...(group.isByTime ? group.others : []), ...group.ordered];
        const place = (tag: string): number => order.indexOf(tag);
        expect(list.map(({ tag }) => tag)).toContain(current);
        expect(place(picked.tag)).toBeGreaterThan(place(current));
        const newest = group.newest.find(([one]) => one === written)?.[1] ?? '';
        expect(place(picked.tag)).toBeLessThanOrEqual(place(newest));
        expect(banned).not.toContain(picked.tag);
      }),
      { numRuns: 2_000 },
    );
    // It is not because nothing ever is.
    expect(picks).toBeGreaterThan(100);
  });

  it('nothing is picked from one that was cut off, as far as its size or its end says so', () => {
    let picks = 0;
    fc.assert(
      fc.property(
        question,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        ({ group, written, current, again }, share) => {
          const policy = policyOf(written, group.annotations);
          const left = again.slice(0, Math.floor(again.length * share));
          if (decided(policy, current, again).pick) picks += 1;
          const ask = { policy, current: { tag: current }, quarantine: [], nowMs: 1e12 };
          expect(pick({ ...ask, listing: { candidates: left, broken: 'it broke off' } }).pick).toBeUndefined();
          if (left.length < 0.8 * again.length)
            expect(pick({ ...ask, listing: { candidates: left, formerCount: again.length } }).pick).toBeUndefined();
        },
      ),
      { numRuns: 1_000 },
    );
    expect(picks).toBeGreaterThan(100);
  });
});
