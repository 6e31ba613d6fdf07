import type { CanarySpec } from '../../canary/types.ts';
import { targets } from '../../canary/targets/registry.ts';
import { type AppKey } from '../../lib/key.ts';
import type { Effects } from '../effects/execute.ts';
import type { Look, Subject } from './look.ts';
import type { Memory } from './memory.ts';
import type { ParsedCanary } from './parsed-canaries.ts';

/**
 * A Canary that is edited in the middle of a release may be given other routing objects: another provider, Ingress or Service. Nobody
 * would look at those again by which users are on the canary.
 */
export interface AbandonedRoutes {
  /** Notes by what users come to a Canary now. */
  readonly note: (key: AppKey, understood: ParsedCanary) => void;
  /** Takes users home who are on the canary by the way that was noted before. Rejects where that cannot be written. */
  leave(key: AppKey, subject: Subject, memory: Memory): Promise<void>;
  forget(key: AppKey): void;
}

export interface AbandonedRoutesOptions {
  readonly look: Look;
  readonly effects: Pick<Effects, 'run' | 'tell'>;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

const routeIdentity = ({
  provider,
  service,
  ingressRef,
  ingressRefs = [],
  routeRef,
  targetKind,
  target,
}: CanarySpec): string => {
  const object = targets[targetKind].services === 'none' ? target.name : '';
  return [
    provider,
    service.name,
    ingressRef?.kind,
    ingressRef?.name,
    ...ingressRefs.map(({ kind, name }) => `${kind}/${name}`),
    routeRef?.name,
    service.routeRef?.name,
    object,
  ].join(' ');
};

/** What is known is lost with the agent: one that starts after the edit follows the Canary as it is. */
export function createAbandonedRoutes({ look, effects, nowMs, signal }: AbandonedRoutesOptions): AbandonedRoutes {
  const now = new Map<AppKey, ParsedCanary>();
  const former = new Map<AppKey, ParsedCanary>();

  return {
    note(key, understood) {
      const before = now.get(key);
      now.set(key, understood);
      if (
        before &&
        before !== understood &&
        routeIdentity(before.spec) !== routeIdentity(understood.spec) &&
        !former.has(key)
      )
        former.set(key, before);
    },
    async leave(key, { canary, status }, memory) {
      const left = former.get(key);
      if (!left) return;
      const { spec, router } = left;
      const { seen, route, liveRoutes } = await look({ canary, spec, status, router }, memory, nowMs());
      const { canaryWeight = 0, mirror = false } = seen.split ?? {};
      if (canaryWeight > 0 || mirror) {
        const kind = targets[spec.targetKind];
        // They stay with whoever answers them, and are looked after again at the next tick.
        if (!kind.serves(seen.primary) && kind.serves(kind.candidateOf(seen))) return;
        const context = { spec, status, seen, router, route, liveRoutes, epoch: memory.epoch };
        const split = { canaryWeight: 0, mirror: false };
        await effects.run({ kind: 'set-route', split }, context, signal);
        const message = `Routing all traffic to primary, ${spec.name}.${spec.namespace} is released by other routes from now on`;
        effects.tell(canary, spec, { type: 'Normal', level: 'info', message }, seen.releaseId);
      }
      former.delete(key);
    },
    forget(key) {
      now.delete(key);
      former.delete(key);
    },
  };
}
