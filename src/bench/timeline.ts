import { intervalMs } from './fleet.ts';

/** What happened to one app after its image changed; epoch milliseconds, absent: not yet. */
interface AppTimes {
  changedMs?: number;
  /** The agent's log says that there is a new revision. */
  toldMs?: number;
  /** Its first act: the target is scaled up. Seen by a watch, as everybody can. */
  noticedMs?: number;
  /** The routing object sends users to the canary. Seen by a watch. */
  weightMs?: number;
  /** The Canary has succeeded. Seen by a watch. */
  finishedMs?: number;
  /** When each tick of the release did its work, by the log. */
  readonly stepsMs: number[];
}

export interface Distribution {
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly max: number;
}

/** How a release of all apps went. Times in seconds after each app's own change. */
export interface ReleaseTimes {
  readonly told: Distribution;
  readonly noticed: Distribution;
  readonly firstWeight: Distribution;
  readonly finished: Distribution;
  /** From the first change of all to the last end of all. */
  readonly wholeSeconds: number;
  /** From the first change of all to the last one: what the change itself took. */
  readonly changeSeconds: number;
  /** By the log. The last line of a release is written when all is done, so what the API server takes for it is in its gap. */
  readonly stepGap: Distribution;
  /** Ticks of an analysis that did not take place. */
  readonly lostTicks: number;
  readonly failed: number;
}

export interface Timeline {
  /** A line of the agent's log. */
  line(text: string): void;
  changed(name: string, atMs: number): void;
  scaledUp(name: string, atMs: number): void;
  weighted(name: string, atMs: number): void;
  finished(name: string, atMs: number): void;
  readonly finishedCount: number;
  /** Throws when an app has not finished. */
  times(names: readonly string[]): ReleaseTimes;
}

const begin = /^New revision detected! /;
/** Each tick of a release says one of these, and no tick two of them. */
const step =
  /^(?:New revision detected! |Advance .* canary weight |Copying .* template spec |Routing all traffic |Promotion completed! )/;

/** Puts together what log, watches and loader tell of a release. What comes before an app's change is not of it. */
export function createTimeline(): Timeline {
  const apps = new Map<string, AppTimes>();
  let failed = 0;
  const first = (field: 'noticedMs' | 'weightMs' | 'finishedMs') => (name: string, atMs: number) => {
    const times = apps.get(name);
    if (times?.changedMs !== undefined) times[field] ??= atMs;
  };
  return {
    line(text) {
      if (!text.includes('"canary":')) return;
      const said = lineOf(text);
      if (said === undefined) return;
      const { name, atMs, message } = said;
      if (/^(?:Rolling back|Canary failed)/.test(message)) failed += 1;
      if (!step.test(message)) return;
      // The log may be read before the answer to the change is.
      const times = apps.get(name) ?? { stepsMs: [] };
      apps.set(name, times);
      times.stepsMs.push(atMs);
      if (begin.test(message)) times.toldMs = atMs;
    },
    changed(name, atMs) {
      const times = apps.get(name) ?? { stepsMs: [] };
      apps.set(name, times);
      times.changedMs = atMs;
    },
    scaledUp: first('noticedMs'),
    weighted: first('weightMs'),
    finished: first('finishedMs'),
    get finishedCount() {
      return [...apps.values()].filter(({ finishedMs }) => finishedMs !== undefined).length;
    },
    times(names) {
      const all = names.map((name) => complete(name, apps.get(name)));
      const after = (pick: (times: Required<AppTimes>) => number): Distribution =>
        distributionOf(all.map((times) => Math.max(0, pick(times) - times.changedMs) / 1_000));
      const gaps = all.flatMap(({ stepsMs }) => stepsMs.slice(1).map((atMs, at) => atMs - (stepsMs[at] ?? atMs)));
      const changes = all.map(({ changedMs }) => changedMs);
      const firstMs = Math.min(...changes);
      return {
        told: after(({ toldMs }) => toldMs),
        noticed: after(({ noticedMs }) => noticedMs),
        firstWeight: after(({ weightMs }) => weightMs),
        finished: after(({ finishedMs }) => finishedMs),
        wholeSeconds: (Math.max(...all.map(({ finishedMs }) => finishedMs)) - firstMs) / 1_000,
        changeSeconds: (Math.max(...changes) - firstMs) / 1_000,
        stepGap: distributionOf(gaps.map((ms) => ms / 1_000)),
        lostTicks: gaps.reduce((sum, ms) => sum + Math.max(0, Math.round(ms / intervalMs) - 1), 0),
        failed,
      };
    },
  };
}

export function distributionOf(values: readonly number[]): Distribution {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { median: at(0.5), mean, p95: at(0.95), max: sorted.at(-1) ?? 0 };
}

function complete(name: string, times: AppTimes | undefined): Required<AppTimes> {
  const { changedMs, toldMs, noticedMs, weightMs, finishedMs, stepsMs = [] } = times ?? {};
  if (
    changedMs === undefined ||
    toldMs === undefined ||
    noticedMs === undefined ||
    weightMs === undefined ||
    finishedMs === undefined
  )
    throw new Error(`the release of ${name} was not seen as a whole`);
  return { changedMs, toldMs, noticedMs, weightMs, finishedMs, stepsMs };
}

function lineOf(text: string): { readonly name: string; readonly atMs: number; readonly message: string } | undefined {
  try {
    const { ts, canary, msg } = JSON.parse(text) as { ts?: string; canary?: string; msg?: string };
    if (ts === undefined || canary === undefined || msg === undefined) return undefined;
    return { name: canary.slice(0, canary.indexOf('.')), atMs: Date.parse(ts), message: msg };
  } catch {
    return undefined;
  }
}
