import { expect, it } from 'vitest';
import { startRegistryDouble } from '../helpers/registry-double.ts';
import { deploymentYaml, namespaceYaml } from './apps.ts';
import { onStage, patient } from './stage.ts';

/** What each workload asks for beside its range, its tag and the one that comes. */
const wishes: Readonly<
  Record<
    string,
    { readonly annotations: string; readonly range?: string; readonly from?: string; readonly to?: string }
  >
> = {
  natural: {
    annotations: 'serin.dev/image-prereleases: natural',
    range: '>=1.0.0-0',
    from: '1.0.0-rc9',
    to: '1.0.0-rc10',
  },
  plain: {
    annotations: 'serin.dev/image-prereleases: semver',
    range: '>=1.0.0-0',
    from: '1.0.0-rc9',
    to: '1.0.0-rc10',
  },
  pinned: { annotations: 'serin.dev/image-digest: with-tag' },
  aged: { annotations: 'serin.dev/image-min-age: 60s' },
  frozen: { annotations: 'serin.dev/image-freeze: sales, serin.dev/image-windows: "* * * * * 1h Europe/Berlin"' },
  closed: { annotations: 'serin.dev/image-windows: "* * * * * 1h; !* * * * * 1h Asia/Tokyo"' },
  open: { annotations: 'serin.dev/image-windows: "*/5 * * * * 10m America/New_York"' },
};

it('a workload says when its image is moved on, to which pre-releases, and whether its digest is written', {
  ...patient,
}, async () => {
  const double = await startRegistryDouble();
  const tagsOf = (name: string): { readonly from: string; readonly to: string } => {
    const { from = '1.0.0', to = '1.1.0' } = wishes[name] ?? {};
    return { from, to };
  };
  for (const name of Object.keys(wishes)) await double.push(`team/${name}`, tagsOf(name).from);
  await double.push('team/moving', '1.0.0');
  await double.push('team/rejected', '1.0.0');
  const failed = await double.push('team/rejected', '1.1.0');
  const app = (name: string, annotations: string, range = '^1'): string =>
    deploymentYaml({ name, tag: tagsOf(name).from })
      .replace('registry.test/podinfo', `${double.registry}/team/${name}`)
      .replace(
        `  labels: { app: ${name} }\n`,
        `  labels: { app: ${name} }\n  annotations: { fluxcd.io/automated: "true", fluxcd.io/tag.podinfod: "semver:${range}", ${annotations} }\n`,
      )
      .replace(/ {10}envFrom:[\s\S]*$/, '');
  const files = {
    'apps/all.yaml': [
      namespaceYaml(),
      ...Object.entries(wishes).map(([name, { annotations, range }]) => app(name, annotations, range)),
      app('moving', 'serin.dev/image-digest: always'),
      app('rejected', 'serin.dev/image-digest: never'),
    ].join('---\n'),
    'apps/.releases/test/rejected.yaml': `apiVersion: serin.dev/v1
kind: Ledger
quarantine:
  - images: { podinfod: "${double.registry}/team/rejected:1.1.0@${failed}" }
    reason: success rate 0% < 99%
`,
  };
  const flags = { 'registry-plain-http': double.registry, 'image-interval': '10s' };
  try {
    await onStage({ files, flags, hosts: [] }, async (stage) => {
      const upgraded = async (): Promise<ReadonlyMap<string, string>> => {
        const text = await stage.run('log', '--format=%s', '--grep=^Policy: ', 'main');
        const found = [...text.matchAll(/^upgrade test\/(\S+) \S+ -> (\S+)/gm)];
        return new Map(found.map(([, name = '', tag = '']) => [name, tag]));
      };
      const image = async (name: string): Promise<string | undefined> =>
        new RegExp(`team/${name}:(\\S+)"`).exec((await stage.file('apps/all.yaml')) ?? '')?.[1];
      await stage.untilPushed('the digest of what stands there', async () =>
        /^1\.0\.0@sha256:[0-9a-f]{64}$/.test((await image('moving')) ?? ''),
      );
      const first = await image('moving');
      const digests = new Map<string, string>();
      for (const name of Object.keys(wishes)) digests.set(name, await double.push(`team/${name}`, tagsOf(name).to));
      const pushedAtMs = stage.clock.now();
      const moved = await double.push('team/moving', '1.0.0', { seed: 'again' });

      // Rejected by its tag and digest, and pushed again: another candidate, which only its digest tells from what nodes may have.
      await stage.said(/^Image stays at 1\.0\.0: 1\.1\.0 is not taken: in quarantine: success rate 0% < 99%/);
      expect(await image('rejected')).toBe('1.0.0');
      const better = await double.push('team/rejected', '1.1.0', { seed: 'again' });
      await stage.untilPushed(
        'what was rejected and is another one',
        async () => (await image('rejected')) !== '1.0.0',
      );
      expect(await image('rejected')).toBe(`1.1.0@${better}`);

      await stage.untilPushed('what has to wait for its age', async () => (await upgraded()).has('aged'));
      expect(stage.clock.now() - pushedAtMs).toBeGreaterThan(60_000);
      await stage.untilPushed('the others', async () => {
        const names = await upgraded();
        return ['natural', 'pinned', 'open'].every((name) => names.has(name));
      });
      await stage.untilPushed('the tag that moved', async () => (await image('moving')) !== first);
      await stage.restsFor(30_000);
      expect(await image('natural')).toBe('1.0.0-rc10');
      expect(await image('pinned')).toBe(`1.1.0@${digests.get('pinned') ?? ''}`);
      expect(await image('aged')).toBe('1.1.0');
      expect(await image('open')).toBe('1.1.0');
      expect(await image('moving')).toBe(`1.0.0@${moved}`);
      // By the letter of SemVer rc10 stands before rc9.
      expect(await image('plain')).toBe('1.0.0-rc9');
      // A freeze wins over an open window, and a window that keeps all as it is over one that opens.
      expect(await image('frozen')).toBe('1.0.0');
      expect(await image('closed')).toBe('1.0.0');
    });
  } finally {
    await double.close();
  }
});
