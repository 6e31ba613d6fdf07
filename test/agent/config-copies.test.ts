import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyConfig, type CopyConfigInput } from '../../src/agent/copy-config.ts';
import { openViews } from '../../src/agent/views.ts';
import { configChecksum } from '../../src/canary/configs.ts';
import type { ConfigKey } from '../../src/canary/types.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { never, startStage, type SyncStage } from '../sync/a-cluster.ts';

describe('copies of configs', () => {
  let stage: SyncStage;
  /** Stand for two Canaries; they have to be there, or what they own goes with them. */
  let [canary, other]: KubeObject[] = [];
  let settings: Omit<CopyConfigInput, 'checksum'>;
  beforeAll(async () => {
    stage = await startStage();
    canary = await create('app', {});
    other = await create('other', {});
    settings = { key: 'configmap/settings', canary, includeLabelPrefix: [] };
  });
  afterAll(() => stage.close());

  const create = (name: string, more: object): Promise<KubeObject> =>
    stage.cluster.create(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, ...more },
      { manager: 'test' },
      never,
    );
  const ref = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name });

  it('follow immutable sources that are made anew under the same name [R51]', async () => {
    const first = await create('settings', { immutable: true, data: { k: 'one' } });
    await copyConfig(stage.cluster, { ...settings, checksum: configChecksum(first) }, never);
    await stage.cluster.remove(ref('settings'), {}, never);
    const second = await create('settings', { immutable: true, data: { k: 'two' }, binaryData: { b: 'AA==' } });
    await copyConfig(stage.cluster, { ...settings, checksum: configChecksum(second) }, never);
    expect(await stage.cluster.get(ref('settings-primary'), never)).toMatchObject({
      data: { k: 'two' },
      binaryData: { b: 'AA==' },
    });
  });

  it('are made anew where somebody has made them immutable, and stay with their owners [R51]', async () => {
    const live = await stage.cluster.get(ref('settings-primary'), never);
    const { name = '', uid = '' } = other?.metadata ?? {};
    const ownerReferences = [
      ...(live?.metadata.ownerReferences ?? []),
      { apiVersion: 'v1', kind: 'ConfigMap', name, uid },
    ];
    await stage.cluster.mergePatch(
      ref('settings-primary'),
      { immutable: true, metadata: { ownerReferences } },
      { manager: 'test' },
      never,
    );
    await stage.cluster.remove(ref('settings'), {}, never);
    const third = await create('settings', { data: { k: 'three' } });
    await copyConfig(stage.cluster, { ...settings, checksum: configChecksum(third) }, never);
    const copy = await stage.cluster.get(ref('settings-primary'), never);
    expect(copy).toMatchObject({ data: { k: 'three' } });
    expect(copy?.['immutable']).toBeUndefined();
    expect(copy?.metadata.ownerReferences?.map(({ name }) => name)).toEqual(['app', 'other']);
  });

  it('are not made of anything but what was judged', async () => {
    await expect(copyConfig(stage.cluster, { ...settings, checksum: 'of-before' }, never)).rejects.toThrow(
      'changed meanwhile',
    );
    await stage.cluster.remove(ref('settings'), {}, never);
    await expect(copyConfig(stage.cluster, { ...settings, checksum: 'x' }, never)).rejects.toThrow('is gone');
  });

  it('are not taken for absent while the API server does not answer [WC06] [R53]', async () => {
    const { sandbox, cluster } = await startStage();
    const stopped = new AbortController();
    const views = openViews(cluster, systemClock, undefined, stopped.signal);
    const key: ConfigKey = 'configmap/known';
    await cluster.create(
      { ...ref('known'), metadata: ref('known'), data: {} } as KubeObject,
      { manager: 'test' },
      never,
    );
    const before = await views.config('default', key);
    expect(before?.checksum).toHaveLength(16);
    await sandbox.stop();
    // What was seen stays seen; what was never listed is waited for.
    expect(await views.config('default', key)).toEqual(before);
    const asked = views.config('default', 'secret/never-listed').then(
      () => 'told',
      () => 'refused',
    );
    expect(await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))])).toBe('waits');
    await expect(copyConfig(cluster, { ...settings, checksum: 'x' }, AbortSignal.timeout(200))).rejects.toThrow();
    stopped.abort();
    await cluster.close();
  });
});
