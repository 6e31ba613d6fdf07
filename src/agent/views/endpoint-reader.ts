import { canaryName } from '../../canary/names.ts';
import type { Answer, CanarySpec } from '../../canary/types.ts';
import { at, listOf, textOf } from '../../lib/json.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { keyOf } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { Deps } from '../deps.ts';

type Told = Omit<Extract<Answer, { readonly kind: 'endpoints' }>, 'kind'>;

/** What EndpointSlices say of the canary's Service, when so many pods are to be known. Rejects only when aborted. */
export type EndpointReader = (spec: CanarySpec, pods: number, signal: AbortSignal) => Promise<Told>;

/** The first step of a release waits for it, so it is short. */
const patienceMs = 1_000;
/** Each holds a hundred pods. */
const sliceLimit = 50;
const rememberLimit = 1_000;
/** A release asks for a few seconds. */
const forgetMs = 60_000;

/** Reads EndpointSlices when a canary is about to get its first users, and at no other time: nothing of them is watched. */
export function createEndpointReader({ cluster, clock, log }: Pick<Deps, 'cluster' | 'clock' | 'log'>): EndpointReader {
  /** Since when all are known that were asked for, or are not. */
  const asked = new Map<string, { readonly pods: number; readonly isKnown: boolean; readonly sinceMs: number }>();
  const refused = new Set<string>();

  const sinceOf = (key: string, pods: number, isKnown: boolean): number => {
    const before = asked.get(key);
    const nowMs = clock.elapsed();
    // Who has not asked for a while begins anew.
    const isSame = before?.pods === pods && before.isKnown === isKnown && nowMs - before.sinceMs < forgetMs;
    const sinceMs = isSame ? before.sinceMs : nowMs;
    asked.delete(key);
    if (asked.size >= rememberLimit) asked.delete(asked.keys().next().value ?? '');
    asked.set(key, { pods, isKnown, sinceMs });
    return nowMs - sinceMs;
  };

  return async (spec, pods, signal) => {
    const { namespace, service } = spec;
    try {
      const slices = await cluster.list(
        { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
        { namespace, labelSelector: `kubernetes.io/service-name=${canaryName(service.name)}`, limit: sliceLimit },
        AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
      );
      // A Service without pods has an empty one: where there is none at all, nobody keeps them.
      if (slices.length === 0) return {};
      const ready = readyPods(slices);
      const isKnown = ready > 0 && ready >= pods;
      const ms = sinceOf(keyOf(spec), pods, isKnown);
      return { ready, ...(isKnown ? { knownMs: ms } : { unknownMs: ms }) };
    } catch (error) {
      if (signal.aborted) throw error;
      const isRefused = error instanceof AgentError && error.code === 'CLUSTER_REFUSED';
      const level = isRefused && !refused.has(namespace) ? 'warn' : 'debug';
      if (isRefused && refused.size < rememberLimit) refused.add(namespace);
      log[level](
        { canary: `${spec.name}.${namespace}`, reason: messageOf(error) },
        'EndpointSlices cannot be read: what leads users gets 2.5 s to learn of new pods',
      );
      return {};
    }
  };
}

/** A Service of two address families has each pod twice. */
function readyPods(slices: readonly KubeObject[]): number {
  const names = slices.flatMap((slice) =>
    listOf(slice['endpoints']).flatMap((endpoint) => {
      const isReady = at(endpoint, 'conditions', 'ready') !== false;
      const name = textOf(at(endpoint, 'targetRef', 'name')) ?? JSON.stringify(endpoint['addresses']);
      return isReady ? [name] : [];
    }),
  );
  return new Set(names).size;
}
