/** Who has lately cost the thread a deadline: the more often, the less time is given to what else comes from there. */
export interface SlowFolders {
  /** The part of the usual deadline that a file, or the files of a revert, may have; 1 where nothing is known against it. */
  shareOf(path: string): number;
  /** It took its deadline. */
  note(path: string): void;
}

/** After so long one deadline is forgotten. */
const forgottenMs = 60_000;
/** Files that are in order are read in less: most take a hundredth of their deadline. */
const leastShare = 1 / 64;
/** More are not known at a time. */
const mostAreas = 1_000;

/** `areaOf`: who answers for a file, as a tenant; the empty string: nobody does, so each folder counts for itself. */
export function createSlowFolders(areaOf: (path: string) => string, now = () => performance.now()): SlowFolders {
  const areas = new Map<string, { readonly count: number; readonly atMs: number }>();
  const keyOf = (path: string): string => {
    const area = areaOf(path);
    return area === '' ? `/${path.slice(0, Math.max(0, path.lastIndexOf('/')))}` : area;
  };
  const countOf = (key: string): number => {
    const known = areas.get(key);
    if (!known) return 0;
    const left = known.count - Math.floor((now() - known.atMs) / forgottenMs);
    if (left <= 0) areas.delete(key);
    return Math.max(0, left);
  };
  return {
    shareOf: (path) => Math.max(leastShare, 0.5 ** countOf(keyOf(path))),
    note(path) {
      const key = keyOf(path);
      const count = countOf(key) + 1;
      areas.delete(key);
      for (const [oldest] of areas) {
        if (areas.size < mostAreas) break;
        areas.delete(oldest);
      }
      areas.set(key, { count, atMs: now() });
    },
  };
}
