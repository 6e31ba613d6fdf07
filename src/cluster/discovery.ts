import type { KindRef, Resource } from './cluster.ts';

type ReadPath = (path: string, what: string, signal: AbortSignal) => Promise<unknown>;

interface ApiResourceList {
  readonly resources?: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs: readonly string[];
  }[];
}

/** What the cluster serves, one group version at a time, asked once and again only for kinds that are not known. */
export interface Discovery {
  /** Undefined where the cluster does not serve the kind. */
  resource(kind: KindRef, signal: AbortSignal): Promise<Resource | undefined>;
  /** The server does not know this path any more: ask again. */
  forget(apiVersion: string): void;
}

export function groupVersionPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

export function createDiscovery(read: ReadPath, isMissing: (error: unknown) => boolean, now: () => number): Discovery {
  const known = new Map<string, { readonly atMs: number; readonly byKind: ReadonlyMap<string, Resource> }>();
  const underWay = new Map<string, Promise<ReadonlyMap<string, Resource>>>();
  // A kind that is missing now may be installed at any moment (CRDs); asking once a second is often enough.
  const missingForMs = 1_000;

  const load = async (apiVersion: string, signal: AbortSignal): Promise<ReadonlyMap<string, Resource>> => {
    const byKind = new Map<string, Resource>();
    try {
      const list = (await read(groupVersionPath(apiVersion), `discover ${apiVersion}`, signal)) as ApiResourceList;
      for (const { name, kind, namespaced, verbs } of list.resources ?? []) {
        if (!name.includes('/')) byKind.set(kind, { apiVersion, kind, plural: name, namespaced, verbs });
      }
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    known.set(apiVersion, { atMs: now(), byKind });
    return byKind;
  };

  return {
    forget: (apiVersion) => void known.delete(apiVersion),
    async resource({ apiVersion, kind }, signal) {
      const entry = known.get(apiVersion);
      const found = entry?.byKind.get(kind);
      if (found) return found;
      if (entry && now() - entry.atMs < missingForMs) return undefined;
      let loading = underWay.get(apiVersion);
      if (!loading) {
        loading = load(apiVersion, signal).finally(() => underWay.delete(apiVersion));
        underWay.set(apiVersion, loading);
      }
      return (await loading).get(kind);
    },
  };
}
