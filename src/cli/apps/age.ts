/** `4s`, `12m`, `3h`, `5d`: how long ago, as kubectl shows it. Undefined: not known. */
export function age(sinceMs: number | undefined, nowMs: number): string {
  if (sinceMs === undefined || !Number.isFinite(sinceMs)) return '-';
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `2026-11-30 12:00:00Z` */
export const moment = (ms: number): string =>
  Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z` : '-';
