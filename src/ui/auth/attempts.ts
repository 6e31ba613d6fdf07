import type { Clock } from '../../lib/clock.ts';
import { LatestUsed } from '../../lib/latest-used.ts';

/** How often somebody may be wrong. */
export interface Attempts {
  /** Whether an address has been wrong too often lately. */
  isTooMany(address: string): boolean;
  failed(address: string): void;
}

const most = 20;
const windowMs = 60_000;
const mostAddresses = 5_000;

/** Tokens cannot be guessed; this keeps who tries from costing the API server a review each time. */
export function createAttempts(clock: Pick<Clock, 'elapsed'>): Attempts {
  const known = new LatestUsed<{ readonly sinceMs: number; count: number }>(mostAddresses);
  const current = (address: string) => {
    const entry = known.get(address);
    return entry && clock.elapsed() - entry.sinceMs < windowMs ? entry : undefined;
  };
  return {
    isTooMany: (address) => (current(address)?.count ?? 0) >= most,
    failed(address) {
      const entry = current(address);
      if (entry) entry.count += 1;
      else known.set(address, { sinceMs: clock.elapsed(), count: 1 });
    },
  };
}
