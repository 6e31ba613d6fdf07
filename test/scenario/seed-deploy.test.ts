import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { tempDir, removeDir } from '../helpers/temp-repo.ts';
import { appFiles, appPath, hostOf } from './apps.ts';
import { image } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { startStageRegistry } from './registry.ts';
import { onStage, patient } from './stage.ts';

/** For one look at the registry and a whole release on a busy machine. */
const slowly = 60_000;

describe('the talk with the deploy screen', patient, () => {
  it('an automated release fails without metrics, and an older version that is picked by hand runs as a canary and stays', async () => {
    const registry = await startStageRegistry();
    const dir = await tempDir();
    try {
      await registry.push('podinfo', '2.1.0');
      const files = appFiles({ tag: '2.1.0', steps: '[50]', interval: '5s' });
      const path = appPath();
      files[path] = (files[path] ?? '')
        .replace('registry.test/podinfo', `${registry.registry}/podinfo`)
        .replace(
          '  labels: { app: podinfo }\n',
          '  labels: { app: podinfo }\n  annotations: { fluxcd.io/automated: "true", fluxcd.io/tag.podinfod: "semver:~2.1" }\n',
        );
      const flags = { 'registry-plain-http': registry.registry, 'image-interval': '10s' };
      await onStage({ files, flags }, async (stage) => {
        const config = join(dir, 'serin.yaml');
        await writeFile(config, `git-url: ${stage.git.repoUrl('config')}\ngit-path: apps\n`);
        const serin = async (...words: readonly string[]): Promise<{ code: number; out: string; errors: string }> => {
          let [out, errors] = ['', ''];
          const code = await runCommandLine({
            argv: ['images', ...words, '--config', config, '--registry-plain-http', registry.registry],
            environment: {
              PATH: process.env['PATH'],
              GIT_CONFIG_GLOBAL: '/dev/null',
              GIT_AUTHOR_NAME: 'Sebastian',
              GIT_AUTHOR_EMAIL: 'sebastian@example.test',
              GIT_COMMITTER_NAME: 'Sebastian',
              GIT_COMMITTER_EMAIL: 'sebastian@example.test',
            },
            stdout: { write: (text) => (out += text) },
            stderr: { write: (text) => (errors += text) },
            signal: new AbortController().signal,
          });
          stage.agent.pollNow();
          return { code, out, errors };
        };
        stage.ask(hostOf());
        await adopted(stage);
        await registry.push('podinfo', '2.1.1');
        expect((await outcome(stage, 1, slowly)).subject).toBe('promote test/podinfo 2.1.1');

        // What would say how users fare is gone.
        await stage.hush();
        await registry.push('podinfo', '2.1.2');
        const failed = await outcome(stage, 2, slowly);
        expect(failed.subject).toMatch(
          /^rollback test\/podinfo 2\.1\.2: (?:no values found|no traffic to measure) for request-success/,
        );
        expect(image(stage, 'podinfo-primary')).toBe('podinfo:2.1.1');
        expect(await stage.file(path)).toContain('podinfo:2.1.1"');
        const before = stage.happened.length;

        stage.ask(hostOf());
        const released = await serin('release', 'test/podinfo', 'podinfod', '2.1.0', '-m', 'back to what we know');
        expect(released).toMatchObject({ code: 0, errors: '' });
        expect((await outcome(stage, 3, slowly)).subject).toBe('promote test/podinfo 2.1.0');
        const steps = stage.happened.slice(before).map(({ message }) => message);
        expect(steps).toContain('Advance podinfo.test canary weight 50');
        expect(image(stage, 'podinfo-primary')).toBe('podinfo:2.1.0');

        await registry.push('podinfo', '2.1.3');
        await stage.restsFor(60_000);
        const history = async (): Promise<readonly string[]> =>
          (await stage.run('log', '--reverse', '--format=%an: %s', 'main')).trim().split('\n').slice(1);
        const told = [
          'Serin: adopt test/podinfo',
          'Serin: upgrade test/podinfo 2.1.0 -> 2.1.1 (semver:~2.1)',
          'Serin: promote test/podinfo 2.1.1',
          'Serin: upgrade test/podinfo 2.1.1 -> 2.1.2 (semver:~2.1)',
          `Serin: ${failed.subject}`,
          'Sebastian: release test/podinfo 2.1.1 -> 2.1.0',
          'Serin: promote test/podinfo 2.1.0',
        ];
        expect(await history()).toEqual(told);
        expect((await serin('test/podinfo')).out).toContain('picked by Sebastian instead of');

        expect((await serin('resume', 'test/podinfo')).code).toBe(0);
        expect((await outcome(stage, 4, slowly)).subject).toBe('promote test/podinfo 2.1.3');
        expect(await history()).toEqual([
          ...told,
          'Sebastian: resume test/podinfo',
          'Serin: upgrade test/podinfo 2.1.0 -> 2.1.3 (semver:~2.1)',
          'Serin: promote test/podinfo 2.1.3',
        ]);
      });
    } finally {
      await registry.stop();
      await removeDir(dir);
    }
  });
});
