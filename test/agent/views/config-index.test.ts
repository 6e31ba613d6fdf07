import { describe, expect, it } from 'vitest';
import { createConfigReaders, createOwnedConfigs, seenField } from '../../../src/agent/views/config-index.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';

const workload = (name: string, config: string, kind = 'Deployment', metadata: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: 'demo', ...metadata },
  spec: { template: { spec: { volumes: [{ configMap: { name: config } }] } } },
});
const added = (object: KubeObject) => ({ kind: 'added', object }) as const;
const canary = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', name: 'web', uid: 'ours' };

describe('who reads a config', () => {
  const key = 'configmap/common-primary';

  it('is a primary, and not a target or what people run beside it', () => {
    const readers = createConfigReaders();
    readers.heard(added(workload('debug', 'common-primary')));
    expect(readers.isRead('demo', key, undefined)).toBe(false);
    readers.heard(added(workload('web-primary', 'common-primary')));
    expect(readers.isRead('demo', key, undefined)).toBe(true);
    expect(readers.isRead('demo', key, { kind: 'Deployment', name: 'web-primary' })).toBe(false);
    expect(readers.isRead('demo', key, { kind: 'DaemonSet', name: 'web-primary' })).toBe(true);
    expect(readers.isRead('other', key, undefined)).toBe(false);
  });

  it('is a workload under any name that a Canary owns', () => {
    const readers = createConfigReaders();
    readers.heard(added(workload('anything', 'common-primary', 'DaemonSet', { ownerReferences: [canary] })));
    expect(readers.isRead('demo', key, { kind: 'Deployment', name: 'web-primary' })).toBe(true);
  });

  it('reads it no longer once its pods refer to something else, or it is gone', () => {
    const readers = createConfigReaders();
    for (const name of ['a-primary', 'b-primary']) readers.heard(added(workload(name, 'common-primary')));
    readers.heard({ kind: 'modified', object: workload('a-primary', 'its-own') });
    expect(readers.isRead('demo', 'configmap/its-own', undefined)).toBe(true);
    expect(readers.isRead('demo', key, { kind: 'Deployment', name: 'b-primary' })).toBe(false);
    readers.heard({ kind: 'deleted', object: workload('b-primary', 'common-primary') });
    expect(readers.isRead('demo', key, undefined)).toBe(false);
  });
});

describe('what configs a Canary owns', () => {
  const config = (kind: string, canaries: readonly string[]): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata: { name: 'common-primary', namespace: 'demo' },
    [seenField]: { checksum: 'x', tracked: true, canaries },
  });

  it('is known from the last that was told of each', () => {
    const owned = createOwnedConfigs();
    owned.heard(added(config('ConfigMap', ['ours'])));
    owned.heard(added(config('Secret', ['ours', 'theirs'])));
    expect(owned.of('ours')).toEqual(['configmap/common-primary', 'secret/common-primary']);
    owned.heard({ kind: 'modified', object: config('Secret', ['theirs']) });
    owned.heard({ kind: 'deleted', object: config('ConfigMap', ['ours']) });
    expect([owned.of('ours'), owned.of('theirs')]).toEqual([[], ['secret/common-primary']]);
  });
});
