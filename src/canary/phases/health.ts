import { deploymentReadiness, replicasOf, serves } from '../readiness.ts';
import type { Readiness } from '../types.ts';
import type { Stage } from './tick.ts';

/** The primary's readiness with the whole message as reason. None, and one that was scaled to nothing, is not ready. */
export function primaryReadiness({ seen, spec, names }: Stage): Readiness {
  const { primary } = seen;
  if (!primary) {
    const name = `${spec.target.name}-primary`;
    const reason = `deployment ${names.primary} get query error: deployments.apps "${name}" not found`;
    return { kind: 'progressing', reason };
  }
  const found = deploymentReadiness(primary, {
    thresholdPercent: spec.analysis.primaryReadyThreshold,
    deadlineSeconds: spec.progressDeadlineSeconds,
    nowMs: seen.nowMs,
  });
  const prefix = `${names.primary} not ready: `;
  if (found.kind !== 'ready') return { kind: found.kind, reason: `${prefix}${found.reason}` };
  if (serves(primary)) return found;
  const wanted = Math.max(replicasOf(primary), 1);
  const reason = `${prefix}waiting for rollout to finish: 0 of ${wanted} updated replicas are available`;
  return { kind: 'progressing', reason };
}

/** The canary's, likewise. `progressing` includes a target that somebody scaled to nothing. */
export function canaryReadiness({ target, seen, spec, names }: Stage): Readiness {
  const prefix = `canary deployment ${names.target} not ready: `;
  const found = deploymentReadiness(target, {
    thresholdPercent: spec.analysis.canaryReadyThreshold,
    deadlineSeconds: spec.progressDeadlineSeconds,
    nowMs: seen.nowMs,
  });
  if (found.kind !== 'ready') return { kind: found.kind, reason: `${prefix}${found.reason}` };
  if (serves(target)) return found;
  const reason = `${prefix}waiting for rollout to finish: 0 out of ${Math.max(replicasOf(target), 1)} new replicas have been updated`;
  return { kind: 'progressing', reason };
}
