import { expect, it } from 'vitest';
import { helmProgram, podinfoRepository } from '../helpers/helm.ts';
import { canary, image, object } from './look.ts';
import { outcome } from './outcomes.ts';
import { onStage } from './stage.ts';

it.skipIf(helmProgram === undefined)(
  'a chart with a Canary of its own is released by the values of a HelmRelease, and a bad value is taken back there',
  { timeout: 120_000 },
  async () => {
    const path = 'releases/test/frontend.yaml';
    const before = Object.entries(podinfoRepository).filter(([file]) => !file.startsWith('releases/'));
    const flags = { helm: helmProgram ?? '', 'git-path': '' };
    const hosts = ['frontend.test.example.test', 'backend.test.example.test'];
    await onStage({ files: Object.fromEntries(before), flags, hosts }, async (stage) => {
      // The repository names itself, as HelmReleases of Flux 1 do.
      const url = stage.git.repoUrl('config');
      const releases = Object.entries(podinfoRepository).flatMap(([file, text]) =>
        file.startsWith('releases/') ? [[file, text.replace('https://git.example.org/team/releases', url)]] : [],
      );
      await stage.push('the releases', Object.fromEntries(releases) as Record<string, string>);
      await stage.untilPushed('the ledgers', async () => {
        const ledgers = ['frontend', 'backend'].map((name) => stage.file(`.releases/test/${name}.yaml`));
        return (await Promise.all(ledgers)).every((text) => text !== undefined);
      });
      for (const kind of ['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler']) {
        expect(object(stage, kind, 'frontend'), kind).toBeDefined();
        expect(object(stage, kind, 'frontend-primary'), kind).toBeDefined();
      }

      const good = await stage.edit('a version and a message', path, (text) =>
        text.replace('tag: 3.1.0', 'tag: 3.1.1').replace('hello from', 'bye from'),
      );
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted', Revision: good });
      expect(image(stage, 'frontend-primary')).toBe('podinfo:3.1.1');
      expect(object(stage, 'ConfigMap', 'frontend-primary')?.['data']).toMatchObject({
        PODINFO_UI_MESSAGE: 'bye from the frontend',
      });
      const promoted = (await stage.file(path)) ?? '';

      await stage.edit('a bad version, and how it is judged', path, (text) =>
        text
          .replace('tag: 3.1.1', 'tag: 3.1.2 # quick')
          .replace('      enabled: true', '      enabled: true\n      threshold: 3'),
      );
      const trailers = { Verdict: 'rolled-back', Images: expect.stringContaining('3.1.2') as string };
      expect((await outcome(stage, 2)).trailers).toMatchObject(trailers);
      expect(await stage.file(path)).toBe(
        promoted.replace('      enabled: true', '      enabled: true\n      threshold: 3'),
      );
      await stage.until('the target is what Git says again', () => image(stage, 'frontend') === 'podinfo:3.1.1');
      await stage.until('the status', () => canary(stage, { name: 'frontend' }).phase === 'Failed');
      expect(image(stage, 'backend-primary')).toBe('podinfo:3.1.0');

      // A Deployment beside the HelmRelease whose chart makes it: which of the two is meant is not known.
      const backend = 'releases/test/backend.yaml';
      const release = (await stage.file(backend)) ?? '';
      const told = stage.log.length;
      const workload =
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: backend, namespace: test }\nspec:\n  selector: { matchLabels: { app: backend } }\n  template:\n    metadata: { labels: { app: backend } }\n    spec: { containers: [{ name: podinfod, image: "registry.test/podinfo:9.9.9" }] }\n';
      const marker = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: marker, namespace: test }\ndata: { a: b }\n';
      await stage.push('the same Deployment', { [backend]: `${release}---\n${workload}---\n${marker}` });
      await stage.said(/Deployment test\/backend is defined by .*it is applied from neither/, { from: told });
      await stage.until('the object beside it', () => object(stage, 'ConfigMap', 'marker'));
      await stage.restsFor(3000);
      expect([image(stage, 'backend'), image(stage, 'backend-primary')]).toEqual(['podinfo:3.1.0', 'podinfo:3.1.0']);
      expect(canary(stage, { name: 'backend' })).toMatchObject({ phase: 'Initialized', weight: 0 });
      await stage.push('only the chart again', { [backend]: release });

      // What cannot be rendered any more stays as it is, and nothing else stops.
      const from = stage.log.length;
      await stage.push('a broken template', {
        'charts/podinfo/templates/hpa.yaml': '{{ if }}',
        'releases/test/plain.yaml':
          'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: plain, namespace: test }\ndata: { a: b }\n',
      });
      await stage.said(/HelmRelease test\/frontend is not rendered: Helm cannot render it/, { from });
      await stage.until('the other object', () => object(stage, 'ConfigMap', 'plain'));
      for (const kind of ['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'Canary'])
        for (const name of ['frontend', 'backend']) expect(object(stage, kind, name), `${kind} ${name}`).toBeDefined();
    });
  },
);
