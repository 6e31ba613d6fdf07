import type { CanaryStatus } from '../canary/types.ts';
import type { Reflection } from '../cluster/cluster.ts';
import { sha256Hex } from '../lib/hash.ts';
import type { KubeObject } from '../manifest/types.ts';

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

/** Keys of the Canaries that a changed object may belong to. */
export type KeysFor = (kind: string, namespace: string, name: string) => readonly string[];

/**
 * Tells the Canaries of an object from its name. To look at every Canary for every Service would make the start of a thousand of them
 * last minutes.
 */
export function createKeysFor(canaries: Pick<Reflection, 'list' | 'onChange'>): KeysFor {
  const keysByName = new Map<string, Set<string>>();
  const put = ({ metadata, spec }: KubeObject): void => {
    const namespace = metadata.namespace ?? '';
    for (const name of namesOf(spec)) {
      const place = `${namespace}/${name}`;
      keysByName.set(place, (keysByName.get(place) ?? new Set()).add(`${namespace}/${metadata.name}`));
    }
  };
  const drop = ({ metadata, spec }: KubeObject): void => {
    const namespace = metadata.namespace ?? '';
    for (const name of namesOf(spec)) {
      const keys = keysByName.get(`${namespace}/${name}`);
      keys?.delete(`${namespace}/${metadata.name}`);
      if (keys?.size === 0) keysByName.delete(`${namespace}/${name}`);
    }
  };
  for (const canary of canaries.list()) put(canary);
  canaries.onChange((change) => {
    if (change.kind === 'modified' && change.previous) drop(change.previous);
    if (change.kind === 'deleted') drop(change.object);
    else put(change.object);
  });
  return (kind, namespace, name) => {
    if (shared.has(kind)) return canaries.list(namespace).map(({ metadata }) => `${namespace}/${metadata.name}`);
    const base = name.replace(/-(?:primary|canary)$/, '');
    const exact = keysByName.get(`${namespace}/${name}`) ?? [];
    return base === name ? [...exact] : [...new Set([...exact, ...(keysByName.get(`${namespace}/${base}`) ?? [])])];
  };
}

/** The apex service and everything that a Canary refers to: target, autoscaler, ingress, upstream, route. */
function namesOf(spec: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  if (typeof spec !== 'object' || spec === null) return names;
  for (const [field, value] of Object.entries(spec)) {
    if (field !== 'service' && !field.endsWith('Ref')) continue;
    const name: unknown = (value as { name?: unknown } | null)?.name;
    if (typeof name === 'string') names.add(name);
  }
  return names;
}
