import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syncManager } from '../../src/sync/drift.ts';
import { managerOf } from '../../src/sync/installation.ts';
import { desired, never, startStage, type SyncStage } from './a-cluster.ts';
import { aDeployment, named } from './a-manifest.ts';

const config = (place: string, value: string): string => {
  const [namespace = '', name = ''] = place.split('/');
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}}\ndata: {v: "${value}"}\n`;
};

describe('two installations on one cluster', () => {
  let stage: SyncStage;
  const object = (name: string, namespace = 'shared'): Record<string, unknown> | undefined =>
    stage.sandbox.store.get('v1', 'ConfigMap', namespace, name) as Record<string, unknown> | undefined;
  const managersOf = (name: string, namespace?: string): string[] => {
    const { managedFields } = (object(name, namespace)?.['metadata'] ?? {}) as {
      managedFields?: { manager: string }[];
    };
    return (managedFields ?? []).map(({ manager }) => manager).sort();
  };
  beforeAll(async () => {
    stage = await startStage();
    for (const name of ['shared', 'serin', 'team', 'other'])
      stage.sandbox.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  });
  afterAll(() => stage.close());

  it('have a field manager each', () => {
    expect(managerOf('serin')).toBe('serin');
    expect(managerOf('canary')).toBe('serin@canary');
  });

  it('apply, correct and delete their own, and each other’s not', async () => {
    const [ours, theirs] = [stage.syncer({ namespace: 'serin' }), stage.syncer({ namespace: 'team' })];
    await ours.sync(desired({ 'o.yaml': config('shared/ours', '1'), 'a.yaml': config('shared/a', '1') }), never);
    await theirs.sync(desired({ 't.yaml': config('shared/theirs', '1'), 'b.yaml': config('shared/b', '1') }), never);
    expect(managersOf('ours')).toEqual(['serin']);
    expect(managersOf('theirs')).toEqual(['serin@team']);
    expect(managersOf('serin-inventory', 'team')).toEqual(['serin-inventory']);

    // The same object, once as it is and once otherwise.
    const both = {
      'b.yaml': config('shared/b', '1'),
      't.yaml': config('shared/ours', '2'),
      'a.yaml': config('shared/a', '1'),
    };
    const { failed } = await theirs.sync(desired(both), never);
    expect(failed).toMatchObject([{ path: 't.yaml', line: 1, severity: 'error' }]);
    expect(failed[0]?.message).toContain('it belongs to the Serin of namespace serin');
    expect(object('ours')?.['data']).toEqual({ v: '1' });
    expect(managersOf('a')).toEqual(['serin', 'serin@team']);
    await theirs.sync(desired({ 'b.yaml': config('shared/b', '1') }), never);
    expect(object('a')?.['data']).toEqual({ v: '1' });
    expect(object('theirs')).toBeUndefined();
    ours.stop();
    theirs.stop();
  });

  it('do not delete themselves where an older version took them from Git', async () => {
    const files = { 'serin.yaml': config('serin/serin-settings', '1'), 'o.yaml': config('shared/ours', '1') };
    const before = stage.syncer({ namespace: 'serin' });
    await before.sync(desired(files), never);
    before.stop();
    const own = { namespaces: ['serin'], isShared: false };
    const after = stage.syncer({ namespace: 'serin', own });
    const refused = await after.sync(desired(files, {}, { own }), never);
    expect(refused.pruned).toEqual([]);
    const { 'serin.yaml': _moved, ...left } = files;
    const moved = await after.sync(desired(left, {}, { own }), never);
    expect([moved.pruned, moved.failed, moved.held]).toEqual([[], [], undefined]);
    expect(object('serin-settings', 'serin')?.['data']).toEqual({ v: '1' });
    expect(stage.lines).toContainEqual(
      expect.stringMatching(
        /^warn: ConfigMap serin\/serin-settings is gone from Git and not deleted: it is the agent's own/,
      ),
    );
    after.stop();
  });

  it('delete nothing because an inventory names it: it has to be their own', async () => {
    const ours = stage.syncer({ namespace: 'serin' });
    await ours.sync(desired({ 'o.yaml': config('shared/ours', '1') }), never);
    const {
      resourceVersion: _version,
      managedFields: _fields,
      uid: _uid,
      ...metadata
    } = (object('serin-inventory', 'team')?.['metadata'] ?? {}) as Record<string, unknown>;
    stage.sandbox.store.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...metadata, name: 'serin-inventory-9', namespace: 'team' },
      data: { objects: 'v1\tConfigMap\tshared\tours\tgone.yaml' },
    });
    const theirs = stage.syncer({ namespace: 'team', pruneAnything: true });
    await theirs.sync(desired({ 'b.yaml': config('shared/b', '1') }), never);
    expect(object('ours')?.['data']).toEqual({ v: '1' });
    ours.stop();
    theirs.stop();
  });

  it('believe no inventory that came from Git', async () => {
    const ours = stage.syncer({ namespace: 'serin' });
    await ours.sync(desired({ 'o.yaml': config('shared/ours', '1'), 'a.yaml': config('shared/kept', '1') }), never);
    ours.stop();
    const forged = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'serin-inventory-8', namespace: 'serin', labels: { 'serin.dev/inventory': 'true' } },
      data: { objects: 'v1\tConfigMap\tshared\tnever\tgone.yaml' },
    };
    await stage.cluster.apply(forged, { manager: syncManager, force: true }, never);
    // Applied under our manager, by whomever: only the inventory could say that it is to be deleted.
    const never1 = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'never', namespace: 'shared' },
      data: { v: '1' },
    };
    await stage.cluster.apply(never1, { manager: syncManager, force: true }, never);
    const again = stage.syncer({ namespace: 'serin' });
    await again.sync(desired({ 'o.yaml': config('shared/ours', '1'), 'a.yaml': config('shared/kept', '1') }), never);
    expect(object('never')).toBeDefined();
    expect(object('serin-inventory-8', 'serin')).toBeDefined();
    expect(stage.lines).toContain(
      'warn: ConfigMap serin/serin-inventory-8 came from Git, so it is no inventory: delete it',
    );
    again.stop();
  });

  it('take over what one has left that is gone', async () => {
    const gone = stage.syncer({ namespace: 'other' });
    await gone.sync(desired({ 'x.yaml': config('shared/left', '1') }), never);
    gone.stop();
    await stage.cluster.remove(
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'other', name: 'serin-inventory' },
      {},
      never,
    );
    const ours = stage.syncer({ namespace: 'serin' });
    const { failed } = await ours.sync(desired({ 'x.yaml': config('shared/left', '2') }), never);
    expect(failed).toEqual([]);
    expect(object('left')?.['data']).toEqual({ v: '2' });
    ours.stop();
  });
});

describe('an installation whose objects a former version has applied', () => {
  it('goes on with them as its own: nothing is scaled, and what leaves Git goes', async () => {
    const stage = await startStage();
    try {
      for (const name of ['test', 'team'])
        stage.sandbox.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      const { object: web } = aDeployment('web', 3);
      const former = [
        web,
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'old', namespace: 'test' }, data: { v: '1' } },
      ];
      for (const one of former) await stage.cluster.apply(one, { manager: syncManager, force: true }, never);
      const objects = former
        .map(({ apiVersion, kind, metadata }) =>
          [apiVersion, kind, metadata.namespace, metadata.name, 'x.yaml'].join('\t'),
        )
        .join('\n');
      const inventory = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'serin-inventory', namespace: 'team', labels: { 'serin.dev/inventory': 'true' } },
        data: { revision: 'r', objects },
      };
      await stage.cluster.apply(inventory, { manager: 'serin-inventory', force: true }, never);
      const syncer = stage.syncer({ namespace: 'team' });
      const { pruned, failed } = await syncer.sync(desired({ 'x.yaml': JSON.stringify(web) }), never);
      expect(failed).toEqual([]);
      expect(pruned.map(named)).toEqual(['ConfigMap test/old']);
      const live = stage.sandbox.store.get('apps/v1', 'Deployment', 'test', 'web');
      const entries = (live?.metadata['managedFields'] ?? []) as { manager: string; operation: string }[];
      const managers = entries.filter(({ operation }) => operation === 'Apply');
      expect(managers.map(({ manager }) => manager)).toEqual(['serin@team']);
      expect(live?.['spec']).toMatchObject({ replicas: 3 });
      const kept = stage.sandbox.store.get('v1', 'ConfigMap', 'team', 'serin-inventory') as
        | { data?: object }
        | undefined;
      expect(kept?.data).toMatchObject({ manager: 'serin@team' });
      syncer.stop();
    } finally {
      await stage.close();
    }
  });
});
