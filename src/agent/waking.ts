import type { CanaryStatus } from '../canary/types.ts';
import { sha256Hex } from '../lib/hash.ts';
import type { Views } from './views.ts';

/**
 * After a start: a canary under way gets the rest of its interval, so that no step follows the last one too soon (Flagger's R46);
 * resting ones are spread over their interval.
 */
export function firstTickMs(key: string, status: CanaryStatus, intervalMs: number, nowMs: number): number {
  const underWay = ['Progressing', 'WaitingPromotion', 'Promoting', 'Finalising', 'Waiting'].includes(status.phase);
  const lastMs = Date.parse(status.lastTransitionTime ?? '');
  if (underWay && Number.isFinite(lastMs)) return Math.min(Math.max(nowMs, lastMs + intervalMs), nowMs + intervalMs);
  if (underWay) return nowMs;
  return nowMs + (Number.parseInt(sha256Hex(key).slice(0, 8), 16) % intervalMs);
}

/** Canaries that a changed object may belong to. */
export function keysFor(views: Views, kind: string, namespace: string, name: string): string[] {
  const concerned = views.canaries.list(namespace).filter((canary) => {
    if (kind === 'ConfigMap' || kind === 'Secret') return true;
    const target = (canary['spec'] as { targetRef?: { name?: string } } | undefined)?.targetRef?.name ?? '';
    return name === target || name === `${target}-primary` || kind !== 'Deployment';
  });
  return concerned.map((canary) => `${namespace}/${canary.metadata.name}`);
}
