import { describe, expect, it } from 'vitest';
import { show, subjects } from '../helpers/temp-repo.ts';
import { appTree, deploymentText } from './a-config-repo.ts';
import { type Shop, withShop } from './a-shop.ts';

const day = 86_400_000;
const image = (tag: string): Record<string, string> => ({
  'a/deployment.yaml': deploymentText({ name: 'a', image: `a:${tag}` }),
});
const ledger = '.releases/test/a.yaml';

/** As if the clock of the agent that wrote the ledger had gone differently by so much. */
async function shiftLedger(shop: Shop, byMs: number): Promise<void> {
  const shifted = (text: string): string => `${new Date(Date.parse(text) + byMs).toISOString().slice(0, 19)}Z`;
  const text = (await show(shop.path, 'main', ledger)).replaceAll(/(?<=at: ['"]?)[\d:TZ-]+/g, shifted);
  await shop.push({ [ledger]: text }, 'the clock was wrong');
}

describe('what an agent has written whose clock went differently', () => {
  it.each([
    ['a year ahead', 400 * day],
    ['an hour ahead', day / 24],
    ['thirty years behind', -30 * 365 * day],
  ])('%s: the next promotion is in Git, and is what the next rollback goes back to', (_, byMs) =>
    withShop(appTree({ name: 'a' }), async (shop) => {
      const first = await shop.start();
      const good = await shop.push(image('2'));
      await first.submit([shop.outcome('promoted', 'a', good)]);
      await first.done();
      await shiftLedger(shop, byMs);
      // The process that goes on has a mirror of its own, and a clock that is right.
      await first.stop();
      const second = await shop.start();
      const better = await shop.push(image('3'));
      await second.submit([shop.outcome('promoted', 'a', better)]);
      await second.done();
      expect((await shop.ledger('a')).stable).toMatchObject({ release: 2, revision: better, images: { ad: 'a:3' } });
      expect(await shop.tags()).toEqual({ 'releases/test/a/1': good, 'releases/test/a/2': better });
      expect(second.written.map(({ number }) => number)).toEqual([2]);
      const bad = await shop.push(image('4'));
      await second.submit([shop.outcome('rolled-back', 'a', bad)]);
      await second.done();
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toContain('image: a:3');
      expect((await subjects(shop.path)).filter((subject) => subject.startsWith('promote'))).toHaveLength(2);
    }),
  );

  it('ahead: rollbacks that it noted are no fight of today', () =>
    withShop(appTree({ name: 'a' }), async (shop) => {
      const { submit, done } = await shop.start();
      for (const time of [1, 2, 3]) {
        const judged = await shop.push(image('2'), `try ${time}`);
        await submit([shop.outcome('rolled-back', 'a', judged, { releaseId: `try-${time}` })]);
        await done();
      }
      await shiftLedger(shop, 400 * day);
      const judged = await shop.push(image('2'), 'a person tries again');
      await submit([shop.outcome('rolled-back', 'a', judged, { releaseId: 'try-4' })]);
      await done();
      expect(await show(shop.path, 'main', 'a/deployment.yaml')).toContain('image: a:1.0.0');
    }));
});

describe('a promotion that comes after a newer one of its app', () => {
  it.each([
    ['with a later time', 5 * day],
    ['with an earlier time', -5 * day],
  ])('%s: is passed over, is not called written, and moves nothing back', (_, byMs) =>
    withShop(appTree({ name: 'a' }), async (shop) => {
      const first = await shop.start();
      const older = await shop.push(image('2'));
      const late = await shop.outcome('promoted', 'a', older);
      await shop.push({ 'README.md': 'something else\n' });
      const newer = await shop.push(image('3'));
      await first.submit([shop.outcome('promoted', 'a', newer)]);
      await first.done();
      await first.stop();
      // Another process, whose mirror has none of that history.
      const second = await shop.start();
      const tip = await shop.tip();
      await second.submit([{ ...late, atMs: late.atMs + byMs }]);
      await second.done();
      expect(second.written).toEqual([]);
      expect(second.told.join('')).toMatch(
        /Outcome not written to Git: promoted test\/a: Git tells release 1 of it that is newer/,
      );
      expect(await shop.tip()).toBe(tip);
    }),
  );

  it('both at once: the older is written first, each has its number', () =>
    withShop(appTree({ name: 'a' }), async (shop) => {
      const older = await shop.push(image('2'));
      const newer = await shop.push(image('3'));
      const { submit, done, written } = await shop.start();
      const ahead = { atMs: Date.UTC(2031, 1, 1) };
      await submit([shop.outcome('promoted', 'a', older, ahead), shop.outcome('promoted', 'a', newer)]);
      await done();
      expect(written.map(({ number }) => number)).toEqual([1, 2]);
      expect((await shop.ledger('a')).stable).toMatchObject({ release: 2, revision: newer });
    }));
});
