import { parseGoDuration } from '../lib/duration.ts';

/** A time that begins again and again: at each minute that the schedule names in the zone, for so long. */
export interface Window {
  /** As it is written. */
  readonly text: string;
  readonly schedule: Schedule;
  readonly durationMs: number;
  /** Tells the local time of the zone; absent: UTC. */
  readonly zone?: Intl.DateTimeFormat;
  /** While it is open nothing moves, whatever other windows say. */
  readonly isExclusion: boolean;
}

/** Which values each field of a schedule has. */
interface Schedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** Sunday is 0. */
  readonly daysOfWeek: ReadonlySet<number>;
  /** Both kinds of days are restricted: either is enough, as in every cron. */
  readonly isEitherDay: boolean;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** A week and a day: a window may be open from one to the next. */
const maxDurationMs = 8 * 86_400_000;
const maxLength = 500;
const maxWindows = 20;

/**
 * Reads windows that are divided by `;`: `0 9 * * 1-5 8h Europe/Berlin` is open from nine to five on workdays, one with a `!` before it is
 * an exclusion. Five fields of cron, a duration as Go writes it (at least a minute, at most eight days), and a zone (absent: UTC).
 */
export function readWindows(text: string): readonly Window[] | { readonly problem: string } {
  const parts = text.split(';').map((part) => part.trim());
  if (text.length > maxLength || parts.length > maxWindows)
    return { problem: `it is longer than ${maxLength} letters, or has more than ${maxWindows} windows` };
  const windows: Window[] = [];
  for (const part of parts) {
    const window = readWindow(part);
    if ('problem' in window) return window;
    windows.push(window);
  }
  return windows;
}

function readWindow(text: string): Window | { readonly problem: string } {
  const isExclusion = text.startsWith('!');
  const words = (isExclusion ? text.slice(1).trim() : text).split(/\s+/);
  const problem = (what: string): { problem: string } => ({
    problem: `"${text.slice(0, 80)}" ${what}; a window is like "0 9 * * 1-5 8h Europe/Berlin"`,
  });
  if (words.length !== 6 && words.length !== 7) return problem('has not five fields of cron, a duration and a zone');
  const schedule = readSchedule(words.slice(0, 5));
  if (!schedule) return problem('begins with no schedule of cron');
  const durationMs = parseGoDuration(words[5] ?? '') ?? Number.NaN;
  if (!(durationMs >= minuteMs && durationMs <= maxDurationMs)) return problem('has no duration from 1m to 192h');
  const zone = zoneOf(words[6] ?? 'UTC');
  if (zone === 'unknown') return problem('has a time zone that is not known');
  return { text, schedule, durationMs, isExclusion, ...(zone ? { zone } : {}) };
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

function readSchedule(fields: readonly string[]): Schedule | undefined {
  const [minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] = fields;
  const minutes = valuesOf(minute, 0, 59);
  const hours = valuesOf(hour, 0, 23);
  const daysOfMonth = valuesOf(dayOfMonth, 1, 31);
  const monthsOfYear = valuesOf(month, 1, 12, months);
  const daysOfWeek = valuesOf(dayOfWeek, 0, 7, days);
  if (!minutes || !hours || !daysOfMonth || !monthsOfYear || !daysOfWeek) return undefined;
  const isRestricted = (field: string): boolean => !field.startsWith('*');
  return {
    minutes,
    hours,
    daysOfMonth,
    months: monthsOfYear,
    daysOfWeek: daysOfWeek.has(7) ? new Set([...daysOfWeek, 0]) : daysOfWeek,
    isEitherDay: isRestricted(dayOfMonth) && isRestricted(dayOfWeek),
  };
}

// `*`, `5`, `1-5`, `*/10`, `1-30/5`, `mon-fri`, and lists of them; undefined where it cannot be read.
function valuesOf(
  field: string,
  least: number,
  most: number,
  names: readonly string[] = [],
): ReadonlySet<number> | undefined {
  const numberOf = (text: string): number => {
    const named = names.indexOf(text.toLowerCase());
    if (named >= 0) return named + least;
    return /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  };
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step, ...more] = part.split('/');
    const [from = '', to, ...others] = range === '*' ? [String(least), String(most)] : range.split('-');
    const first = numberOf(from);
    const last = to === undefined ? (step === undefined ? first : most) : numberOf(to);
    const by = step === undefined ? 1 : /^\d{1,2}$/.test(step) ? Number(step) : Number.NaN;
    if (more.length > 0 || others.length > 0) return undefined;
    if (!(first >= least && last <= most && first <= last && by >= 1)) return undefined;
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return values;
}

/** Why nothing may move now; undefined where it may. Without windows it always may. */
export function closedReason(windows: readonly Window[], nowMs: number): string | undefined {
  const exclusion = windows.find((window) => window.isExclusion && isOpen(window, nowMs));
  if (exclusion) return `the window "${exclusion.text}" keeps everything as it is`;
  const allowed = windows.filter(({ isExclusion }) => !isExclusion);
  if (allowed.length === 0 || allowed.some((window) => isOpen(window, nowMs))) return undefined;
  return `no window is open (${allowed.map(({ text }) => `"${text}"`).join(', ')})`;
}

/** Whether it began at a minute that is less than its duration ago. */
function isOpen({ schedule, durationMs, zone }: Window, nowMs: number): boolean {
  const firstMs = Math.floor((nowMs - durationMs) / minuteMs) * minuteMs + minuteMs;
  let shiftMs = offsetMs(zone, firstMs - minuteMs);
  if (shiftMs === offsetMs(zone, nowMs)) return hasStart(schedule, firstMs + shiftMs, nowMs + shiftMs);
  // Clocks were changed meanwhile. The zone is asked once for each hour: that is done at full hours of UTC.
  for (let fromMs = firstMs; fromMs <= nowMs; ) {
    const untilMs = Math.min(nowMs, Math.floor(fromMs / hourMs) * hourMs + hourMs - minuteMs);
    const formerShiftMs = shiftMs;
    shiftMs = offsetMs(zone, fromMs);
    // Minutes that the zone's clocks pass over begin a window all the same, at the moment when they do.
    const skippedMs = Math.max(0, shiftMs - formerShiftMs);
    if (hasStart(schedule, fromMs + shiftMs - skippedMs, Math.max(fromMs, untilMs) + shiftMs)) return true;
    fromMs = Math.max(fromMs, untilMs) + minuteMs;
  }
  return false;
}

/** Both ends are local times, written as if the zone were UTC. */
function hasStart(schedule: Schedule, fromMs: number, toMs: number): boolean {
  for (let dayMs = Math.floor(fromMs / (24 * hourMs)) * 24 * hourMs; dayMs <= toMs; dayMs += 24 * hourMs) {
    const day = new Date(dayMs);
    if (!schedule.months.has(day.getUTCMonth() + 1)) continue;
    const byDate = schedule.daysOfMonth.has(day.getUTCDate());
    const byWeekday = schedule.daysOfWeek.has(day.getUTCDay());
    if (schedule.isEitherDay ? !byDate && !byWeekday : !byDate || !byWeekday) continue;
    for (const hour of schedule.hours)
      for (const minute of schedule.minutes) {
        const atMs = dayMs + hour * hourMs + minute * minuteMs;
        if (atMs >= fromMs && atMs <= toMs) return true;
      }
  }
  return false;
}

function zoneOf(timeZone: string): Intl.DateTimeFormat | undefined | 'unknown' {
  if (timeZone === 'UTC') return undefined;
  if (timeZone.length > 60) return 'unknown';
  try {
    return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  } catch {
    return 'unknown';
  }
}

/** How far a zone's clocks are ahead of UTC at that time. */
function offsetMs(zone: Intl.DateTimeFormat | undefined, atMs: number): number {
  if (!zone) return 0;
  return Date.parse(`${zone.format(atMs).replace(' ', 'T')}Z`) - Math.floor(atMs / 1_000) * 1_000;
}
