import { expect, it } from 'vitest';
import { revParse } from '../helpers/temp-repo.ts';
import { canaryText, configText, deploymentText, joined } from './a-config-repo.ts';
import { withShop } from './a-shop.ts';

/** Apps that share one ConfigMap; all of it in one file. */
const sharing = (names: readonly string[], tag: string, colour: string): string =>
  joined(
    ...names.flatMap((name) => [
      deploymentText({ name, image: `${name}:${tag}`, config: {}, configName: 'shared' }),
      canaryText({ name }),
    ]),
    configText({ name: 'shared', configName: 'shared', config: { colour } }),
  );
const soon = { timeout: 8_000, interval: 5 };

it('apps that share a ConfigMap and are all rejected are taken back together, whichever is rejected first', async () => {
  const names = ['a', 'b', 'c'];
  await withShop(new Map([['all.yaml', sharing(names, '1.0.0', 'blue')]]), async (shop) => {
    const before = await revParse(shop.path, 'main:all.yaml');
    const { submit, blocked, written, done, writer } = await shop.start();
    const judged = await shop.push({ 'all.yaml': sharing(names, '2.0.0', 'red') });
    await submit([shop.outcome('rolled-back', 'b', judged)]);
    await expect.poll(() => blocked.length, soon).toBe(1);
    expect(blocked[0]?.reason).toContain(
      'test/a and test/c use what would be taken back, and are not judged to the end yet; all are taken back together',
    );
    await submit([shop.outcome('rolled-back', 'a', judged)]);
    await expect.poll(() => blocked.length, soon).toBeGreaterThan(1);
    expect(writer.pending()).toHaveLength(2);
    await submit([shop.outcome('rolled-back', 'c', judged)]);
    await done();
    expect(written).toHaveLength(3);
    expect(await revParse(shop.path, 'main:all.yaml')).toBe(before);
    for (const name of names) expect((await shop.ledger(name)).quarantine).toHaveLength(1);
  });
});

it('an app that was promoted with the shared ConfigMap keeps it, and the other one waits for people', async () => {
  await withShop(new Map([['all.yaml', sharing(['a', 'b'], '1.0.0', 'blue')]]), async (shop) => {
    const { submit, blocked, written } = await shop.start();
    const judged = await shop.push({ 'all.yaml': sharing(['a', 'b'], '2.0.0', 'red') });
    await submit([shop.outcome('promoted', 'b', judged), shop.outcome('rolled-back', 'a', judged)]);
    await expect.poll(() => [written.length, blocked.length], soon).toEqual([1, 1]);
    expect(blocked[0]?.reason).toBe(
      `test/b uses what would be taken back, and was promoted with it (all.yaml): push a fix of test/a, or revert ${judged.slice(0, 12)} by hand, which takes it from all that use it. Until then test/a stays with what it was promoted with`,
    );
    expect(await revParse(shop.path, 'main:all.yaml')).toBe(await revParse(shop.path, `${judged}:all.yaml`));
  });
});

it('all apps are named that keep what another one rejects, as far as there is room', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  await withShop(new Map([['all.yaml', sharing(names, '1.0.0', 'blue')]]), async (shop) => {
    const { submit, blocked } = await shop.start();
    const judged = await shop.push({ 'all.yaml': sharing(names, '1.0.0', 'red') });
    const promoted = names.slice(1).map((name) => shop.outcome('promoted', name, judged));
    await submit([...promoted, shop.outcome('rolled-back', 'a', judged)]);
    await expect.poll(() => blocked.length, soon).toBe(1);
    expect(blocked[0]?.reason).toContain(
      'test/b, test/c, test/d and 2 more use what would be taken back, and were promoted with it',
    );
  });
});

it('an app that is promoted in the same push as the other one is taken back keeps the shared ConfigMap, whichever was first', async () => {
  for (const isFirst of [true, false])
    await withShop(new Map([['all.yaml', sharing(['a', 'b'], '1.0.0', 'blue')]]), async (shop) => {
      const { submit, blocked, written } = await shop.start();
      const adopted = await shop.tip();
      await submit([shop.outcome('adopted', 'a', adopted), shop.outcome('adopted', 'b', adopted)]);
      await expect.poll(() => written.length, soon).toBe(2);
      const judged = await shop.push({ 'all.yaml': sharing(['a', 'b'], '1.0.0', 'red') });
      const outcomes = [shop.outcome('promoted', 'b', judged), shop.outcome('rolled-back', 'a', judged)];
      await submit(isFirst ? outcomes : outcomes.toReversed());
      await expect.poll(() => [written.length, blocked.length], soon).toEqual([3, 1]);
      expect(await revParse(shop.path, 'main:all.yaml')).toBe(await revParse(shop.path, `${judged}:all.yaml`));
    });
});

it('people are told the commits that changed the app, not the tip that was fetched with them', async () => {
  await withShop(new Map([['all.yaml', sharing(['a', 'b'], '1.0.0', 'blue')]]), async (shop) => {
    const { submit, blocked } = await shop.start();
    const base = await shop.tip();
    const first = await shop.push({ 'all.yaml': sharing(['a', 'b'], '1.0.0', 'red') });
    const second = await shop.push({ 'all.yaml': sharing(['a', 'b'], '2.0.0', 'red') });
    const judged = await shop.push({ 'README.md': 'of others' });
    await submit([shop.outcome('promoted', 'b', judged, { base }), shop.outcome('rolled-back', 'a', judged, { base })]);
    await expect.poll(() => blocked.length, soon).toBe(1);
    expect(blocked[0]?.reason).toContain(`revert ${second.slice(0, 12)}, then ${first.slice(0, 12)} by hand`);
  });
});
