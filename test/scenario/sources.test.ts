import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startGitServer } from '../../src/sandbox/git-server.ts';
import { inTurn, orders } from '../helpers/hostile-git.ts';
import { startHostileHost } from '../helpers/hostile-host.ts';
import { commitFiles, runGit } from '../helpers/temp-repo.ts';
import { appFiles, appPath, canaryYaml, configYaml, deploymentYaml, hostOf, namespaceYaml, toTag } from './apps.ts';
import { canary, image, object } from './look.ts';
import { outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, type Stage } from './stage.ts';

/** Two releases one after the other, on a machine that may do much beside. */
const patient = { timeout: 240_000 };

/** With patience for a machine that does other things beside. */
const quick = { interval: '5s', threshold: 4, progressDeadlineSeconds: 600 };

/** A release of the app that stands in the first source; how long it took until Git told it, by the stage's clock. */
async function release(stage: Stage, tag: string, count: number): Promise<number> {
  const startedMs = stage.clock.now();
  await stage.edit(`podinfo ${tag}`, appPath(), toTag(tag));
  expect((await outcome(stage, count, 100_000)).subject).toBe(`promote test/podinfo ${tag}`);
  const tookMs = stage.clock.now() - startedMs;
  await stage.until('the promotion is over', () => canary(stage).phase === 'Succeeded');
  return tookMs;
}

const many = (count: number): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `apps/many/${at}.yaml`,
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: many-${at}, namespace: shop }\ndata: { a: b }\n`,
    ]),
  );

const dataOf = (stage: Stage, name: string): Record<string, string> =>
  (object(stage, 'ConfigMap', name, 'serin')?.['data'] ?? {}) as Record<string, string>;

describe('two repositories in one agent', patient, () => {
  it('release each by itself: while one is down, hostile or huge, the other is on time', async () => {
    const other = { ...quick, name: 'shop', namespace: 'shop' };
    let url = '';
    const sources = (): readonly unknown[] => [
      { name: 'default', url: stageUrl, path: 'apps' },
      { name: 'shop', url, path: 'apps', 'tag-prefix': 'shop/' },
    ];
    let stageUrl = '';
    const options = { files: appFiles(quick), hosts: [hostOf()], started: false, sources };
    await onStage(options, async (stage) => {
      stageUrl = stage.git.repoUrl('config');
      const root = join(stage.repoPath, '..', '..', 'elsewhere');
      const server = await startGitServer({ root });
      const host = await startHostileHost(root);
      try {
        const path = await server.createRepo('shop', { files: appFiles(other) });
        url = `${host.url}/shop.git`;

        // Down from the start: nothing of it is known.
        host.order(orders.reset);
        await stage.start();
        await stage.said(/^Outcome written to Git: adopted test\/podinfo$/, { ms: 100_000 });
        const undisturbedMs = await release(stage, '3.1.1', 1);
        expect(stage.agent.notReady()).toEqual([]);
        expect(stage.agent.notes().join('\n')).toContain('source shop: nothing is synced yet');
        expect(dataOf(stage, 'serin-status')).toMatchObject({ failed: '0' });
        await stage.until('its status says why', () => dataOf(stage, 'serin-status.shop')['trouble'] !== undefined);
        expect(object(stage, 'Deployment', 'shop', 'shop')).toBeUndefined();

        // Back: its app is applied, and its first state written to its own branch.
        host.order(undefined);
        stage.agent.pollNow();
        await stage.said(/^Outcome written to Git: adopted shop\/shop$/, { ms: 100_000 });
        expect(await runGit(['-C', path, 'log', '--format=%s', 'main'])).toContain('adopt shop/shop');
        expect(dataOf(stage, 'serin-inventory')['objects']).not.toContain('shop');
        expect(dataOf(stage, 'serin-inventory.shop')['objects']).toContain('shop');

        // Huge and hostile: many objects, and harm to every second request.
        await commitFiles(path, { message: 'very much', files: many(150) });
        const done = new Map<string, number>();
        let requests = 0;
        host.order(inTurn(() => (requests += 1) % 2 === 0, done));
        const asked = setInterval(() => stage.agent.pollNow(), 1_000);
        expect(await release(stage, '3.1.3', 2)).toBeLessThan(undisturbedMs * 3 + 60_000);
        clearInterval(asked);
        expect(done.size).toBeGreaterThan(0);
        host.order(undefined);
        stage.agent.pollNow();
        await stage.until(
          'all of it is applied',
          () => object(stage, 'ConfigMap', 'many-149', 'shop') !== undefined,
          60_000,
        );
        await expectSound(stage);
      } finally {
        await stage.agent.stop();
        await host.stop();
        await server.stop();
      }
    });
  });
});

describe('two folders of one repository', patient, () => {
  const shop = { ...quick, name: 'shop', namespace: 'shop' };
  const folder = (name: string, app: typeof shop): Record<string, string> => ({
    [`${name}/namespace.yaml`]: namespaceYaml(app.namespace),
    [`${name}/app.yaml`]: `${deploymentYaml(app)}---\n${configYaml(app)}`,
    [`${name}/canary.yaml`]: canaryYaml(app),
  });

  it('land their outcomes on one branch, and neither touches what is the other one’s', async () => {
    const info = { ...quick, name: 'podinfo', namespace: 'test' };
    let sources: readonly unknown[] = [];
    const options = {
      files: { ...folder('a', info), ...folder('b', shop) },
      hosts: [hostOf(info), hostOf(shop)],
      perSecond: 6,
      started: false,
      sources: () => sources,
    };
    await onStage(options, async (stage) => {
      const url = stage.git.repoUrl('config');
      const [a, b] = [
        { name: 'a', url, path: 'a' },
        { name: 'b', url, path: 'b' },
      ];
      sources = [a, b];
      await stage.start();
      const ledger = (name: string): Promise<string | undefined> => stage.file(name);
      await stage.untilPushed('both have their first state, each in its folder', async () => {
        const [one, two] = await Promise.all([
          ledger('a/.releases/test/podinfo.yaml'),
          ledger('b/.releases/shop/shop.yaml'),
        ]);
        return one !== undefined && two !== undefined;
      });

      // One commit, two releases, two outcomes on one branch.
      const [inA, inB] = [await stage.file('a/app.yaml'), await stage.file('b/app.yaml')];
      await stage.push('both 3.1.1', {
        'a/app.yaml': toTag('3.1.1')(inA ?? ''),
        'b/app.yaml': toTag('3.1.1')(inB ?? ''),
      });
      await outcome(stage, 2, 60_000);
      await stage.until('both are promoted', () =>
        [info, shop].every(({ name, namespace }) => canary(stage, { name, namespace }).phase === 'Succeeded'),
      );

      // The second one says the app of the first one, too: it is refused, by file and line, and nothing of the app changes.
      const before = object(stage, 'Deployment', 'podinfo', 'test')?.metadata.generation;
      await stage.push('b takes podinfo', {
        'b/taken.yaml': `${deploymentYaml({ ...info, tag: '3.1.2' })}---\n${canaryYaml(info)}`,
      });
      await stage.said(/b\/taken\.yaml:\d+ Deployment test\/podinfo is not applied: the source a has it/);
      await stage.said(/b\/taken\.yaml:\d+ Canary test\/podinfo is not applied: the source a has it/);
      expect(object(stage, 'Deployment', 'podinfo', 'test')?.metadata.generation).toBe(before);
      await stage.until('its status names them', () =>
        dataOf(stage, 'serin-status.b')['problems']?.includes('b/taken.yaml:'),
      );
      expect(dataOf(stage, 'serin-status.a')['problems']).toBeUndefined();

      // The first one lets it go: it is handed over, and never deleted.
      const { uid } = object(stage, 'Deployment', 'podinfo', 'test')?.metadata ?? {};
      await stage.push('podinfo moves to b', {
        'a/app.yaml': null,
        'a/canary.yaml': null,
        'b/taken.yaml': `${toTag('3.1.1')(inA ?? '')}---\n${canaryYaml(info)}`,
      });
      await stage.until('b has it', () =>
        dataOf(stage, 'serin-inventory.b')['objects']?.includes('\tpodinfo\tb/taken.yaml'),
      );
      expect(object(stage, 'Deployment', 'podinfo', 'test')?.metadata.uid).toBe(uid);
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');

      // A source that the settings do not name any more prunes nothing.
      await stage.agent.stop();
      sources = [a];
      await stage.start();
      await stage.said(
        /The settings do not name the source b any more: nothing that it applied is deleted .*kubectl -n serin delete configmap -l serin\.dev\/source=b/,
      );
      await stage.until('the other one is synced', () => stage.agent.notReady().length === 0);
      expect(object(stage, 'Deployment', 'shop', 'shop')).toBeDefined();
      expect(canary(stage, shop).phase).toBe('Succeeded');
    });
  });
});
