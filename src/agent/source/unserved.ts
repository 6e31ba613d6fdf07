import type { KindRef } from '../../cluster/cluster.ts';
import type { Logger } from '../../lib/log.ts';
import { identityOf, nameOf } from '../../manifest/identity.ts';
import { groupOf, type Manifest, refOf } from '../../manifest/types.ts';

/**
 * Objects that are only for controllers which are not needed here. Where the cluster does not know their kinds, nobody would look at them, and an
 * error for each would hold up whatever is to be deleted.
 */
const forOthers = new Set(['notification.toolkit.fluxcd.io', 'image.toolkit.fluxcd.io', 'source.toolkit.fluxcd.io']);
const isForOthers = ({ apiVersion, kind }: KindRef): boolean =>
  forOthers.has(groupOf(apiVersion)) || (kind === 'AppProject' && groupOf(apiVersion) === 'argoproj.io');

/** Leaves those out, and tells each once. `readHere`: groups whose objects the agent reads in Git itself, so nobody misses them; absent: none. */
export function createUnserved(
  isServed: (kind: KindRef) => Promise<boolean>,
  log: Pick<Logger, 'warn'>,
  readHere: ReadonlySet<string> = new Set(),
): (manifests: readonly Manifest[]) => Promise<readonly Manifest[]> {
  const told = new Set<string>();
  return async (manifests) => {
    const served = new Map<string, boolean>();
    const left: Manifest[] = [];
    for (const manifest of manifests) {
      const { object, origin } = manifest;
      const { apiVersion, kind } = object;
      if (!isForOthers({ apiVersion, kind })) {
        left.push(manifest);
        continue;
      }
      const of = `${apiVersion} ${kind}`;
      const known = served.get(of) ?? (await isServed({ apiVersion, kind }));
      served.set(of, known);
      const key = `${origin.path} ${identityOf(object)}`;
      if (known) {
        left.push(manifest);
        told.delete(key);
      } else if (!told.has(key) && !readHere.has(groupOf(apiVersion))) {
        told.add(key);
        const { path, line } = origin;
        const why = `the cluster does not know ${kind} of ${groupOf(apiVersion)}, and nothing here looks at it`;
        log.warn({ path, line }, `${path}:${line} ${nameOf(refOf(object))} is not applied: ${why}`);
      }
    }
    return left.length === manifests.length ? manifests : left;
  };
}
