import type { KubeObject } from '../manifest/types.ts';
import { at, type Json, listOf, numberOf, textOf } from './json.ts';
import type { Readiness } from './types.ts';

export interface ReadinessOptions {
  /** Percent of the updated pods that must be available. */
  readonly thresholdPercent: number;
  /** The Canary's progressDeadlineSeconds. */
  readonly deadlineSeconds: number;
  readonly nowMs: number;
}

/** Whether a Deployment's rollout is through, in Flagger's words. No wanted replicas at all counts as ready. */
export function deploymentReadiness(deployment: KubeObject, options: ReadinessOptions): Readiness {
  const waiting = 'waiting for rollout to finish: ';
  const count = (name: string): number => numberOf(at(deployment, 'status', name)) ?? 0;
  if ((deployment.metadata.generation ?? 0) > count('observedGeneration')) {
    return {
      kind: 'progressing',
      reason: `${waiting}observed deployment generation less than desired generation`,
    };
  }
  if (textOf(conditionOf(deployment, 'Progressing')?.['reason']) === 'ProgressDeadlineExceeded') {
    return { kind: 'stuck', reason: `deployment "${deployment.metadata.name}" exceeded its progress deadline` };
  }
  const reason = unfinished(replicasOf(deployment), count, options.thresholdPercent);
  if (reason === undefined) return { kind: 'ready' };
  return { kind: isPastDeadline(deployment, options) ? 'stuck' : 'progressing', reason: `${waiting}${reason}` };
}

function unfinished(replicas: number, count: (name: string) => number, thresholdPercent: number): string | undefined {
  const updated = count('updatedReplicas');
  if (updated < replicas) return `${updated} out of ${replicas} new replicas have been updated`;
  const old = count('replicas') - updated;
  if (old > 0) return `${old} old replicas are pending termination`;
  const needed = Math.floor((updated * thresholdPercent) / 100);
  const available = count('availableReplicas');
  if (available >= needed) return undefined;
  return `${available} of ${needed} (readyThreshold ${thresholdPercent}%) updated replicas are available`;
}

function isPastDeadline(deployment: KubeObject, { deadlineSeconds, nowMs }: ReadinessOptions): boolean {
  const available = conditionOf(deployment, 'Available');
  const isShort = available?.['status'] === 'False' && available['reason'] === 'MinimumReplicasUnavailable';
  if (!isShort || !conditionOf(deployment, 'Progressing')) return false;
  const sinceMs = Date.parse(textOf(available['lastUpdateTime']) ?? '');
  return Number.isFinite(sinceMs) && sinceMs + deadlineSeconds * 1_000 < nowMs;
}

function conditionOf(deployment: KubeObject, type: string): Json | undefined {
  return listOf(at(deployment, 'status', 'conditions')).find((condition) => condition['type'] === type);
}

/** spec.replicas; absent means 1. */
export function replicasOf(deployment: KubeObject): number {
  return numberOf(at(deployment, 'spec', 'replicas')) ?? 1;
}

/** At least one pod answers requests, whatever a rollout is doing. */
export function serves(deployment: KubeObject | undefined): boolean {
  if (!deployment || replicasOf(deployment) === 0) return false;
  return (numberOf(at(deployment, 'status', 'availableReplicas')) ?? 0) > 0;
}
