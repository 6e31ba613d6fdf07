/**
 * A bound of a rollout (`maxUnavailable`, `maxSurge`) in pods: a number, or a percentage of the pods, rounded as Kubernetes rounds it.
 * `otherwise` where the object says nothing.
 */
export function podsOf(bound: unknown, pods: number, round: 'up' | 'down', otherwise: number | string): number {
  const value = bound ?? otherwise;
  if (typeof value === 'number') return value;
  const percent = typeof value === 'string' ? /^(\d{1,3})%$/.exec(value)?.[1] : undefined;
  if (percent === undefined) return 0;
  const share = (Number(percent) * pods) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
