import { describe, expect, it } from 'vitest';
import { helmProgram, podinfoRepository } from '../helpers/helm.ts';
import { lines, readTrailers } from '../helpers/temp-repo.ts';
import { appFiles, appPath, hostOf } from './apps.ts';
import { livesUntil } from './lives.ts';
import { canary, image } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { startReceiver } from './receiver.ts';
import { type StageRegistry, startStageRegistry } from './registry.ts';
import { expectSound, ledger } from './soundness.ts';
import { onStage, patient, type Stage, type StageOptions } from './stage.ts';

/** The app of `appFiles`, its image in a registry and a policy on it. */
function automated(registry: string, tag: string, annotations: readonly string[]): Record<string, string> {
  const files = appFiles({ tag, steps: '[50]', interval: '5s' });
  const policy = ['fluxcd.io/automated: "true"', ...annotations].map((line) => `    ${line}\n`).join('');
  const path = appPath();
  const text = (files[path] ?? '')
    .replace('registry.test/podinfo', `${registry}/podinfo`)
    .replace('  labels: { app: podinfo }\n', `  labels: { app: podinfo }\n  annotations:\n${policy}`);
  return { ...files, [path]: text };
}

/** The same app by objects of Flux v2. */
function markedFiles(registry: string, tag: string, range: string): Record<string, string> {
  const files = appFiles({ tag, steps: '[50]', interval: '5s' });
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

const withRegistry = async (work: (registry: StageRegistry) => Promise<void>): Promise<void> => {
  const registry = await startStageRegistry();
  try {
    await work(registry);
  } finally {
    await registry.stop();
  }
};

const flagsFor = ({ registry }: StageRegistry): NonNullable<StageOptions['flags']> => ({
  'registry-plain-http': registry,
  'image-interval': '10s',
});

/** For one look at the registry and a whole release on a busy machine. */
const slowly = 60_000;

interface Upgrade {
  readonly subject: string;
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
  readonly changed: readonly string[];
}

/** Commits that move images on, oldest first. */
async function upgrades({ run }: Stage): Promise<readonly Upgrade[]> {
  const format = '--format=%x1e%s%x1f%b%x1f%(trailers:only,unfold)%x1f';
  const text = await run('log', '--reverse', '--grep=^Policy: ', '--no-renames', '--name-only', format, 'main');
  return text
    .split('\x1e')
    .slice(1)
    .map((record) => {
      const [subject = '', body = '', trailers = '', changed = ''] = record.split('\x1f');
      return { subject, body, trailers: readTrailers(trailers), changed: lines(changed) };
    });
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

  it.skipIf(helmProgram === undefined)(
    'of a chart goes from the registry to the message in the chat, is written into the values of its HelmRelease, and nowhere else',
    async () => {
      await withRegistry(async (registry) => {
        await registry.push('podinfo', '1.4.0');
        const chat = await startReceiver();
        const path = 'releases/test/frontend.yaml';
        const isBackend = (file: string): boolean => file.endsWith('backend.yaml');
        const before = Object.entries(podinfoRepository).filter(([file]) => file !== path && !isBackend(file));
        const flags = {
          ...flagsFor(registry),
          helm: helmProgram ?? '',
          'git-path': '',
          'slack-url': `${chat.url}/slack/releases`,
          'slack-channel': 'releases',
        };
        try {
          await onStage(
            { files: Object.fromEntries(before), flags, hosts: ['frontend.test.example.test'] },
            async (stage) => {
              const release = (podinfoRepository[path] ?? '')
                .replace('https://git.example.org/team/releases', stage.git.repoUrl('config'))
                .replace('registry.test/podinfo', `${registry.registry}/podinfo`)
                .replace('tag: 3.1.0', 'tag: 1.4.0')
                .replace('semver:~3.1', 'semver:~1.4');
              const at = (tag: string): string => release.replace('tag: 1.4.0', `tag: ${tag}`).trimEnd();
              await stage.push('the release', { [path]: release });
              await stage.untilPushed(
                'its ledger',
                async () => (await stage.file('.releases/test/frontend.yaml')) !== undefined,
              );
              await registry.push('podinfo', '1.4.1');
              expect((await outcome(stage, 1, slowly)).trailers).toMatchObject({ Verdict: 'promoted' });
              expect(image(stage, 'frontend-primary')).toBe('podinfo:1.4.1');
              expect((await stage.file(path))?.trimEnd()).toBe(at('1.4.1'));
              await registry.push('podinfo', '1.4.2');
              expect((await outcome(stage, 2, slowly)).trailers).toMatchObject({ Verdict: 'rolled-back' });
              expect((await stage.file(path))?.trimEnd()).toBe(at('1.4.1'));
              await stage.said(/^Image stays at 1\.4\.1: 1\.4\.2 is not taken: in quarantine: /);
              await registry.push('podinfo', '1.5.0');
              await registry.push('podinfo', '1.4.3');
              expect((await outcome(stage, 3, slowly)).trailers).toMatchObject({ Verdict: 'promoted' });
              await stage.until('the status', () => canary(stage, { name: 'frontend' }).phase === 'Succeeded');
              await stage.restsFor(60_000);
              expect((await stage.file(path))?.trimEnd()).toBe(at('1.4.3'));
              expect((await upgrades(stage)).map(({ subject, changed }) => [subject, changed])).toEqual([
                ['upgrade test/frontend 1.4.0 -> 1.4.1 (semver:~1.4)', [path]],
                ['upgrade test/frontend 1.4.1 -> 1.4.2 (semver:~1.4)', [path]],
                ['upgrade test/frontend 1.4.1 -> 1.4.3 (semver:~1.4)', [path]],
              ]);
              const history = (await stage.run('log', '--reverse', '--format=%s', 'main')).trim().split('\n');
              expect(history.slice(2).map((subject) => subject.replace(/: .*/, ''))).toEqual([
                'adopt test/frontend',
                'upgrade test/frontend 1.4.0 -> 1.4.1 (semver:~1.4)',
                'promote test/frontend 1.4.1',
                'upgrade test/frontend 1.4.1 -> 1.4.2 (semver:~1.4)',
                'rollback test/frontend 1.4.2',
                'upgrade test/frontend 1.4.1 -> 1.4.3 (semver:~1.4)',
                'promote test/frontend 1.4.3',
              ]);
              const holds = await stage.run('log', '--format=%s', '--grep=^Hold: ', 'main');
              expect(holds.trim()).toBe('');
              const promoted = 'Canary analysis completed successfully, promotion finished.';
              const texts = chat.alerts('releases').map(({ text }) => text);
              expect(texts.filter((text) => text === promoted)).toHaveLength(2);
              expect(texts).toContain('Failed checks threshold reached 2');
            },
          );
        } finally {
          await chat.close();
        }
      });
    },
  );
});
