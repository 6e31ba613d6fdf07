import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  checkSources,
  copyConfig,
  type CopyConfigInput,
  joinCopy,
  leaveCopy,
} from '../../../src/agent/effects/copy-config.ts';
import { openViews } from '../../../src/agent/views/views.ts';
import { configChecksum } from '../../../src/canary/configs.ts';
import type { ConfigKey } from '../../../src/canary/types.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { never, startStage, type SyncStage } from '../../sync/a-cluster.ts';
import { aKey } from '../../helpers/a-key.ts';

const path = 'manifests/crds/canaries.flagger.app.yaml';
const canaryDefinition = parse(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')) as KubeObject;

describe('copies of configs', () => {
  let stage: SyncStage;
  /** Stand for two Canaries; they have to be there, or what they own goes with them. */
  let [canary, other]: KubeObject[] = [];
  let settings: Omit<CopyConfigInput, 'checksum'>;
  beforeAll(async () => {
    stage = await startStage();
    canary = await create('app', {});
    other = await create('other', {});
    settings = { key: 'configmap/settings', canary, checksumOf: configChecksum, includeLabelPrefix: [] };
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

  it('are checked all before the first of them is written', async () => {
    const [one, two] = [
      await create('one-of-two', { data: { k: '1' } }),
      await create('two-of-two', { data: { k: '2' } }),
    ];
    const judged = [one, two].map((object) => ({
      key: `configmap/${object.metadata.name}` as const,
      checksum: configChecksum(object),
    }));
    await checkSources(stage.cluster, settings.canary, judged, configChecksum, never);
    await stage.cluster.mergePatch(ref('two-of-two'), { data: { k: 'newer' } }, { manager: 'test' }, never);
    await expect(checkSources(stage.cluster, settings.canary, judged, configChecksum, never)).rejects.toThrow(
      'two-of-two changed meanwhile',
    );
  });

  it('are neither written over another Canary’s nor over what is nobody’s, and are owned by all who read them', async () => {
    await stage.cluster.create(canaryDefinition, { manager: 'test' }, never);
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) =>
        stage.cluster.create(
          {
            apiVersion: 'flagger.app/v1beta1',
            kind: 'Canary',
            metadata: { name, namespace: 'default' },
            spec: {
              targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
              service: { port: 80 },
              analysis: { interval: '10s', threshold: 1, stepWeight: 50 },
            },
          },
          { manager: 'test' },
          never,
        ),
      ),
    );
    if (!one || !two) throw new Error('there are no Canaries');
    const source = await create('shared', { data: { k: 'v' } });
    const [key, copy] = ['configmap/shared', 'configmap/shared-primary'] as const;
    const of = (owner: KubeObject): CopyConfigInput => ({
      canary: owner,
      key,
      checksum: configChecksum(source),
      checksumOf: configChecksum,
      includeLabelPrefix: [],
    });
    const owners = async (): Promise<unknown> => {
      const live = await stage.cluster.get(ref('shared-primary'), never);
      return live?.metadata.ownerReferences?.map(({ name, controller }) => [name, controller]);
    };
    await copyConfig(stage.cluster, of(one), never);
    await expect(copyConfig(stage.cluster, of(two), never)).rejects.toThrow('is not this Canary');
    await joinCopy(stage.cluster, { canary: two, copy }, never);
    await joinCopy(stage.cluster, { canary: two, copy }, never);
    expect(await owners()).toEqual([
      ['one', true],
      ['two', false],
    ]);
    await expect(copyConfig(stage.cluster, of(one), never)).rejects.toThrow('is not this Canary');
    expect(await leaveCopy(stage.cluster, { canary: one, copy }, never)).toBe(false);
    expect(await owners()).toEqual([['two', true]]);
    expect(await leaveCopy(stage.cluster, { canary: one, copy }, never)).toBe(false);
    await copyConfig(stage.cluster, of(two), never);
    expect(await leaveCopy(stage.cluster, { canary: two, copy }, never)).toBe(true);
    expect(await owners()).toBeUndefined();

    await create('shared-primary', { data: { k: 'somebody’s own' } });
    await joinCopy(stage.cluster, { canary: two, copy }, never);
    expect(await leaveCopy(stage.cluster, { canary: two, copy }, never)).toBe(false);
    await expect(copyConfig(stage.cluster, of(two), never)).rejects.toThrow('is not this Canary');
    expect(await stage.cluster.get(ref('shared-primary'), never)).toMatchObject({ data: { k: 'somebody’s own' } });
  });

  it('are not taken for absent while the API server does not answer [WC06] [R53]', async () => {
    const { sandbox, cluster } = await startStage();
    const stopped = new AbortController();
    const views = openViews({ cluster, clock: systemClock, key: aKey() }, stopped.signal);
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
