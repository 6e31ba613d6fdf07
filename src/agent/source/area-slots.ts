/**
 * Who reads next, where several tenants have something to be read: whoever has had the least of late. One of whom much is read takes one place
 * at most, so that others find one free.
 */
export interface AreaSlots {
  /** The result of `work`, once it is the area's turn. */
  run<Result>(area: string, work: () => Promise<Result>): Promise<Result>;
  /** So many bytes were read of an area. */
  spend(area: string, bytes: number): void;
  /** Whether much was read of it of late. */
  isHeavy(area: string): boolean;
}

const places = 3;
/** What was read counts half after so long. */
const halfLifeMs = 60_000;
/** Who had less of late goes before all who had more. */
const heavyBytes = 4 * 1024 * 1024;

interface Waiting {
  readonly area: string;
  begin(): Promise<void>;
}

export function createAreaSlots(now = () => performance.now()): AreaSlots {
  const spent = new Map<string, { readonly bytes: number; readonly atMs: number }>();
  const running = new Map<Waiting, string>();
  let waiting: Waiting[] = [];
  const spentOf = (area: string): number => {
    const known = spent.get(area);
    return known ? known.bytes * 0.5 ** ((now() - known.atMs) / halfLifeMs) : 0;
  };
  const isHeavy = (area: string): boolean => spentOf(area) >= heavyBytes;
  const next = (): Waiting | undefined => {
    if (running.size >= places) return undefined;
    const isHeavyAtWork = [...running.values()].some(isHeavy);
    const [first] = waiting
      .filter(({ area }) => !isHeavyAtWork || !isHeavy(area))
      .sort((a, b) => spentOf(a.area) - spentOf(b.area));
    return first;
  };
  const begin = (): void => {
    for (let one = next(); one; one = next()) {
      const begun = one;
      waiting = waiting.filter((other) => other !== begun);
      running.set(begun, begun.area);
      void begun.begin().then(() => {
        running.delete(begun);
        begin();
      });
    }
  };
  return {
    run: (area, work) =>
      new Promise((resolve, reject) => {
        waiting.push({ area, begin: () => work().then(resolve, reject) });
        begin();
      }),
    spend: (area, bytes) => void spent.set(area, { bytes: spentOf(area) + bytes, atMs: now() }),
    isHeavy,
  };
}
