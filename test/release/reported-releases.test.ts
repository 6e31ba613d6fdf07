import { expect, it } from 'vitest';
import { asRevision, type CommitInfo, type GitRepo, type Revision } from '../../src/git/repo.ts';
import { createReleaseTags } from '../../src/release/release-tags.ts';
import { createReportedReleases } from '../../src/release/reported-releases.ts';
import { aRevision } from './an-outcome.ts';

const never = new AbortController().signal;
const author = { name: 'a', email: 'b', atMs: 0 };
const revision = (at: number): Revision => asRevision(at.toString(16).padStart(40, '0'));

/** A history of so many commits that each tell of a release of their own, and of those that `also` says. */
function history(also: Readonly<Record<number, string>> = {}): {
  repo: Pick<GitRepo, 'has' | 'commit'>;
  read: Revision[];
  forget: (before: number) => void;
} {
  const read: Revision[] = [];
  let oldest = 0;
  const numberOf = (at: Revision): number => Number.parseInt(at, 16);
  return {
    read,
    forget: (before) => (oldest = before),
    repo: {
      has: (at) => Promise.resolve(numberOf(at) >= oldest),
      commit: (at) => {
        read.push(at);
        const number = numberOf(at);
        const told = also[number] === undefined ? '' : `Release-Id: ${also[number]}\n`;
        const commit: CommitInfo = {
          revision: at,
          parents: number === 0 ? [] : [revision(number - 1), revision(9_000)],
          author,
          message: `x\n\nRelease-Id: r${number}\n${told}`,
        };
        return Promise.resolve(commit);
      },
    },
  };
}

it('releases are told by the newest commit first, and each commit is read once', async () => {
  const { repo, read } = history({ 20: 'r3' });
  const told = createReportedReleases(repo);
  expect((await told(revision(25))).get('r3')).toEqual([revision(20), revision(3)]);
  expect(read).toHaveLength(26);
  expect((await told(revision(27))).get('r27')).toEqual([revision(27)]);
  expect((await told(revision(27))).get('r0')).toEqual([revision(0)]);
  expect(read).toHaveLength(28);
});

it('releases are told as far back as history is here, as soon as it is, and no farther than 500 commits', async () => {
  const { repo, forget, read } = history();
  const told = createReportedReleases(repo);
  forget(990);
  expect((await told(revision(1_000))).size).toBe(11);
  forget(0);
  const all = await told(revision(1_000));
  expect([all.size, all.has('r501'), all.has('r500')]).toEqual([500, true, false]);
  expect(read).toHaveLength(500);
  // What a rewritten history left behind is not told.
  expect((await told(revision(400))).has('r501')).toBe(false);
});

it('tags are asked for once, those of the named apps and no others', async () => {
  const asked: (readonly string[])[] = [];
  const refs: GitRepo['refs'] = (prefixes) => {
    asked.push(prefixes);
    const names = ['test/a/1', 'test/a/12', 'test/a/0', 'test/a/x', 'test/a/1/2', 'test/ab/7', 'test/b/3'];
    return Promise.resolve(new Map(names.map((name) => [`refs/tags/r/${name}`, aRevision('c')])));
  };
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ namespace: 'test', name }));
  if (!a || !b || !c) throw new Error('three apps');
  const tags = createReleaseTags({ refs }, { tagPrefix: 'r/' }, [a, b, c]);
  expect(asked).toEqual([]);
  expect([...(await tags(a, never)).keys()]).toEqual([1, 12]);
  expect([...(await tags(b, never)).keys()]).toEqual([3]);
  expect([...(await tags(c, never)).keys()]).toEqual([]);
  expect(asked).toEqual([['refs/tags/r/test/a/', 'refs/tags/r/test/b/', 'refs/tags/r/test/c/']]);
});
