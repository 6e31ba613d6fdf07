import { describe, expect, it } from 'vitest';
import { helmProgram, podinfoRepository } from '../helpers/helm.ts';
import { canary, image } from './look.ts';
import { outcome } from './outcomes.ts';
import { startReceiver } from './receiver.ts';
import { onStage, patient } from './stage.ts';
import { flagsFor, slowly, upgrades, withRegistry } from './upgrades.ts';

describe('a new tag of an image', patient, () => {
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
