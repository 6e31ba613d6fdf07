import { parseStatus } from '../../canary/status.ts';
import type { Phase } from '../../canary/types.ts';
import type { Reflection } from '../../cluster/cluster.ts';
import { type AppKey, partsOf } from '../../lib/key.ts';
import type { Bus } from '../bus.ts';

/** Gives a Canary's phase; undefined where it is not there. The watch follows our own status by a moment: what was written counts. */
export function createPhases(
  canaries: Pick<Reflection, 'get'>,
  bus: Pick<Bus, 'on'>,
): (app: AppKey) => Phase | undefined {
  const written = new Map<AppKey, Phase>();
  bus.on('phase-changed', ({ app, status }) => written.set(app, status.phase));
  bus.on('canary-gone', ({ app }) => written.delete(app));
  return (app) => {
    const { namespace, name } = partsOf(app);
    const canary = canaries.get(namespace, name);
    if (!canary) written.delete(app);
    return canary && (written.get(app) ?? parseStatus(canary).phase);
  };
}
