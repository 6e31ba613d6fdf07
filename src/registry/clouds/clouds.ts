import type { Credentials } from '../docker-config.ts';
import type { Keychain } from '../keychain.ts';
import { createRenewed } from '../renewed.ts';
import { createAws } from './aws.ts';
import { createAzure } from './azure.ts';
import type { Cloud, CloudDeps } from './cloud.ts';
import { createGoogle } from './google.ts';

export const cloudNames = ['aws', 'google', 'azure'] as const;
type CloudName = (typeof cloudNames)[number];

export interface CloudOptions extends CloudDeps {
  /** Whose registries are signed in to as the agent itself. */
  readonly names: ReadonlySet<string>;
  /** `https://HOST` of a registry. */
  readonly baseOf: (registry: string) => string;
}

/** Credentials of the agent itself for registries of clouds, fetched when they are asked for and renewed before they end. */
export function createClouds({ names, baseOf, ...deps }: CloudOptions): Keychain {
  const all: Readonly<Record<CloudName, () => Cloud>> = {
    aws: () => createAws(deps),
    google: () => createGoogle(deps),
    azure: () => createAzure(deps, baseOf),
  };
  const clouds = cloudNames.filter((name) => names.has(name)).map((name) => all[name]());
  const renewed = createRenewed<Credentials>(deps.clock);
  const found = (registry: string): { readonly cloud: Cloud; readonly key: string } | undefined => {
    for (const cloud of clouds) {
      const key = cloud.keyOf(registry);
      if (key !== undefined) return { cloud, key };
    }
    return undefined;
  };
  return {
    async lookUp(registry, _repository, signal) {
      const meant = found(registry);
      if (!meant) return undefined;
      return renewed.get(meant.key, (asking) => meant.cloud.fetch(registry, asking), signal);
    },
    refused(registry) {
      const meant = found(registry);
      if (meant) renewed.forget(meant.key);
    },
  };
}
