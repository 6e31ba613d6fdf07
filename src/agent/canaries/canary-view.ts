import { canaryRef } from '../../canary/owner.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { type AppKey, partsOf } from '../../lib/key.ts';
import { type KubeObject, refOf } from '../../manifest/types.ts';
import { canaryManager } from '../effects/writes.ts';
import type { Views } from '../views/views.ts';

/** Canaries as their view has them, and how far that is behind the status that was written here last. */
export interface CanaryView {
  get(key: AppKey): KubeObject | undefined;
  /** Whether the view of the Canary does not have our last status yet. */
  isBehind(canary: KubeObject): boolean;
  /** Whether what the view has is what our last status write made. */
  isAtOwnStatus(key: AppKey): boolean;
  /** The Canary as it is now: the view, or the server itself while the view does not have our last status. */
  current(key: AppKey): Promise<KubeObject | undefined>;
  /** It has gone. */
  forget(key: AppKey): void;
}

export function createCanaryView(
  { canaries, own }: Pick<Views, 'canaries' | 'own'>,
  cluster: Pick<Cluster, 'get'>,
  signal: AbortSignal,
): CanaryView {
  const get = (key: AppKey): KubeObject | undefined => {
    const { namespace, name } = partsOf(key);
    return canaries.get(namespace, name);
  };
  const isBehind = (canary: KubeObject): boolean =>
    own.isStillBehind(refOf(canary), canaryManager, canary.metadata.resourceVersion);
  return {
    get,
    isBehind,
    isAtOwnStatus(key) {
      const canary = get(key);
      return canary !== undefined && own.isOwn(refOf(canary), canaryManager, canary.metadata.resourceVersion);
    },
    async current(key) {
      const cached = get(key);
      if (cached === undefined || !isBehind(cached)) return cached;
      const live = await cluster.get(refOf(cached), signal);
      // How far the view is behind is known now: what comes after this version is news.
      const isSame = live?.metadata.resourceVersion === cached.metadata.resourceVersion;
      if (live) own.noteVersion(refOf(cached), canaryManager, isSame ? undefined : live.metadata.resourceVersion);
      return live;
    },
    forget: (key) => own.forget(canaryRef(partsOf(key)), canaryManager),
  };
}
