import type { Clock } from '../../lib/clock.ts';

/** Now, or in some seconds, in Kubernetes' spelling. */
export function timestamp(clock: Clock, inSeconds = 0): string {
  return `${new Date(clock.now() + inSeconds * 1_000).toISOString().slice(0, 19)}Z`;
}
