import type { Cluster } from '../../cluster/cluster.ts';
import { AgentError } from '../../lib/errors.ts';
import { namespacedName } from '../../lib/key.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ConfigRef, LiveConfigs } from '../../render/live-configs.ts';
import type { ConfigKey } from '../../canary/types.ts';
import type { Views } from '../views/views.ts';

export interface LiveConfigsOptions {
  readonly cluster: Pick<Cluster, 'get'>;
  readonly views: Pick<Views, 'config' | 'onChange'>;
  readonly clock: Clock;
  /** Something that was read says something else now, or may be there at last. */
  readonly onChange: (what: string) => void;
}

/** What cannot be watched, or could not be read, is asked for again after so long. */
const retryMs = 300_000;
const failedRetryMs = 30_000;

/**
 * ConfigMaps and Secrets as the cluster has them, each read when it is needed: their values are kept nowhere. Watches, which keep checksums
 * only, tell when one of those that were asked for says something else.
 */
export function createLiveConfigs(
  { cluster, views, clock, onChange }: LiveConfigsOptions,
  signal: AbortSignal,
): LiveConfigs {
  /** Checksums of what was read, by what a watch calls it. Undefined: it was not there. */
  const known = new Map<string, string | undefined>();
  const retries = new Set<string>();
  const nameOf = ({ kind, namespace, name }: ConfigRef): string => `${kind} ${namespacedName({ namespace, name })}`;
  const seen = async ({ kind, namespace, name }: ConfigRef): Promise<string | undefined> => {
    const key: ConfigKey = `${kind === 'Secret' ? 'secret' : 'configmap'}/${name}`;
    return (await views.config(namespace, key))?.checksum;
  };
  const retry = (ref: ConfigRef, afterMs: number): void => {
    const name = nameOf(ref);
    if (retries.has(name)) return;
    retries.add(name);
    clock
      .sleep(afterMs, signal)
      .then(() => {
        retries.delete(name);
        onChange(name);
      })
      .catch(() => undefined);
  };
  views.onChange((kind, namespace, name) => {
    if (kind !== 'ConfigMap' && kind !== 'Secret') return;
    const ref = { kind, namespace, name } as const;
    if (!known.has(nameOf(ref))) return;
    seen(ref).then(
      (checksum) => {
        if (known.get(nameOf(ref)) !== checksum) onChange(nameOf(ref));
      },
      // The next look at it tells.
      () => undefined,
    );
  });
  return {
    async read(ref) {
      // Before it is read: what changes in between is told.
      const checksum = await seen(ref).catch(() => undefined);
      known.set(nameOf(ref), checksum);
      try {
        const object = await cluster.get({ apiVersion: 'v1', ...ref }, signal);
        if (object && checksum === undefined) retry(ref, retryMs);
        return object;
      } catch (error) {
        const isForbidden = error instanceof AgentError && error.details['status'] === 403;
        if (!signal.aborted) retry(ref, isForbidden ? retryMs : failedRetryMs);
        throw error;
      }
    },
  };
}
