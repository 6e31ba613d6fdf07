import type { Change, Cluster, KindRef, Reflection } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { projectOwned } from './drift.ts';

/** A cached view of every kind that is synced: metadata only, see projectOwned. */
export interface LiveView {
  /** Opens views of these kinds and waits for their first list, but not for ever. */
  ensure(kinds: readonly KindRef[], signal: AbortSignal): Promise<void>;
  /** Undefined: absent, or not known (yet). */
  get(ref: ObjectRef): KubeObject | undefined;
  onChange(listener: (change: Change) => void): void;
}

/** A kind that cannot be listed must not stop all others. */
const firstListMs = 10_000;
const pollMs = 50;
/** Waiting does not help where the right is missing. */

export function createLiveView({
  cluster,
  clock,
  log,
  namespace,
  stop,
}: {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  /** Only what is in it is seen. Absent: everything. */
  readonly namespace?: string;
  readonly stop: AbortSignal;
}): LiveView {
  const views = new Map<string, Reflection>();
  const listeners = new Set<(change: Change) => void>();
  const keyOf = ({ apiVersion, kind }: KindRef): string => `${apiVersion}/${kind}`;

  const open = (kind: KindRef): Reflection => {
    const scope = namespace === undefined ? {} : { namespace };
    const view = cluster.reflect(kind, { ...scope, project: projectOwned, keepManagedFields: true }, stop);
    views.set(keyOf(kind), view);
    view.onChange((change) => {
      for (const listener of listeners) listener(change);
    });
    return view;
  };

  return {
    async ensure(kinds, signal) {
      const fresh = kinds.filter((kind) => !views.has(keyOf(kind))).map((kind) => ({ kind, view: open(kind) }));
      if (fresh.length === 0) return;
      const enough = new AbortController();
      const either = AbortSignal.any([signal, stop, enough.signal]);
      const patience = async (): Promise<void> => {
        const untilMs = clock.now() + firstListMs;
        const isOpen = ({ view }: { view: Reflection }): boolean => !view.isSynced && !view.isForbidden;
        while (clock.now() < untilMs && fresh.some(isOpen)) await clock.sleep(pollMs, either);
      };
      await Promise.race([Promise.all(fresh.map(({ view }) => view.synced)), patience().catch(() => undefined)]);
      enough.abort(new Error('listed'));
      signal.throwIfAborted();
      for (const { kind, view } of fresh) {
        if (!view.isSynced)
          log.warn({ ...kind, reason: view.trouble }, `${kind.kind} cannot be listed: its drift is not seen`);
      }
    },
    get: (ref) => views.get(keyOf(ref))?.get(ref.namespace, ref.name),
    onChange(listener) {
      listeners.add(listener);
    },
  };
}
