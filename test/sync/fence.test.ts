import type { Epoch } from '../../src/lib/fence.ts';
import { describe, expect, it } from 'vitest';
import { aFence } from '../helpers/a-fence.ts';
import { desired, never, startStage } from './a-cluster.ts';

const config = (name: string, value = '1'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: default }\ndata: { a: "${value}" }\n`;
const ref = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name });
const lost = { code: 'LEASE_LOST' };

describe('a sync whose agent has lost its lease', () => {
  it('applies nothing, deletes nothing and writes no inventory; it does when the lease is there again', async () => {
    const stage = await startStage();
    try {
      const fence = aFence();
      const syncer = stage.syncer({}, fence);
      await syncer.sync(
        desired({ 'a.yaml': config('one'), 'b.yaml': config('two'), 'c.yaml': config('three') }),
        never,
      );
      const before = await stage.cluster.list({ apiVersion: 'v1', kind: 'ConfigMap' }, {}, never);

      fence.isHeld = false;
      const next = desired({ 'a.yaml': config('one', '2'), 'b.yaml': config('two'), 'd.yaml': config('four') });
      await expect(syncer.sync(next, never)).rejects.toMatchObject(lost);
      expect(await stage.cluster.list({ apiVersion: 'v1', kind: 'ConfigMap' }, {}, never)).toEqual(before);

      fence.isHeld = true;
      const result = await syncer.sync(next, never);
      expect(result.applied.map(({ name }) => name).toSorted()).toEqual(['four', 'one']);
      expect(result.pruned.map(({ name }) => name)).toEqual(['three']);
    } finally {
      await stage.close();
    }
  });

  it('stops before the next object where it is lost between two of them, and calls none of them refused', async () => {
    const stage = await startStage();
    try {
      const fence = aFence();
      const files = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`${at}.yaml`, config(`config-${at}`)]));
      const held = {
        epoch: () => fence.epoch(),
        assertHeld(begun: Epoch) {
          fence.assertHeld(begun);
          // The inventory, and some of the objects.
          if (fence.asked > 10) fence.isHeld = false;
        },
      };
      const syncer = stage.syncer({}, held);
      await expect(syncer.sync(desired(files), never)).rejects.toMatchObject(lost);
      const made = await stage.cluster.list({ apiVersion: 'v1', kind: 'ConfigMap' }, { namespace: 'default' }, never);
      expect(made.filter(({ metadata }) => metadata.name.startsWith('config-')).length).toBeLessThan(12);
    } finally {
      await stage.close();
    }
  });

  it('applies nothing more of what was planned before it was lost, also where it has been won again, and all of it the next time', async () => {
    const stage = await startStage();
    try {
      const fence = aFence();
      const files = { 'a.yaml': config('one'), 'b.yaml': config('two') };
      const held = {
        epoch: () => fence.epoch(),
        assertHeld(begun: Epoch) {
          fence.assertHeld(begun);
          if (fence.asked === 1) fence.loseAndWin();
        },
      };
      const syncer = stage.syncer({}, held);
      await expect(syncer.sync(desired(files), never)).rejects.toMatchObject(lost);
      expect(await stage.cluster.get(ref('one'), never)).toBeUndefined();
      const { applied } = await syncer.sync(desired(files), never);
      expect(applied.map(({ name }) => name).sort()).toEqual(['one', 'two']);
    } finally {
      await stage.close();
    }
  });

  it('deletes nothing where it is lost after the last object was applied', async () => {
    const stage = await startStage();
    try {
      const fence = aFence();
      const syncer = stage.syncer({}, fence);
      await syncer.sync(
        desired({ 'a.yaml': config('one'), 'b.yaml': config('two'), 'c.yaml': config('three') }),
        never,
      );
      const next = desired(
        { 'a.yaml': config('one'), 'b.yaml': config('two') },
        {
          pruneWaitsFor: () => {
            fence.isHeld = false;
            return undefined;
          },
        },
      );
      await expect(syncer.sync(next, never)).rejects.toMatchObject(lost);
      expect(await stage.cluster.get(ref('three'), never)).toBeDefined();
    } finally {
      await stage.close();
    }
  });
});
