import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterKey, openClusterKey } from '../../../src/agent/views/cluster-key.ts';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/log.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { eventually } from '../../helpers/eventually.ts';
import { never, startStage, type SyncStage } from '../../sync/a-cluster.ts';

const secret: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'pin', namespace: 'test' },
  data: { pin: 'NDcxMQ==' },
};

describe('the key for checksums of Secrets', () => {
  let stage: SyncStage;
  const ending = new AbortController();
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(async () => {
    ending.abort(new Error('done'));
    await stage.close();
  });
  const open = (namespace: string, cluster: Cluster = stage.cluster): ClusterKey =>
    openClusterKey({ cluster, clock: systemClock, log: silentLogger, namespace }, ending.signal);
  const refOf = (namespace: string) => ({ apiVersion: 'v1', kind: 'Secret', namespace, name: 'serin-key' });

  it('is made once, also by several agents at once and before there is a namespace, and kept', async () => {
    const keys = Array.from({ length: 5 }, () => open('serin'));
    await Promise.all(keys.map(({ known }) => known));
    const checksums = new Set(keys.map((key) => key.checksumOf(secret)));
    expect(checksums.size).toBe(1);
    const made = await stage.cluster.get(refOf('serin'), never);
    expect(made).toMatchObject({ immutable: true, type: 'Opaque', data: { hmac: expect.any(String) } });
    const later = open('serin');
    await later.known;
    expect(checksums).toContain(later.checksumOf(secret));
  });

  it('is another one once it was lost', async () => {
    const before = open('serin');
    await before.known;
    const known = before.checksumOf(secret);
    await stage.cluster.remove(refOf('serin'), {}, never);
    expect(before.checksumOf(secret)).toBe(known);
    const after = open('serin');
    await after.known;
    expect(after.checksumOf(secret)).not.toBe(known);
  });

  it('is refused where it is too short, until it is mended', async () => {
    const metadata = { name: 'serin-key', namespace: 'default' };
    await stage.cluster.create({ ...secret, metadata, data: { hmac: 'c2hvcnQ=' } }, { manager: 'test' }, never);
    const key = open('default');
    await eventually('it says so', () => key.trouble !== undefined);
    expect(key.trouble).toContain('shorter than 32 letters; delete the Secret');
    expect(() => key.checksumOf(secret)).toThrow('shorter than 32 letters');
    await stage.cluster.remove(refOf('default'), {}, never);
    await key.known;
    expect(key.trouble).toBeUndefined();
    expect(key.checksumOf(secret)).toMatch(/^keyed-/);
  });

  it('holds Secrets and nothing else where it may not be read', async () => {
    const refused = new AgentError('CLUSTER_REFUSED', 'secrets "serin-key" is forbidden');
    const cluster = { ...stage.cluster, get: () => Promise.reject(refused) } as unknown as Cluster;
    const key = open('serin', cluster);
    await eventually('it says so', () => key.trouble !== undefined);
    expect(key.trouble).toContain('cannot be had: secrets "serin-key" is forbidden');
    expect(() => key.checksumOf(secret)).toThrow(AgentError);
    expect(key.checksumOf({ ...secret, kind: 'ConfigMap' })).toMatch(/^[0-9a-f]{16}$/);
  });
});
