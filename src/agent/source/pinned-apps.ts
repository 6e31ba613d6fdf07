import type { App } from '../../canary/app.ts';
import type { Phase } from '../../canary/types.ts';
import { isUnanswered, type Revision } from '../../git/repo.ts';
import { AgentError } from '../../lib/errors.ts';
import { type AppKey, keyOf, shownKey } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';

export interface StableApps {
  /** By key, as they were at the revision at which they are held. */
  readonly stable: ReadonlyMap<AppKey, App>;
  /** Those whose stable state is not in Git any more, because somebody rewrote history. */
  readonly lost: ReadonlySet<AppKey>;
}

export interface PinnedAppsOptions {
  /** These apps, and perhaps others, as a commit says them. */
  readonly appsAt: (revision: Revision, keys: readonly AppKey[], signal: AbortSignal) => Promise<readonly App[]>;
  readonly log: Logger;
  readonly phaseOf: (key: AppKey) => Phase | undefined;
}

/**
 * Finds the apps that are held at another revision than the tip, by key. Each is read once, however often it is asked for while it is held;
 * one that is not in the cluster yet has nothing but the tip, so it cannot be lost.
 */
export function createPinnedApps({
  appsAt,
  log,
  phaseOf,
}: PinnedAppsOptions): (held: ReadonlyMap<AppKey, Revision>, signal: AbortSignal) => Promise<StableApps> {
  /** By slot; undefined where the app was not there. */
  let known = new Map<string, App | undefined>();
  const toldLost = new Set<string>();
  const slotOf = (key: AppKey, revision: Revision): string => `${key}@${revision}`;

  const tellLost = (key: AppKey, revision: Revision, isThere: boolean, reason: string): void => {
    const slot = slotOf(key, revision);
    if (toldLost.has(slot)) return;
    toldLost.add(slot);
    log.error(
      { canary: shownKey(key), revision },
      `The stable state of ${key} cannot be read from Git: ${reason}; ${isThere ? 'what runs is left as it is until Git says something else' : 'what Git says now is applied instead'}`,
    );
  };

  return async (held, signal) => {
    const kept = new Map<string, App | undefined>();
    const stable = new Map<AppKey, App>();
    const lost = new Set<AppKey>();
    const missing = new Map<Revision, AppKey[]>();
    for (const [key, revision] of held) {
      const slot = slotOf(key, revision);
      const app = known.get(slot);
      if (known.has(slot)) kept.set(slot, app);
      else missing.set(revision, [...(missing.get(revision) ?? []), key]);
      if (app) stable.set(key, app);
    }
    known = kept;
    for (const [revision, keys] of missing) {
      try {
        const apps = new Map((await appsAt(revision, keys, signal)).map((app) => [keyOf(app.id), app]));
        for (const key of keys) {
          const app = apps.get(key);
          known.set(slotOf(key, revision), app);
          if (app) stable.set(key, app);
          log.info({ canary: shownKey(key), revision }, 'held at its stable state');
        }
      } catch (error) {
        if (signal.aborted || !(error instanceof AgentError) || isUnanswered(error)) throw error;
        for (const key of keys) {
          const isThere = !['', 'Initializing', undefined].includes(phaseOf(key));
          if (isThere) lost.add(key);
          tellLost(key, revision, isThere, error.message);
        }
      }
    }
    return { stable, lost };
  };
}
