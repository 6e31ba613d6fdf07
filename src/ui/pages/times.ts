/** `2026-11-30T20:15:04Z`. */
export const isoTime = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
/** `2026-11-30`, UTC. */
export const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
/** `20:15:04`, UTC. */
export const clockTime = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

/** `3 min ago`, `in 12 s`, `now`. The script of the pages says it with the same words. */
export function ago(atMs: number, nowMs: number): string {
  const seconds = Math.round((nowMs - atMs) / 1_000);
  if (Math.abs(seconds) < 2) return 'now';
  const text = span(Math.abs(seconds));
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

function span(seconds: number): string {
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `90 s`, `2 min`, `1.5 h`. */
export function lasting(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return span(Math.max(0, seconds));
}
