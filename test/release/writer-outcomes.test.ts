import { describe, expect, it } from 'vitest';
import { commitFiles, fsck, lines, revParse, runGit, show, subjects, trailers } from '../helpers/temp-repo.ts';
import { appTree, configText, deploymentText, oneFile } from './a-config-repo.ts';
import { withShop } from './a-shop.ts';

const apps = appTree({ name: 'a', config: { k: '1' } }, { name: 'b' });
const image = (name: string, tag: string): Record<string, string> => ({
  [`${name}/deployment.yaml`]: deploymentText({
    name,
    image: `${name}:${tag}`,
    ...(name === 'a' ? { config: { k: '1' } } : {}),
  }),
});
const changedFiles = async (path: string, ref: string): Promise<string[]> =>
  lines(await runGit(['-C', path, 'diff-tree', '-r', '--no-commit-id', '--name-only', ref]));

const soon = { timeout: 8_000, interval: 5 };

describe('a promotion', () => {
  it('is one commit and one annotated tag on the judged revision, in one push, numbered from 1', async () => {
    await withShop(apps, async (shop) => {
      const { writer, written, done } = await shop.start();
      const judged = await shop.push(image('a', '2.0.0'));
      writer.submit(await shop.outcome('promoted', 'a', judged));
      await done();
      expect(await subjects(shop.path)).toEqual(['promote test/a 2.0.0', 'somebody else', 'initial commit']);
      expect(await shop.tags()).toEqual({ 'releases/test/a/1': judged });
      expect(written.map(({ revision, number }) => [revision, number])).toEqual([[await shop.tip(), 1]]);
      expect((await shop.ledger('a')).stable).toMatchObject({
        release: 1,
        revision: judged,
        images: { ad: 'a:2.0.0' },
      });
      expect(await changedFiles(shop.path, 'main')).toEqual(['.releases/test/a.yaml']);
      expect(shop.fixture.server.takeRequests().filter(({ path }) => path.endsWith('/git-receive-pack'))).toHaveLength(
        1,
      );

      const again = await shop.push(image('a', '2.1.0'));
      writer.submit(await shop.outcome('promoted', 'a', again));
      await done();
      expect(await shop.tags()).toEqual({ 'releases/test/a/1': judged, 'releases/test/a/2': again });
      expect(await trailers(shop.path, 'main')).toMatchObject({
        Release: 'test/a/2',
        Verdict: 'promoted',
        Images: 'ad=a:2.1.0',
        'Previous-Images': 'ad=a:2.0.0',
        Revision: again,
        Cluster: 'here',
        Agent: 'serin/1.0.0',
      });
      const tag = await runGit([
        '-C',
        shop.path,
        'for-each-ref',
        '--format=%(contents)',
        'refs/tags/releases/test/a/2',
      ]);
      expect(tag.trim()).toBe((await runGit(['-C', shop.path, 'log', '-1', '--format=%B', 'main'])).trim());
      await fsck(shop.path);
    });
  });

  it('takes the next free number where tags of that name are there already', async () => {
    await withShop(apps, async (shop) => {
      for (const number of [1, 2]) {
        const args = ['tag', '-a', '-m', 'mine', `releases/test/a/${number}`, 'main'];
        await runGit(['-C', shop.path, '-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args]);
      }
      const { submit, done } = await shop.start();
      const judged = await shop.push(image('a', '2.0.0'));
      const other = await shop.push(image('b', '2.0.0'));
      await submit([shop.outcome('promoted', 'a', judged), shop.outcome('promoted', 'b', other)]);
      await done();
      expect(await shop.tags()).toMatchObject({ 'releases/test/a/3': judged, 'releases/test/b/1': other });
      expect((await shop.ledger('a')).stable?.release).toBe(3);
    });
  });

  it('of an app whose name Git does not take in a ref gets a tag all the same', async () => {
    await withShop(appTree({ name: 'a.lock' }), async (shop) => {
      const { submit, done } = await shop.start();
      const judged = await shop.push(image('a.lock', '2.0.0'));
      await submit([shop.outcome('promoted', 'a.lock', judged)]);
      await done();
      expect(await shop.tags()).toEqual({ 'releases/test/a.lock-/1': judged });
    });
  });
});

describe('a rollback', () => {
  it('is one commit that takes the change back and puts the version in quarantine, without a tag', async () => {
    await withShop(apps, async (shop) => {
      const { submit, written, done } = await shop.start();
      const before = await shop.tip();
      const judged = await shop.push({ ...image('a', '2.0.0'), ...image('b', '2.0.0') });
      await submit([shop.outcome('promoted', 'b', judged), shop.outcome('rolled-back', 'a', judged)]);
      await done();
      expect((await subjects(shop.path)).slice(0, 2)).toEqual([
        'rollback test/a 2.0.0: success rate 53.42% < 99%',
        'promote test/b 2.0.0',
      ]);
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toBe(
        await show(shop.path, before, 'a/deployment.yaml'),
      );
      expect(await show(shop.path, 'main', 'b/deployment.yaml')).toContain('b:2.0.0');
      expect(await changedFiles(shop.path, 'main')).toEqual(['.releases/test/a.yaml', 'a/deployment.yaml']);
      expect((await shop.ledger('a')).quarantine).toMatchObject([{ revision: judged, images: { ad: 'a:2.0.0' } }]);
      expect(Object.keys(await shop.tags())).toEqual(['releases/test/b/1']);
      expect(written.map(({ number }) => number)).toEqual([1, undefined]);
      expect(await trailers(shop.path, 'main')).toMatchObject({ Verdict: 'rolled-back', Reverts: judged });
    });
  });

  it('of two apps in one file takes both back in one push', async () => {
    const [before, after] = [
      oneFile({ name: 'a' }, { name: 'b' }, { name: 'c' }),
      oneFile({ name: 'a', image: 'a:2' }, { name: 'b', image: 'b:2' }, { name: 'c', image: 'c:2' }),
    ];
    await withShop(before, async (shop) => {
      const { submit, done } = await shop.start();
      const judged = await shop.push(Object.fromEntries(after));
      await submit([shop.outcome('rolled-back', 'a', judged), shop.outcome('rolled-back', 'b', judged)]);
      await done();
      const text = await show(shop.path, 'main', 'all.yaml');
      expect(text).toBe(oneFile({ name: 'a' }, { name: 'b' }, { name: 'c', image: 'c:2' }).get('all.yaml'));
      expect(shop.fixture.server.takeRequests().filter(({ path }) => path.endsWith('/git-receive-pack'))).toHaveLength(
        1,
      );
    });
  });

  it('that a newer push superseded only records the quarantine', async () => {
    await withShop(apps, async (shop) => {
      const { writer, done } = await shop.start();
      const judged = await shop.push(image('a', '2.0.0'));
      const outcome = await shop.outcome('rolled-back', 'a', judged);
      await shop.push(image('a', '3.0.0'));
      writer.submit(outcome);
      await done();
      expect(await changedFiles(shop.path, 'main')).toEqual(['.releases/test/a.yaml']);
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toContain('a:3.0.0');
      expect((await shop.ledger('a')).quarantine).toHaveLength(1);
      expect(Object.keys(await trailers(shop.path, 'main'))).not.toContain('Reverts');
    });
  });

  it('of an app that cannot be read now waits, says so, and takes it back once it is read again', async () => {
    await withShop(apps, async (shop) => {
      const { writer, blocked, done } = await shop.start();
      const judged = await shop.push(image('a', '2.0.0'));
      const outcome = await shop.outcome('rolled-back', 'a', judged);
      const broken = await shop.push({ 'a/deployment.yaml': '<<<<<<< HEAD\n' });
      writer.submit(outcome);
      await expect.poll(() => blocked.length, soon).toBe(1);
      expect(blocked[0]?.reason).toMatch(
        /^it cannot be read now: a\/deployment.yaml .+: it is taken back once it is read again, or revert \w{12} by hand\. Until then test\/a stays with what it was promoted with$/,
      );
      expect(await shop.tip()).toBe(broken);
      await shop.push(image('a', '2.0.0'));
      await done();
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toContain('a:1.0.0');
      expect((await shop.ledger('a')).quarantine).toHaveLength(1);
      expect(await trailers(shop.path, 'main')).toMatchObject({ Verdict: 'rolled-back', Reverts: judged });
    });
  });

  it('of an app in whose place a link stands waits as well', async () => {
    await withShop(apps, async (shop) => {
      const { writer, blocked } = await shop.start();
      const judged = await shop.push(image('a', '2.0.0'));
      const outcome = await shop.outcome('rolled-back', 'a', judged);
      const link = { files: { 'a/deployment.yaml': '../elsewhere.yaml' }, modes: { 'a/deployment.yaml': '120000' } };
      await commitFiles(shop.path, { ...link, message: 'a link' });
      writer.submit(outcome);
      await expect.poll(() => blocked.length, soon).toBe(1);
      expect(blocked[0]?.reason).toContain('it cannot be read now: a/deployment.yaml is no file of manifests');
    });
  });

  it('of an app that left Git meanwhile only records the quarantine', async () => {
    await withShop(apps, async (shop) => {
      const { writer, done } = await shop.start();
      const judged = await shop.push(image('a', '2.0.0'));
      const outcome = await shop.outcome('rolled-back', 'a', judged);
      await shop.push({ 'a/deployment.yaml': null, 'a/canary.yaml': null, 'a/config.yaml': null });
      writer.submit(outcome);
      await done();
      expect(await changedFiles(shop.path, 'main')).toEqual(['.releases/test/a.yaml']);
    });
  });

  it('of a ConfigMap that another app runs with as well is not pushed, and the other outcomes are', async () => {
    const shared = { config: { k: '1' }, configName: 'shared' };
    const tree = appTree({ name: 'a', ...shared }, { name: 'b', ...shared });
    tree.delete('b/config.yaml');
    await withShop(new Map([...tree, ...appTree({ name: 'c' })]), async (shop) => {
      const { writer, submit, blocked, written, done } = await shop.start();
      const judged = await shop.push({
        'a/config.yaml': configText({ name: 'a', config: { k: '2' }, configName: 'shared' }),
      });
      const other = await shop.push(image('c', '2.0.0'));
      const rejected = await shop.outcome('rolled-back', 'a', judged);
      await submit([shop.outcome('promoted', 'b', judged), rejected, shop.outcome('promoted', 'c', other)]);
      await expect.poll(() => written.length, soon).toBe(2);
      await expect.poll(() => blocked.length, soon).toBe(1);
      expect(blocked[0]?.reason).toContain('test/b');
      expect(writer.pending().map(({ outcome }) => outcome.releaseId)).toEqual([rejected.releaseId]);
      expect(await show(shop.path, 'main', 'a/config.yaml')).toContain("k: '2'");
      // A person resolves it; the outcome lands by itself, and nothing was said twice.
      await shop.push({ 'a/config.yaml': configText({ name: 'a', config: { k: '1' }, configName: 'shared' }) });
      await done();
      expect(blocked).toHaveLength(1);
      expect((await shop.ledger('a')).quarantine).toHaveLength(1);
    });
  });

  it('of the same version again and again stops, until Git says something else', async () => {
    await withShop(apps, async (shop) => {
      const { writer, blocked, written, done } = await shop.start();
      for (const round of [1, 2, 3]) {
        const judged = await shop.push(image('a', '2.0.0'), `push ${round}`);
        writer.submit(await shop.outcome('rolled-back', 'a', judged));
        await done();
      }
      const judged = await shop.push(image('a', '2.0.0'), 'push 4');
      writer.submit(await shop.outcome('rolled-back', 'a', judged));
      await expect.poll(() => blocked.length, soon).toBe(1);
      expect(await shop.tip()).toBe(judged);
      await shop.push(image('a', '3.0.0'));
      await done();
      expect(written).toHaveLength(4);
      expect(blocked).toHaveLength(1);
    });
  });
});

describe('first sight', () => {
  it('of several apps is recorded in one commit, each with number 0 and without a tag', async () => {
    await withShop(apps, async (shop) => {
      const { writer, submit, written, done } = await shop.start();
      const tip = await shop.tip();
      await submit(['a', 'b'].map((name) => shop.outcome('adopted', name, tip)));
      await done();
      expect(await subjects(shop.path)).toEqual(['adopt 2 apps: test/a, test/b', 'initial commit']);
      expect(await shop.tags()).toEqual({});
      expect(written.map(({ number }) => number)).toEqual([0, 0]);
      for (const name of ['a', 'b'])
        expect((await shop.ledger(name)).stable).toMatchObject({ release: 0, revision: tip });

      const second = await shop.start();
      second.writer.submit(await shop.outcome('adopted', 'a', tip));
      await second.done();
      expect(await subjects(shop.path)).toHaveLength(2);
      const judged = await shop.push(image('a', '2.0.0'));
      writer.submit(await shop.outcome('promoted', 'a', judged));
      await done();
      expect(await shop.tags()).toEqual({ 'releases/test/a/1': judged });
    });
  });

  it('of apps beside one whose ledger cannot be read is recorded all the same', async () => {
    const broken = new Map([...apps, ['.releases/test/a.yaml', '<<<<<<< HEAD\napiVersion: x\n']]);
    await withShop(broken, async (shop) => {
      const { writer, submit, written, blocked } = await shop.start();
      const tip = await shop.tip();
      const judged = await shop.push(image('a', '2.0.0'));
      await submit([
        shop.outcome('adopted', 'a', tip),
        shop.outcome('promoted', 'a', judged),
        shop.outcome('adopted', 'b', tip),
      ]);
      await expect.poll(() => written.map(({ outcome }) => outcome.app.name), soon).toEqual(['b']);
      await expect.poll(() => blocked.length, soon).toBe(2);
      for (const { reason } of blocked) expect(reason).toContain('.releases/test/a.yaml:1');
      // Restored by hand, it is written.
      await shop.push({ '.releases/test/a.yaml': null });
      await expect.poll(() => writer.pending(), soon).toEqual([]);
      expect((await shop.ledger('a')).stable?.release).toBe(1);
    });
  });
});

describe('a synced folder', () => {
  it('has its ledgers inside, and nothing outside of it is touched', async () => {
    const moved = new Map([...apps].map(([path, text]) => [`deploy/prod/${path}`, text]));
    await withShop(
      moved,
      async (shop) => {
        const { submit, done } = await shop.start();
        const good = await shop.push({ 'deploy/prod/b/deployment.yaml': deploymentText({ name: 'b', image: 'b:2' }) });
        const bad = await shop.push({
          'deploy/prod/a/deployment.yaml': deploymentText({ name: 'a', image: 'a:2', config: { k: '1' } }),
          'elsewhere.txt': 'x',
        });
        await submit([shop.outcome('promoted', 'b', good), shop.outcome('rolled-back', 'a', bad)]);
        await done();
        expect(await changedFiles(shop.path, 'main')).toEqual([
          'deploy/prod/.releases/test/a.yaml',
          'deploy/prod/a/deployment.yaml',
        ]);
        expect(await changedFiles(shop.path, 'main^')).toEqual(['deploy/prod/.releases/test/b.yaml']);
        expect(await revParse(shop.path, 'main:elsewhere.txt')).not.toBe('');
      },
      { settings: { path: 'deploy/prod' } },
    );
  });
});
