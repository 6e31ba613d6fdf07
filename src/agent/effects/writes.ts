import { isDeepStrictEqual } from 'node:util';
import jsonPatch from 'fast-json-patch';
import { parseStatus, renderStatus } from '../../canary/status.ts';
import type { CanaryStatus } from '../../canary/types.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { AgentError } from '../../lib/errors.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { refOf } from '../../manifest/types.ts';

/** Field manager of everything that canaries generate. */
export const canaryManager = 'serin-canary';

/**
 * Creates an object (`over` undefined) or brings it from `over` to `object` by a JSON Patch that only lands on the version it was
 * computed from. Returns undefined where nothing differs. Throws CLUSTER_CONFLICT when somebody was faster.
 */
export async function writeObject(
  cluster: Cluster,
  object: KubeObject,
  over: KubeObject | undefined,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  if (over === undefined) return cluster.create(object, { manager: canaryManager }, signal);
  const operations = jsonPatch.compare(withoutServerFields(over), withoutServerFields(object));
  if (operations.length === 0) return undefined;
  const { resourceVersion } = over.metadata;
  const options = { manager: canaryManager, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  return cluster.jsonPatch(refOf(object), operations, options, signal);
}

const statusTries = 5;

/**
 * Writes a Canary's status on the version that was read. Gives the version that this made. Whoever annotates or labels a Canary does not
 * undo what was found out; throws CLUSTER_CONFLICT when its spec or status is another.
 */
export async function writeStatus(
  cluster: Cluster,
  canary: KubeObject,
  status: CanaryStatus,
  signal: AbortSignal,
): Promise<string | undefined> {
  const options = { manager: canaryManager, subresource: 'status', unread: true } as const;
  let { resourceVersion } = canary.metadata;
  for (let tries = 1; ; tries += 1) {
    const patch = {
      metadata: resourceVersion === undefined ? {} : { resourceVersion },
      status: renderStatus(status, parseStatus(canary)),
    };
    try {
      return (await cluster.mergePatch(refOf(canary), patch, options, signal)).metadata.resourceVersion;
    } catch (error) {
      const isConflict = error instanceof AgentError && error.code === 'CLUSTER_CONFLICT';
      const live = isConflict && tries < statusTries ? await cluster.get(refOf(canary), signal) : undefined;
      if (!live || !isSameMatter(canary, live)) throw error;
      ({ resourceVersion } = live.metadata);
    }
  }
}

/** What decides about a Canary is as it was. */
function isSameMatter(canary: KubeObject, live: KubeObject): boolean {
  const { uid, generation, deletionTimestamp } = canary.metadata;
  return (
    live.metadata.uid === uid &&
    live.metadata.generation === generation &&
    live.metadata.deletionTimestamp === deletionTimestamp &&
    isDeepStrictEqual(parseStatus(live), parseStatus(canary))
  );
}

/** What the server owns is neither compared nor written. */
function withoutServerFields(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object;
  const {
    managedFields: _managed,
    resourceVersion: _version,
    uid: _uid,
    generation: _generation,
    creationTimestamp: _created,
    ...metadata
  } = object.metadata;
  return { ...rest, metadata };
}
