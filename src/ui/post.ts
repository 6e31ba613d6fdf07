import type { Clock } from '../lib/clock.ts';
import type { AppKey } from '../lib/key.ts';
import type { Change, Looked, Measured, Said } from './feed.ts';
import type { UiAgent } from './feed.ts';

/** What the agent tells the thread, gathered: whoever tells only notes it, and never waits. */
export interface Post {
  changed(app: AppKey): void;
  happened(change: Said | Measured | Looked): void;
  /** Everything anew: the thread has just begun. */
  compare(): void;
  /** The thread has taken what had this number. */
  taken(number: number): void;
  /** For how long it has not taken what it was sent; 0 where nothing is open. */
  readonly lateMs: number;
  stop(): void;
}

/** Changes wait for so long for others. */
const gatherMs = 250;
/** So many apps at a time: what is told of one is copied on the main thread. */
const appsAtOnce = 40;
/** While so many are not taken nothing is sent: apps wait, each once, and what has happened is forgotten from its beginning. */
const mostOpen = 3;
const mostHappened = 2_000;
/** Likewise while everything is told. */
const comparingMs = 25;
const aboutEveryMs = 5_000;

export function createPost(
  agent: Pick<UiAgent, 'apps' | 'facts' | 'about'>,
  clock: Clock,
  send: (number: number, changes: readonly Change[]) => void,
): Post {
  const dirty = new Set<AppKey>();
  let happened: (Said | Measured | Looked)[] = [];
  /** In the middle of telling everything. */
  let isComparing = false;
  let mustCompare = false;
  const open = new Map<number, number>();
  let last = 0;
  let cancel: (() => void) | undefined;
  let isStopped = false;
  let told = '';
  let isAboutDue = false;
  let cancelBeat: (() => void) | undefined;

  const isDue = (): boolean => isAboutDue || mustCompare || isComparing || dirty.size > 0 || happened.length > 0;
  const wake = (): void => {
    if (cancel || isStopped || open.size >= mostOpen || !isDue()) return;
    cancel = clock.after(isComparing || mustCompare ? comparingMs : gatherMs, () => {
      cancel = undefined;
      if (!isStopped) flush();
      wake();
    });
  };
  const flush = (): void => {
    if (open.size >= mostOpen) return;
    const changes: Change[] = [];
    if (mustCompare) {
      mustCompare = false;
      isComparing = true;
      changes.push({ kind: 'begin' });
      told = '';
      isAboutDue = true;
      dirty.clear();
      for (const app of agent.apps()) dirty.add(app);
    }
    let count = 0;
    for (const app of dirty) {
      if (count >= appsAtOnce) break;
      count += 1;
      dirty.delete(app);
      const facts = agent.facts(app);
      changes.push(facts ? { kind: 'app', app, facts } : { kind: 'gone', app });
    }
    if (isComparing && dirty.size === 0) {
      isComparing = false;
      changes.push({ kind: 'end' });
    }
    changes.push(...happened);
    happened = [];
    const about = aboutIfNew();
    if (about) changes.push(about);
    if (changes.length === 0) return;
    last += 1;
    open.set(last, clock.elapsed());
    send(last, changes);
  };
  const aboutIfNew = (): Change | undefined => {
    if (!isAboutDue) return undefined;
    isAboutDue = false;
    const about = agent.about();
    const text = JSON.stringify(about);
    if (text === told) return undefined;
    told = text;
    return { kind: 'agent', about };
  };

  const beat = (): void => {
    isAboutDue = true;
    wake();
    cancelBeat = clock.after(aboutEveryMs, beat);
  };
  beat();

  return {
    changed(app) {
      dirty.add(app);
      wake();
    },
    happened(change) {
      happened.push(change);
      if (happened.length > mostHappened) happened = happened.slice(-mostHappened / 2);
      wake();
    },
    compare() {
      open.clear();
      mustCompare = true;
      wake();
    },
    taken(number) {
      open.delete(number);
      wake();
    },
    get lateMs() {
      const [oldest] = open.values();
      return oldest === undefined ? 0 : clock.elapsed() - oldest;
    },
    stop() {
      isStopped = true;
      cancel?.();
      cancelBeat?.();
    },
  };
}
