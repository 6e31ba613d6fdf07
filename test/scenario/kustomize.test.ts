import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { canaryYaml, deploymentYaml, hostOf, namespaceYaml } from './apps.ts';
import { canary, image, object } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { onStage } from './stage.ts';

/** As a base has it: in no namespace, its ConfigMap generated. */
const bare = (text: string): string => text.replaceAll(/\n {2}namespace: test/g, '');
const overlay = (tag: string): string => `# this cluster
namespace: test
resources: [../../base]
images:
- name: registry.test/podinfo
  newTag: ${tag} # moved by releases
`;
const settings = (message: string): string => `# read at start\nPODINFO_UI_MESSAGE=${message}\n`;

it.skipIf(kustomizeProgram === undefined)(
  'what an overlay releases is promoted, and taken back in the overlay and in what its base generates from',
  { timeout: 120_000 },
  async () => {
    const files = {
      'apps/ns.yaml': namespaceYaml(),
      'apps/podinfo/kustomization.yaml': overlay('3.1.0'),
      // Beside the folder that is synced.
      'base/kustomization.yaml':
        'resources: [podinfo.yaml, canary.yaml]\nconfigMapGenerator: [{ name: podinfo-settings, envs: [podinfo.env] }]\n',
      'base/podinfo.yaml': bare(deploymentYaml({ tag: '3.0.0' })),
      'base/canary.yaml': bare(canaryYaml()),
      'base/podinfo.env': settings('one'),
    };
    const flags = { kustomize: kustomizeProgram ?? '' };
    await onStage({ files, flags, hosts: [hostOf()] }, async (stage) => {
      const text = (path: string): Promise<string> => stage.run('show', `main:${path}`);
      await adopted(stage, 'test/podinfo');
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');

      await stage.push('a good version', { 'apps/podinfo/kustomization.yaml': overlay('3.1.1') });
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');

      await stage.push('another message and a bad version', {
        'apps/podinfo/kustomization.yaml': overlay('3.1.2'),
        'base/podinfo.env': settings('two'),
      });
      expect((await outcome(stage, 2)).trailers).toMatchObject({ Verdict: 'rolled-back' });
      expect((await text('apps/podinfo/kustomization.yaml')).trimEnd()).toBe(overlay('3.1.1').trimEnd());
      expect((await text('base/podinfo.env')).trimEnd()).toBe(settings('one').trimEnd());
      await stage.until('the target is what Git says again', () => image(stage, 'podinfo') === 'podinfo:3.1.1');
      await stage.until('the status', () => canary(stage).phase === 'Failed');
      expect(object(stage, 'Deployment', 'podinfo-primary')).toBeDefined();
    });
  },
);

it.skipIf(kustomizeProgram === undefined)(
  'what an overlay says stays as it is while kustomize cannot be started, and the rest is applied',
  { timeout: 60_000 },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'kustomize-link-'));
    const program = join(dir, 'kustomize');
    const config = (name: string, value: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { a: ${value} }\n`;
    const named = (value: string): string => config('plain', value).replace('plain }', 'plain, namespace: test }');
    try {
      await symlink(kustomizeProgram ?? '', program);
      const files = {
        'apps/ns.yaml': namespaceYaml(),
        'apps/plain.yaml': named('one'),
        'apps/shop/kustomization.yaml': 'namespace: test\nresources: [shop.yaml]\n',
        'apps/shop/shop.yaml': config('shop', 'one'),
      };
      await onStage({ files, flags: { kustomize: program } }, async (stage) => {
        const dataOf = (name: string): unknown => object(stage, 'ConfigMap', name)?.['data'];
        await stage.until('both', () => dataOf('shop') !== undefined && dataOf('plain') !== undefined);
        await rm(program);
        await symlink(program, program);
        const commit = await stage.push('another', {
          'apps/shop/shop.yaml': config('shop', 'two'),
          'apps/plain.yaml': named('two'),
        });
        await stage.said(`Synced ${commit.slice(0, 10)}`);
        expect(stage.log.filter(({ msg }) => msg.includes('ELOOP')).map(({ msg }) => msg)).toEqual([
          expect.stringMatching(/^apps\/shop\/kustomization.yaml:1 kustomize cannot render this \(spawn .* ELOOP\)/),
        ]);
        expect([dataOf('plain'), dataOf('shop')]).toEqual([{ a: 'two' }, { a: 'one' }]);
      });
    } finally {
      await rm(dir, { recursive: true });
    }
  },
);
