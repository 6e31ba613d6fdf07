import type { AppKey } from '../../lib/key.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Happening } from '../../outlets/happening.ts';
import type { Outlet } from '../../outlets/outlet.ts';
import type { ToldEvent } from '../../report/types.ts';
import type { UiListener } from '../../ui/feed.ts';
import type { Baseline } from './baseline.ts';

/** What happens, for whoever follows it. */
export interface Tidings {
  readonly outlet: Outlet;
  follow(listener: UiListener): () => void;
  /** What was said last of an app, oldest first. */
  said(app: AppKey): readonly ToldEvent[];
}

/** Of each app. */
const mostSaid = 20;
const mostLetters = 2_000;

/** `baseline` is asked only while somebody follows. */
export function createTidings(clock: Pick<Clock, 'now'>, baseline: Baseline): Tidings {
  const listeners = new Set<UiListener>();
  const said = new Map<AppKey, readonly ToldEvent[]>();
  /** What was last told of a look: the same once more says nothing. */
  const looked = new Map<AppKey, string>();
  const tell = (happening: Happening): void => {
    const atMs = clock.now();
    switch (happening.kind) {
      case 'said': {
        const { app, event, releaseId } = happening;
        const message = event.message.slice(0, mostLetters);
        said.set(app, [...(said.get(app) ?? []).slice(1 - mostSaid), { atMs, type: event.type, message }]);
        for (const one of listeners) one.happened({ kind: 'said', app, atMs, releaseId, type: event.type, message });
        return;
      }
      case 'measured': {
        const { app, metric, value, releaseId, spec } = happening;
        const tellOf = (old: { readonly baseline?: number | null }): void => {
          for (const one of listeners) one.happened({ kind: 'measured', app, atMs, releaseId, metric, value, ...old });
        };
        const asked = listeners.size > 0 ? baseline(spec, metric) : undefined;
        // What a follower does wrong here is heard by nobody else, and must not end the agent.
        if (asked) void asked.then((old) => tellOf({ baseline: old })).catch(() => undefined);
        else tellOf({});
        return;
      }
      case 'looked': {
        const { app, phase, weight, releaseId } = happening;
        const text = `${phase} ${weight} ${releaseId ?? ''}`;
        if (looked.get(app) === text) return;
        looked.set(app, text);
        for (const one of listeners) one.happened({ kind: 'looked', app, atMs, releaseId, phase, weight });
        return;
      }
      case 'gone':
        said.delete(happening.app);
        looked.delete(happening.app);
        for (const one of listeners) one.changed(happening.app);
        return;
      case 'alerted':
        return;
    }
  };
  return {
    outlet: { name: 'dashboard', tell },
    follow(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    said: (app) => said.get(app) ?? [],
  };
}
