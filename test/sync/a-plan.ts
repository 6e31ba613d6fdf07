import type { Manifest } from '../../src/manifest/types.ts';
import { emptyInventory } from '../../src/sync/inventory.ts';
import type { PlanInput } from '../../src/sync/plan.ts';

/** What is asked for on a cluster to which nothing was applied yet. */
export const anInput = (desired: readonly Manifest[], extra: Partial<PlanInput> = {}): PlanInput => ({
  desired,
  applied: new Map(),
  inventory: emptyInventory,
  unreadablePaths: new Set(),
  canaryTargets: new Set(),
  takenOver: new Set(),
  drifted: new Set(),
  everything: false,
  prune: true,
  pruneAnything: false,
  ...extra,
});
