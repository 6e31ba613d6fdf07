import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { appFiles, appPath, canaryYaml, hostOf, toTag } from './apps.ts';
import { canary, editByHand, object, weights } from './look.ts';
import { outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onceMore, onStage, patient, type Stage } from './stage.ts';
import { visit } from './visitors.ts';

const host = hostOf();

it('what others do to a route under way is repaired without moving a user [R10]', onceMore, async () => {
  await onStage({ files: appFiles({ interval: '10s' }), hosts: [host], perSecond: 6 }, async (stage) => {
    const route = () => object(stage, 'HTTPRoute', 'podinfo');
    await stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
    await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
    await stage.until('a fifth of the users', () => canary(stage).weight === 20);
    const seen: string[] = [];
    const stop = stage.sandbox.store.onEvent(({ object: { kind, metadata } }) => {
      if (kind === 'HTTPRoute' && metadata.name === 'podinfo') seen.push(weights(stage).join('/'));
    });
    await editByHand(stage, 'HTTPRoute', 'podinfo', { metadata: { labels: { seen: 'by-somebody' } } });
    await editByHand(stage, 'HTTPRoute', 'podinfo', { spec: { hostnames: ['elsewhere.example.test'] } });
    await stage.until('the host is back', () => JSON.stringify(route()?.['spec']).includes(host));
    await stage.edit('a timeout', 'apps/podinfo/canary.yaml', (text) =>
      text.replace('    port: 9898\n', '    port: 9898\n    timeout: 15s\n'),
    );
    await stage.until('the timeout is in the route', () => JSON.stringify(route()?.['spec']).includes('15s'));
    stop();
    // On with the release, or where they were; once they are home nobody is sent away again.
    const shares = seen.map((split) => Number(split.split('/')[1]));
    const away = shares.includes(0) ? shares.slice(0, shares.indexOf(0)) : shares;
    expect(away.length).toBeGreaterThan(0);
    expect(away).toEqual(away.toSorted((one, other) => one - other));
    expect(new Set(shares.slice(away.length))).toEqual(new Set(away.length < shares.length ? [0] : []));
    expect(route()?.metadata.labels).toMatchObject({ seen: 'by-somebody' });
    expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
    const told = stage.happened
      .map(({ message }) => message)
      .filter((message) => message.startsWith('Starting canary'));
    expect(told).toHaveLength(1);
    await expectSound(stage);
  });
});

it(
  'a weight that somebody edits by hand is set back before the next step, and ends no release early',
  patient,
  async () => {
    await onStage({ files: appFiles({ interval: '20s', steps: '[10, 20, 30]' }), hosts: [host] }, async (stage) => {
      await stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => weights(stage)[1] === 10);
      await stage.until('its status', () => canary(stage).weight === 10);
      const spec = JSON.stringify(object(stage, 'HTTPRoute', 'podinfo')?.['spec']);
      const all = spec.replace('"weight":90', '"weight":0').replace('"weight":10', '"weight":100');
      expect(all).not.toBe(spec);
      await editByHand(stage, 'HTTPRoute', 'podinfo', { spec: JSON.parse(all) as unknown });
      await stage.said('The routes give podinfo.test weight 100, only 10 was judged: it is set back');
      await stage.until('it is back', () => weights(stage).join() === '90,10');
      expect(canary(stage)).toMatchObject({ phase: 'Progressing', weight: 10 });
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      const told = stage.happened.map(({ message }) => message).filter((message) => message.startsWith('Advance '));
      expect(told.map((message) => Number(message.split(' ').at(-1)))).toEqual([10, 20, 30]);
      await expectSound(stage);
    });
  },
);

it('an edit that no route can be made of holds neither checks nor the way home', patient, async () => {
  await onStage({ files: appFiles({ interval: '5s', threshold: 3 }), hosts: [host], perSecond: 8 }, async (stage) => {
    await stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
    await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
    await stage.until('a fifth of the users', () => canary(stage).weight === 20);
    const unmappable = '    port: 9898\n    match:\n      - headers:\n          x-tenant:\n            prefix: a\n';
    await stage.push('only some tenants', {
      'apps/podinfo/canary.yaml': canaryYaml({ interval: '5s', threshold: 3 }).replace('    port: 9898\n', unmappable),
    });
    await stage.said(/Gateway API knows exact and regex here/);
    await stage.until('the release is rolled back', () => canary(stage).phase === 'Failed');
    expect(weights(stage)).toEqual([100, 0]);
    expect((await outcome(stage, 1)).subject).toMatch(/^rollback test\/podinfo 3\.1\.2: success rate/);
  });
});

it('an edit whose route the API server refuses holds neither checks nor the way home', patient, async () => {
  await onStage({ files: appFiles({ interval: '5s', threshold: 3 }), hosts: [host], perSecond: 8 }, async (stage) => {
    await stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
    await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
    await stage.until('a fifth of the users', () => canary(stage).weight === 20);
    // Go reads it, and so do we; the schema of HTTPRoutes does not.
    const refused = '    port: 9898\n    timeout: 1.5s\n';
    await stage.push('a shorter timeout', {
      'apps/podinfo/canary.yaml': canaryYaml({ interval: '5s', threshold: 3 }).replace('    port: 9898\n', refused),
    });
    await stage.said(/HTTPRoute .*timeouts/);
    await stage.until('the release is rolled back', () => canary(stage).phase === 'Failed');
    expect(weights(stage)).toEqual([100, 0]);
    expect((await outcome(stage, 1)).subject).toMatch(/^rollback test\/podinfo 3\.1\.2: success rate/);
  });
});

const answering = (stage: Stage, name: string): number =>
  (object(stage, 'Deployment', name)?.['status'] as { availableReplicas?: number } | undefined)?.availableReplicas ?? 0;

it.each(['  revertOnDeletion: true\n', ''])(
  'people are served while a Canary leaves Git and when it is gone, by the way that it had made for them [R6] (%j)',
  patient,
  async (revertOnDeletion) => {
    const files = appFiles();
    const path = 'apps/podinfo/canary.yaml';
    const text = files[path]?.replace('  progressDeadline', `${revertOnDeletion}  progressDeadline`) ?? '';
    await onStage({ files: { ...files, [path]: text } }, async (stage) => {
      await stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
      await stage.until('somebody is served', async () => (await visit(stage, host)).status === 200);
      const statuses: number[] = [];
      let isOver = false;
      const people = (async () => {
        while (!isOver) {
          statuses.push((await visit(stage, host)).status);
          await sleep(5);
        }
      })();
      // Somebody has given the primary more pods than Git asks for; the target gets as many before anybody is led there.
      await editByHand(stage, 'Deployment', 'podinfo-primary', { spec: { replicas: 5 } });
      await stage.until('the primary has them', () => answering(stage, 'podinfo-primary') === 5);
      let least = Infinity;
      const isGone = (): boolean => {
        const led = object(stage, 'Service', 'podinfo')?.['spec'] as { selector?: { app?: string } } | undefined;
        if (led?.selector?.app === 'podinfo') least = Math.min(least, answering(stage, 'podinfo'));
        return object(stage, 'Canary', 'podinfo') === undefined;
      };
      await stage.push('no canary any more', { [path]: null });
      await stage.until('the Canary is gone', isGone);
      await stage.until('its primary is gone', () => object(stage, 'Deployment', 'podinfo-primary') === undefined);
      const before = statuses.length;
      await stage.until('more are served', () => statuses.length > before + 20);
      isOver = true;
      await people;
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
      expect([Math.min(least, 5), answering(stage, 'podinfo')]).toEqual([5, 5]);
      await stage.said(/Deployment test\/podinfo keeps the pods that its primary had/);
      expect(object(stage, 'HTTPRoute', 'podinfo')?.metadata.ownerReferences ?? []).toEqual([]);
      expect(object(stage, 'Service', 'podinfo-primary')).toBeUndefined();
    });
  },
);
