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

/** What any Canary of the namespace may use, whatever it is called. */
const shared = new Set(['ConfigMap', 'Secret', 'MetricTemplate']);

/**
 * Canaries that a changed object may belong to. All others are told from it by its name: to look at every Canary for every Service
 * would make the start of many of them quadratic.
 */
export function keysFor(views: Pick<Views, 'canaries'>, kind: string, namespace: string, name: string): string[] {
  const base = name.replace(/-(?:primary|canary)$/, '');
  const concerned = views.canaries.list(namespace).filter((canary) => {
    if (shared.has(kind)) return true;
    const names = namesOf(canary['spec']);
    return names.includes(name) || names.includes(base);
  });
  return concerned.map((canary) => `${namespace}/${canary.metadata.name}`);
}

/** The apex service and everything that a Canary refers to: target, autoscaler, ingress, upstream, route. */
function namesOf(spec: unknown): readonly unknown[] {
  if (typeof spec !== 'object' || spec === null) return [];
  const named = Object.entries(spec).flatMap(([field, value]) =>
    field === 'service' || field.endsWith('Ref') ? [(value as { name?: unknown } | null)?.name] : [],
  );
  return named.filter((name) => name !== undefined);
}
