import type { ClusterClient } from '../cluster/client.ts';
import type { Capabilities } from '../render/chart.ts';

/** So long it counts as known what a cluster serves. */
const freshMs = 600_000;

type Asked = Pick<ClusterClient, 'raw' | 'version'>;

/** What a cluster is and serves, as Helm asks it; asked when it is needed, and again after ten minutes. The last answer counts while none comes. */
export function clusterCapabilities(cluster: Asked, signal: AbortSignal): () => Promise<Capabilities> {
  let known: { readonly capabilities: Capabilities; readonly untilMs: number } | undefined;
  let asking: Promise<Capabilities> | undefined;
  const kinds = new Map<string, readonly string[]>();
  const ask = async (): Promise<Capabilities> => {
    const get = (path: string): Promise<unknown> => cluster.raw('GET', path, undefined, signal);
    const kubeVersion = await cluster.version(signal);
    const { versions = [] } = (await get('/api')) as { versions?: readonly string[] };
    const { groups = [] } = (await get('/apis')) as {
      groups?: readonly { readonly versions?: readonly { readonly groupVersion: string }[] }[];
    };
    const served = [...versions, ...groups.flatMap((group) => group.versions ?? []).map((one) => one.groupVersion)];
    for (const version of served) {
      try {
        const list = (await get(version.includes('/') ? `/apis/${version}` : `/api/${version}`)) as {
          resources?: readonly { readonly name: string; readonly kind: string }[];
        };
        const found = (list.resources ?? []).filter(({ name }) => !name.includes('/'));
        kinds.set(version, [...new Set(found.map(({ kind }) => kind))].sort());
      } catch {
        // Of a group whose own server is down, the kinds that it had.
        signal.throwIfAborted();
      }
    }
    const apiVersions = served.flatMap((version) => [
      version,
      ...(kinds.get(version) ?? []).map((kind) => `${version}/${kind}`),
    ]);
    return { kubeVersion, apiVersions: apiVersions.sort() };
  };
  return () => {
    if (known && performance.now() < known.untilMs) return Promise.resolve(known.capabilities);
    asking ??= ask()
      .then((capabilities) => {
        known = { capabilities, untilMs: performance.now() + freshMs };
        return capabilities;
      })
      .catch((error: unknown) => {
        if (known) return known.capabilities;
        throw error;
      })
      .finally(() => (asking = undefined));
    return asking;
  };
}
