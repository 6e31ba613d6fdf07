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
    expect(blocked[0]?.reason).toContain('test/a uses what would change and runs with it');
    expect(blocked[0]?.reason).toContain('both are taken back together if that one is rejected as well');
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
    expect(blocked[0]?.reason).toContain('test/b uses what would change and runs with it');
    expect(blocked[0]?.reason).toContain(`revert ${judged.slice(0, 12)} by hand`);
    expect(await revParse(shop.path, 'main:all.yaml')).toBe(await revParse(shop.path, `${judged}:all.yaml`));
  });
});
