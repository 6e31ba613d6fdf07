import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identityKey } from '../../src/manifest/identity.ts';
import { type Manifest, refOf } from '../../src/manifest/types.ts';
import type { Inventory } from '../../src/sync/inventory.ts';
import { planPrune, type PruneInput, type PrunePlan } from '../../src/sync/prune-plan.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import { installCrds } from '../../src/sandbox/sandbox.ts';
import { desired, never, startStage, type SyncStage } from './a-cluster.ts';
import { aConfigMap, aManifest, named } from './a-manifest.ts';

const policyDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: policies.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {kind: Policy, plural: policies}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`;

const areaOf = (path: string): string => path.split('/')[0] ?? '';
const inventoryOf = (manifests: readonly Manifest[]): Inventory => ({
  revision: 'r',
  entries: new Map(
    manifests.map(({ object, origin }) => [identityKey(refOf(object)), { ref: refOf(object), path: origin.path }]),
  ),
});
const many = (tenant: string, count: number): Manifest[] =>
  Array.from({ length: count }, (_, index) => aConfigMap(`${tenant}${index}`, {}, `${tenant}/x.yaml`));
const prune = (desired: readonly Manifest[], inventory: Inventory, extra: Partial<PruneInput> = {}): PrunePlan =>
  planPrune({ desired, inventory, unreadablePaths: new Set(), prune: true, pruneAnything: false, areaOf, ...extra });
const going = ({ prune: entries }: PrunePlan): string[] => entries.map(({ ref }) => named(ref));

const config = (place: string, value: string): string => {
  const [namespace = '', name = ''] = place.split('/');
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}}\ndata: {v: "${value}"}\n`;
};

describe('a tenant with a service account', () => {
  const account = 'system:serviceaccount:a:serin';
  const tenancy = createTenancy([
    { name: 'a', folder: 'a', namespaces: ['a', 'more'], serviceAccount: { namespace: 'a', name: 'serin' } },
    { name: 'admin', folder: '', namespaces: ['*'], kinds: ['*'] },
  ]);
  let stage: SyncStage;
  beforeAll(async () => {
    stage = await startStage((user, path) =>
      user === undefined ? !path.includes('/namespaces/a/') : user === account && path.includes('/namespaces/a/'),
    );
    for (const name of ['a', 'more'])
      stage.sandbox.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  });
  afterAll(() => stage.close());

  it('writes and deletes in its name, and no more than that one may', async () => {
    const syncer = stage.syncer({ tenancy });
    const files = {
      'a/one.yaml': config('a/one', '1'),
      'a/two.yaml': config('a/two', '1'),
      'a/more.yaml': config('more/x', '1'),
      'all.yaml': config('more/ours', '1'),
    };
    const first = await syncer.sync(desired(files, {}, { tenancy }), never);
    expect(first.applied.map(named).sort()).toEqual(['ConfigMap a/one', 'ConfigMap a/two', 'ConfigMap more/ours']);
    expect(first.failed).toEqual([
      {
        severity: 'error',
        path: 'a/more.yaml',
        line: 1,
        message: expect.stringContaining(`User "${account}" cannot patch`) as string,
        hint: 'grant the service account a/serin the right to get, create, patch and delete ConfigMap (core)',
      },
    ]);
    const { 'a/two.yaml': _gone, 'a/more.yaml': _refused, ...left } = files;
    const second = await syncer.sync(desired(left, {}, { tenancy }), never);
    expect(second.pruned.map(named)).toEqual(['ConfigMap a/two']);
    expect(stage.sandbox.store.get('v1', 'ConfigMap', 'a', 'two')).toBeUndefined();
    syncer.stop();
  });
});

describe('a kind of which only the server knows that it has no namespace', () => {
  let stage: SyncStage;
  beforeAll(async () => {
    stage = await startStage();
    stage.sandbox.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } });
    await installCrds(stage.sandbox.apiUrl, policyDefinition);
  });
  afterAll(() => stage.close());

  it('is written by no tenant that names a namespace of its own, and what stands of it stays', async () => {
    const policy = 'apiVersion: example.com/v1\nkind: Policy\nmetadata: {name: all, namespace: a}\n';
    const files = { 'a/policy.yaml': policy, 'a/c.yaml': config('a/c', '1') };
    const before = stage.syncer();
    expect((await before.sync(desired(files), never)).failed).toEqual([]);
    before.stop();
    expect(stage.sandbox.store.get('example.com/v1', 'Policy', undefined, 'all')).toBeDefined();
    const tenancy = createTenancy([{ name: 'a', folder: 'a', namespaces: ['a'] }]);
    const syncer = stage.syncer({ tenancy });
    const { applied, warnings, pruned } = await syncer.sync(desired(files, {}, { tenancy }), never);
    expect(applied.map(named)).toEqual(['ConfigMap a/c']);
    expect(pruned).toEqual([]);
    expect(warnings.at(-1)).toMatchObject({
      severity: 'error',
      path: 'a/policy.yaml',
      message: 'Policy all: tenant a may not write objects without a namespace: it is not applied',
    });
    expect(stage.sandbox.store.get('example.com/v1', 'Policy', undefined, 'all')).toBeDefined();
    syncer.stop();
  });
});

describe('what a tenant takes out of Git', () => {
  const [a, b] = [many('a', 8), many('b', 8)];
  const inventory = inventoryOf([...a, ...b]);

  it('goes, while the guard holds what another one takes out at once', () => {
    const plan = prune([...a.slice(0, 7), ...b.slice(0, 2)], inventory);
    expect(going(plan)).toEqual(['ConfigMap test/a7']);
    expect(plan.held).toMatch(/^tenant b: 6 of 8 objects are gone from Git at once/);
    expect(prune(a, inventory).held).toMatch(/^tenant b: 8 of 8 objects are gone from Git at once/);
    expect(prune([], inventory).held).toMatch(/^tenant a: the tree holds no objects at all.*; tenant b: the tree/);
    const small = inventoryOf([...a, ...many('c', 2)]);
    expect(going(prune(a, small))).toEqual(['ConfigMap test/c0', 'ConfigMap test/c1']);
  });

  it('is let go by itself', () => {
    const plan = prune([...a.slice(0, 2), ...b.slice(0, 2)], inventory);
    expect(going(plan)).toEqual([]);
    const [first = '', second = ''] = plan.guarded?.split(',') ?? [];
    const allowed = prune([...a.slice(0, 2), ...b.slice(0, 2)], inventory, { allowed: new Set([first]) });
    expect(new Set(going(allowed).map((name) => name.slice(0, -1)))).toEqual(new Set(['ConfigMap test/a']));
    expect(allowed.guarded).toBe(second);
  });

  it('goes, whatever stands in files of another one: unreadable text, or what it may not write', () => {
    const areas = new Map([
      [
        'a',
        {
          unreadableText: 'name: b7 b6 b5',
          elsewhere: new Map([['/ConfigMap/test/b7', { path: 'a/y.yaml', line: 1, what: 'holds it' }]]),
        },
      ],
    ]);
    expect(going(prune([...a, ...b.slice(0, 7)], inventory, { areas }))).toEqual(['ConfigMap test/b7']);
    expect(going(prune([...a.slice(0, 7), ...b], inventory, { areas }))).toEqual(['ConfigMap test/a7']);
    const own = new Map([['b', { unreadableText: 'name: b7', elsewhere: new Map() }]]);
    expect(going(prune([...a, ...b.slice(0, 7)], inventory, { areas: own }))).toEqual([]);
  });

  it('takes no namespace along in which the guard holds something of another one', () => {
    const namespace = aManifest('Namespace test', {}, 'admin/ns.yaml');
    const other = aManifest('Namespace other', {}, 'admin/ns.yaml');
    const all = inventoryOf([namespace, other, ...b, ...many('admin', 3)]);
    expect(going(prune([...b.slice(0, 2), ...many('admin', 3)], all))).toEqual(['Namespace other']);
  });
});
