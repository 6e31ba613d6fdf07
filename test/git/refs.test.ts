import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRepo } from '../../src/git/open-repo.ts';
import { aPush, fetchTip, never, text, withGit } from '../helpers/git-fixture.ts';
import { commitFiles, fsck, revParse, runGit } from '../helpers/temp-repo.ts';

/** Names of refs that are easily taken for the branch `main`, and HEADs that lead nowhere. */
const confusing: readonly (readonly [string, (git: (...args: string[]) => Promise<string>) => Promise<unknown>])[] = [
  ['a tag main on an older commit', (git) => git('tag', 'main', 'refs/heads/main~1')],
  ['a tag main on the same commit', (git) => git('tag', 'main', 'refs/heads/main')],
  [
    'an annotated tag main',
    (git) => git('-c', 'user.name=a', '-c', 'user.email=a@b', 'tag', '-a', '-m', 'x', 'main', 'refs/heads/main~1'),
  ],
  ['a ref refs/main', (git) => git('update-ref', 'refs/main', 'refs/heads/main~1')],
  ['a ref refs/remotes/main/HEAD', (git) => git('update-ref', 'refs/remotes/main/HEAD', 'refs/heads/main~1')],
  ['a branch refs/heads/refs/heads/main', (git) => git('branch', 'refs/heads/main', 'refs/heads/main~1')],
  ['a tag heads/main', (git) => git('tag', 'heads/main', 'refs/heads/main~1')],
  ['a HEAD that names no branch', (git) => git('symbolic-ref', 'HEAD', 'refs/heads/nothing')],
  ['a HEAD that names a tag', (git) => git('symbolic-ref', 'HEAD', 'refs/tags/nothing')],
  ['a detached HEAD', (git) => git('update-ref', '--no-deref', 'HEAD', 'refs/heads/main~1')],
];

describe.each([[true], [false]])('the branch is found (protocol 2: %s)', (protocolV2) => {
  it.each(confusing)('beside %s: the first download, an update and a push', (_, confuse) =>
    withGit(
      async ({ path, open }) => {
        await commitFiles(path, { files: { f: '1' }, message: 'second' });
        await confuse((...args) => runGit(['-C', path, ...args]));
        const repo = await open();
        const first = await fetchTip(repo);
        expect(first).toBe(await revParse(path, 'refs/heads/main'));
        expect(text(await repo.file(first, 'f'))).toBe('1');
        await commitFiles(path, { files: { f: '2' }, message: 'third' });
        const next = await fetchTip(repo);
        expect(text(await repo.file(next, 'f'))).toBe('2');
        expect(await repo.push(aPush(next), never)).toMatchObject({ kind: 'landed' });
        expect(await revParse(path, 'refs/heads/main~1')).toBe(next);
      },
      { protocolV2 },
    ),
  );

  it.each(['release/1.0', 'größe/日本', 'a#b%20c&d', 'HEAD', '-x', 'refs/heads/main'])('by the name %s', (branch) =>
    withGit(
      async ({ root, server }) => {
        const path = await server.createRepo('other', { files: { f: '1' }, branch });
        await runGit(['-C', path, 'symbolic-ref', 'HEAD', 'refs/heads/main']);
        const repo = await openRepo({ url: server.repoUrl('other'), branch, dir: join(root, 'other') });
        try {
          const tip = await fetchTip(repo);
          expect(text(await repo.file(tip, 'f'))).toBe('1');
          expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
          await fsck(path);
        } finally {
          await repo.close();
        }
      },
      { protocolV2 },
    ),
  );
});
