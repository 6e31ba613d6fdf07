import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { type KubeObject, refOf } from '../manifest/types.ts';

/** Owns a strategy while it changes, and nothing otherwise. */
const strategyManager = 'serin-strategy';

type Members = Readonly<Record<string, unknown>>;

/** Where a strategy stands, and the type that has no `rollingUpdate` beside it. */
const places: ReadonlyMap<string, { readonly field: string; readonly type: string }> = new Map([
  ['Deployment', { field: 'strategy', type: 'Recreate' }],
  ['StatefulSet', { field: 'updateStrategy', type: 'OnDelete' }],
]);

/** Whether the server refuses a strategy for a `rollingUpdate` that Git does not ask for: it filled one in beside the former type. */
export function refusesRollingUpdate(error: unknown, object: KubeObject): error is AgentError {
  const place = places.get(object.kind);
  if (!place || !object.apiVersion.startsWith('apps/')) return false;
  if (!(error instanceof AgentError) || error.details['status'] !== 422) return false;
  const asked = strategyOf(object, place.field);
  const wanted = `spec.${place.field}.rollingUpdate: `;
  return asked['type'] === place.type && !asked['rollingUpdate'] && error.message.includes(wanted);
}

/** The same by hand, for where another field manager has set it. */
export function strategyCommand({ kind, metadata: { name, namespace = 'default' } }: KubeObject): string {
  const { field = '', type = '' } = places.get(kind) ?? {};
  const patch = JSON.stringify({ spec: { [field]: { type, rollingUpdate: null } } });
  return `kubectl -n ${namespace} patch ${kind.toLowerCase()} ${name} --type merge -p '${patch}'`;
}

/**
 * Applies, and where the server refuses the strategy for what it had filled in itself, takes that away first. Nobody owns such a field, so no
 * apply can leave it out: it is owned for a moment, with the value that it has, and given up together with the former type. Pods are not touched.
 */
export async function applyWithStrategy(
  object: KubeObject,
  apply: () => Promise<KubeObject>,
  cluster: Pick<Cluster, 'apply' | 'get'>,
  signal: AbortSignal,
): Promise<KubeObject> {
  try {
    return await apply();
  } catch (error) {
    const place = places.get(object.kind);
    if (!place || !refusesRollingUpdate(error, object)) throw error;
    const live = await cluster.get(refOf(object), signal);
    const rollingUpdate = live && strategyOf(live, place.field)['rollingUpdate'];
    if (!rollingUpdate) throw error;
    const own = (strategy: Members | undefined, force: boolean): Promise<KubeObject> => {
      const { apiVersion, kind, metadata } = object;
      const { name, namespace } = metadata;
      const spec = strategy ? { spec: { [place.field]: strategy } } : {};
      const part = { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, ...spec };
      return cluster.apply(part, { manager: strategyManager, force }, signal);
    };
    try {
      await own({ rollingUpdate }, false);
      await own({ type: place.type }, true);
      return await apply();
    } finally {
      await own(undefined, false);
    }
  }
}

function strategyOf({ spec }: KubeObject, field: string): Members {
  const strategy = (spec as Members | undefined)?.[field];
  return typeof strategy === 'object' && strategy !== null ? (strategy as Members) : {};
}
