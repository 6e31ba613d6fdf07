import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { on, type Order, orders } from '../helpers/hostile-git.ts';
import { type HostileHost, startHostileHost } from '../helpers/hostile-host.ts';
import { fsck, lines, runGit } from '../helpers/temp-repo.ts';
import { appTree, deploymentText } from './a-config-repo.ts';
import { type RunningWriter, type Shop, withShop } from './a-shop.ts';

const names = ['a', 'b', 'c'];
const apps = appTree(...names.map((name) => ({ name })));
const soon = { timeout: 20_000, interval: 20 };

interface Trouble {
  readonly shop: Shop;
  readonly host: HostileHost;
  readonly running: RunningWriter;
}
/** Gives what takes it away again. */
type Obstacle = (shop: Shop, host: HostileHost) => Promise<() => Promise<unknown>>;

/** Two promotions and a rollback that come at once. */
async function withTrouble(obstacle: Obstacle, run: (trouble: Trouble) => Promise<void>): Promise<void> {
  await withShop(apps, async (shop) => {
    const host = await startHostileHost(join(shop.path, '..'));
    try {
      const changed = names.map((name) => [`${name}/deployment.yaml`, deploymentText({ name, image: `${name}:2` })]);
      const judged = await shop.push(Object.fromEntries(changed) as Record<string, string>);
      const lift = await obstacle(shop, host);
      const running = await shop.start(undefined, `${host.url}/shop.git`);
      const verdict = (name: string): 'promoted' | 'rolled-back' => (name < 'c' ? 'promoted' : 'rolled-back');
      await running.submit(names.map((name) => shop.outcome(verdict(name), name, judged)));
      await run({ shop, host, running });
      await lift();
      await running.done(20_000);
      // Each of them once, and nothing else.
      const told = lines(
        await runGit(['-C', shop.path, 'log', '--format=%(trailers:key=Release,valueonly,separator=)', 'main']),
      );
      expect(told.map((line) => line.split('/')[1] ?? '').toSorted()).toEqual(names);
      expect(Object.keys(await shop.tags()).filter((tag) => /\d$/.test(tag))).toEqual([
        'releases/test/a/1',
        'releases/test/b/1',
      ]);
      await fsck(shop.path);
      await running.stop();
    } finally {
      await host.stop();
    }
  });
}

const appOf = ({ outcome }: { readonly outcome: { readonly app: { readonly name: string } } }): string =>
  outcome.app.name;
const git = (shop: Shop, ...args: string[]): Promise<string> => runGit(['-C', shop.path, ...args]);
const tag =
  (name: string): Obstacle =>
  async (shop) => {
    await git(shop, 'tag', name, 'refs/heads/main');
    return () => git(shop, 'tag', '-d', name);
  };
const hook =
  (name: string, script: string): Obstacle =>
  async (shop) => {
    const file = join(shop.path, 'hooks', name);
    await mkdir(join(shop.path, 'hooks'), { recursive: true });
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
    return () => rm(file);
  };
const file =
  (name: string): Obstacle =>
  async (shop) => {
    await mkdir(join(shop.path, name, '..'), { recursive: true });
    await writeFile(join(shop.path, name), '');
    return () => rm(join(shop.path, name));
  };
const ordered =
  (order: Order): Obstacle =>
  (_, host) => {
    host.order(on(['push'], order));
    return Promise.resolve(() => Promise.resolve(host.order(undefined)));
  };

describe('what stands in the way of one outcome', () => {
  it.each<readonly [string, Obstacle, RegExp]>([
    [
      'a tag where a folder is needed',
      tag('releases/test/a'),
      /refs\/tags\/releases\/test\/a is where a folder is needed/,
    ],
    ['a lock that was left at its tag', file('refs/tags/releases/test/a/1.lock'), /a lock was left on the server/],
    [
      'a hook that refuses its tag',
      hook('update', 'case $1 in refs/tags/releases/test/a/*) exit 1;; esac'),
      /hook declined/,
    ],
    [
      'a hook that ends the push without an answer',
      hook(
        'reference-transaction',
        '[ "$1" = prepared ] || exit 0; while read -r o n r; do case $r in refs/tags/releases/test/a/*) exit 1;; esac; done',
      ),
      /the push has no answer/,
    ],
    [
      'a hook that kills the push',
      hook('pre-receive', 'while read -r o n r; do case $r in refs/tags/releases/test/a/*) kill -9 $PPID;; esac; done'),
      /the push has no answer|hook declined/,
    ],
  ])('%s: is told of it, and the others are written', (_, obstacle, reason) =>
    withTrouble(obstacle, async ({ running }) => {
      await expect.poll(() => running.written.map(appOf).toSorted(), soon).toEqual(['b', 'c']);
      await expect
        .poll(() => running.blocked.filter((each) => appOf(each) === 'a').at(-1)?.reason, soon)
        .toMatch(reason);
    }),
  );
});

describe('what stands in the way of every push', () => {
  it.each<readonly [string, Obstacle, RegExp]>([
    [
      'a tag that has the name of the folder of tags',
      tag('releases'),
      /refs\/tags\/releases is where a folder|no ref has moved/,
    ],
    ['a lock that was left at the branch', file('refs/heads/main.lock'), /a lock was left on the server/],
    ['a proxy that answers 502', ordered(orders.status(502)), /HTTP 502/],
    ['a proxy that answers 504', ordered(orders.status(504)), /HTTP 504/],
    ['a connection that is reset', ordered(orders.reset), /the connection was reset/],
    ['a login page', ordered(orders.login), /cannot be read|not a Git server/],
    [
      'an answer that ends at once',
      ordered(({ request, response }) => (request.resume(), response.end(), true)),
      /the push has no answer/,
    ],
    ['a server that has no time', ordered(orders.status(429)), /HTTP 429/],
    ['missing rights', ordered(orders.status(403)), /HTTP 403/],
    ['a limit of the size', ordered(orders.status(413)), /limits the size of a push/],
  ])('%s: each is told why, and all are written without a restart when it is gone', (_, obstacle, reason) =>
    withTrouble(obstacle, async ({ running, host }) => {
      await expect
        .poll(
          () => [...new Set(running.blocked.filter((each) => reason.test(each.reason)).map(appOf))].toSorted(),
          soon,
        )
        .toEqual(expect.arrayContaining(['a', 'b']));
      await expect
        .poll(() => running.writer.pending().filter(({ blocked }) => blocked === undefined).length, soon)
        .toBe(0);
      expect(host.calls.filter((call) => call === 'push').length).toBeLessThan(120);
    }),
  );

  it('a race that never ends: each is told after some of them', () =>
    withTrouble(
      async (shop, host) => {
        let others = 0;
        host.order(
          on(['push'], async () => {
            others += 1;
            await shop.push({ 'README.md': String(others) }, 'somebody who never stops');
            return false;
          }),
        );
        return () => Promise.resolve(host.order(undefined));
      },
      async ({ running }) => {
        await expect.poll(() => new Set(running.blocked.map(appOf)).size, soon).toBe(3);
        expect(running.blocked[0]?.reason).toMatch(/others push to main all the time/);
      },
    ));
});

describe('a host that loses sight of the repository while a revert is made', () => {
  it.each<readonly [string, Order]>([
    ['HTTP 404', orders.status(404)],
    ['HTTP 401', orders.status(401)],
    ['a login page', orders.login],
  ])('%s: nothing follows from it, and the revert goes back to what was there', (_, order) =>
    withShop(apps, async (shop) => {
      const host = await startHostileHost(join(shop.path, '..'));
      try {
        const text = (tag: string, replicas: number): Record<string, string> => ({
          'a/deployment.yaml': deploymentText({ name: 'a', image: `a:${tag}`, replicas }),
        });
        const first = await shop.start();
        const promoted = await shop.push(text('1.5.0', 2));
        await first.submit([shop.outcome('promoted', 'a', promoted)]);
        await first.done();
        const base = await shop.push(text('1.5.0', 7), 'more replicas');
        const judged = await shop.push(text('2.0.0', 7));
        let left = 2;
        host.order(async (ordered) => {
          if (ordered.call !== 'fetch' || !(await ordered.body()).includes(`want ${base}`) || left === 0) return false;
          left -= 1;
          return order(ordered);
        });
        const second = await shop.start(undefined, `${host.url}/shop.git`);
        await second.submit([shop.outcome('rolled-back', 'a', judged, { base })]);
        await second.done(20_000);
        expect(left).toBe(0);
        expect(await runGit(['-C', shop.path, 'show', 'main:a/deployment.yaml'])).toBe(
          text('1.5.0', 7)['a/deployment.yaml'],
        );
        await second.stop();
      } finally {
        await host.stop();
      }
    }),
  );
});
