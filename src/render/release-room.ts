import { createTreeBudget, type TreeBudget } from '../manifest/tree-budget.ts';

/** Room for what charts make of one tree, beside its files and what kustomize makes. */
interface ReleaseRoom {
  /** Whether there is room. `key`: of a HelmRelease; `area`: whose it is. */
  take(key: string, area: string, weight: number): boolean;
  /**
   * Whether somebody had no room who would have had some, if none had more than his part. What was taken is given back then, and taken anew: not
   * by the largest of whoever has the most.
   */
  shareOut(): boolean;
}

interface Wanted {
  readonly area: string;
  readonly weight: number;
}

/** First come, first served, until it shows that it is not fair. */
export function createReleaseRoom(budget: TreeBudget): ReleaseRoom {
  const wanted = new Map<string, Wanted>();
  const taken = new Set<string>();
  let excess: ReadonlySet<string> | undefined;
  return {
    take(key, area, weight) {
      wanted.set(key, { area, weight });
      if (excess?.has(key) === true || weight > budget.left) return false;
      taken.add(key);
      budget.add(key, weight);
      return true;
    },
    shareOut() {
      const areas = new Set([...wanted.values()].map(({ area }) => area));
      if (excess || taken.size === wanted.size || areas.size < 2) return false;
      for (const key of taken) budget.add(key, 0);
      const fair = createTreeBudget(budget.left, (key) => wanted.get(key)?.area ?? '');
      const gone = new Set<string>();
      for (const [key, { weight }] of wanted) for (const other of fair.add(key, weight)) gone.add(other);
      excess = gone;
      const isSame = [...wanted.keys()].every((key) => gone.has(key) !== taken.has(key));
      for (const key of isSame ? taken : []) budget.add(key, wanted.get(key)?.weight ?? 0);
      if (isSame) return false;
      taken.clear();
      return true;
    },
  };
}
