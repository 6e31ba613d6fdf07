import type { Resource } from './resource.ts';
import { apiVersionOf } from './resource.ts';

/** Which kinds are served at the moment. */
export interface Registry {
  byPlural(group: string, version: string, plural: string): Resource | undefined;
  byKind(apiVersion: string, kind: string): Resource | undefined;
  all(): readonly Resource[];
  /** One version of each kind that is stored, for sweeps over everything. */
  stored(): readonly Resource[];
  /** Replaces all versions of one custom kind; none removes it. */
  setCustom(storage: string, versions: readonly Resource[]): void;
}

export function createRegistry(builtins: readonly Resource[]): Registry {
  const custom = new Map<string, readonly Resource[]>();
  const plurals = new Map<string, Resource>();
  const kinds = new Map<string, Resource>();
  let every: readonly Resource[] = [];
  const index = (): void => {
    every = [...builtins, ...[...custom.values()].flat()];
    plurals.clear();
    kinds.clear();
    for (const resource of every) {
      plurals.set(`${resource.group}/${resource.version}/${resource.plural}`, resource);
      kinds.set(`${apiVersionOf(resource)}/${resource.kind}`, resource);
    }
  };
  index();
  return {
    byPlural: (group, version, plural) => plurals.get(`${group}/${version}/${plural}`),
    byKind: (apiVersion, kind) => kinds.get(`${apiVersion}/${kind}`),
    all: () => every,
    stored: () => [...new Map([...every].reverse().map((resource) => [resource.storage, resource])).values()],
    setCustom: (storage, versions) => {
      if (versions.length === 0) custom.delete(storage);
      else custom.set(storage, versions);
      index();
    },
  };
}
