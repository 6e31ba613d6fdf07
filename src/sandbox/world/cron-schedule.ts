import { parseGoDuration } from '../../lib/duration.ts';

/** The first time after `afterMs` that the schedule names; undefined where it names none within five years, or cannot be read. */
export type Schedule = (afterMs: number) => number | undefined;

const names: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const minuteMs = 60_000;
const dayMs = 86_400_000;

/** Five fields, a name such as `@hourly`, or `@every 5m`; in UTC, or the zone that is named. */
export function readSchedule(text: string, zone = 'UTC'): Schedule {
  const every = /^@every (\S+)$/.exec(text.trim())?.[1];
  const everyMs = every === undefined ? undefined : parseGoDuration(every);
  if (everyMs !== undefined) return (afterMs) => afterMs + Math.max(1_000, everyMs);
  const fields = (names.get(text.trim()) ?? text.trim()).split(/\s+/);
  const [minutes, hours, daysOfMonth, monthsOfYear, daysOfWeek] = [
    valuesOf(fields[0], 0, 59),
    valuesOf(fields[1], 0, 23),
    valuesOf(fields[2], 1, 31),
    valuesOf(fields[3], 1, 12, months),
    valuesOf(fields[4], 0, 7, days),
  ];
  if (!minutes || !hours || !daysOfMonth || !monthsOfYear || !daysOfWeek) return () => undefined;
  const anyDay = /^[*?]/.test(fields[2] ?? '');
  const anyWeekday = /^[*?]/.test(fields[4] ?? '');
  const isDay = (at: Date): boolean => {
    if (!monthsOfYear.has(at.getUTCMonth() + 1)) return false;
    const byDate = daysOfMonth.has(at.getUTCDate());
    const byWeekday = daysOfWeek.has(at.getUTCDay()) || (at.getUTCDay() === 0 && daysOfWeek.has(7));
    // Where both are restricted, either is enough.
    return anyDay || anyWeekday ? byDate && byWeekday : byDate || byWeekday;
  };
  return (afterMs) => {
    const shiftMs = offsetMs(zone, afterMs);
    const firstMs = Math.floor((afterMs + shiftMs) / minuteMs) * minuteMs + minuteMs;
    for (
      let dayStartMs = Math.floor(firstMs / dayMs) * dayMs, left = 5 * 366;
      left > 0;
      left -= 1, dayStartMs += dayMs
    ) {
      if (!isDay(new Date(dayStartMs))) continue;
      for (const hour of hours)
        for (const minute of minutes) {
          const atMs = dayStartMs + (hour * 60 + minute) * minuteMs;
          if (atMs >= firstMs) return atMs - shiftMs;
        }
    }
    return undefined;
  };
}

// `*`, `5`, `1-5`, `*/10`, `1-30/5`, `mon`, and lists of them, in order; undefined where it cannot be read.
function valuesOf(
  field: string | undefined,
  least: number,
  most: number,
  words: readonly string[] = [],
): ReadonlySet<number> | undefined {
  const number = (text: string): number => {
    const word = words.indexOf(text.toLowerCase());
    return word < 0 ? (/^\d+$/.test(text) ? Number(text) : Number.NaN) : word + (words === months ? 1 : 0);
  };
  const values = new Set<number>();
  for (const part of (field ?? '').split(',')) {
    const [range = '', step] = part.split('/');
    const [from = '', to] = range === '*' || range === '?' ? [String(least), String(most)] : range.split('-');
    const [first, by] = [number(from), step === undefined ? 1 : number(step)];
    const last = to === undefined ? (step === undefined ? first : most) : number(to);
    if (!(first >= least && last <= most && first <= last && by >= 1)) return undefined;
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return new Set([...values].sort((a, b) => a - b));
}

/** How far a zone's clocks are ahead of UTC at that time; 0 for zones that are not known. */
function offsetMs(zone: string, atMs: number): number {
  if (zone === 'UTC' || zone === 'Etc/UTC') return 0;
  try {
    const text = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(
      atMs,
    );
    return Date.parse(`${text.replace(' ', 'T')}Z`) - Math.floor(atMs / 1_000) * 1_000;
  } catch {
    return 0;
  }
}
