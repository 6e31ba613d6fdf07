import { at, numberOf } from '../../lib/json.ts';
import type { Reflection } from '../../cluster/cluster.ts';
import type { Clock } from '../../lib/clock.ts';
import { type AppKey, namespacedName, partsOf } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { createLookPace, type LookPace } from './look-pace.ts';

/**
 * When a release may begin: not while those that are under way are late. Controllers take up changed Deployments in the order in which they
 * came, and a slow API server answers in turn: one more release would make the others later, and wait itself for pods that nobody has
 * made yet, perhaps until its deadline is over. And each release under way is looked at once an interval: where looks are late, no more
 * releases are begun than can be looked at in time.
 */
export interface StartLimit {
  /**
   * Whether this release may begin now; then it counts as one that does until `ended`. False: it is woken when its turn has come, those
   * that came before it first.
   */
  mayBegin(key: AppKey): boolean;
  /** What a look at this canary has decided is written from now on, until `written` or `ended`. */
  writing(key: AppKey): void;
  written(key: AppKey): void;
  /** The look is over. */
  ended(key: AppKey): void;
  /** How often a release that is under way is looked at; undefined: none is. */
  underWay(key: AppKey, intervalMs: number | undefined): void;
  forget(key: AppKey): void;
  /** Releases that wait for their turn. */
  readonly waiting: number;
}

export interface StartLimitOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly deployments: Pick<Reflection, 'onChange'>;
  readonly wake: (key: AppKey) => void;
  /** Told whenever another number of releases waits. */
  readonly onWaiting: (count: number) => void;
  /** A release has waited for a minute; told once of each. */
  readonly onLong: (key: AppKey) => void;
  readonly signal: AbortSignal;
}

/** So many changed Deployments may always wait for the controllers, and so many releases be under way. */
const least = 16;
/** And as many as they have taken up in this time: so long a new one waits. */
const spanMs = 3_000;
const spanParts = 10;
/** Of the looks that there is time for, those of each interval; the others are for pods that become ready, and for what comes between. */
const dueShare = 0.6;
/** One that nobody takes up for so long is its own matter: nobody waits for it any more. */
const believedMs = 60_000;
/** A release that asks for approval meanwhile keeps nobody waiting. */
const beginsWithinMs = 2_000;
/** What a look writes takes a second at most where the API server keeps pace, and two and a half more where users have just moved. */
const writtenWithinMs = 5_000;
/** Late in so many namespaces, it is no matter of one of them, as a slow admission webhook is. */
const severalNamespaces = 3;
const lookMs = 500;
const longMs = 60_000;
const toldAgainMs = 600_000;

export function createStartLimit({
  clock,
  log,
  deployments,
  wake,
  onWaiting,
  onLong,
  signal,
}: StartLimitOptions): StartLimit {
  /** Changed Deployments that no controller has looked at yet, and since when. */
  const open = new Map<string, number>();
  const takenUp = createRecent(clock);
  /** Since when, in their order. */
  const waiting = new Map<AppKey, number>();
  const toldLong = new Set<AppKey>();
  /** Their turn has come, and since when. */
  const called = new Map<AppKey, number>();
  const beginning = new Map<AppKey, number>();
  /** Looks that write, and since when, oldest first. */
  const writes = new Map<AppKey, number>();
  /** Releases under way, and how often each is looked at. */
  const intervals = new Map<AppKey, number>();
  /** Of a namespace; of all where the key is the empty string. */
  const paces = new Map<string, LookPace>();
  /** Where releases waited for lack of time when the next ones were looked for last. */
  let full: ReadonlySet<string> = new Set();
  let isTimed = false;
  let toldMs: number | undefined;

  const young = (since: ReadonlyMap<string, number>, ms: number): number => {
    const fromMs = clock.elapsed() - ms;
    let count = 0;
    for (const sinceMs of since.values()) if (sinceMs > fromMs) count += 1;
    return count;
  };
  const hasRoom = (): boolean => {
    const own = young(called, beginsWithinMs) + young(beginning, beginsWithinMs);
    return young(open, believedMs) + own < Math.max(least, takenUp.count());
  };

  /** Of those that write for too long. */
  const lateNamespaces = (): ReadonlySet<string> => {
    const late = new Set<string>();
    const untilMs = clock.elapsed() - writtenWithinMs;
    for (const [key, sinceMs] of writes) {
      if (sinceMs > untilMs) break;
      late.add(partsOf(key).namespace);
    }
    return late;
  };
  const isLate = (key: AppKey, late: ReadonlySet<string>): boolean =>
    late.size >= severalNamespaces || late.has(partsOf(key).namespace);

  const paceOf = (namespace: string): LookPace => {
    const known = paces.get(namespace);
    if (known) return known;
    const isSlow = (): boolean => {
      const late = lateNamespaces();
      return namespace === '' ? late.size >= severalNamespaces : late.has(namespace);
    };
    const pace = createLookPace(clock, { isSlow, isWanted: () => full.has(namespace) });
    paces.set(namespace, pace);
    return pace;
  };
  /** Whether all that are under way there, and one more, can be looked at in time. */
  const hasTimeIn = (namespace: string): boolean => {
    const { perSecond } = paceOf(namespace);
    const late = lateNamespaces();
    // Of all, those whose own namespace is slow take nobody's place.
    const isThere = (key: AppKey): boolean => {
      const own = partsOf(key).namespace;
      return namespace === '' ? late.size >= severalNamespaces || !late.has(own) : own === namespace;
    };
    const fromMs = clock.elapsed() - beginsWithinMs;
    let count = 0;
    let needed = 0;
    for (const [key, intervalMs] of intervals) {
      if (!isThere(key)) continue;
      count += 1;
      needed += 1_000 / intervalMs;
    }
    const perRelease = needed / Math.max(1, count);
    for (const since of [called, beginning])
      for (const [key, sinceMs] of since) if (sinceMs > fromMs && isThere(key) && !intervals.has(key)) count += 1;
    return count < least || perRelease * (count + 1) <= dueShare * perSecond;
  };
  const hasTime = (key: AppKey): boolean => hasTimeIn('') && hasTimeIn(partsOf(key).namespace);

  const leave = (key: AppKey): void => {
    toldLong.delete(key);
    if (waiting.delete(key)) onWaiting(waiting.size);
  };
  const tellLong = (): void => {
    for (const [key, sinceMs] of waiting) {
      if (clock.elapsed() - sinceMs < longMs) break;
      if (toldLong.has(key)) continue;
      toldLong.add(key);
      onLong(key);
    }
  };
  const pump = (): void => {
    const late = lateNamespaces();
    const lacking = new Set<string>();
    for (const key of waiting.keys()) {
      if (!hasRoom() || lacking.has('')) break;
      const { namespace } = partsOf(key);
      if (lacking.has(namespace) || isLate(key, late)) continue;
      const where = ['', namespace].filter((one) => !hasTimeIn(one));
      for (const one of where) lacking.add(one);
      if (where.length > 0) continue;
      leave(key);
      called.set(key, clock.elapsed());
      wake(key);
    }
    full = lacking;
    if (waiting.size === 0 || isTimed || signal.aborted) return;
    isTimed = true;
    clock.after(lookMs, () => {
      isTimed = false;
      tellLong();
      pump();
    });
  };
  const tell = (): void => {
    if (toldMs !== undefined && clock.elapsed() - toldMs < toldAgainMs) return;
    toldMs = clock.elapsed();
    log.info(
      { deployments: young(open, believedMs), looks: lateNamespaces().size > 0 ? writes.size : 0 },
      'new releases wait for their turn: the cluster does not keep pace with those that are under way',
    );
  };

  deployments.onChange(({ kind, object }) => {
    const key = namespacedName(object.metadata);
    if (kind !== 'deleted' && !isTakenUp(object)) {
      if (!open.has(key)) open.set(key, clock.elapsed());
      return;
    }
    if (!open.delete(key)) return;
    takenUp.add();
    if (waiting.size > 0) pump();
  });

  return {
    mayBegin(key) {
      const mustWait = (): boolean => waiting.size > 0 || !hasRoom() || isLate(key, lateNamespaces()) || !hasTime(key);
      if (!called.delete(key) && mustWait()) {
        if (!waiting.has(key)) {
          waiting.set(key, clock.elapsed());
          onWaiting(waiting.size);
        }
        tell();
        pump();
        return false;
      }
      leave(key);
      beginning.set(key, clock.elapsed());
      return true;
    },
    writing(key) {
      writes.delete(key);
      writes.set(key, clock.elapsed());
    },
    written(key) {
      paceOf('').add();
      paceOf(partsOf(key).namespace).add();
      if (writes.delete(key) && waiting.size > 0) pump();
    },
    ended(key) {
      for (const keys of [called, beginning, writes]) keys.delete(key);
      if (waiting.size > 0) pump();
    },
    underWay(key, intervalMs) {
      if (intervalMs === undefined) intervals.delete(key);
      else intervals.set(key, intervalMs);
    },
    forget(key) {
      leave(key);
      for (const keys of [intervals, called, beginning, writes]) keys.delete(key);
      // Namespaces come and go; of one without canaries nothing is known.
      const { namespace } = partsOf(key);
      const isIn = (other: AppKey): boolean => partsOf(other).namespace === namespace;
      if (![waiting, intervals, called, beginning, writes].some((keys) => [...keys.keys()].some(isIn)))
        paces.delete(namespace);
    },
    get waiting() {
      return waiting.size;
    },
  };
}

function isTakenUp(object: KubeObject): boolean {
  return (object.metadata.generation ?? 0) <= (numberOf(at(object, 'status', 'observedGeneration')) ?? 0);
}

/** How many there were in the last span. */
function createRecent(clock: Clock): { add(): void; count(): number } {
  const partMs = spanMs / spanParts;
  const parts: { readonly at: number; count: number }[] = [];
  const now = (): number => Math.floor(clock.elapsed() / partMs);
  return {
    add() {
      const last = parts.at(-1);
      if (last?.at === now()) last.count += 1;
      else parts.push({ at: now(), count: 1 });
    },
    count() {
      while (parts[0] && parts[0].at <= now() - spanParts) parts.shift();
      return parts.reduce((sum, { count }) => sum + count, 0);
    },
  };
}
