import { type CanaryDefaults, parseCanary } from '../../canary/parse.ts';
import { jsonOf } from '../../lib/json.ts';
import type { CanarySpec } from '../../canary/types.ts';
import { AgentError } from '../../lib/errors.ts';
import { type AppKey } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { supportedSpec } from '../../routers/reconcile.ts';
import { routerFor } from '../../routers/registry.ts';
import type { Router } from '../../routers/router.ts';
import type { Conflicts } from './conflicts.ts';

/** A Canary as it is followed. */
export interface ParsedCanary {
  readonly spec: CanarySpec;
  readonly router: Router;
}

export interface ParsedCanaries {
  /** Throws CANARY_INVALID. */
  of(key: AppKey, canary: KubeObject): ParsedCanary;
  /**
   * One that cannot be understood, as it was last, or else what it says of its target and of the way by which users come: suspended, so that
   * nothing goes on but that users leave what nobody judges. Undefined: too little is known, or it is not for this Canary to say.
   */
  still(key: AppKey, canary: KubeObject): ParsedCanary | undefined;
  forget(key: AppKey): void;
}

/** Reads a Canary once for each generation: its status changes nine times in a release, its spec hardly ever. */
export function createParsedCanaries(defaults: CanaryDefaults, conflicts: Conflicts): ParsedCanaries {
  const known = new Map<AppKey, { readonly version: string; readonly understood: ParsedCanary }>();
  const understand = (canary: KubeObject): ParsedCanary => {
    const spec = parseCanary(canary, defaults);
    conflicts.refuseSecond(canary, spec);
    const router = routerFor(spec.provider);
    return { spec: supportedSpec(router, spec), router };
  };
  return {
    of(key, canary) {
      const { uid, generation, deletionTimestamp } = canary.metadata as KubeObject['metadata'] & {
        generation?: number;
      };
      const version = generation === undefined ? '' : `${uid} ${generation} ${deletionTimestamp ?? ''}`;
      const before = known.get(key);
      if (before && version !== '' && before.version === version) {
        conflicts.refuseSecond(canary, before.understood.spec);
        return before.understood;
      }
      const understood = understand(canary);
      known.set(key, { version, understood });
      return understood;
    },
    still(key, canary) {
      const { uid, deletionTimestamp } = canary.metadata;
      if (deletionTimestamp !== undefined) return undefined;
      const before = known.get(key);
      const isSame = before !== undefined && before.version.startsWith(`${uid} `);
      try {
        const { spec, router } = isSame ? before.understood : understand(withoutAnalysis(canary));
        conflicts.refuseSecond(canary, spec);
        return { spec: { ...spec, suspend: true }, router };
      } catch (error) {
        if (error instanceof AgentError) return undefined;
        throw error;
      }
    },
    forget: (key) => void known.delete(key),
  };
}

/** Most of what can be wrong with a Canary is wrong with how it judges. */
function withoutAnalysis(canary: KubeObject): KubeObject {
  const { provider, targetRef, service, ingressRef, ingressRefs, routeRef, upstreamRef, autoscalerRef } = jsonOf(
    canary['spec'],
  );
  const kept = { provider, targetRef, service, ingressRef, ingressRefs, routeRef, upstreamRef, autoscalerRef };
  return { ...canary, spec: { ...kept, skipAnalysis: true } };
}
