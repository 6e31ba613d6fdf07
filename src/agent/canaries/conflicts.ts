import { footprintOf } from '../../canary/footprint.ts';
import { parseStatus } from '../../canary/status.ts';
import type { CanarySpec } from '../../canary/types.ts';
import type { Reflection } from '../../cluster/cluster.ts';
import { AgentError } from '../../lib/errors.ts';
import { type AppKey, keyOf, partsOf } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { KeysFor } from './canary-index.ts';

/**
 * Two Canaries with one target, or with Services of one name, would each undo what the other does, and users would be led to and fro: only
 * the one that was there first is followed.
 */
export interface Conflicts {
  /** Throws AgentError CANARY_INVALID where another Canary has the target or the Services already; that one's key is remembered. */
  refuseSecond(canary: KubeObject, spec: CanarySpec): void;
  /** Canaries that were refused because of this one, since it was asked last. */
  waitingFor(key: AppKey): readonly AppKey[];
}

export function createConflicts(canaries: Pick<Reflection, 'get'>, keysFor: KeysFor): Conflicts {
  const waiting = new Map<AppKey, Set<AppKey>>();
  return {
    refuseSecond(canary, spec) {
      const { namespace, name, target, service } = spec;
      // One that is being deleted gives back what it took.
      if (canary.metadata.deletionTimestamp !== undefined) return;
      const own = keyOf({ namespace, name });
      const keys = [...keysFor(target.kind, namespace, target.name), ...keysFor('Service', namespace, service.name)];
      for (const key of new Set(keys)) {
        if (key === own) continue;
        const other = canaries.get(namespace, partsOf(key).name);
        const shared = other && sharedBy(other, canary);
        if (!other || shared === undefined || !isBefore(other, canary)) continue;
        waiting.set(key, (waiting.get(key) ?? new Set()).add(own));
        const refusal =
          shared === 'target'
            ? `spec.targetRef: ${target.kind} ${target.name}.${namespace} is released by the canary ${other.metadata.name} already (one target, one Canary)`
            : `spec.service.name: the Services ${service.name}.${namespace} are those of the canary ${other.metadata.name} already (choose another name)`;
        throw new AgentError('CANARY_INVALID', `canary ${name}.${namespace}: ${refusal}`);
      }
    },
    waitingFor(key) {
      const found = [...(waiting.get(key) ?? [])];
      waiting.delete(key);
      return found;
    },
  };
}

/** What only one of them can have. */
function sharedBy(other: KubeObject, canary: KubeObject): 'target' | 'services' | undefined {
  const [theirs, ours] = [footprintOf(other), footprintOf(canary)];
  if (theirs.target?.name === ours.target?.name && theirs.targetKind === ours.targetKind) return 'target';
  return theirs.serviceName !== undefined && theirs.serviceName === ours.serviceName ? 'services' : undefined;
}

/** Whoever has a primary already was first; among equals the older one. */
function isBefore(one: KubeObject, other: KubeObject): boolean {
  const rank = (canary: KubeObject): string =>
    [
      parseStatus(canary).lastPromotedSpec === '' ? 'new' : 'initialised',
      canary.metadata.creationTimestamp ?? '9',
      canary.metadata.name,
    ].join(' ');
  return rank(one) < rank(other);
}
