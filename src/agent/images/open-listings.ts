import type { Deps } from '../deps.ts';
import { createListings, type Listings } from './listings.ts';
import { createListingStore } from './listing-store.ts';
import { createPullSecrets } from './pull-secrets.ts';

const usualIntervalMs = 300_000;

/** What registries have, for all sources together; undefined: no source upgrades images. */
export function openListings({ clock, cluster, log, registry, settings, telemetry }: Deps): Listings | undefined {
  if (!registry) return undefined;
  const { namespace, imageIntervalMs: intervalMs = usualIntervalMs } = settings;
  return createListings({
    client: registry,
    clock,
    log,
    pullSecrets: createPullSecrets({ cluster, log }),
    store: createListingStore(cluster, namespace),
    intervalMs,
    onListed(repository, atMs) {
      if (atMs === undefined) telemetry.imagesListedAt.remove({ repository });
      else telemetry.imagesListedAt.set({ repository }, Math.floor(atMs / 1_000));
    },
  });
}
