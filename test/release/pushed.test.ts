import { expect, it } from 'vitest';
import { asRevision, type Revision } from '../../src/git/repo.ts';
import { revParse, runGit, trailers } from '../helpers/temp-repo.ts';
import { appTree, deploymentText } from './a-config-repo.ts';
import { type Shop, withShop } from './a-shop.ts';

const apps = appTree({ name: 'a' }, { name: 'b' });
const image = (name: string, tag: string): Record<string, string> => ({
  [`${name}/deployment.yaml`]: deploymentText({ name, image: `${name}:${tag}` }),
});
const bodyOf = ({ path }: Shop): Promise<string> => runGit(['-C', path, 'log', '-1', '--format=%B', 'main']);
const baseOf = async ({ path }: Shop, back: number): Promise<Revision> =>
  asRevision(await revParse(path, `main~${back}`));

it('an outcome names the commit that changed its app, not that of another app that was fetched with it', async () => {
  await withShop(apps, async (shop) => {
    const { submit, done } = await shop.start();
    const mine = await shop.push(image('a', '2.0.0'), 'a: 2.0.0');
    await shop.push({ 'notes.txt': 'nothing' }, 'notes');
    const tip = await shop.push(image('b', '2.0.0'), 'b: 2.0.0');
    const base = await baseOf(shop, 3);
    await submit([shop.outcome('rolled-back', 'a', tip, { base })]);
    await done(30_000);
    expect(await bodyOf(shop)).toContain('\nPushed: "a: 2.0.0" by ');
    expect(await trailers(shop.path, 'main')).toMatchObject({ Reverts: mine, Revision: tip });
    expect(await revParse(shop.path, 'main:a/deployment.yaml')).toBe(
      await revParse(shop.path, `${base}:a/deployment.yaml`),
    );
  });
});

it('an outcome names all commits of one push that changed its app, and no others', async () => {
  await withShop(apps, async (shop) => {
    const { submit, done } = await shop.start();
    await shop.push(image('a', '2.0.0'), 'a: 2.0.0');
    await shop.push(image('b', '2.0.0'), 'b: 2.0.0');
    const tip = await shop.push(image('a', '2.0.1'), 'a: 2.0.1, at last');
    await submit([shop.outcome('promoted', 'a', tip, { base: await baseOf(shop, 3) })]);
    await done(30_000);
    expect(await bodyOf(shop)).toMatch(
      /\nPushed in 2 commits:\n {2}\w{12} "a: 2\.0\.0" by .*\n {2}\w{12} "a: 2\.0\.1, at last" by /,
    );
    expect(await bodyOf(shop)).not.toContain('b: 2.0.0');
  });
});

it('who took a release back, and what it superseded, are told by the commits that did it', async () => {
  await withShop(apps, async (shop) => {
    const { submit, done } = await shop.start();
    await submit([shop.outcome('adopted', 'a', await shop.tip())]);
    await done(30_000);
    const base = await shop.tip();
    await shop.push(image('a', '2.0.0'), 'a: 2.0.0');
    const first = await shop.push(image('b', '2.0.0'), 'b: 2.0.0');
    await shop.push(image('a', '2.0.1'), 'a: 2.0.1');
    const second = await shop.push(image('b', '2.0.1'), 'b: 2.0.1');
    const back = await shop.push(image('a', '1.0.0'), 'a: as it was');
    const takenBackAt = await shop.push(image('b', '2.0.2'), 'b: 2.0.2');
    const more = { base, supersedes: ['one'], supersededAt: { one: first }, takenBackAt };
    await submit([shop.outcome('withdrawn', 'a', second, more)]);
    await done(30_000);
    const body = await bodyOf(shop);
    expect(body).toContain('\nPushed: "a: 2.0.1" by ');
    expect(body).toContain(`Taken back at ${back.slice(0, 12)} "a: as it was" by `);
    expect(body).toMatch(/superseded an earlier push .*:\n {2}\w{12} "a: 2\.0\.0" by /);
    expect(body).not.toContain('"b: ');
  });
});

it('nobody is named where the history does not lead back to what was there before', async () => {
  await withShop(apps, async (shop) => {
    const { submit, done } = await shop.start();
    const gone = asRevision('f'.repeat(40));
    await submit([shop.outcome('promoted', 'a', await shop.push(image('a', '2.0.0'), 'a: 2.0.0'), { base: gone })]);
    await done(30_000);
    expect(await bodyOf(shop)).not.toContain('Pushed');
    expect(await trailers(shop.path, 'main')).toMatchObject({ Verdict: 'promoted' });
  });
});

it('an app that left Git names the commit that took it out, not a later one that speaks of something like it', async () => {
  await withShop(apps, async (shop) => {
    const { submit, done } = await shop.start();
    await submit([shop.outcome('adopted', 'a', await shop.tip())]);
    await done(30_000);
    const last = await shop.outcome('removed', 'a', await shop.tip());
    const gone = await shop.push({ 'a/deployment.yaml': null, 'a/canary.yaml': null }, 'a is not wanted any more');
    const tip = await shop.push(image('b', '2.0.0'), 'b: 2.0.0, kind: Canary, a');
    await submit([{ ...last, state: { ...last.state, revision: tip } }]);
    await done(30_000);
    const body = await bodyOf(shop);
    expect(body).toMatch(/^close test\/a: removed from Git by /);
    expect(body).toContain(`Removed at ${gone.slice(0, 12)} "a is not wanted any more" by `);
  });
});
