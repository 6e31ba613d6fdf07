import type { Round } from './fleet-round.ts';
import { intervalMs } from './fleet.ts';
import { type FlaggerFigures, flaggerFigures } from './flagger-figures.ts';
import { coresForServer, floorSeconds, type MachineShare, parts } from './machine-share.ts';
import { readable } from './spread.ts';

/** One figure of a round. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly value: number;
  /** Met when the value is at most this. Absent: shown for comparison only. */
  readonly atMost?: number;
  /** The same of a Flagger; absent where it was not measured. */
  readonly flagger?: (figures: FlaggerFigures) => number;
}

/** Held to at 1,000 canaries; smaller fleets are shown beside. */
export const goalCanaries = 1_000;
/** A release takes its steps, however fast the API server is. */
const leastWholeSeconds = 100;
/** The agent may take so many times as long as the API server needs. */
const floorShare = 1.3;

export function figuresOf(round: Round): readonly Figure[] {
  const { canaries, way, server, serverCores, rest, release, times, outcomes } = round;
  const floorSeconds = release.apiServerCpuMs / 1_000 / serverCores;
  const intervals = (canaries * rest.seconds * 1_000) / intervalMs;
  const events = (kind: string): boolean => /^\w+ events$/.test(kind);
  const sum = (isMeant: (kind: string) => boolean): number =>
    Object.entries(release.byKind).reduce((total, [kind, count]) => total + (isMeant(kind) ? count : 0), 0);
  // One commit is noticed as fast as Git is polled and a thousand objects are applied: no goal of these applies to it.
  const plain = (atMost: number): { readonly atMost?: number } =>
    way === 'cluster' && server === 'plain' ? { atMost } : {};
  // A server that is held back makes every canary late; these goals say how late.
  const unheld = (atMost: number): { readonly atMost?: number } => (server === 'plain' ? { atMost } : {});
  return [
    {
      what: 'at rest: API requests per canary and interval',
      unit: '',
      value: rest.requests / intervals,
      atMost: 0.001,
      flagger: (flagger) => flagger.rest.requestsPerTick,
    },
    {
      what: 'at rest: CPU per canary and interval',
      unit: ' ms',
      value: rest.cpuMs / intervals,
      atMost: 0.3,
      flagger: (flagger) => flagger.rest.cpuMsPerTick,
    },
    {
      what: 'at rest: ticks not done',
      unit: ' %',
      value: Math.max(0, 100 * (1 - (rest.ticks + canaries) / intervals)),
      atMost: 0,
      flagger: ({ rest: { ticksDone, ticksDue } }) => Math.max(0, 100 * (1 - ticksDone / ticksDue)),
    },
    { what: 'at rest: ticks more than 1 s late', unit: '', value: rest.lateTicks, atMost: 0 },
    {
      what: 'at rest: memory (median)',
      unit: ' MiB',
      value: rest.rssMedianMib,
      flagger: (flagger) => flagger.rest.rssMib,
    },
    { what: 'change → new revision in the log, median', unit: ' s', value: times.told.median, ...plain(0.2) },
    { what: 'change → new revision in the log, max', unit: ' s', value: times.told.max },
    {
      what: 'change → target scaled up, mean',
      unit: ' s',
      value: times.noticed.mean,
      flagger: (flagger) => flagger.release.noticedMean,
    },
    {
      what: 'change → target scaled up, max',
      unit: ' s',
      value: times.noticed.max,
      flagger: (flagger) => flagger.release.noticedMax,
    },
    {
      what: 'change → first weight, mean',
      unit: ' s',
      value: times.firstWeight.mean,
      flagger: (flagger) => flagger.release.firstWeightMean,
    },
    {
      what: 'change → first weight, max',
      unit: ' s',
      value: times.firstWeight.max,
      flagger: (flagger) => flagger.release.firstWeightMax,
    },
    {
      what: 'change → promoted, mean',
      unit: ' s',
      value: times.finished.mean,
      flagger: (flagger) => flagger.release.finishedMean,
    },
    {
      what: 'change → promoted, max',
      unit: ' s',
      value: times.finished.max,
      flagger: (flagger) => flagger.release.finishedMax,
    },
    {
      what: 'first change → all promoted',
      unit: ' s',
      value: times.wholeSeconds,
      // A commit reaches its canaries as fast as a thousand objects are applied.
      ...(way === 'cluster' ? { atMost: Math.max(leastWholeSeconds, floorShare * floorSeconds) } : {}),
    },
    {
      what: `floor: CPU of the API server over its ${serverCores === 1 ? 'core' : `${serverCores} cores`}`,
      unit: ' s',
      value: floorSeconds,
    },
    { what: 'first change → all promoted, as times that floor', unit: '', value: times.wholeSeconds / floorSeconds },
    { what: 'of that, until all were changed', unit: ' s', value: times.changeSeconds },
    {
      what: 'from step to step, max',
      unit: ' s',
      value: times.stepGap.max,
      flagger: (flagger) => flagger.release.stepGapMax,
    },
    {
      what: 'latest step, beyond its interval',
      unit: ' s',
      value: Math.max(0, times.stepGap.max - intervalMs / 1_000),
      ...unheld((2 * intervalMs) / 1_000),
    },
    {
      what: 'change → promoted, max beyond the median',
      unit: ' s',
      value: times.finished.max - times.finished.median,
      // Nobody waits longer than two intervals while others move.
      atMost: (2 * intervalMs) / 1_000,
    },
    { what: 'steps not done in their interval', unit: '', value: times.lostTicks, ...unheld(0) },
    { what: 'releases that failed', unit: '', value: times.failed, atMost: 0 },
    {
      what: 'API requests per promotion, events included',
      unit: '',
      value: release.requests / canaries,
      flagger: (flagger) => flagger.release.requests,
    },
    {
      what: 'API requests per promotion without events',
      unit: '',
      value: sum((kind) => !events(kind)) / canaries,
      ...plain(25),
      flagger: (flagger) => flagger.release.requests - 10 * flagger.release.eventsWritten,
    },
    {
      what: 'events written, of 10 per promotion',
      unit: ' %',
      value: (10 * sum((kind) => kind === 'create events')) / canaries,
      flagger: (flagger) => 100 * flagger.release.eventsWritten,
    },
    {
      what: 'CPU per promotion',
      unit: ' ms',
      value: release.cpuMs / canaries,
      ...plain(30),
      flagger: (flagger) => flagger.release.cpuMs,
    },
    {
      what: 'answered with 429',
      unit: '',
      value: rest.rejected + release.rejected,
      flagger: (flagger) => flagger.release.rejected,
    },
    {
      what: 'memory, peak of all',
      unit: ' MiB',
      value: Math.max(rest.rssPeakMib, release.rssPeakMib),
      atMost: 200,
      flagger: (flagger) => flagger.release.rssPeakMib,
    },
    { what: 'ticks: mean lateness', unit: ' ms', value: release.meanLatenessMs },
    { what: 'ticks more than 1 s late', unit: '', value: release.lateTicks, ...unheld(0) },
    { what: 'CPU of the API server per promotion', unit: ' ms', value: release.apiServerCpuMs / canaries },
    ...(release.machine ? machineFigures(release.machine, canaries, times.wholeSeconds) : []),
    ...(outcomes
      ? [
          { what: 'outcomes: commits', unit: '', value: outcomes.commits },
          { what: 'outcomes: tags', unit: '', value: outcomes.tags },
          { what: 'last promotion → all outcomes in Git', unit: ' s', value: outcomes.secondsAfterLast },
        ]
      : []),
  ];
}

/** Who used the CPU of this machine, and how fast it could have been at best: the API server never has all of it. */
function machineFigures(machine: MachineShare, canaries: number, wholeSeconds: number): readonly Figure[] {
  const { cores, seconds, cpuMs, othersMs, idleMs } = machine;
  const floor = floorSeconds(machine);
  const used = parts.flatMap((part) => {
    const value = cpuMs[part];
    return value === undefined
      ? []
      : [{ what: `CPU on this machine per promotion: ${part}`, unit: ' ms', value: value / canaries }];
  });
  return [
    ...used,
    {
      what: 'CPU on this machine: other programs, of all cores',
      unit: ' %',
      value: (100 * othersMs) / 1_000 / seconds / cores,
    },
    { what: 'CPU on this machine: idle', unit: ' %', value: (100 * idleMs) / 1_000 / seconds / cores },
    { what: `cores that were left for the API server, of ${cores}`, unit: '', value: coresForServer(machine) },
    { what: 'floor of this machine: CPU of all of these over the cores that others left', unit: ' s', value: floor },
    { what: 'first change → all promoted, as times that floor of the machine', unit: '', value: wholeSeconds / floor },
  ];
}

export function isMissed({ value, atMost }: Figure): boolean {
  return atMost !== undefined && value > atMost;
}

/** The header first; a ratio tells how many times as much Flagger takes. */
export function rowsOf(round: Round): readonly (readonly string[])[] {
  const flaggers = flaggerFigures.get(round.canaries) ?? [];
  const heads = flaggers.flatMap(({ flags }) => [`Flagger, ${flags} flags`, '×']);
  const isHeld = round.canaries === goalCanaries;
  const header = ['', 'Serin', ...heads, ...(isHeld ? ['goal', ''] : [])];
  const rows = figuresOf(round).map((figure) => {
    const { what, unit, value, atMost, flagger } = figure;
    const others = flaggers.flatMap((figures) => {
      if (!flagger) return ['', ''];
      const theirs = flagger(figures);
      return [`${readable(theirs)}${unit}`, ratio(theirs, value)];
    });
    const goal =
      atMost === undefined ? ['', ''] : [`≤ ${readable(atMost)}${unit}`, isMissed(figure) ? 'MISSED' : 'met'];
    return [what, `${readable(value)}${unit}`, ...others, ...(isHeld ? goal : [])];
  });
  return [header, ...rows];
}

function ratio(theirs: number, ours: number): string {
  if (theirs === 0) return '';
  return ours === 0 ? '∞' : readable(theirs / ours);
}

/** Requests of a promotion by verb and resource, most frequent first. */
export function requestRows({ release: { byKind }, canaries }: Round): readonly (readonly string[])[] {
  return byFrequency(byKind).map(([kind, count]) => [kind, readable(count / canaries)]);
}

/** Likewise all requests at rest. */
export function restRows({ rest: { byKind } }: Round): readonly (readonly string[])[] {
  return byFrequency(byKind).map(([kind, count]) => [kind, readable(count)]);
}

const byFrequency = (kinds: Readonly<Record<string, number>>): readonly (readonly [string, number])[] =>
  Object.entries(kinds).sort(([, a], [, b]) => b - a);
