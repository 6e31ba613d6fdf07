import type { ContainerUsage, StoredObject } from '../../types.ts';
import { methodNotAllowed, noSuchPage, notFound } from '../failure.ts';
import type { Json } from '../json.ts';
import { timestamp } from '../time.ts';
import { usageRoot } from './discovery.ts';
import { selection } from './list.ts';
import type { ApiRequest, Reply } from './request.ts';
import { reply } from './request.ts';
import type { Routes } from './routes.ts';
import { findTarget } from './target.ts';

const apiVersion = 'metrics.k8s.io/v1beta1';

/** What `kubectl top` asks for: the path is that of the pods or nodes themselves, under another group. */
export function answerUsage(routes: Routes, request: ApiRequest): Reply {
  if (request.method !== 'GET') throw methodNotAllowed();
  const { store } = routes;
  const target = findTarget(`/api/v1${request.path.slice(usageRoot.length)}`, store.registry);
  const storage = target?.resource.storage;
  if (!target || (storage !== '/pods' && storage !== '/nodes') || target.subresource !== undefined) throw noSuchPage();
  const [kind, show] =
    storage === '/pods' ? (['PodMetrics', podUsage] as const) : (['NodeMetrics', nodeUsage] as const);
  const matches = selection(request, target);
  const items = store.objects
    .list(storage, target.namespace)
    .filter(matches)
    .flatMap((object) => show(routes, object));
  if (target.name === undefined)
    return reply(200, { kind: `${kind}List`, apiVersion, metadata: {}, items: items.map((item) => ({ ...item })) });
  const [one] = items;
  if (!one) throw notFound({ group: 'metrics.k8s.io', kind: target.resource.plural, name: target.name });
  return reply(200, { kind, apiVersion, ...one });
}

const head = ({ store }: Routes, { metadata }: StoredObject): Json => {
  const { name, namespace, creationTimestamp, labels } = metadata;
  const kept = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    creationTimestamp,
    ...(labels ? { labels } : {}),
  };
  return { metadata: kept, timestamp: timestamp(store.clock), window: '1m0s' };
};

/** CPU in billionths of a core, memory in kibibytes, as metrics-server writes them. */
function quantities(usages: readonly ContainerUsage[]): Json {
  const sum = (of: (usage: ContainerUsage) => number): number => usages.reduce((total, usage) => total + of(usage), 0);
  return {
    cpu: `${Math.ceil(sum(({ cores }) => cores) * 1e9)}n`,
    memory: `${Math.ceil(sum(({ memoryBytes }) => memoryBytes) / 1_024)}Ki`,
  };
}

/** None of pods that do not run. */
function podUsage(routes: Routes, pod: StoredObject): readonly Json[] {
  const usage = routes.pods(pod.metadata.namespace ?? '', pod.metadata.name)?.usage() ?? [];
  if (usage.length === 0) return [];
  const containers = usage.map((one) => ({ name: one.container, usage: quantities([one]) }));
  return [{ ...head(routes, pod), containers }];
}

function nodeUsage(routes: Routes, node: StoredObject): readonly Json[] {
  const all = routes.store.objects
    .list('/pods')
    .flatMap((pod) => routes.pods(pod.metadata.namespace ?? '', pod.metadata.name)?.usage() ?? []);
  return [{ ...head(routes, node), usage: quantities(all) }];
}
