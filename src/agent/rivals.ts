import { jsonOf, textOf } from '../canary/json.ts';
import { parseStatus } from '../canary/status.ts';
import { targetKindOf } from '../canary/targets/registry.ts';
import type { CanarySpec } from '../canary/types.ts';
import type { Reflection } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { KeysFor } from './waking.ts';

/** Two Canaries with one target would each undo what the other does: only the one that was there first is followed. */
export interface Rivals {
  /** Throws AgentError CANARY_INVALID where another Canary has the target already; that one's key is remembered. */
  refuseSecond(canary: KubeObject, spec: CanarySpec): void;
  /** Canaries that were refused because of this one, since it was asked last. */
  waitingFor(key: string): readonly string[];
}

export function createRivals(canaries: Pick<Reflection, 'get'>, keysFor: KeysFor): Rivals {
  const waiting = new Map<string, Set<string>>();
  return {
    refuseSecond(canary, { namespace, name, target, targetKind }) {
      // One that is being deleted gives back what it took.
      if (canary.metadata.deletionTimestamp !== undefined) return;
      const own = `${namespace}/${name}`;
      for (const key of keysFor(target.kind, namespace, target.name)) {
        if (key === own) continue;
        const other = canaries.get(namespace, key.slice(namespace.length + 1));
        if (!other || !isOf(other, target.name, targetKind) || !isBefore(other, canary)) continue;
        waiting.set(key, (waiting.get(key) ?? new Set()).add(own));
        const message = `spec.targetRef: ${target.kind} ${target.name}.${namespace} is released by the canary ${other.metadata.name} already`;
        throw new AgentError('CANARY_INVALID', `canary ${name}.${namespace}: ${message} (one target, one Canary)`);
      }
    },
    waitingFor(key) {
      const found = [...(waiting.get(key) ?? [])];
      waiting.delete(key);
      return found;
    },
  };
}

function isOf(canary: KubeObject, name: string, kind: CanarySpec['targetKind']): boolean {
  const ref = jsonOf(jsonOf(canary['spec'])['targetRef']);
  return (
    textOf(ref['name']) === name && targetKindOf(textOf(ref['kind']) ?? '', textOf(ref['apiVersion']) ?? '') === kind
  );
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
