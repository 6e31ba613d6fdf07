import { describe, expect, it } from 'vitest';
import { createStartLimit, type StartLimit } from '../../../src/agent/canaries/start-limit.ts';
import type { Change } from '../../../src/cluster/cluster.ts';
import { type AppKey, keyOf } from '../../../src/lib/key.ts';
import { silentLogger } from '../../../src/lib/log.ts';
import { type ManualClock, manualClock } from '../../helpers/manual-clock.ts';

/** Controllers that take up changed Deployments when they are told to, in the order in which they came. */
function world(): {
  readonly starts: StartLimit;
  readonly clock: ManualClock;
  readonly woken: AppKey[];
  /** How many waited, after each change. */
  readonly counts: number[];
  /** Those that are told of because they wait for long. */
  readonly long: AppKey[];
  readonly key: (index: number) => AppKey;
  /** A Deployment of this name is changed. */
  readonly change: (index: number) => void;
  readonly takeUp: (count: number) => void;
  /** Begins a release, and scales its target up; false where it has to wait. */
  readonly begin: (index: number) => boolean;
} {
  const clock = manualClock();
  const woken: AppKey[] = [];
  const counts: number[] = [];
  const long: AppKey[] = [];
  const listeners = new Set<(change: Change) => void>();
  const key = (index: number): AppKey => keyOf({ namespace: 'demo', name: `app-${index}` });
  const tell = (index: number, generation: number, observedGeneration: number): void => {
    const object = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace: 'demo', name: `app-${index}`, generation },
      status: { observedGeneration },
    };
    for (const listener of listeners) listener({ kind: 'modified', object, previous: object });
  };
  const changed: number[] = [];
  const starts = createStartLimit({
    clock,
    log: silentLogger,
    deployments: {
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    wake: (woke) => void woken.push(woke),
    onWaiting: (count) => void counts.push(count),
    onLong: (waits) => void long.push(waits),
    signal: new AbortController().signal,
  });
  const change = (index: number): void => {
    changed.push(index);
    tell(index, 2, 1);
  };
  return {
    starts,
    clock,
    woken,
    counts,
    long,
    key,
    change,
    takeUp(count) {
      for (const index of changed.splice(0, count)) tell(index, 2, 2);
    },
    begin(index) {
      if (!starts.mayBegin(key(index))) return false;
      change(index);
      starts.ended(key(index));
      return true;
    },
  };
}

const range = (count: number, from = 0): readonly number[] => Array.from({ length: count }, (_, at) => from + at);

describe('when a release may begin', () => {
  it('is at once where the controllers of the cluster keep pace, however many begin', () => {
    const { begin, takeUp, starts } = world();
    for (const index of range(500)) {
      expect(begin(index)).toBe(true);
      takeUp(1);
    }
    expect(starts.waiting).toBe(0);
  });

  it('waits while they are behind, and then comes in the order in which they asked', () => {
    const { begin, takeUp, woken, key, starts } = world();
    expect(range(40).filter(begin)).toEqual(range(16));
    expect(starts.waiting).toBe(24);
    expect(woken).toEqual([]);
    takeUp(3);
    expect(woken).toEqual([16, 17, 18].map(key));
    // One that comes later does not get their place.
    expect(begin(99)).toBe(false);
    expect([16, 17, 18].filter(begin)).toEqual([16, 17, 18]);
  });

  it('waits also for what Git changes, and for no more than the controllers take up in three seconds', () => {
    const { begin, change, takeUp, clock, woken, key } = world();
    for (const index of range(1_000)) change(1_000 + index);
    expect(begin(1)).toBe(false);
    // Fifty a second: a hundred and fifty wait three seconds.
    for (const _ of range(17)) {
      takeUp(50);
      clock.advance(1_000);
    }
    expect(woken).toEqual([]);
    takeUp(50);
    expect(woken).toEqual([key(1)]);
  });

  it('is not kept waiting by Deployments that nobody ever takes up', () => {
    const { begin, change, clock, woken, key } = world();
    for (const index of range(50)) change(1_000 + index);
    expect(begin(1)).toBe(false);
    clock.advance(59_000);
    expect(woken).toEqual([]);
    clock.advance(2_000);
    expect(woken).toEqual([key(1)]);
  });

  it('is told of, once, where it waits for a minute', () => {
    const { begin, change, takeUp, clock, long, counts, key } = world();
    for (const index of range(20)) change(1_000 + index);
    expect(begin(1)).toBe(false);
    clock.advance(30_000);
    for (const index of range(20)) change(2_000 + index);
    clock.advance(29_000);
    expect(begin(2)).toBe(false);
    expect(long).toEqual([]);
    clock.advance(2_000);
    expect(begin(1)).toBe(false);
    clock.advance(5_000);
    expect(long).toEqual([key(1)]);
    expect(counts).toEqual([1, 2]);
    takeUp(40);
    expect(counts.at(-1)).toBe(0);
  });

  it('waits while looks write for too long, unless that is a matter of other namespaces', () => {
    const { starts, clock, begin, woken, key } = world();
    const elsewhere = (namespace: string): AppKey => keyOf({ namespace, name: 'app' });
    for (const namespace of ['slow', 'slower']) starts.writing(elsewhere(namespace));
    clock.advance(6_000);
    expect(begin(1), 'behind a slow admission webhook').toBe(true);
    starts.writing(key(50));
    expect(begin(2), 'it has only just begun').toBe(true);
    clock.advance(6_000);
    expect(begin(3), 'one of its own namespace is late').toBe(false);
    starts.written(key(50));
    expect(woken).toEqual([key(3)]);
    expect(begin(3)).toBe(true);
    starts.writing(elsewhere('slowest'));
    clock.advance(6_000);
    expect(begin(4), 'all are late').toBe(false);
    starts.ended(elsewhere('slow'));
    expect(woken).toEqual([key(3), key(4)]);
  });

  it('is not kept waiting by those that ask for approval, and not by a Canary that has gone', () => {
    const { starts, clock, woken, key } = world();
    expect(range(30).filter((index) => starts.mayBegin(key(index)))).toEqual(range(16));
    starts.forget(key(16));
    clock.advance(2_500);
    expect(woken).toEqual(range(13, 17).map(key));
  });

  /** Looks that are written, so many a second, each six seconds after it began; then what `each` does. */
  const lateLooks = (
    { starts, clock }: ReturnType<typeof world>,
    { perSecond, seconds, namespace = 'demo' }: { perSecond: number; seconds: number; namespace?: string },
    each: () => void = () => undefined,
  ): void => {
    const look = (at: number): AppKey => keyOf({ namespace, name: `look-${at}` });
    let [first, next] = [0, 0];
    for (; next < 6 * perSecond; next += 1) {
      starts.writing(look(next));
      clock.advance(1_000 / perSecond);
    }
    for (const _ of range(seconds)) {
      for (const _look of range(perSecond)) {
        starts.writing(look(next++));
        clock.advance(1_000 / perSecond);
        starts.written(look(first++));
      }
      each();
    }
    for (; first < next; first += 1) starts.ended(look(first));
  };

  it('waits where looks are late, until all that are under way can be looked at in time', () => {
    const on = world();
    const { starts, begin, clock, key, woken } = on;
    for (const index of range(60)) starts.underWay(key(1_000 + index), 10_000);
    lateLooks(on, { perSecond: 5, seconds: 10 });
    expect(begin(1), 'nobody is late now, but five looks a second are too few for sixty').toBe(false);
    for (const index of range(30)) starts.underWay(key(1_000 + index), undefined);
    clock.advance(500);
    expect(woken, 'three of the five are for thirty, and thirty are under way').toEqual([]);
    for (const index of range(31)) starts.underWay(key(1_000 + index), undefined);
    expect(woken).toEqual([]);
    clock.advance(500);
    expect(woken).toEqual([key(1)]);
    expect(begin(1)).toBe(true);
    for (const index of [1, 2]) starts.underWay(key(index), 10_000);
    expect(begin(2), 'more than thirty are under way').toBe(false);
  });

  it('is at once again where nobody has been late for long', () => {
    const on = world();
    const { starts, begin, clock, key } = on;
    for (const index of range(60)) starts.underWay(key(1_000 + index), 10_000);
    lateLooks(on, { perSecond: 5, seconds: 10 });
    for (const _ of range(601)) {
      starts.written(key(0));
      clock.advance(1_000);
    }
    expect(range(10).filter(begin)).toEqual(range(10));
  });

  it('is for so many at first where nothing is known of the cluster, and for more each second while nobody is late', () => {
    const { starts, begin, takeUp, clock, key, woken } = world();
    const begins = (index: number): boolean => {
      if (!begin(index)) return false;
      takeUp(1);
      starts.underWay(key(index), 10_000);
      return true;
    };
    expect(range(1_000).filter(begins)).toEqual(range(120));
    let begun = 120;
    for (const _ of range(20)) {
      clock.advance(500);
      for (; begun < 120 + woken.length; begun += 1) expect(begins(begun)).toBe(true);
    }
    // Five per cent a second.
    expect(begun).toBeGreaterThan(185);
    expect(begun).toBeLessThan(205);
  });

  it('knows nothing of a namespace any more when its last Canary has gone', () => {
    const on = world();
    const { starts, begin, key } = on;
    for (const index of range(30)) starts.underWay(key(1_000 + index), 10_000);
    lateLooks(on, { perSecond: 2, seconds: 10 });
    for (const index of range(29)) starts.forget(key(1_000 + index));
    for (const index of range(20)) starts.underWay(key(2_000 + index), 10_000);
    expect(begin(1), 'two looks a second are too few for twenty-one').toBe(false);
    starts.forget(key(1));
    starts.forget(key(1_029));
    for (const index of range(20)) starts.forget(key(2_000 + index));
    for (const index of range(20)) starts.underWay(key(3_000 + index), 10_000);
    expect(begin(2)).toBe(true);
  });

  it('may always be for sixteen, however slow it is', () => {
    const on = world();
    const { starts, begin, key } = on;
    for (const index of range(15)) starts.underWay(key(1_000 + index), 10_000);
    lateLooks(on, { perSecond: 1, seconds: 10 });
    expect(begin(1)).toBe(true);
    starts.underWay(key(1), 10_000);
    expect(begin(2)).toBe(false);
  });

  it('waits for no releases of a namespace that is slow by itself, but for those of several', () => {
    const on = world();
    const { starts, begin } = on;
    for (const [namespace, count] of [
      ['slow', 200],
      ['slower', 30],
      ['slowest', 30],
    ] as const)
      for (const index of range(count)) starts.underWay(keyOf({ namespace, name: `app-${index}` }), 10_000);
    starts.writing(keyOf({ namespace: 'slow', name: 'app-0' }));
    lateLooks(on, { perSecond: 5, seconds: 10, namespace: 'slow' });
    expect(begin(1)).toBe(true);
    for (const namespace of ['slower', 'slowest']) starts.writing(keyOf({ namespace, name: 'app-0' }));
    lateLooks(on, { perSecond: 5, seconds: 10, namespace: 'slow' });
    for (const namespace of ['slower', 'slowest']) starts.ended(keyOf({ namespace, name: 'app-0' }));
    expect(begin(2)).toBe(false);
  });
});
