import type { TreeBudget } from '../manifest/tree-budget.ts';

/** Room for what is rendered of one tree, beside its plain files. */
export interface Room {
  /** It did not fit the last time, nothing of it has changed, and there is no more room now: it need not be rendered to know. */
  isKnownExcess(path: string, content: string): boolean;
  /** Takes what a unit became. Gives the units for which there is no room then, itself perhaps. */
  take(path: string, content: string, weight: number): readonly string[];
}

/** What was learnt of one tree helps with the next. */
export interface Rooms {
  /** What was rendered last weighs so much. */
  readonly weight: number;
  /** `budget`: with the plain files of the tree in it. `isThere`: whether the tree has a file. */
  of(budget: TreeBudget, isThere: (path: string) => boolean): Room;
}

interface Weighed {
  /** Changes with what the unit is made from. */
  readonly content: string;
  readonly weight: number;
}

/** No file has such a path. */
const mark = '\0rendered';

/** Units are named by their paths. */
export function createRooms(): Rooms {
  let kept = new Map<string, Weighed>();
  const excess = new Map<string, Weighed>();
  return {
    get weight() {
      return weightOf(kept.values());
    },
    of(budget, isThere) {
      const expected = new Map([...kept].filter(([path]) => isThere(path)));
      for (const path of excess.keys()) if (!isThere(path)) excess.delete(path);
      const now = new Map<string, Weighed>();
      kept = now;
      return {
        isKnownExcess(path, content) {
          const known = excess.get(path);
          if (known?.content !== content) return false;
          // Those that are still to come had their room before.
          const coming = [...expected].filter(([other]) => other !== path && !now.has(other)).map(([, other]) => other);
          return known.weight > budget.left - weightOf(coming);
        },
        take(path, content, weight) {
          now.set(path, { content, weight });
          excess.delete(path);
          const gone: string[] = [];
          for (const key of budget.add(`${path}${mark}`, weight)) {
            const unit = key.endsWith(mark) ? key.slice(0, -mark.length) : '';
            const weighed = now.get(unit);
            if (!weighed) continue;
            now.delete(unit);
            excess.set(unit, weighed);
            gone.push(unit);
          }
          return gone;
        },
      };
    },
  };
}

const weightOf = (all: Iterable<Weighed>): number => [...all].reduce((sum, { weight }) => sum + weight, 0);
