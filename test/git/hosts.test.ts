import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRepo } from '../../src/git/open-repo.ts';
import { aPush, fetchTip, never, type OpenRepo, text } from '../helpers/git-fixture.ts';
import { on, orders } from '../helpers/hostile-git.ts';
import { type HostileHost, startHostileHost } from '../helpers/hostile-host.ts';
import { commitFiles, fsck, revParse, runGit, withTempDir } from '../helpers/temp-repo.ts';
import { asRevision, type Revision } from '../../src/git/repo.ts';

interface Host {
  readonly root: string;
  readonly host: HostileHost;
  readonly path: string;
  readonly open: (mirror?: string) => Promise<OpenRepo>;
  /** Commits of `main`, oldest first. */
  readonly commits: readonly Revision[];
}

/** A repository of 40 commits, so that a fresh mirror has little of its history. */
async function withHost(run: (host: Host) => Promise<void>, options: { readonly protocolV2?: boolean } = {}) {
  await withTempDir(async (root) => {
    const host = await startHostileHost(root, options);
    const opened: OpenRepo[] = [];
    try {
      const path = join(root, 'config.git');
      await runGit(['init', '--quiet', '--bare', '--initial-branch=main', path]);
      await runGit(['-C', path, 'config', 'http.receivepack', 'true']);
      const stream = Array.from(
        { length: 40 },
        (_, at) =>
          `commit refs/heads/main
committer a <a@b> ${at} +0000
data 1
x
M 644 inline f
data ${String(at).length}
${at}

`,
      );
      await runGit(['-C', path, 'fast-import', '--quiet'], stream.join(''));
      const ids = (await runGit(['-C', path, 'rev-list', '--reverse', 'refs/heads/main'])).trim().split('\n');
      await run({
        root,
        host,
        path,
        commits: ids.map(asRevision),
        open: async (mirror = 'mirror') => {
          const repo = await openRepo({ url: `${host.url}/config.git`, branch: 'main', dir: join(root, mirror) });
          opened.push(repo);
          return repo;
        },
      });
    } finally {
      await Promise.all(opened.map((repo) => repo.close()));
      await host.stop();
    }
  });
}

/** Hosts that give nothing but what a ref points at. */
const tipsOnly = (tip: () => Promise<string>) =>
  on(['fetch'], async ({ response, body }) => {
    const wanted = /want ([0-9a-f]{40})/.exec((await body()).toString('latin1'))?.[1];
    if (wanted === undefined || wanted === (await tip())) return false;
    const said = `ERR upload-pack: not our ref ${wanted}`;
    response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
    response.end((said.length + 4).toString(16).padStart(4, '0') + said);
    return true;
  });

describe('a host of protocol 0', () => {
  it('gives a fresh mirror the commits that a release in its middle needs', () =>
    withHost(
      async ({ open, commits, path }) => {
        const repo = await open();
        const tip = await fetchTip(repo);
        const base = commits[3];
        if (!base) return;
        await repo.fetch(base, never);
        expect(text(await repo.file(base, 'f'))).toBe('3');
        expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
        await commitFiles(path, { files: { g: '1' }, message: 'next' });
        expect(text(await repo.file(await fetchTip(repo), 'g'))).toBe('1');
      },
      { protocolV2: false },
    ));

  it.each([
    ['near the tip', 37],
    ['the first one', 0],
  ])('gives a commit by depth, %s, where it gives none by its id', (_, at) =>
    withHost(
      async ({ host, open, commits, path, root }) => {
        host.order(tipsOnly(() => revParse(path, 'refs/heads/main')));
        const repo = await open();
        const wanted = commits[at];
        if (!wanted) return;
        await repo.fetch(wanted, never);
        expect(text(await repo.file(wanted, 'f'))).toBe(String(at));
        await fsck(join(root, 'mirror/mirror.git'));
      },
      { protocolV2: false },
    ),
  );

  it('is searched once for a commit that it does not have, until its branch moves', () =>
    withHost(
      async ({ host, open, path }) => {
        host.order(tipsOnly(() => revParse(path, 'refs/heads/main')));
        const repo = await open();
        await fetchTip(repo);
        const gone = asRevision('1'.repeat(40));
        await expect(repo.fetch(gone, never)).rejects.toMatchObject({ code: 'GIT_NOT_FOUND' });
        const before = host.calls.filter((call) => call === 'fetch').length;
        await expect(repo.fetch(gone, never)).rejects.toThrow(/not in the history of the branch main/);
        expect(host.calls.filter((call) => call === 'fetch').length - before).toBe(1);
      },
      { protocolV2: false },
    ));

  it('whose proxy drops the header of protocol 2 for POST only is read with protocol 0', () =>
    withHost(async ({ host, open, path, commits }) => {
      host.order(
        on(['fetch'], ({ request }) => {
          delete request.headers['git-protocol'];
          return false;
        }),
      );
      const repo = await open();
      const tip = await fetchTip(repo);
      expect(tip).toBe(await revParse(path, 'refs/heads/main'));
      await repo.fetch(commits[5] as Revision, never);
      expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
      const seen = host.calls.length;
      await repo.poll(never);
      // The history before what was pushed is fetched beside it.
      expect(host.calls.slice(seen).filter((call) => call.startsWith('advert'))).toEqual(['advert-fetch']);
    }));

  it.each([
    ['protocol 2', true],
    ['protocol 0', false],
  ])('or 2 with a SHA-256 repository is told clearly (%s)', (_, protocolV2) =>
    withHost(
      async ({ root, host }) => {
        const path = join(root, 'long.git');
        await runGit(['init', '--quiet', '--bare', '--object-format=sha256', '--initial-branch=main', path]);
        await commitFiles(path, { files: { f: '1' }, message: 'first' });
        const repo = await openRepo({ url: `${host.url}/long.git`, branch: 'main', dir: join(root, 'long') });
        await expect(repo.poll(never)).rejects.toThrow(/sha256.*only sha1 is supported/);
        await repo.close();
      },
      { protocolV2 },
    ),
  );
});

describe('a proxy', () => {
  it.each([
    ['writes content types in capitals', { type: (text: string) => text.toUpperCase() }],
    ['adds a character set', { type: (text: string) => `${text}; charset=UTF-8` }],
    ['puts blanks around them', { type: (text: string) => ` ${text} ` }],
  ])('%s', (_, { type }) =>
    withHost(async ({ host, open }) => {
      host.order(
        orders.changed((answer) => ({
          ...answer,
          headers: { 'content-type': type(answer.headers['content-type'] ?? '') },
        })),
      );
      const repo = await open();
      const tip = await fetchTip(repo);
      expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
    }),
  );

  it.each(['gzip', 'GZIP', 'x-gzip', ' gzip ', 'identity, gzip'])('zips and calls it %j', (encoding) =>
    withHost(async ({ host, open }) => {
      host.order(orders.zipped(encoding));
      const repo = await open();
      const tip = await fetchTip(repo);
      expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
    }),
  );

  it('that packs in a way nobody asked for is told', () =>
    withHost(async ({ host, open }) => {
      host.order(orders.zipped('br'));
      await expect((await open()).poll(never)).rejects.toThrow(/content encoding br, which was not asked for/);
    }));
});
