import { describe, expect, it } from 'vitest';
import { lines, readTrailers } from '../helpers/temp-repo.ts';
import { appFiles, appPath, hostOf } from './apps.ts';
import { canary, image } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { type StageRegistry, startStageRegistry } from './registry.ts';
import { ledger } from './soundness.ts';
import { onStage, patient, type Stage, type StageOptions } from './stage.ts';

/** The app of `appFiles`, its image in a registry and a policy on it. */
function automated(registry: string, tag: string, annotations: readonly string[]): Record<string, string> {
  const files = appFiles({ tag });
  const policy = ['fluxcd.io/automated: "true"', ...annotations].map((line) => `    ${line}\n`).join('');
  const path = appPath();
  const text = (files[path] ?? '')
    .replace('registry.test/podinfo', `${registry}/podinfo`)
    .replace('  labels: { app: podinfo }\n', `  labels: { app: podinfo }\n  annotations:\n${policy}`);
  return { ...files, [path]: text };
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

describe.concurrent('a new tag of an image', patient, () => {
  it('becomes a commit and a release: promoted, or taken back and not tried again, and never one outside of the range', async () => {
    await withRegistry(async (registry) => {
      await registry.push('podinfo', '1.4.0');
      const files = automated(registry.registry, '1.4.0', ['fluxcd.io/tag.podinfod: semver:~1.4']);
      await onStage({ files, hosts: [hostOf()], flags: flagsFor(registry) }, async (stage) => {
        await adopted(stage);
        const before = await stage.file(appPath());
        await registry.push('podinfo', '1.4.1');
        expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 1.4.1');
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
        expect((await outcome(stage, 2)).subject).toBe('rollback test/podinfo 1.4.2: success rate 0.00% < 99%');
        expect(image(stage, 'podinfo-primary')).toBe('podinfo:1.4.1');
        await stage.until('it is at rest', async () => ((await ledger(stage))?.quarantine ?? []).length === 1);
        await stage.said(/^Image stays at 1\.4\.1: 1\.4\.2 is not taken: in quarantine: /);

        await registry.push('podinfo', '1.5.0');
        await registry.push('podinfo', '1.4.3');
        expect((await outcome(stage, 3)).subject).toBe('promote test/podinfo 1.4.3');
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
});
