import type { App } from '../../canary/app.ts';
import { type AppKey, keyOf } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { Tell } from '../../outlets/tell.ts';
import type { AppliedApps } from '../releases/applied-apps.ts';

export interface RefusalOptions {
  readonly applied: Pick<AppliedApps, 'refusal'>;
  readonly canaryOf: (app: AppKey) => KubeObject | undefined;
  /** The release that what happens to an app now is of. */
  readonly releaseOf: (app: AppKey) => string;
  readonly tell: Tell;
}

/** Tells of each app that could not be applied as a whole, once for each reason. */
export function createRefusals({ applied, canaryOf, releaseOf, tell }: RefusalOptions): (apps: readonly App[]) => void {
  const told = new Map<AppKey, string>();
  return (apps) => {
    for (const { id } of apps) {
      const key = keyOf(id);
      const why = applied.refusal(key);
      const canary = canaryOf(key);
      if (why === undefined) told.delete(key);
      if (why === undefined || why === told.get(key) || !canary) continue;
      told.set(key, why);
      const message = `No release of ${id.name}.${id.namespace} begins until all of what Git says is applied: ${why}`;
      tell(canary, id, { type: 'Warning', level: 'error', message }, releaseOf(key));
    }
  };
}
