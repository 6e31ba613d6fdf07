import type { Clock } from '../../lib/clock.ts';

/** Now in Kubernetes' spelling, to the second. */
export function timestamp(clock: Clock): string {
  return `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
}
