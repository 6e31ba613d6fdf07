import { type CanaryDefaults, parseCanary } from '../canary/parse.ts';
import type { CanarySpec } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import { supportedSpec } from '../routers/reconcile.ts';
import { routerFor } from '../routers/registry.ts';
import type { Router } from '../routers/router.ts';
import type { Rivals } from './rivals.ts';

/** A Canary as it is followed. */
export interface Understood {
  readonly spec: CanarySpec;
  readonly router: Router;
}

export interface Understanding {
  /** Throws CANARY_INVALID. */
  of(key: string, canary: KubeObject): Understood;
  forget(key: string): void;
}

/** Reads a Canary once for each generation: its status changes nine times in a release, its spec hardly ever. */
export function createUnderstanding(defaults: CanaryDefaults, rivals: Rivals): Understanding {
  const known = new Map<string, { readonly version: string; readonly understood: Understood }>();
  return {
    of(key, canary) {
      const { uid, generation, deletionTimestamp } = canary.metadata as KubeObject['metadata'] & {
        generation?: number;
      };
      const version = generation === undefined ? '' : `${uid} ${generation} ${deletionTimestamp ?? ''}`;
      const before = known.get(key);
      if (before && version !== '' && before.version === version) {
        rivals.refuseSecond(canary, before.understood.spec);
        return before.understood;
      }
      const spec = parseCanary(canary, defaults);
      rivals.refuseSecond(canary, spec);
      const router = routerFor(spec.provider);
      const understood = { spec: supportedSpec(router, spec), router };
      known.set(key, { version, understood });
      return understood;
    },
    forget: (key) => void known.delete(key),
  };
}
