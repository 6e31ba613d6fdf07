import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asRevision } from '../../src/git/repo.ts';
import { commitFiles, fsck, runGit, show, subjects } from '../helpers/temp-repo.ts';
import { appTree, deploymentText } from './a-config-repo.ts';
import { type Shop, withShop } from './a-shop.ts';

const apps = appTree({ name: 'a' }, { name: 'b' });
const change = (name: string, tag: string): Record<string, string> => ({
  [`${name}/deployment.yaml`]: deploymentText({ name, image: `${name}:${tag}` }),
});

async function hook(shop: Shop, script: string): Promise<() => Promise<void>> {
  const file = join(shop.path, 'hooks', 'pre-receive');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return () => rm(file);
}

const soon = { timeout: 8_000, interval: 5 };

describe('a lost race', () => {
  it('is built anew on what somebody else pushed', async () => {
    await withShop(apps, async (shop) => {
      const { writer, written, done } = await shop.start();
      const judged = await shop.push(change('a', '2.0.0'));
      shop.fixture.server.faults.beforePush(async () => void (await shop.push(change('b', '3.0.0'), 'foreign')));
      writer.submit(await shop.outcome('rolled-back', 'a', judged));
      await done();
      expect((await subjects(shop.path)).slice(0, 2)).toEqual([
        'rollback test/a 2.0.0: success rate 53.42% < 99%',
        'foreign',
      ]);
      expect(await show(shop.path, 'main', 'b/deployment.yaml')).toContain('b:3.0.0');
      expect(written).toHaveLength(1);
    });
  });

  it('to a newer version of the same app leaves that version alone', async () => {
    await withShop(apps, async (shop) => {
      const { writer, done } = await shop.start();
      const judged = await shop.push(change('a', '2.0.0'));
      shop.fixture.server.faults.beforePush(async () => void (await shop.push(change('a', '3.0.0'), 'a newer one')));
      writer.submit(await shop.outcome('rolled-back', 'a', judged));
      await done();
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toContain('a:3.0.0');
      expect((await shop.ledger('a')).quarantine).toHaveLength(1);
    });
  });
});

describe('a ledger of another app', () => {
  it.each([
    ['is too large to be held', `# ${'x'.repeat(65 * 1024 * 1024)}\n`],
    ['is larger than any ledger', `apiVersion: serin.dev/v1\n${'# x\n'.repeat(1_000_000)}`],
    ['is no YAML', 'a: ['],
  ])('that %s holds up no rollback', async (_, ledger) => {
    await withShop(apps, async (shop) => {
      await shop.push({ '.releases/test/b.yaml': ledger }, 'a ledger');
      const { writer, written, done } = await shop.start();
      const judged = await shop.push(change('a', '2.0.0'));
      writer.submit(await shop.outcome('rolled-back', 'a', judged));
      await done();
      expect(written).toHaveLength(1);
      expect((await shop.ledger('a')).quarantine).toHaveLength(1);
    });
  });
});

describe('a refused push', () => {
  it('is told once, tried again, and lands when nothing refuses it any more', async () => {
    await withShop(apps, async (shop) => {
      const { writer, written, blocked, done } = await shop.start();
      const judged = await shop.push(change('a', '2.0.0'));
      const lift = await hook(shop, 'echo "only people push here" >&2; exit 1');
      writer.submit(await shop.outcome('promoted', 'a', judged));
      await expect.poll(() => blocked.length, soon).toBe(1);
      expect(blocked).toHaveLength(1);
      expect(blocked[0]?.reason).toContain('only people push here');
      expect(writer.pending()[0]?.blocked).toBe(blocked[0]?.reason);
      await lift();
      await done();
      expect(written).toHaveLength(1);
      expect(blocked).toHaveLength(1);
      expect(await shop.tags()).toEqual({ 'releases/test/a/1': judged });
    });
  });

  it('of one app holds up no other', async () => {
    await withShop(apps, async (shop) => {
      const { submit, written, blocked } = await shop.start();
      const judged = await shop.push({ ...change('a', '2.0.0'), ...change('b', '2.0.0') });
      await hook(shop, 'while read -r old new ref; do case $ref in refs/tags/releases/test/a/*) exit 1;; esac; done');
      await submit([shop.outcome('promoted', 'a', judged), shop.outcome('promoted', 'b', judged)]);
      await expect.poll(() => written.map(({ outcome }) => outcome.app.name), soon).toEqual(['b']);
      await expect.poll(() => blocked.map(({ outcome }) => outcome.app.name), soon).toEqual(['a']);
    });
  });
});

describe('an unknown result', () => {
  it('names the commit that tells it, not the tip of that time', async () => {
    await withShop(apps, async (shop) => {
      const first = await shop.start('mirror');
      const judged = await shop.push(change('a', '2.0.0'));
      const outcome = await shop.outcome('promoted', 'a', judged);
      first.writer.submit(outcome);
      await first.done();
      const telling = await shop.tip();
      await shop.push(change('b', '2.0.0'));
      await first.stop();
      const second = await shop.start('mirror');
      second.writer.submit(outcome);
      await second.done();
      expect(second.written.map(({ number }) => number)).toEqual([1]);
      expect(second.written[0]?.revision).toBe(telling);
    });
  });
});

describe('a Git server in trouble', () => {
  it('is waited for while it is down, and gets all that came meanwhile', async () => {
    await withShop(apps, async (shop) => {
      const { writer, written, blocked, done } = await shop.start();
      const judged = await shop.push({ ...change('a', '2.0.0'), ...change('b', '2.0.0') });
      const [a, b] = [await shop.outcome('promoted', 'a', judged), await shop.outcome('rolled-back', 'b', judged)];
      await shop.fixture.server.faults.down();
      writer.submit(a);
      await expect.poll(() => blocked.length, soon).toBe(1);
      writer.submit(b);
      await expect.poll(() => blocked.length, soon).toBeGreaterThan(1);
      await shop.fixture.server.faults.up();
      await done();
      expect(written).toHaveLength(2);
      // Each is told once.
      expect(blocked).toHaveLength(2);
      await fsck(shop.path);
    });
  });

  it('without atomic pushes gets a tag that was lost between branch and tag later', async () => {
    await withShop(apps, async (shop) => {
      await runGit(['-C', shop.path, 'config', 'receive.advertiseAtomic', 'false']);
      const { writer, written, done } = await shop.start();
      const judged = await shop.push(change('a', '2.0.0'));
      const marker = join(shop.path, 'refused-once');
      await hook(
        shop,
        `while read -r old new ref; do case $ref in refs/tags/*) [ -e ${marker} ] || { : >${marker}; exit 1; };; esac; done`,
      );
      writer.submit(await shop.outcome('promoted', 'a', judged));
      await done();
      expect(await subjects(shop.path)).toEqual(['promote test/a 2.0.0', 'somebody else', 'initial commit']);
      expect(await shop.tags()).toEqual({ 'releases/test/a/1': judged });
      expect(written.map(({ number }) => number)).toEqual([1]);
    });
  });

  it('whose branch was rewritten without the base reverts to what was promoted last', async () => {
    await withShop(apps, async (shop) => {
      const first = await shop.start();
      const good = await shop.push(change('a', '1.5.0'));
      await first.submit([shop.outcome('promoted', 'a', good)]);
      await first.done();
      const judged = await shop.push(change('a', '2.0.0'));
      const outcome = await shop.outcome('rolled-back', 'a', judged, { base: asRevision('0'.repeat(39).concat('1')) });
      await first.submit([outcome]);
      await first.done();
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toBe(change('a', '1.5.0')['a/deployment.yaml']);
    });
  });

  it('whose branch was rewritten without the promoted commit gets the promotion, as there is nothing to tag', async () => {
    await withShop(apps, async (shop) => {
      const { submit, written, done } = await shop.start();
      const initial = await shop.tip();
      const judged = await shop.push(change('a', '2.0.0'));
      const outcome = await shop.outcome('promoted', 'a', judged);
      // The agent has the commit, the server has it no more.
      await submit([shop.outcome('adopted', 'b', judged)]);
      await done();
      await runGit(['-C', shop.path, 'update-ref', 'refs/heads/main', initial]);
      await shop.push(change('b', '9.0.0'), 'rewritten');
      await runGit(['-C', shop.path, 'reflog', 'expire', '--expire=now', '--all']);
      await runGit(['-C', shop.path, 'gc', '--quiet', '--prune=now']);
      await submit([outcome]);
      await done();

      expect((await shop.ledger('a')).stable).toMatchObject({ release: 1, revision: judged });
      expect(await shop.tags()).toEqual({});
      expect(written).toHaveLength(2);
      await fsck(shop.path);
    });
  });

  it('whose branch was rewritten gets the outcome on what is there now', async () => {
    await withShop(apps, async (shop) => {
      const initial = await shop.tip();
      const lost = await shop.push(change('b', '1.1.0'));
      const judged = await shop.push(change('a', '2.0.0'));
      const outcome = await shop.outcome('rolled-back', 'a', judged, { base: lost });
      await runGit(['-C', shop.path, 'update-ref', 'refs/heads/main', initial]);
      const kept = await shop.push({ ...change('b', '9.0.0') }, 'rewritten');
      await runGit(['-C', shop.path, 'reflog', 'expire', '--expire=now', '--all']);
      await runGit(['-C', shop.path, 'gc', '--quiet', '--prune=now']);
      const { writer, done } = await shop.start();
      writer.submit(outcome);
      await done();
      expect((await shop.ledger('a')).quarantine).toHaveLength(1);
      expect(await runGit(['-C', shop.path, 'rev-parse', 'main^'])).toBe(`${kept}\n`);
    });
  });
});

describe('a rollback whose branch was rewritten while its app cannot be read', () => {
  const broken = '<<<<<<< HEAD\n';
  const rewritten = async (
    files: Record<string, string | null>,
    isBaseLeft: boolean,
    use: (story: Story) => Promise<void>,
  ) =>
    withShop(apps, async (shop) => {
      const initial = await shop.tip();
      const lost = await shop.push(change('b', '1.1.0'));
      const judged = await shop.push(change('a', '2.0.0'));
      const outcome = await shop.outcome('rolled-back', 'a', judged, { base: isBaseLeft ? initial : lost });
      await runGit(['-C', shop.path, 'update-ref', 'refs/heads/main', initial]);
      await shop.push({ ...change('a', '2.0.0'), ...files }, 'rewritten');
      const { writer, blocked, done } = await shop.start();
      writer.submit(outcome);
      await use({ shop, blocked, done });
    });
  interface Story {
    readonly shop: Shop;
    readonly blocked: readonly { readonly reason: string }[];
    readonly done: () => Promise<void>;
  }

  it.each([
    ['its target stands in a file with conflict markers', { 'a/deployment.yaml': broken }, true],
    ['its Canary does', { 'a/canary.yaml': broken }, true],
    ['its folder is ignored', { '.serinignore': 'a\n' }, true],
    [
      'the commit before is gone as well',
      { 'a/deployment.yaml': `${broken}${change('a', '2.0.0')['a/deployment.yaml']}` },
      false,
    ],
  ] as const)('waits, and says what is true: %s', async (_, files, isBaseLeft) => {
    await rewritten(files, isBaseLeft, async ({ shop, blocked, done }) => {
      await expect.poll(() => blocked.length, soon).toBe(1);
      expect(blocked[0]?.reason).toMatch(
        /^its history was rewritten, and it cannot be read now: .+: it is taken back once it is read again\. Until then test\/a stays with what it was promoted with$/,
      );
      const asIs = Object.fromEntries(Object.keys(files).map((path) => [path, apps.get(path) ?? null]));
      await shop.push({ ...asIs, ...change('a', '2.0.0') }, 'readable');
      if (!isBaseLeft) return;
      await done();
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toContain('a:1.0.0');
    });
  });

  it('is noted where the branch does hold something else, or nothing of it, and all of that is read', async () => {
    const gone = { 'a/deployment.yaml': null, 'a/canary.yaml': null, 'a/config.yaml': null };
    for (const files of [change('a', '3.0.0'), gone])
      await rewritten(files, true, async ({ shop, blocked, done }) => {
        await done();
        expect(blocked).toEqual([]);
        expect((await shop.ledger('a')).quarantine).toHaveLength(1);
      });
  });
});

describe('a commit that nobody has merged', () => {
  /** On a branch of its own, which the server gives to whoever asks. */
  const unmerged = async (shop: Shop, files: Record<string, string>) => {
    await runGit(['-C', shop.path, 'branch', 'unmerged', 'main']);
    return asRevision(await commitFiles(shop.path, { files, message: 'not reviewed', branch: 'unmerged' }));
  };

  it('is never what a revert goes back to: that is what was promoted last', async () => {
    await withShop(apps, async (shop) => {
      const { submit, done } = await shop.start();
      const good = await shop.push(change('a', '1.5.0'));
      await submit([shop.outcome('promoted', 'a', good)]);
      await done();
      const evil = await unmerged(shop, change('a', '6.6.6'));
      const judged = await shop.push(change('a', '2.0.0'));
      await submit([shop.outcome('rolled-back', 'a', judged, { base: evil })]);
      await done();
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toBe(change('a', '1.5.0')['a/deployment.yaml']);
    });
  });

  it('holds the outcome, with its reason, where nothing else is known to go back to', async () => {
    await withShop(apps, async (shop) => {
      const { submit, blocked } = await shop.start();
      const evil = await unmerged(shop, change('a', '6.6.6'));
      const judged = await shop.push(change('a', '2.0.0'));
      await submit([shop.outcome('rolled-back', 'a', judged, { base: evil })]);
      await expect
        .poll(() => blocked.map(({ reason }) => reason), soon)
        .toEqual([
          `commit ${evil.slice(0, 12)}, to which it would go back, is not one of main; revert ${judged.slice(0, 12)} by hand`,
        ]);
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toContain('a:2.0.0');
    });
  });

  it('takes nothing back and gets no tag, whatever is told of it', async () => {
    await withShop(apps, async (shop) => {
      const { submit, done } = await shop.start();
      const evil = await unmerged(shop, change('a', '6.6.6'));
      await submit([shop.outcome('promoted', 'a', evil), shop.outcome('rolled-back', 'b', evil)]);
      await done();
      expect(await shop.tags()).toEqual({});
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).not.toContain('6.6.6');
    });
  });
});

describe('what comes while a push is under way', () => {
  it('is written right afterwards', async () => {
    await withShop(apps, async (shop) => {
      const { writer, written } = await shop.start();
      const judged = await shop.push({ ...change('a', '2.0.0'), ...change('b', '2.0.0') });
      const second = await shop.outcome('promoted', 'b', judged);
      shop.fixture.server.faults.beforePush(async () => writer.submit(second));
      writer.submit(await shop.outcome('promoted', 'a', judged));
      const startedMs = Date.now();
      await expect.poll(() => written.length, soon).toBe(1);
      const firstMs = Date.now();
      await expect.poll(() => written.length, soon).toBe(2);
      // A minute of the writer's clock is 300 ms here.
      expect(Date.now() - firstMs).toBeLessThan(Math.max(250, firstMs - startedMs));
    });
  });
});
