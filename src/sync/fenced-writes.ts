import type { Cluster } from '../cluster/cluster.ts';
import type { Epoch, Fence } from '../lib/fence.ts';

/** The same cluster; the fence is asked before each thing that a sync writes or deletes, of the epoch in which the sync `begun` at present. */
export function fencedWrites(cluster: Cluster, fence: Fence, begun: () => Epoch): Cluster {
  const held = async <Result>(write: () => Promise<Result>): Promise<Result> => {
    fence.assertHeld(begun());
    return write();
  };
  return {
    ...cluster,
    create: (...args) => held(() => cluster.create(...args)),
    apply: (...args) => held(() => cluster.apply(...args)),
    jsonPatch: (...args) => held(() => cluster.jsonPatch(...args)),
    mergePatch: (...args) => held(() => cluster.mergePatch(...args)),
    remove: (...args) => held(() => cluster.remove(...args)),
    as: (account) => fencedWrites(cluster.as(account), fence, begun),
  };
}
