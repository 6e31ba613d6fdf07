import { describe, expect, it } from 'vitest';
import { appFiles, appPath, hostOf } from './apps.ts';
import { livesUntil } from './lives.ts';
import { canary, image } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { expectSound, ledger } from './soundness.ts';
import { onStage, patient } from './stage.ts';
import { flagsFor, slowly, upgrades, withRegistry } from './upgrades.ts';

/** A version is judged by what was measured since the one before it was taken back. */
function judgedBriefly(files: Record<string, string>): Record<string, string> {
  const path = 'apps/podinfo/canary.yaml';
  return { ...files, [path]: (files[path] ?? '').replace('interval: 30s', 'interval: 10s') };
}

/** The app of `appFiles`, its image in a registry and a policy on it. */
function automated(registry: string, tag: string, annotations: readonly string[]): Record<string, string> {
  const files = judgedBriefly(appFiles({ tag, steps: '[50]', interval: '5s' }));
  const policy = ['fluxcd.io/automated: "true"', ...annotations].map((line) => `    ${line}\n`).join('');
  const path = appPath();
  const text = (files[path] ?? '')
    .replace('registry.test/podinfo', `${registry}/podinfo`)
    .replace('  labels: { app: podinfo }\n', `  labels: { app: podinfo }\n  annotations:\n${policy}`);
  return { ...files, [path]: text };
}

/** The same app by objects of Flux v2. */
function markedFiles(registry: string, tag: string, range: string): Record<string, string> {
  const files = judgedBriefly(appFiles({ tag, steps: '[50]', interval: '5s' }));
  const path = appPath();
  const object = (kind: string, spec: string, annotations = '{}'): string =>
    `apiVersion: image.toolkit.fluxcd.io/v1\nkind: ${kind}\nmetadata: { name: podinfo, namespace: test, annotations: ${annotations} }\nspec: ${spec}\n`;
  return {
    ...files,
    [path]: (files[path] ?? '')
      .replace('registry.test/podinfo', `${registry}/podinfo`)
      .replace('# moved by releases', '# {"$imagepolicy": "test:podinfo"}'),
    'apps/flux.yaml': [
      object('ImageRepository', `{ image: "${registry}/podinfo", interval: 1m }`),
      object('ImagePolicy', `{ imageRepositoryRef: { name: podinfo }, policy: { semver: { range: "${range}" } } }`),
      object('ImageUpdateAutomation', '{ update: { path: ./apps } }', '{ serin.dev/image-updates: "true" }'),
    ].join('---\n'),
  };
}

describe('a new tag of an image', patient, () => {
  it('becomes a commit and a release: promoted, or taken back and not tried again, and never one outside of the range', async () => {
    await withRegistry(async (registry) => {
      await registry.push('podinfo', '1.4.0');
      const files = automated(registry.registry, '1.4.0', ['fluxcd.io/tag.podinfod: semver:~1.4']);
      await onStage({ files, hosts: [hostOf()], flags: flagsFor(registry) }, async (stage) => {
        await adopted(stage);
        const before = await stage.file(appPath());
        await registry.push('podinfo', '1.4.1');
        expect((await outcome(stage, 1, slowly)).subject).toBe('promote test/podinfo 1.4.1');
        expect(image(stage, 'podinfo-primary')).toBe('podinfo:1.4.1');
        const [first] = await upgrades(stage);
        const name = `podinfod=${registry.registry}/podinfo`;
        expect(first).toMatchObject({
          subject: 'upgrade test/podinfo 1.4.0 -> 1.4.1 (semver:~1.4)',
          trailers: {
            Policy: 'podinfod=semver:~1.4',
            Images: `${name}:1.4.1`,
            'Previous-Images': `${name}:1.4.0`,
            Cluster: 'stage',
          },
          changed: [appPath()],
        });
        expect(await stage.file(appPath())).toBe(before?.replace('podinfo:1.4.0"', 'podinfo:1.4.1"'));

        await registry.push('podinfo', '1.4.2');
        expect((await outcome(stage, 2, slowly)).subject).toBe('rollback test/podinfo 1.4.2: success rate 0.00% < 99%');
        expect(image(stage, 'podinfo-primary')).toBe('podinfo:1.4.1');
        await stage.until('it is at rest', async () => ((await ledger(stage))?.quarantine ?? []).length === 1);
        await stage.said(/^Image stays at 1\.4\.1: 1\.4\.2 is not taken: in quarantine: /);

        await registry.push('podinfo', '1.5.0');
        await registry.push('podinfo', '1.4.3');
        expect((await outcome(stage, 3, slowly)).subject).toBe('promote test/podinfo 1.4.3');
        await stage.until('the status', () => canary(stage).phase === 'Succeeded');
        await stage.restsFor(60_000);
        const all = await upgrades(stage);
        expect(all.map(({ subject }) => subject)).toEqual([
          'upgrade test/podinfo 1.4.0 -> 1.4.1 (semver:~1.4)',
          'upgrade test/podinfo 1.4.1 -> 1.4.2 (semver:~1.4)',
          'upgrade test/podinfo 1.4.1 -> 1.4.3 (semver:~1.4)',
        ]);
        expect(all[2]?.body).toContain('1.4.2: in quarantine: success rate 0.00% < 99%');
        expect(all[2]?.body).toContain('1.5.0: outside of ~1.4');
      });
    });
  });

  it('of each container that is due is one commit, and a version that a person goes back to holds', async () => {
    await withRegistry(async (registry) => {
      for (const name of ['podinfo', 'busybox']) await registry.push(name, '3.1.0');
      const files = automated(registry.registry, '3.1.0', [
        'fluxcd.io/tag.podinfod: semver:~3',
        "filter.fluxcd.io/side: 'semver:3.1.x'",
      ]);
      const path = appPath();
      files[path] = (files[path] ?? '').replace(
        '      containers:\n',
        `      containers:\n        - { name: side, image: ${registry.registry}/busybox:3.1.0, args: [sleep, "9999"] }\n`,
      );
      await onStage({ files, hosts: [hostOf()], flags: flagsFor(registry), started: false }, async (stage) => {
        for (const name of ['podinfo', 'busybox']) await registry.push(name, '3.1.1');
        await stage.start();
        await adopted(stage);
        expect((await outcome(stage, 1, slowly)).subject).toBe('promote test/podinfo 3.1.1');
        const name = (image: string, tag: string): string => `${registry.registry}/${image}:${tag}`;
        expect(
          (await upgrades(stage)).map(({ subject, body }) => [
            subject,
            body.split('\n').filter((line) => /^\w.*->/.test(line)),
          ]),
        ).toEqual([
          [
            'upgrade test/podinfo 3.1.0 -> 3.1.1',
            [
              `podinfod: ${name('podinfo', '3.1.0')} -> ${name('podinfo', '3.1.1')}`,
              `side: ${name('busybox', '3.1.0')} -> ${name('busybox', '3.1.1')}`,
            ],
          ],
        ]);

        const back = await stage.edit('go back', path, (text) => text.replace('podinfo:3.1.1"', 'podinfo:3.1.0"'));
        expect((await outcome(stage, 2, slowly)).subject).toBe('promote test/podinfo 3.1.0');
        expect((await ledger(stage)) as unknown).toMatchObject({
          holds: [
            {
              container: 'podinfod',
              image: name('podinfo', '3.1.0'),
              instead: name('podinfo', '3.1.1'),
              revision: back,
            },
          ],
        });
        const held = await stage.run('log', '--format=%s', '--grep=^Hold: ', 'main');
        expect(held.trim()).toMatch(/^hold test\/podinfo at 3\.1\.0 as picked by /);
        const logged = stage.log.filter(({ msg }) => msg.includes(held.trim()));
        expect(logged.map(({ msg }) => msg)).toEqual([`Written to Git: ${held.trim()}`]);
        await registry.push('podinfo', '3.1.5');
        await stage.restsFor(60_000);
        expect(await upgrades(stage)).toHaveLength(1);

        // The hold is of that image: forward goes on.
        await stage.edit('go on', path, (text) => text.replace('podinfo:3.1.0"', 'podinfo:3.1.1"'));
        expect((await outcome(stage, 4, slowly)).subject).toBe('promote test/podinfo 3.1.5');
        expect((await upgrades(stage)).at(-1)?.subject).toBe('upgrade test/podinfo 3.1.1 -> 3.1.5 (semver:~3)');
      });
    });
  });

  it('by a policy of Flux v2 comes to the same end where agents die after every few writes, and nothing of Flux is needed', async () => {
    await withRegistry(async (registry) => {
      for (const tag of ['1.4.0', '1.4.1', '1.4.2', '1.5.0']) await registry.push('podinfo', tag);
      const files = markedFiles(registry.registry, '1.4.0', '~1.4');
      const flags = { ...flagsFor(registry), 'image-interval': '2s' };
      await onStage({ files, hosts: [hostOf()], flags, started: false }, async (stage) => {
        const isDone = async (): Promise<boolean> =>
          (await ledger(stage))?.stable?.images['podinfod'] === `${registry.registry}/podinfo:1.4.1` &&
          canary(stage).phase === 'Succeeded';
        const lives = await livesUntil(stage, 2, 'the promotion of what is left', isDone);
        expect(lives).toBeGreaterThan(6);
        expect((await upgrades(stage)).map(({ subject }) => subject)).toEqual([
          'upgrade test/podinfo 1.4.0 -> 1.4.2 (semver:~1.4)',
          'upgrade test/podinfo 1.4.0 -> 1.4.1 (semver:~1.4)',
        ]);
        expect((await outcomes(stage)).map(({ subject }) => subject.replace(/:.*/, ''))).toEqual([
          'rollback test/podinfo 1.4.2',
          'promote test/podinfo 1.4.1',
        ]);
        expect(image(stage, 'podinfo-primary')).toBe('podinfo:1.4.1');
        expect(stage.log.filter(({ msg }) => msg.includes('ImagePolicy'))).toEqual([]);
      });
    });
  });

  it('comes to the same end wherever an agent dies: after each answer of a registry, each write, each push', async () => {
    await withRegistry(async (registry) => {
      await registry.push('podinfo', '1.4.0');
      const files = automated(registry.registry, '1.4.0', ['fluxcd.io/tag.podinfod: semver:~1.4']);
      const flags = { ...flagsFor(registry), 'image-interval': '2s' };
      await onStage({ files, hosts: [hostOf()], flags }, async (stage) => {
        await adopted(stage);
        await stage.agent.stop();
        for (const tag of ['1.4.1', '1.4.2']) await registry.push('podinfo', tag);
        const isDone = async (): Promise<boolean> =>
          (await ledger(stage))?.stable?.images['podinfod'] === `${registry.registry}/podinfo:1.4.1` &&
          canary(stage).phase === 'Succeeded';
        // Each lives one step longer than the one before it: what all repeat at their start is done by each.
        let lives = 0;
        for (let isOver = false; !isOver; lives += 1) {
          await stage.start({ writes: lives + 1, isEachStepCounted: true });
          await stage.until('the end, or a death', async () => stage.agent.isDead() || (await isDone()));
          await stage.agent.stop();
          isOver = await isDone();
        }
        expect(lives).toBeGreaterThan(8);
        expect((await upgrades(stage)).map(({ subject }) => subject)).toEqual([
          'upgrade test/podinfo 1.4.0 -> 1.4.2 (semver:~1.4)',
          'upgrade test/podinfo 1.4.0 -> 1.4.1 (semver:~1.4)',
        ]);
        expect((await outcomes(stage)).map(({ subject }) => subject.replace(/:.*/, ''))).toEqual([
          'rollback test/podinfo 1.4.2',
          'promote test/podinfo 1.4.1',
        ]);
        expect(image(stage, 'podinfo-primary')).toBe('podinfo:1.4.1');
        expect((await ledger(stage))?.quarantine).toHaveLength(1);
        await expectSound(stage);
      });
    });
  });
});
