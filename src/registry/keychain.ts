import type { Credentials } from './docker-config.ts';

/** Where credentials come from, also such that have to be fetched first. */
export interface Keychain {
  /** For a repository; undefined: none are known. Throws Failed where they cannot be had. */
  lookUp(
    registry: string,
    repository: string,
    signal: AbortSignal,
  ): Credentials | undefined | Promise<Credentials | undefined>;
  /** The registry did not accept them: they are fetched anew when they are asked for next. Absent: they are no others then. */
  refused?(registry: string): void;
}

/** The first that knows something counts. */
export function firstOf(...keychains: readonly (Keychain | undefined)[]): Keychain {
  return {
    async lookUp(registry, repository, signal) {
      for (const one of keychains) {
        const found = await one?.lookUp(registry, repository, signal);
        if (found) return found;
      }
      return undefined;
    },
    refused(registry) {
      for (const one of keychains) one?.refused?.(registry);
    },
  };
}
