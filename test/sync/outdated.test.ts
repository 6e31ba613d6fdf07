import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { desired, never, startStage, type SyncStage } from './a-cluster.ts';
import { named } from './a-manifest.ts';

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: late }\n';
const config = (name: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: late }\ndata: { a: "1" }\n`;

/** Says yes so often, and no the next time; later it would say yes again. */
function currentFor(times: number): () => Promise<boolean> {
  let left = times;
  return () => Promise.resolve(left-- !== 0);
}

describe('a commit that is not the tip any more', () => {
  let stage: SyncStage;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage.close());
  const names = async (): Promise<string[]> => {
    const found = await stage.cluster.list({ apiVersion: 'v1', kind: 'ConfigMap' }, { namespace: 'late' }, never);
    return found.map(({ metadata }) => metadata.name).filter((name) => name !== 'kube-root-ca.crt');
  };

  it('is neither applied nor does it delete anything, and what was done of it stays known', async () => {
    const syncer = stage.syncer({ namespace: 'agent' });
    const files = { 'ns.yaml': namespace, 'a.yaml': config('a'), 'b.yaml': config('b') };
    await syncer.sync(desired(files), never);
    const { 'b.yaml': _gone, ...left } = files;
    const next = { ...left, 'c.yaml': config('c'), 'd.yaml': config('d') };

    const atOnce = await syncer.sync(desired(next, { isCurrent: currentFor(0) }), never);
    expect(atOnce).toMatchObject({ isOutdated: true, applied: [], pruned: [] });
    expect(await names()).toEqual(['a', 'b']);

    const halfway = await syncer.sync(desired(next, { isCurrent: currentFor(2) }), never);
    expect(halfway).toMatchObject({ isOutdated: true, pruned: [] });
    expect(halfway.applied.map(named)).toEqual(['ConfigMap late/c']);
    expect(await names()).toEqual(['a', 'b', 'c']);

    const lastly = await syncer.sync(desired(next, { isCurrent: currentFor(3) }), never);
    expect(lastly).toMatchObject({ isOutdated: true, pruned: [] });
    expect(lastly.applied.map(named)).toEqual(['ConfigMap late/d']);

    const again = await syncer.sync(desired(next, { isCurrent: currentFor(100) }), never);
    expect(again).toMatchObject({ isOutdated: false, applied: [], failed: [] });
    expect(again.pruned.map(named)).toEqual(['ConfigMap late/b']);
  });
});
