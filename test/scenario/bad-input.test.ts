import { describe, expect, it } from 'vitest';
import { appFiles, appPath, canaryYaml, configYaml, deploymentYaml, hostOf, toTag } from './apps.ts';
import { canary, image, object, replicas, weights } from './look.ts';
import { adopted, agentCommits, outcome, outcomes } from './outcomes.ts';
import { expectSound, ledger } from './soundness.ts';
import { onStage, patient } from './stage.ts';

const files = appFiles();
const hosts = [hostOf()];

describe('bad input', patient, () => {
  it('in one file or one Canary stops no other app, and each is told once with file and line', async () => {
    const broken = {
      'apps/broken.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: [\n',
      'apps/strange/app.yaml': [deploymentYaml({ name: 'strange' }), configYaml({ name: 'strange' })].join('---\n'),
      'apps/strange/canary.yaml': canaryYaml({ name: 'strange', provider: 'knative' }),
      'apps/lonely.yaml': canaryYaml({ name: 'lonely' }),
      'apps/nowhere.yaml': configYaml({ name: 'nowhere', namespace: 'not-there' }),
    };
    await onStage({ files: { ...files, ...broken }, hosts }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      const complaints = stage.log.filter(({ level }) => level === 'error' || level === 'warn').map(({ msg }) => msg);
      for (const [place, what] of [
        [/^apps\/broken\.yaml:\d+ /, /flow|bracket|expected|\]/i],
        [/^apps\/strange\/canary\.yaml:\d+ /, /spec\.targetRef.*knative/],
        [/^apps\/lonely\.yaml:\d+ /, /no Deployment test\/lonely/],
        [/^apps\/nowhere\.yaml:\d+ /, /not-there/],
      ] as const)
        expect(
          complaints.filter((text) => place.test(text) && what.test(text)),
          String(place),
        ).not.toEqual([]);
      expect(object(stage, 'Deployment', 'strange')).toBeDefined();
      expect(canary(stage, { name: 'strange' }).phase).not.toBe('Initialized');
      await expectSound(stage);
    });
  });

  it('that makes the app under analysis unreadable loses neither its canary nor its outcome', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const good = await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => canary(stage).weight === 20);
      await stage.edit('a slip of the hand', appPath(), (text) => text.replace('spec:', 'spec: {'));
      const { trailers } = await outcome(stage, 1);
      expect(trailers).toMatchObject({ Verdict: 'promoted', Revision: good });
      expect(object(stage, 'Deployment', 'podinfo')).toBeDefined();

      await stage.edit('mended', appPath(), (text) => text.replace('spec: {', 'spec:'));
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      expect((await outcome(stage, 2)).subject).toMatch(/^rollback test\/podinfo 3\.1\.2/);
      expect(await stage.file(appPath())).toContain('podinfo:3.1.1');
      await expectSound(stage);
    });
  });

  it('that makes a Canary unreadable gives the users of its canary no version that nobody judges', async () => {
    const canaryPath = 'apps/podinfo/canary.yaml';
    const good = files[canaryPath] ?? '';
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => canary(stage).weight === 20);
      await stage.push('a newer one, and a slip of the hand', {
        [canaryPath]: good.replace('gatewayapi:v1', 'knative'),
        [appPath()]: toTag('3.1.2')((await stage.file(appPath())) ?? ''),
      });
      await stage.said(/^podinfo\.test has changed: the users of podinfo\.test go to the primary/);
      await stage.until('they are there', () => weights(stage)[1] === 0);
      await stage.restsFor(20_000);
      expect([canary(stage).phase, ...weights(stage)]).toEqual(['Progressing', 100, 0]);
      await stage.push('mended', { [canaryPath]: good });
      expect((await outcome(stage, 1)).subject).toMatch(/^rollback test\/podinfo 3\.1\.2/);
      await expectSound(stage);
    });
  });

  it('that leaves nothing of the tree deletes nothing of the cluster', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const uid = object(stage, 'Deployment', 'podinfo-primary')?.metadata.uid;
      await stage.push('oops', Object.fromEntries(Object.keys(files).map((path) => [path, null])));
      await stage.until('it is seen and said', () =>
        stage.log.some(({ held }) => /nothing is deleted/.test(String(held))),
      );
      await stage.restsFor(20_000);
      expect(object(stage, 'Deployment', 'podinfo-primary')?.metadata.uid).toBe(uid);
      expect(object(stage, 'Canary', 'podinfo')).toBeDefined();
      expect(weights(stage)).toEqual([100, 0]);

      await stage.push('back again', { ...files, [appPath()]: toTag('3.1.1')(files[appPath()] ?? '') });
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      expect(object(stage, 'Deployment', 'podinfo-primary')?.metadata.uid).toBe(uid);
      await expectSound(stage);
    });
  });

  it('in the place of a manifest deletes nothing, and is told with what stays', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 12345\n`;
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const commit = await stage.push('track YAML with LFS', { [appPath()]: pointer });
      await stage.said(`Synced ${commit.slice(0, 10)}`);
      for (const [kind, name] of [
        ['Deployment', 'podinfo'],
        ['ConfigMap', 'podinfo-settings'],
      ] as const)
        expect(object(stage, kind, name)).toBeDefined();
      await stage.said(
        /^apps\/podinfo\/app\.yaml:1 the file holds a pointer of Git LFS: .*Deployment test\/podinfo .*stay in/,
      );

      const [path = ''] = appPath().split('/app.yaml');
      const folder = await stage.push('a file in the place of a folder', {
        [appPath()]: null,
        [`${path}/app.yaml/notes.md`]: 'x',
      });
      await stage.said(`Synced ${folder.slice(0, 10)}`);
      await stage.said(/^apps\/podinfo\/app\.yaml:1 the file is a folder: .*Deployment test\/podinfo /);
      expect(object(stage, 'Deployment', 'podinfo')).toBeDefined();
      const status = await stage.until('it stands in the status', () => {
        const data = object(stage, 'ConfigMap', 'serin-status', 'serin')?.['data'] as
          | Record<string, string>
          | undefined;
        return data?.['synced'] === folder ? data : undefined;
      });
      expect(status).toMatchObject({
        failed: '1',
        problems: expect.stringMatching(/^apps\/podinfo\/app\.yaml:1 the file is a folder/),
      });
      expect(stage.agent.notReady()).toEqual([]);
      await expectSound(stage);
    });
  });

  it('as the very first version is never taken for stable', async () => {
    await onStage({ files: appFiles({ tag: '3.1.4' }), hosts }, async (stage) => {
      await stage.said(/^podinfo-primary\.test not ready: .*0 of 2/);
      await stage.restsFor(60_000);
      expect(canary(stage).phase).toBe('Initializing');
      // Users stay where they were: the target is not scaled down for a primary that does not answer.
      expect(replicas(stage, 'podinfo')).toBe(2);
      expect(await agentCommits(stage)).toEqual([]);

      const fixed = await stage.edit('a version that works', appPath(), toTag('3.1.0'));
      await adopted(stage);
      expect((await ledger(stage))?.stable).toMatchObject({
        revision: fixed,
        images: { podinfod: 'registry.test/podinfo:3.1.0' },
      });
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');
      expect(await outcomes(stage)).toEqual([]);
      await expectSound(stage);
    });
  });

  it('that would mix the users of two apps leaves their Services as they are, and what finds no pods any more is told', async () => {
    const shared = (name: string, more: string): string =>
      deploymentYaml({ name }).replaceAll(
        /^( *)app: \S+$/gm,
        (_line, indent: string) => `${indent}app: shared${more === '' ? '' : `\n${indent}role: ${more}`}`,
      );
    const service =
      'apiVersion: v1\nkind: Service\nmetadata: { name: front, namespace: test }\nspec: { selector: { app: shared }, ports: [{ port: 9898 }] }\n';
    const budget =
      'apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: { name: podinfo, namespace: test }\nspec: { minAvailable: 1, selector: { matchLabels: { app: podinfo } } }\n';
    const mixed = {
      'apps/front/app.yaml': [shared('front', ''), configYaml({ name: 'front' }), service].join('---\n'),
      'apps/front/canary.yaml': canaryYaml({ name: 'front', provider: 'kubernetes' }),
      'apps/back/app.yaml': [shared('back', 'back'), configYaml({ name: 'back' })].join('---\n'),
      'apps/budget.yaml': budget,
    };
    await onStage({ files: { ...files, ...mixed }, hosts }, async (stage) => {
      await adopted(stage);
      await stage.said(
        /^front\.test waits: users of Deployment front and of Deployment back would be answered by each other's pods/,
      );
      await stage.restsFor(30_000);
      expect(canary(stage, { name: 'front' }).phase).toBe('Initializing');
      expect(object(stage, 'Service', 'front')?.['spec']).toMatchObject({ selector: { app: 'shared' } });
      expect(object(stage, 'Service', 'front-canary')).toBeUndefined();
      expect(object(stage, 'Deployment', 'front-primary')).toBeUndefined();
      const budgets = stage.log.filter(
        ({ msg, canary: of }) =>
          of !== undefined && /^apps\/budget\.yaml:\d+ PodDisruptionBudget test\/podinfo/.test(msg),
      );
      expect(budgets.map(({ canary: of }) => of)).toEqual(['podinfo.test']);

      await stage.push('there is nothing to mix any more', { 'apps/back/app.yaml': null });
      await stage.until('its Canary begins', () => canary(stage, { name: 'front' }).phase === 'Initialized');
      expect(object(stage, 'Service', 'front')?.['spec']).toMatchObject({ selector: { app: 'shared-primary' } });
    });
  });

  it('in a ledger does not make its app look new', async () => {
    await onStage({ files, hosts }, async (stage) => {
      await adopted(stage);
      const text = (await stage.file('apps/.releases/test/podinfo.yaml')) ?? '';
      await stage.push('tidy up', { 'apps/.releases/test/podinfo.yaml': `${text}  : [\n` });
      await stage.said(/^apps\/\.releases\/test\/podinfo\.yaml/);
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      await stage.said(/^Rollback of podinfo\.test cannot be written to Git: .*ledger/);
      expect(weights(stage)).toEqual([100, 0]);
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');

      await stage.push('put the ledger back', { 'apps/.releases/test/podinfo.yaml': text });
      expect((await outcome(stage, 1)).subject).toMatch(/^rollback test\/podinfo 3\.1\.2/);
      await expectSound(stage);
    });
  });
});
