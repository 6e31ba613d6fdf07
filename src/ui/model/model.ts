import type { AppKey } from '../../lib/key.ts';
import type { AgentAbout, AppFacts, Change } from '../feed.ts';

/** What is known of all apps, for pages. */
export interface FleetModel {
  take(change: Change): void;
  apps(): ReadonlyMap<AppKey, AppFacts>;
  readonly about: AgentAbout | undefined;
}

export function createFleetModel(): FleetModel {
  const apps = new Map<AppKey, AppFacts>();
  let told: Set<AppKey> | undefined;
  let about: AgentAbout | undefined;
  return {
    take(change) {
      if (change.kind === 'begin') told = new Set();
      else if (change.kind === 'end') {
        for (const app of apps.keys()) if (told?.has(app) === false) apps.delete(app);
        told = undefined;
      } else if (change.kind === 'app') {
        told?.add(change.app);
        apps.set(change.app, change.facts);
      } else if (change.kind === 'gone') apps.delete(change.app);
      else if (change.kind === 'agent') about = change.about;
    },
    apps: () => apps,
    get about() {
      return about;
    },
  };
}
