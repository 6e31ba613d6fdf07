import type { App } from '../../canary/app.ts';
import { targets } from '../../canary/targets/registry.ts';
import { templateHash } from '../../canary/template-hash.ts';
import type { CanaryStatus, ConfigKey } from '../../canary/types.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { messageOf } from '../../lib/errors.ts';
import { keyOf } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';
import { refOf } from '../../manifest/types.ts';
import type { Releases } from '../releases/releases.ts';
import type { ClusterKey } from '../views/cluster-key.ts';
import type { Views } from '../views/views.ts';

export interface FirstStateOptions {
  readonly cluster: Pick<Cluster, 'get'>;
  readonly views: Pick<Views, 'canaries' | 'config'>;
  readonly key: Pick<ClusterKey, 'statusOf'>;
  readonly releases: Pick<Releases, 'stableOf' | 'adopt'>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Records what apps at rest are that have no ledger entry yet. `written` is the status of all of them where the view is still behind it.
 * Only what the primary was made from: a newer push that stands in Git and in the target already has not been judged.
 */
export type RecordFirstStates = (apps: readonly App[], written?: CanaryStatus) => void;

export function createFirstStates(options: FirstStateOptions): RecordFirstStates {
  const { cluster, views, key, releases, log, signal } = options;
  const adopt = async (app: App, written?: CanaryStatus): Promise<void> => {
    const { id, target } = app;
    const canary = views.canaries.get(id.namespace, id.name);
    if (!canary || !target || releases.stableOf(keyOf(id))) return;
    const status = written ?? key.statusOf(canary);
    if (status.phase !== 'Initialized' && status.phase !== 'Succeeded') return;
    const live = await cluster.get(refOf(target.object), signal);
    const revised = live && targets[app.targetKind].revised(live);
    if (revised === undefined || templateHash(revised) !== status.lastPromotedSpec) return;
    for (const [config, checksum] of Object.entries(status.trackedConfigs ?? {})) {
      if ((await views.config(id.namespace, config as ConfigKey))?.checksum !== checksum) return;
    }
    releases.adopt(canary, status.lastPromotedSpec, status.trackedConfigs ?? {}, app.content);
  };
  return (apps, written) => {
    for (const app of apps) {
      adopt(app, written).catch((error: unknown) => {
        if (!signal.aborted)
          log.warn({ reason: messageOf(error) }, 'a first state could not be looked at; the next sync does');
      });
    }
  };
}
