import { isDeepStrictEqual } from 'node:util';
import { withShared } from '../canary/shared-fields.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { type KubeObject, refOf } from '../manifest/types.ts';
import { syncManager } from './drift.ts';
import type { ApplyAction } from './plan.ts';

/** Whether an object of the cluster stays as it is when it is applied, by a dry run. One that is refused does not. Throws CLUSTER_UNREACHABLE. */
export async function isAsApplied(
  cluster: Pick<Cluster, 'apply' | 'get'>,
  { object, shared }: Pick<ApplyAction, 'object' | 'shared'>,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const live = await cluster.get(refOf(object), signal);
    if (!live) return true;
    const sent = shared === 'nodes' || shared === 'weights' ? withShared(live, object) : object;
    const after = await cluster.apply(sent, { manager: syncManager, force: true, dryRun: true }, signal);
    return isDeepStrictEqual(written(after), written(live));
  } catch (error) {
    if (error instanceof AgentError && error.code === 'CLUSTER_REFUSED') return false;
    throw error;
  }
}

/** Without what the server writes by itself. */
function written({ status: _status, metadata, ...object }: KubeObject & { readonly status?: unknown }): unknown {
  const {
    managedFields: _fields,
    resourceVersion: _version,
    generation: _generation,
    ...kept
  } = metadata as Record<string, unknown>;
  return { ...object, metadata: kept };
}
