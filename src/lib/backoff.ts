export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Full-jitter exponential back-off: the wait before try `attempt` (0 = first repeat). `random` is in [0, 1). */
export function backoffMs(attempt: number, { baseMs, capMs }: BackoffOptions, random: number): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
