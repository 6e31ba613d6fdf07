import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../src/cluster/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import { createFairPlaces, lanesOf } from '../../src/sync/lanes.ts';
import { planSync } from '../../src/sync/plan.ts';
import { createSyncer } from '../../src/sync/syncer.ts';
import { desired, never, startStage, type SyncStage } from './a-cluster.ts';
import { anInput } from './a-plan.ts';

const tenancy = createTenancy([
  { name: 'admin', folder: 'admin', namespaces: ['*'], kinds: ['*'] },
  ...['large', 'small'].map((name) => ({ name, folder: name, namespaces: [name] })),
]);
const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
const config = (tenant: string, name: string, value = 'a'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${tenant} }\ndata: { v: "${value}" }\n`;
const account = (tenant: string): string =>
  `apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: s, namespace: ${tenant} }\n`;
const admin = `${namespace('large')}---\n${namespace('small')}---\n${account('small')}---\n${config('small', 'of-admin')}`;

describe('What several tenants have to be applied', () => {
  it('goes side by side, behind the namespaces and rights of those who may write everywhere', () => {
    const { manifests } = desired({
      'admin/a.yaml': admin,
      'large/a.yaml': `${config('large', 'a')}---\n${account('large')}`,
      'small/a.yaml': config('small', 'a'),
    });
    const { waves } = planSync(anInput(manifests));
    const shown = (all: typeof waves): string[][] =>
      all.map((wave) => wave.map(({ object: { kind, metadata } }) => `${kind} ${metadata.name}`));
    const { first, lanes } = lanesOf(waves, tenancy);
    expect(shown(first)).toEqual([['Namespace large', 'Namespace small'], ['ServiceAccount s']]);
    expect(lanes.map(({ area, waves: ofLane }) => [area, shown(ofLane)])).toEqual([
      ['large', [['ServiceAccount s'], ['ConfigMap a']]],
      ['admin', [['ConfigMap of-admin']]],
      ['small', [['ConfigMap a']]],
    ]);
    expect(lanesOf(waves, undefined)).toEqual({ first: [], lanes: [{ area: '', waves }] });
  });

  it('has places of which whoever has the fewest gets the next', async () => {
    const places = createFairPlaces(2);
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const work = (name: string) => () =>
      new Promise<void>((resolve) => {
        begun.push(name);
        ends.push(resolve);
      });
    const all = ['a1', 'a2', 'a3', 'b1', 'b2'].map((name) => places.run(name.slice(0, 1), work(name)));
    while (begun.length < all.length || ends.length > 0) {
      ends.shift()?.();
      await new Promise(setImmediate);
    }
    await Promise.all(all);
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'b2']);
  });
});

describe('A tenant who has much to be applied', () => {
  let stage: SyncStage;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage.close());

  /** A cluster that takes its time for what is of `large`. */
  const slow = (waitMs: number): ClusterClient => ({
    ...stage.cluster,
    async apply(object, options, signal) {
      if (object.metadata.namespace === 'large') await systemClock.sleep(waitMs, signal);
      return stage.cluster.apply(object, options, signal);
    },
  });
  const valueOf = async (tenant: string, name: string): Promise<unknown> =>
    (
      (await stage.cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: tenant, name }, never))?.['data'] as
        | { v?: unknown }
        | undefined
    )?.v;
  const many = (value: string, count = 40): string =>
    Array.from({ length: count }, (_, at) => config('large', `a${at}`, value)).join('---\n');
  const syncerOf = (waitMs: number) =>
    createSyncer({
      cluster: slow(waitMs),
      clock: systemClock,
      log: silentLogger,
      settings: { namespace: 'serin', prune: true, pruneAnything: true, tenancy, tenantPatienceMs: 300 },
    });

  it('keeps nobody waiting, is told, and comes to its end in the syncs after', async () => {
    const syncer = syncerOf(100);
    const files = { 'admin/a.yaml': admin, 'large/a.yaml': many('1'), 'small/a.yaml': config('small', 'mine', '1') };
    const gone = { 'large/0.yaml': config('large', 'gone'), 'small/0.yaml': config('small', 'gone') };
    await syncer.sync(desired({ 'admin/a.yaml': admin, ...gone }), never);
    let result = await syncer.sync({ ...desired(files), everything: true }, never);
    expect(await valueOf('small', 'mine')).toBe('1');
    expect(result.unfinished?.map(({ path, message }) => `${path} ${message}`)).toEqual([
      'large/a.yaml so many objects of tenant large are to be applied that it takes longer: the others go on',
    ]);
    expect(result.left?.size).toBeGreaterThan(10);
    expect(result.heldAreas).toEqual(['large']);
    // Who has come to the end of it also loses what is gone from Git; what replaces it must stand first.
    expect(result.pruned.map(({ namespace: at, name }) => `${at}/${name}`)).toEqual(['small/gone']);
    for (let more = 0; more < 20 && result.unfinished; more += 1) result = await syncer.sync(desired(files), never);
    expect(result.unfinished).toBeUndefined();
    expect(result.pruned.map(({ namespace: at, name }) => `${at}/${name}`)).toEqual(['large/gone']);
    expect(await Promise.all(Array.from({ length: 40 }, (_, at) => valueOf('large', `a${at}`)))).toEqual(
      Array.from({ length: 40 }, () => '1'),
    );
    syncer.stop();
  });

  it('also where each write of it waits for a webhook that does not answer', async () => {
    const syncer = syncerOf(1_000);
    const files = { 'admin/a.yaml': admin, 'large/a.yaml': many('2'), 'small/a.yaml': config('small', 'mine', '2') };
    const startedMs = performance.now();
    const syncing = syncer.sync(desired(files), never);
    await expect.poll(() => valueOf('small', 'mine'), { timeout: 900, interval: 20 }).toBe('2');
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await syncing;
    syncer.stop();
  });

  it('keeps nobody waiting with objects of many kinds, each of a wave of its own', async () => {
    const syncer = syncerOf(60);
    const kinds = ['ServiceAccount', 'ConfigMap', 'Service', 'Pod'];
    const ofKinds = kinds.flatMap((kind) =>
      Array.from(
        { length: 12 },
        (_, at) =>
          `apiVersion: v1\nkind: ${kind}\nmetadata: { name: k${at}, namespace: large }\n${kind === 'Service' ? 'spec: { ports: [{ port: 80 }] }\n' : kind === 'Pod' ? 'spec: { containers: [{ name: c, image: x }] }\n' : ''}`,
      ),
    );
    const service = `apiVersion: v1\nkind: Service\nmetadata: { name: late, namespace: small }\nspec: { ports: [{ port: 80 }] }\n`;
    const { unfinished } = await syncer.sync(
      desired({ 'admin/a.yaml': admin, 'large/a.yaml': ofKinds.join('---\n'), 'small/a.yaml': service }),
      never,
    );
    expect(unfinished).toHaveLength(1);
    expect(
      await stage.cluster.get({ apiVersion: 'v1', kind: 'Service', namespace: 'small', name: 'late' }, never),
    ).toBeDefined();
    syncer.stop();
  });
});
