import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { AgentError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { OwnObjects } from '../../src/manifest/own-objects.ts';
import { type KubeObject, type ObjectRef, refOf } from '../../src/manifest/types.ts';
import type { DriftWatch } from '../../src/sync/drift-watch.ts';
import { pruneEntries, type Pruned } from '../../src/sync/prune.ts';
import { createWriters } from '../../src/sync/writers.ts';
import { anObject, named } from './a-manifest.ts';

/** Applied by the sync, and by nobody else. */
const ours = [{ manager: 'serin', operation: 'Apply', fieldsV1: { 'f:data': { 'f:a': {} } } }];
const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'other', uid: 'uid-of-other' };
const applied = (name: string, metadata: Record<string, unknown> = {}): KubeObject =>
  anObject(`ConfigMap test/${name}`, { metadata: { uid: `uid-of-${name}`, managedFields: ours, ...metadata } });

interface Removal {
  readonly ref: ObjectRef;
  readonly uid: string | undefined;
}

/** Prunes these objects on a cluster that holds them. `meanwhile` stands in their place by the time that they are deleted. */
async function prune(
  objects: readonly KubeObject[],
  meanwhile?: KubeObject,
  own?: OwnObjects,
): Promise<Pruned & { readonly removals: readonly Removal[] }> {
  const removals: Removal[] = [];
  const find = ({ kind, name }: ObjectRef): KubeObject | undefined =>
    objects.find((object) => object.kind === kind && object.metadata.name === name);
  const cluster: Partial<Cluster> = {
    get: (ref) => Promise.resolve(find(ref)),
    remove: (ref, { uid }) => {
      const live = meanwhile ?? find(ref);
      if (uid !== undefined && live?.metadata.uid !== uid)
        return Promise.reject(new AgentError('CLUSTER_CONFLICT', 'the UID in the precondition does not match'));
      removals.push({ ref, uid });
      return Promise.resolve();
    },
  };
  const drift: Partial<DriftWatch> = { uidOf: () => undefined, forget: () => undefined };
  const entries = objects.map((object) => ({ ref: refOf(object), path: 'all.yaml' }));
  const parts = { cluster: cluster as Cluster, drift: drift as DriftWatch };
  const writers = createWriters(parts.cluster, undefined);
  const deps = { ...parts, writers, log: silentLogger, isGoverned: () => false, ...(own ? { own } : {}) };
  const done = await pruneEntries(entries, new Set(), deps, new AbortController().signal);
  return { ...done, removals };
}

describe('what is gone from Git', () => {
  it('is deleted as the very object that was looked at', async () => {
    const { pruned, removals } = await prune([applied('a')]);
    expect(pruned.map(named)).toEqual(['ConfigMap test/a']);
    expect(removals).toEqual([{ ref: refOf(applied('a')), uid: 'uid-of-a' }]);
  });

  it('stays where somebody has made it anew in this moment, and is looked at again', async () => {
    const { pruned, removals, kept, failed } = await prune([applied('a')], applied('a', { uid: 'another' }));
    expect([pruned, removals]).toEqual([[], []]);
    expect(kept.map(({ ref }) => ref.name)).toEqual(['a']);
    expect(failed).toMatchObject([{ severity: 'error', message: expect.stringContaining('precondition') }]);
    expect(failed[0]?.message).toMatch(/^ConfigMap \S+ is gone from Git and cannot be deleted: /);
  });

  it.each([
    ['a controller', [{ ...owner, controller: true }]],
    ['an owner that is no controller', [{ ...owner, controller: false }]],
    ['an owner that says nothing of it', [owner]],
    ['several, of which the last is one', [owner, { ...owner, name: 'third', controller: true }]],
  ])('is nothing that belongs to somebody: %s', async (_name, ownerReferences) => {
    const { pruned, removals, kept } = await prune([applied('a', { ownerReferences }), applied('b')]);
    expect(removals.map(({ ref }) => ref.name)).toEqual(['b']);
    expect([pruned.map(named), kept]).toEqual([['ConfigMap test/b'], []]);
  });

  it('is never the agent itself, which an older version may have applied from Git', async () => {
    const rights = 'rbac.authorization.k8s.io/v1';
    const fields = { managedFields: ours };
    const subjects = [{ kind: 'ServiceAccount', name: 'serin', namespace: 'serin' }];
    const objects = [
      anObject('Deployment serin/serin', { metadata: fields }),
      anObject('ServiceAccount serin/serin', { metadata: fields }),
      anObject('Namespace serin', { metadata: fields }),
      anObject('ClusterRole serin-sync', { apiVersion: rights, metadata: fields }),
      anObject('ClusterRoleBinding deliver', { apiVersion: rights, metadata: fields, subjects }),
      anObject('ClusterRoleBinding others', { apiVersion: rights, metadata: fields }),
      applied('a'),
    ];
    const { removals, kept } = await prune(objects, undefined, { namespaces: ['serin'], isShared: false });
    expect(removals.map(({ ref }) => named(ref))).toEqual(['ClusterRoleBinding others', 'ConfigMap test/a']);
    // Told once, and then none of Git's business.
    expect(kept).toEqual([]);
  });
});
