import { describe, expect, it } from 'vitest';
import type { WholeSettings } from '../../src/agent/deps.ts';
import { createSnapshots } from '../../src/agent/source/snapshots.ts';
import { fetchTip, never, text, withGit } from '../helpers/git-fixture.ts';
import { commitFiles, fsck, runGit } from '../helpers/temp-repo.ts';

const deep = (levels: number, name: string): string => `${'d/'.repeat(levels)}${name}`;
const config = (name: string, value: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { a: "${value}" }\n`;
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test', selectorLabels: ['app'] };

describe('a folder that is nested too deeply', () => {
  it('is named instead of listed, and costs nothing beside it', () =>
    withGit(async ({ path, open }) => {
      const repo = await open();
      await commitFiles(path, {
        files: { [deep(100, 'near.yaml')]: '1', [deep(101, 'far.yaml')]: '1', [deep(400, 'end.yaml')]: '1' },
        message: 'deep',
      });
      const first = await fetchTip(repo);
      const tree = await repo.tree(first, '');
      expect([...tree.keys()]).toEqual(['README.md', 'apps/a.yaml', deep(100, 'd'), deep(100, 'near.yaml')]);
      expect(tree.get(deep(100, 'd'))?.mode).toBe('40000');
      expect(await repo.standing(first, deep(400, 'end.yaml'))).toMatchObject({ kind: 'file' });
      expect(text(await repo.file(first, deep(101, 'far.yaml')))).toBe('1');
      await commitFiles(path, { files: { [deep(101, 'far.yaml')]: '2', 'apps/a.yaml': 'a: 2\n' }, message: 'both' });
      const second = await fetchTip(repo);
      const changes = await repo.diff(first, second, '');
      expect(changes.map(({ kind, path: file }) => [kind, file])).toEqual([
        ['modified', 'apps/a.yaml'],
        ['modified', deep(100, 'd')],
      ]);
      await commitFiles(path, {
        files: { [deep(101, 'far.yaml')]: null, [deep(400, 'end.yaml')]: null },
        message: 'gone',
      });
      const third = await fetchTip(repo);
      expect(await repo.diff(second, third, '')).toMatchObject([{ kind: 'removed', path: deep(100, 'd') }]);
    }));

  it('is an error of the sync, which goes on with everything else', () =>
    withGit(async ({ path, open }) => {
      const repo = await open();
      const snapshots = createSnapshots(repo, settings as unknown as WholeSettings);
      await commitFiles(path, { files: { 'a.yaml': config('a', '1') }, message: 'flat' });
      let last = await snapshots.at(await fetchTip(repo), undefined, never);
      const errors = (): string[] => last.loaded.problems.map(({ severity, message }) => `${severity}: ${message}`);
      expect(errors()).toEqual([]);
      await commitFiles(path, {
        files: { [deep(150, 'b.yaml')]: config('b', '1'), 'a.yaml': config('a', '2') },
        message: 'deep',
      });
      last = await snapshots.at(await fetchTip(repo), last, never);
      expect(errors()).toEqual([expect.stringMatching(/^error: the folder is nested too deeply/)]);
      expect(last.loaded.manifests.map(({ object }) => object['data'])).toEqual([{ a: '2' }]);
      const fresh = await createSnapshots(repo, settings as unknown as WholeSettings).at(
        last.revision,
        undefined,
        never,
      );
      expect(fresh.loaded.problems).toEqual(last.loaded.problems);
      await commitFiles(path, { files: { [deep(150, 'b.yaml')]: null }, message: 'flat again' });
      last = await snapshots.at(await fetchTip(repo), last, never);
      expect(errors()).toEqual([]);
    }));
});

describe('names that are no UTF-8', () => {
  /** Commits files whose names are given as git quotes them. */
  const commitQuoted = async (path: string, files: Readonly<Record<string, string>>): Promise<void> => {
    const body = Object.entries(files).map(
      ([name, content]) => `M 100644 inline "${name}"\ndata ${content.length}\n${content}\n`,
    );
    const head = `commit refs/heads/main\ncommitter a <a@example.com> 1700000100 +0000\ndata 1\nx\nfrom refs/heads/main^0\n`;
    await runGit(['-C', path, 'fast-import', '--quiet'], head + body.join(''));
  };
  const listed = (path: string): Promise<string> => runGit(['-C', path, 'ls-tree', '-r', '--name-only', 'main']);

  it.each([
    ['of Latin-1 letters', 'caf\\351.yaml', 'caf\\350.yaml'],
    ['in folders', 'd\\377/a.yaml', 'd\\376/a.yaml'],
    ['of a half of a pair', 'x\\355\\240\\200.yaml', 'x\\355\\240\\201.yaml'],
    ['beside the sign that stands for them', 'y\\377.yaml', 'y\\357\\277\\275.yaml'],
  ])('%s stay two files, and come out of an edit beside them as they were', (_, one, other) =>
    withGit(async ({ path, open }) => {
      const repo = await open();
      await commitQuoted(path, { [one]: 'one', [other]: 'other' });
      const tip = await fetchTip(repo);
      const added = [...(await repo.tree(tip, ''))].filter(([name]) => name !== 'README.md' && name !== 'apps/a.yaml');
      const contents = await Promise.all(added.map(([name]) => repo.file(tip, name)));
      expect(new Set(contents.map(text))).toEqual(new Set(['one', 'other']));
      const before = await listed(path);
      const name = added.find((_entry, at) => text(contents[at]) === 'one')?.[0] ?? '';
      const author = { name: 'a', email: 'a@example.com', atMs: 0 };
      // The folder is written anew, because a file comes beside them.
      const folder = name.includes('/') ? `${name.slice(0, name.lastIndexOf('/'))}/` : '';
      const files = new Map([
        [name, 'ONE'],
        [`${folder}new.txt`, 'new'],
      ]);
      const pushed = await repo.push({ expected: tip, commits: [{ files, message: 'm', author }], tags: [] }, never);
      expect(pushed.kind).toBe('landed');
      const after = (await listed(path)).split('\n').filter((line) => !line.includes('new.txt'));
      expect(after.join('\n')).toBe(before);
      await fsck(path);
    }),
  );
});
