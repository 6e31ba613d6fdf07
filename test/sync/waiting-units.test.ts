import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { UnitNeeds } from '../../src/manifest/needs.ts';
import type { KubeObject, Manifest } from '../../src/manifest/types.ts';
import { unreadyReason } from '../../src/sync/readiness.ts';
import type { Desired, SyncResult } from '../../src/sync/syncer.ts';
import { desired, eventually, never, startStage, type SyncStage } from './a-cluster.ts';

const config = (name: string, value = '1'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: wait }\ndata: { a: "${value}" }\n`;
const deployment = (name: string, image = 'ghcr.io/stefanprodan/podinfo:6.0.0'): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: wait }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: app, image: "${image}" }] }
`;
const later = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'wait', name: 'later' };

describe('what depends on other units', () => {
  let stage: SyncStage;
  beforeAll(async () => {
    stage = await startStage();
    await stage.cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'wait' } },
      { manager: 'a-person', force: true },
      never,
    );
  });
  afterAll(() => stage.close());
  const valueOf = async (name: string): Promise<unknown> =>
    (await stage.cluster.get({ ...later, name }, never))?.['data'];
  const said = ({ failed }: SyncResult): string[] => failed.map(({ path, message }) => `${path}: ${message}`);
  /** Each file is a unit. */
  const withNeeds = (files: Record<string, string>, needs: UnitNeeds, more: Partial<Desired> = {}): Desired => ({
    ...desired(files),
    needs,
    ...more,
  });
  const on = (checks: 'all' | readonly (typeof later)[]): UnitNeeds =>
    new Map([['b.yaml', [{ unit: 'a.yaml', name: 'Kustomization x/a', checks }]]]);

  it('waits until these are applied, and their workloads are ready', async () => {
    const syncer = stage.syncer();
    const files = { 'a.yaml': deployment('first'), 'b.yaml': config('second'), 'c.yaml': config('third') };
    const one = withNeeds(files, on('all'));
    const first = await syncer.sync(one, never);
    expect(first.isWaiting).toBe(true);
    expect(said(first)).toEqual(['b.yaml: b.yaml waits for Kustomization x/a, which is not applied yet']);
    // Nobody else waits.
    expect([await valueOf('second'), await valueOf('third')]).toEqual([undefined, { a: '1' }]);
    const reasons: string[] = [];
    await eventually(
      () => syncer.sync(one, never),
      (result) => {
        reasons.push(...said(result));
        return result.isWaiting === undefined;
      },
    );
    for (const text of reasons)
      expect(text).toMatch(/whose Deployment wait\/first (?:has \d of 1 pods|is not looked at)/);
    expect(await valueOf('second')).toEqual({ a: '1' });
    const live = await stage.cluster.get(
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'wait', name: 'first' },
      never,
    );
    expect(live && unreadyReason(live)).toBeUndefined();
    syncer.stop();
  });

  it('keeps what it has while it waits: drift is corrected, a change is held, and a held app goes back', async () => {
    const syncer = stage.syncer();
    const files = (value: string): Record<string, string> => ({
      'a.yaml': config('base', value),
      'b.yaml': config('user', value),
    });
    expect(said(await syncer.sync(desired(files('1')), never))).toEqual([]);
    const needs = on([{ ...later, name: 'never' }]);
    const changed = withNeeds(files('2'), needs);
    await syncer.sync(changed, never);
    const waiting = await syncer.sync(changed, never);
    expect(said(waiting)).toEqual([
      'b.yaml: b.yaml waits for Kustomization x/a, whose ConfigMap wait/never is not there',
    ]);
    expect([await valueOf('base'), await valueOf('user')]).toEqual([{ a: '2' }, { a: '1' }]);
    expect(waiting.pruned).toEqual([]);
    // What is taken from another revision waits for nobody.
    const held = (manifest: Manifest): boolean => manifest.object.metadata.name === 'user';
    const back = await syncer.sync(withNeeds(files('3'), needs, { waitsForNobody: held }), never);
    expect(said(back)).toEqual([]);
    expect(await valueOf('user')).toEqual({ a: '3' });
    syncer.stop();
  });

  it('goes on after a restart with what it had, and what is new or another one waits', async () => {
    const before = stage.syncer();
    const had = { 'a.yaml': config('base'), 'b.yaml': [config('user'), config('same'), config('gone')].join('---\n') };
    await before.sync(desired(had), never);
    before.stop();
    await stage.cluster.remove({ ...later, name: 'gone' }, {}, never);
    const after = stage.syncer();
    const documents = [config('user', '4'), config('same'), config('gone'), config('new')];
    const files = { 'a.yaml': config('base'), 'b.yaml': documents.join('---\n') };
    const needs = on([{ ...later, name: 'never' }]);
    for (let turn = 0; turn < 3; turn += 1) {
      const result = await after.sync(withNeeds(files, needs), never);
      expect(said(result)).toHaveLength(1);
      expect(result.pruned).toEqual([]);
      expect(['user', 'new', 'same'].map((name) => result.refused.has(`/ConfigMap/wait/${name}`))).toEqual([
        true,
        true,
        false,
      ]);
      expect([await valueOf('user'), await valueOf('new'), await valueOf('gone')]).toEqual([
        { a: '1' },
        undefined,
        { a: '1' },
      ]);
    }
    // What somebody changes meanwhile is put back, and waits for nobody.
    const drifted = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'same', namespace: 'wait' } };
    await stage.cluster.apply({ ...drifted, data: { a: 'theirs' } }, { manager: 'a-person', force: true }, never);
    await eventually(
      async () => {
        await after.sync(withNeeds(files, needs), never);
        return await valueOf('same');
      },
      (value) => isDeepStrictEqual(value, { a: '1' }),
    );
    expect(await valueOf('user')).toEqual({ a: '1' });
    after.stop();
  });

  it('asks of a HelmRelease or a Kustomization, which is no object here, what is made of it', async () => {
    const release = { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', namespace: 'wait', name: 'web' };
    const asked = {
      release: { ...release, apiVersion: 'helm.toolkit.fluxcd.io/v2beta1' },
      unit: { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization', namespace: 'x', name: 'inner' },
      nobody: { ...release, name: 'other' },
    };
    const image = 'ghcr.io/none/none:1.0.0';
    const ofUnits = (files: Record<string, string>, check: typeof release): Desired => {
      const one = withNeeds(files, on([check]));
      const placed = (manifest: Manifest): Manifest => {
        const { path, line } = manifest.origin;
        const place = { path, line, document: undefined, namespace: undefined };
        const source = { renderer: 'plain', path, line, document: 0 } as const;
        if (path === 'chart.yaml')
          return {
            ...manifest,
            origin: { ...place, renderer: 'helm', unit: 'a.yaml#HelmRelease/wait/web', release, source },
          };
        if (path !== 'inner.yaml') return manifest;
        return { ...manifest, origin: { ...place, renderer: 'kustomize', unit: 'a.yaml#x/inner#x/below' } };
      };
      return { ...one, manifests: one.manifests.map(placed) };
    };
    for (const [check, path, said_] of [
      [asked.release, 'chart.yaml', /whose Deployment wait\/made-1 (?:has 0 of 1 pods|is not looked at)/],
      [asked.unit, 'inner.yaml', /whose Deployment wait\/made-2 (?:has 0 of 1 pods|is not looked at)/],
      [asked.nobody, 'chart.yaml', /whose HelmRelease wait\/other is not rendered, or makes nothing/],
    ] as const) {
      const number = [asked.release, asked.unit, asked.nobody].indexOf(check) + 1;
      const files = (of: string): Record<string, string> => ({
        'a.yaml': config('above'),
        [path]: deployment(`made-${number}`, of),
        'b.yaml': config(`behind-${number}`),
      });
      const syncer = stage.syncer();
      const bad = ofUnits(files(image), check);
      await syncer.sync(bad, never);
      expect(said(await syncer.sync(bad, never)).join()).toMatch(said_);
      if (check !== asked.nobody) {
        const good = ofUnits(files('ghcr.io/stefanprodan/podinfo:6.0.0'), check);
        await eventually(
          () => syncer.sync(good, never),
          (result) => result.isWaiting === undefined,
        );
        expect(await valueOf(`behind-${number}`)).toEqual({ a: '1' });
      }
      syncer.stop();
    }
  });

  it('is told once where it is not ready in time, and what depends on it waits until it is', async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    const syncer = stage.syncer({}, undefined, clock);
    const health = new Map([['a.yaml', { name: 'Kustomization x/a', checks: 'all', timeoutMs: 60_000 } as const]]);
    const files = { 'a.yaml': deployment('slow', 'ghcr.io/none/none:1.0.0'), 'b.yaml': config('behind') };
    const one = withNeeds(files, on('all'), { health });
    const toldIn = ({ warnings }: SyncResult): string[] =>
      warnings.filter(({ severity }) => severity === 'error').map(({ path, message }) => `${path}: ${message}`);
    const first = await syncer.sync(one, never);
    expect([toldIn(first), first.isWaiting]).toEqual([[], true]);
    aheadMs += 50_000;
    expect(toldIn(await syncer.sync(one, never))).toEqual([]);
    aheadMs += 10_001;
    const told = toldIn(await syncer.sync(one, never));
    expect(told).toEqual([
      expect.stringMatching(
        /^a.yaml: Kustomization x\/a is not ready after 1m0s \(timeout\): Deployment wait\/slow has/,
      ),
    ]);
    aheadMs += 600_000;
    const later_ = await syncer.sync(one, never);
    expect([toldIn(later_), later_.isWaiting, await valueOf('behind')]).toEqual([told, true, undefined]);
    // A newer one has the whole time again.
    const mended = withNeeds({ ...files, 'a.yaml': deployment('slow') }, on('all'), { health });
    expect(toldIn(await syncer.sync(mended, never))).toEqual([]);
    await eventually(
      () => syncer.sync(mended, never),
      (result) => result.isWaiting === undefined,
    );
    expect([toldIn(await syncer.sync(mended, never)), await valueOf('behind')]).toEqual([[], { a: '1' }]);
    syncer.stop();
  });

  it('asks nobody where nothing is new', async () => {
    const syncer = stage.syncer();
    const files = { 'a.yaml': config('base'), 'b.yaml': config('user', '5') };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'later', namespace: 'wait' } };
    await stage.cluster.apply(object, { manager: 'a-person', force: true }, never);
    const one = withNeeds(files, on([later]));
    await eventually(
      () => syncer.sync(one, never),
      (result) => said(result).length === 0,
    );
    await stage.cluster.remove(later, {}, never);
    const again = await syncer.sync(one, never);
    expect([said(again), again.isWaiting]).toEqual([[], undefined]);
    syncer.stop();
  });
});

describe('an object is ready', () => {
  const object = (kind: string, spec: unknown, status: unknown, apiVersion = 'apps/v1'): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name: 'one', generation: 2 },
    spec,
    status,
  });
  const ready = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 };
  const on = (type: string, status: string, message = ''): object => ({ conditions: [{ type, status, message }] });
  it.each<readonly [string, KubeObject, RegExp | undefined]>([
    ['a Deployment', object('Deployment', { replicas: 2 }, ready), undefined],
    ['one without pods', object('Deployment', { replicas: 0 }, { observedGeneration: 2 }), undefined],
    [
      'one that nobody has looked at',
      object('Deployment', { replicas: 2 }, { ...ready, observedGeneration: 1 }),
      /not looked at/,
    ],
    ['one without status', object('Deployment', {}, undefined), /has 0 of 1 pods made/],
    ['one with older pods', object('Deployment', { replicas: 2 }, { ...ready, replicas: 3 }), /older version/],
    [
      'one with a pod that is not ready',
      object('Deployment', { replicas: 2 }, { ...ready, availableReplicas: 1 }),
      /1 of 2 pods available/,
    ],
    [
      'one past its deadline',
      object('Deployment', {}, { observedGeneration: 2, ...on('Progressing', 'False', 'deadline') }),
      /does not come up \(deadline\)/,
    ],
    ['a StatefulSet', object('StatefulSet', { replicas: 2 }, ready), undefined],
    [
      'one that is updated in parts',
      object(
        'StatefulSet',
        { replicas: 2, updateStrategy: { rollingUpdate: { partition: 1 } } },
        { ...ready, updatedReplicas: 1 },
      ),
      undefined,
    ],
    [
      'one that is being updated',
      object('StatefulSet', { replicas: 2 }, { ...ready, updatedReplicas: 1 }),
      /1 of 2 pods of its newest/,
    ],
    [
      'a DaemonSet that is not on all nodes',
      object('DaemonSet', {}, { observedGeneration: 2, desiredNumberScheduled: 2, currentNumberScheduled: 1 }),
      /1 of 2 pods made/,
    ],
    ['a Job that runs', object('Job', {}, { active: 1 }, 'batch/v1'), /is not done yet/],
    ['a Job that is done', object('Job', {}, on('Complete', 'True'), 'batch/v1'), undefined],
    ['a Job that failed', object('Job', {}, on('Failed', 'True', 'x'), 'batch/v1'), /has failed \(x\)/],
    ['a claim without a volume', object('PersistentVolumeClaim', {}, { phase: 'Pending' }, 'v1'), /no volume/],
    [
      'a definition that is not served',
      object('CustomResourceDefinition', {}, {}, 'apiextensions.k8s.io/v1'),
      /not served/,
    ],
    ['a custom object that says so', object('Certificate', {}, on('Ready', 'True'), 'cert-manager.io/v1'), undefined],
    [
      'a custom object that says no',
      object('Certificate', {}, on('Ready', 'False', 'no issuer'), 'cert-manager.io/v1'),
      /not ready \(no issuer\)/,
    ],
    [
      'a custom object that is stalled',
      object('Certificate', {}, on('Stalled', 'True'), 'cert-manager.io/v1'),
      /is stalled/,
    ],
    ['a custom object called Job', object('Job', {}, {}, 'batch.example.com/v1'), undefined],
    ['what says nothing', object('ConfigMap', undefined, undefined, 'v1'), undefined],
    [
      'what is hostile',
      object('Deployment', 'x', { conditions: [null, 3, { type: 'Ready' }], replicas: 'many' }),
      /0 of 1/,
    ],
  ])('%s', (_, one, reason) => {
    if (reason) expect(unreadyReason(one)).toMatch(reason);
    else expect(unreadyReason(one)).toBeUndefined();
  });
});
