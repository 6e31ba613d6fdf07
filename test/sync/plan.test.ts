import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identityKey } from '../../src/manifest/identity.ts';
import { type KubeObject, type Manifest, refKey, refOf } from '../../src/manifest/types.ts';
import type { Inventory } from '../../src/sync/inventory.ts';
import { planSync, type SyncPlan } from '../../src/sync/plan.ts';
import { anInput } from './a-plan.ts';
import { aConfigMap, aDeployment, aManifest, named } from './a-manifest.ts';

const inventoryOf = (manifests: readonly Manifest[]): Inventory => ({
  revision: 'r',
  entries: new Map(
    manifests.map(({ object, origin }) => [identityKey(refOf(object)), { ref: refOf(object), path: origin.path }]),
  ),
});
const appliedBy = (plan: SyncPlan): Map<string, string> =>
  new Map(plan.waves.flat().map(({ object, hash }) => [identityKey(refOf(object)), hash]));
const keyOf = (manifest: Manifest): string => refKey(refOf(manifest.object));
const order = (plan: SyncPlan): string[][] => plan.waves.map((wave) => wave.map(({ object }) => named(refOf(object))));
const nothing: SyncPlan = {
  waves: [],
  unchanged: 0,
  prune: [],
  held: undefined,
  guarded: undefined,
  kept: [],
  ignored: [],
  warnings: [],
  refused: new Map(),
  unsure: new Map(),
};
const configMaps = (count: number, path?: string): Manifest[] =>
  Array.from({ length: count }, (_, index) => aConfigMap(`c${index}`, { a: '1' }, path));

const someManifests = fc
  .uniqueArray(
    fc.record({
      kind: fc.constantFrom('ConfigMap', 'Deployment', 'Service', 'Canary', 'Widget'),
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      value: fc.constantFrom('1', '2'),
      path: fc.constantFrom('x.yaml', 'y.yaml'),
    }),
    { selector: ({ kind, name }) => `${kind}/${name}`, maxLength: 20 },
  )
  .map((all) => all.map(({ kind, name, value, path }) => aManifest(`${kind} test/${name}`, { spec: { value } }, path)));

describe('what a plan applies', () => {
  it('is nothing when all of it was applied before', () => {
    fc.assert(
      fc.property(someManifests, (desired) => {
        const first = planSync(anInput(desired));
        expect(first.waves.flat()).toHaveLength(desired.length);
        const again = planSync(anInput(desired, { applied: appliedBy(first), inventory: inventoryOf(desired) }));
        expect(again).toEqual({ ...nothing, unchanged: desired.length });
      }),
    );
  });

  it('is the same for the same input, and exactly what changed', () => {
    fc.assert(
      fc.property(someManifests, someManifests, (before, after) => {
        const applied = appliedBy(planSync(anInput(before)));
        const input = anInput(after, { applied });
        const plan = planSync(input);
        expect(planSync(input)).toEqual(plan);
        const old = new Map(before.map((manifest) => [keyOf(manifest), manifest.object]));
        const changed = after.filter(
          (manifest) => JSON.stringify(old.get(keyOf(manifest))) !== JSON.stringify(manifest.object),
        );
        const planned = plan.waves.flat().map(({ manifest }) => keyOf(manifest));
        expect(planned.toSorted()).toEqual(changed.map(keyOf).toSorted());
      }),
    );
  });

  it('comes in waves: namespaces, definitions, configuration, services, workloads, resources, canaries', () => {
    const plan = planSync(
      anInput(
        [
          'Canary test/a',
          'Widget test/a',
          'Deployment test/a',
          'ConfigMap test/a',
          'Service test/a',
          'MetricTemplate test/a',
          'CustomResourceDefinition widgets',
          'Namespace test',
          'Secret test/a',
        ].map((text) => aManifest(text)),
      ),
    );
    expect(order(plan)).toEqual([
      ['Namespace test'],
      ['CustomResourceDefinition widgets'],
      ['ConfigMap test/a', 'Secret test/a'],
      ['Service test/a'],
      ['Deployment test/a'],
      ['Widget test/a'],
      ['MetricTemplate test/a'],
      ['Canary test/a'],
    ]);
  });

  it('holds drifted objects although nothing of them changed in Git, and everything when asked to', () => {
    const desired = configMaps(3);
    const applied = appliedBy(planSync(anInput(desired)));
    const drifted = new Set(['/ConfigMap/test/c1']);
    expect(order(planSync(anInput(desired, { applied, drifted })))).toEqual([['ConfigMap test/c1']]);
    expect(planSync(anInput(desired, { applied, everything: true })).waves.flat()).toHaveLength(3);
  });
});

describe('fields that others own', () => {
  const target = aDeployment('web', 3);

  it('are the replicas of a canary target: sent once at creation, and no reason for a new apply', () => {
    const canaryTargets = new Set([keyOf(target)]);
    const plan = planSync(anInput([target], { canaryTargets }));
    const [[action] = []] = plan.waves;
    expect(action?.object['spec']).not.toHaveProperty('replicas');
    expect(action?.object['spec']).toHaveProperty('template');
    expect(action?.initialReplicas).toBe(3);
    const scaled = aDeployment('web', 9);
    expect(planSync(anInput([scaled], { canaryTargets, applied: appliedBy(plan) })).waves).toEqual([]);
  });

  it('are not the replicas of any other workload', () => {
    const [[action] = []] = planSync(anInput([target])).waves;
    expect(action?.object['spec']).toHaveProperty('replicas', 3);
    expect(action?.initialReplicas).toBeUndefined();
  });

  it('are the replicas of a workload whose autoscaler stands in the same tree', () => {
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
    const scaler = aManifest('HorizontalPodAutoscaler test/web', { spec: { scaleTargetRef } });
    const elsewhere = aManifest('HorizontalPodAutoscaler other/web', { spec: { scaleTargetRef } });
    const replicasWith = (other: Manifest): unknown => {
      const plan = planSync(anInput([target, other]));
      const action = plan.waves.flat().find(({ object }) => object.kind === 'Deployment');
      return (action?.object['spec'] as { replicas?: number } | undefined)?.replicas;
    };
    expect(replicasWith(scaler)).toBeUndefined();
    expect(replicasWith(elsewhere)).toBe(3);
  });

  it('are selector and ports of a service that a canary took over; its labels stay ours', () => {
    const service = aManifest('Service test/web', {
      metadata: { labels: { team: 'a' } },
      spec: { type: 'ClusterIP', selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    const [[action] = []] = planSync(anInput([service], { takenOver: new Set([keyOf(service)]) })).waves;
    expect(action?.object['spec']).toEqual({ type: 'ClusterIP' });
    expect(action?.object.metadata.labels).toEqual({ team: 'a' });
  });
});

describe('objects that a Canary has made', () => {
  const made = aConfigMap('c-primary', {});
  const owner = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', name: 'web', uid: 'u', controller: true };
  const live = (): KubeObject =>
    aManifest('ConfigMap test/c-primary', { metadata: { ownerReferences: [owner] } }).object;

  it('are not applied, even if Git has them', () => {
    const plan = planSync(anInput([made], { live, everything: true }));
    expect(plan.waves).toEqual([]);
    expect(plan.warnings).toMatchObject([{ severity: 'warning', path: 'apps/all.yaml', line: 1 }]);
  });
});

describe('objects that others keep changing back', () => {
  it('are left alone until Git says something new', () => {
    const fought = new Map([
      ['/ConfigMap/test/a', [...appliedBy(planSync(anInput([aConfigMap('a', { x: '1' })]))).values()][0] ?? ''],
    ]);
    expect(planSync(anInput([aConfigMap('a', { x: '1' })], { fought, everything: true })).waves).toEqual([]);
    expect(planSync(anInput([aConfigMap('a', { x: '2' })], { fought })).waves.flat()).toHaveLength(1);
  });
});

describe('objects that Git asks to leave alone', () => {
  it.each([
    ['serin.dev/ignore', 'true'],
    ['fluxcd.io/ignore', 'true'],
    ['fluxcd.io/ignore', 'sync_only'],
    ['flux.weave.works/ignore', 'true'],
    ['kustomize.toolkit.fluxcd.io/reconcile', 'disabled'],
  ])('are those with %s: %s, which are neither applied nor pruned', (annotation, value) => {
    const manifest = aManifest('ConfigMap test/a', { metadata: { annotations: { [annotation]: value } } });
    const plan = planSync(anInput([manifest], { inventory: inventoryOf([manifest]), everything: true }));
    expect(plan).toEqual({ ...nothing, ignored: [refOf(manifest.object)] });
  });

  it('are not those that say false', () => {
    const manifest = aManifest('ConfigMap test/a', { metadata: { annotations: { 'serin.dev/ignore': 'false' } } });
    expect(planSync(anInput([manifest])).waves.flat()).toHaveLength(1);
  });
});

describe('what a plan prunes', () => {
  it('is what is gone from Git, the last wave first', () => {
    const all = ['Namespace left', 'ConfigMap test/a', 'Deployment test/a', 'Canary test/a'].map((text) =>
      aManifest(text),
    );
    const stay = configMaps(8);
    const { prune, held } = planSync(anInput(stay, { inventory: inventoryOf([...all, ...stay]) }));
    expect(prune.map(({ ref }) => named(ref))).toEqual([
      'Canary test/a',
      'Deployment test/a',
      'ConfigMap test/a',
      'Namespace left',
    ]);
    expect(held).toBeUndefined();
  });

  it('is nothing in a file that cannot be read now', () => {
    const inventory = inventoryOf([aConfigMap('gone', {}, 'bad.yaml'), aConfigMap('left', {}, 'good.yaml')]);
    const plan = planSync(anInput([aConfigMap('new', {})], { inventory, unreadablePaths: new Set(['bad.yaml']) }));
    expect(plan.prune.map(({ ref }) => ref.name)).toEqual(['left']);
  });

  it('is nothing that is named in what cannot be read: it may have moved there', () => {
    const inventory = inventoryOf(['web', 'web-2', 'db'].map((name) => aConfigMap(name, {}, 'old.yaml')));
    const unreadableText = 'kind: ConfigMap\nmetadata: { name: web-2, labels: {{ .labels }} }\n';
    const plan = planSync(
      anInput([aConfigMap('new', {})], { inventory, areas: new Map([['', { unreadableText, elsewhere: new Map() }]]) }),
    );
    expect(plan.prune.map(({ ref }) => ref.name)).toEqual(['db', 'web']);
  });

  it('is no namespace and no definition that Git still has something in, and never a namespace of the cluster', () => {
    const gone = ['Namespace test', 'Namespace empty', 'Namespace kube-system', 'Namespace serin'].map((text) =>
      aManifest(text),
    );
    const definitions = ['canaries.flagger.app', 'widgets.example.test'].map((name) =>
      aManifest(`CustomResourceDefinition ${name}`),
    );
    const stay = [...configMaps(6), aManifest('Canary test/a')];
    const inventory = inventoryOf([...gone, ...definitions, ...stay]);
    const { prune } = planSync(anInput(stay, { inventory, ownNamespace: 'serin' }));
    expect(prune.map(({ ref }) => ref.name)).toEqual(['widgets.example.test', 'empty']);
  });

  it('is no namespace and no definition in which something stays that cannot be read now', () => {
    const moved = [aConfigMap('a', {}, 'lfs.yaml'), aManifest('Widget other/w', {}, 'broken.yaml')];
    const gone = [
      'Namespace test',
      'Namespace other',
      'Namespace empty',
      'CustomResourceDefinition widgets.example.test',
    ];
    const stay = Array.from({ length: 8 }, (_, n) => aManifest(`ConfigMap else/c${n}`));
    const { prune } = planSync(
      anInput(stay, {
        inventory: inventoryOf([...moved, ...gone.map((text) => aManifest(text)), ...stay]),
        strays: new Map([['lfs.yaml', { line: 1, what: 'holds a pointer of Git LFS' }]]),
        unreadablePaths: new Set(['broken.yaml']),
      }),
    );
    expect(prune.map(({ ref }) => ref.name)).toEqual(['empty']);
  });

  it('is told where what describes it stands, and never to take the root of all away', () => {
    const root = 'cluster/root.yaml';
    const unit = `${root}#flux-system/flux-system#flux-system/apps`;
    const inventory = inventoryOf([aConfigMap('a', {}, unit), aConfigMap('b', {})]);
    const stray = { line: 3, what: 'describes what is not applied now', describedIn: 'cluster/apps.yaml' };
    const { kept, prune } = planSync(anInput([aConfigMap('b', {})], { inventory, strays: new Map([[unit, stray]]) }));
    expect(prune).toEqual([]);
    expect(kept).toMatchObject([{ path: 'cluster/apps.yaml', line: 3 }]);
    expect(kept[0]?.hint).toBe('nothing of it is deleted until what is described here is applied again');
  });

  it('is nothing when pruning is off, and says what stays', () => {
    const plan = planSync(
      anInput([aConfigMap('a', {})], { inventory: inventoryOf([aConfigMap('b', {})]), prune: false }),
    );
    expect(plan.prune).toEqual([]);
    expect(plan.held).toMatch(/1 object.* pruning is off/);
  });

  it('is nothing when the tree is empty, unless somebody means it', () => {
    const inventory = inventoryOf(configMaps(2));
    expect(planSync(anInput([], { inventory }))).toMatchObject({
      prune: [],
      held: expect.stringMatching(/no objects/),
    });
    expect(planSync(anInput([], { inventory, pruneAnything: true })).prune).toHaveLength(2);
  });

  it('is nothing when more than half of many objects would go at once', () => {
    const all = configMaps(20);
    const inventory = inventoryOf(all);
    const most = planSync(anInput(all.slice(0, 9), { inventory }));
    expect(most.prune).toEqual([]);
    expect(most.held).toMatch(/11 of 20 .*--prune-anything/);
    expect(planSync(anInput(all.slice(0, 10), { inventory })).prune).toHaveLength(10);
    expect(planSync(anInput(all.slice(0, 9), { inventory, pruneAnything: true })).prune).toHaveLength(11);
  });

  it('is half of them at the very most: of an odd number not the one in the middle', () => {
    for (let total = 1; total <= 13; total += 1) {
      const all = configMaps(total);
      const inventory = inventoryOf(all);
      for (let left = 1; left < total; left += 1) {
        const { prune, held } = planSync(anInput(all.slice(0, left), { inventory }));
        const gone = total - left;
        const isAllowed = total <= 5 || gone <= Math.floor(total / 2);
        expect([prune.length, held === undefined], `${gone} of ${total}`).toEqual([isAllowed ? gone : 0, isAllowed]);
      }
    }
  });

  it('is no namespace that is in use: not even where a single object of Git is left in it', () => {
    const namespace = aManifest('Namespace shop');
    const left = aManifest('ConfigMap shop/last');
    const stay = configMaps(6);
    const inventory = inventoryOf([namespace, left, ...stay]);
    const names = (desired: readonly Manifest[]): string[] =>
      planSync(anInput(desired, { inventory })).prune.map(({ ref }) => named(ref));
    expect(names([...stay, left])).toEqual([]);
    expect(names(stay)).toEqual(['ConfigMap shop/last', 'Namespace shop']);
  });

  it('never is something that Git wants, that was never applied, or more than the guard allows', () => {
    fc.assert(
      fc.property(someManifests, someManifests, fc.boolean(), (before, after, unreadable) => {
        const inventory = inventoryOf(before);
        const unreadablePaths = new Set(unreadable ? ['x.yaml'] : []);
        const { prune, held } = planSync(anInput(after, { inventory, unreadablePaths }));
        const wanted = new Set(after.map(keyOf));
        for (const { ref, path } of prune) {
          expect(wanted.has(refKey(ref))).toBe(false);
          expect(inventory.entries.has(identityKey(ref))).toBe(true);
          expect(unreadablePaths.has(path)).toBe(false);
        }
        if (prune.length > 5) expect(prune.length * 2).toBeLessThanOrEqual(before.length);
        if (after.length === 0) expect(prune).toEqual([]);
        if (held) expect(prune).toEqual([]);
      }),
    );
  });

  it('is not the old place of an object that only changed its API version', () => {
    const old = aManifest('HorizontalPodAutoscaler test/a', { apiVersion: 'autoscaling/v1' });
    const now = aManifest('HorizontalPodAutoscaler test/a', { apiVersion: 'autoscaling/v2' });
    expect(planSync(anInput([now], { inventory: inventoryOf([old]) })).prune).toEqual([]);
  });
});
