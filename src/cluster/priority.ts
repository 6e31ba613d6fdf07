import { namespacedName } from '../lib/key.ts';
import type { KubeObject } from '../manifest/types.ts';
import { countedAs } from './counted-as.ts';
import type { ApiRequest } from './api-request.ts';

/**
 * Who goes first when the API server is slow: what moves users, then what says how far a release has come, then what runs and what Git
 * says, last what is only told.
 */
export const priorities = ['traffic', 'status', 'workload', 'event'] as const;
export type Priority = (typeof priorities)[number];

/** Whose request it is. */
export interface Place {
  readonly priority: Priority;
  /** Requests of one flow are begun in the order in which they came: an app's objects, by namespace and name. */
  readonly flow: string;
  /** The empty string: none. */
  readonly namespace: string;
}

/** The field manager of what is applied from Git: a Service or a Canary among it moves nobody by itself. */
const syncManager = 'serin';
/** The field manager of what is noted of releases. */
const releaseManager = 'serin-release';

const workloads: ReadonlySet<string> = new Set([
  'deployments',
  'daemonsets',
  'replicasets',
  'pods',
  'configmaps',
  'secrets',
  'horizontalpodautoscalers',
  'scaledobjects',
  'namespaces',
]);

/** Where a request stands in line. Whatever a canary writes that is no workload leads its users: a new routing provider needs no line here. */
export function placeOf(request: Pick<ApiRequest, 'method' | 'path' | 'body'>): Place {
  const [plain = '', query = ''] = request.path.split('?', 2);
  const { verb, resource } = countedAs(request);
  const [kind = '', subresource] = resource.split('/');
  const [, namespace = ''] = /\/namespaces\/([^/]+)\/[^/]+/.exec(plain) ?? [];
  const [, manager = ''] = /(?:^|&)fieldManager=([^&]*)/.exec(query) ?? [];
  const priority = priorityOf({ verb, kind, subresource, manager });
  const name = nameIn(plain, namespace) ?? (request.body as Partial<KubeObject> | undefined)?.metadata?.name ?? '';
  return { priority, namespace, flow: `${priority === 'event' ? 'event ' : ''}${flowOf(namespace, name)}` };
}

/** All objects of an app are of one flow: the primary's and the canary's too. */
export function flowOf(namespace: string, name: string): string {
  return namespacedName({ namespace, name: name.replace(/-(?:primary|canary)$/, '') });
}

function priorityOf(request: {
  readonly verb: string;
  readonly kind: string;
  readonly subresource: string | undefined;
  readonly manager: string;
}): Priority {
  const { verb, kind, subresource, manager } = request;
  if (kind === 'events') return 'event';
  if (verb === 'list' || verb === 'delete' || subresource === 'log') return 'workload';
  // Somebody waits for what one object is now before he goes on.
  if (verb === 'get' || manager === releaseManager) return 'status';
  if (manager === syncManager || manager.startsWith(`${syncManager}@`)) return 'workload';
  if (kind === 'canaries') return 'status';
  return workloads.has(kind) ? 'workload' : 'traffic';
}

/** Undefined: the path names no object, as where one is created. */
function nameIn(path: string, namespace: string): string | undefined {
  const segments = path.split('/').slice(1);
  const from = namespace === '' ? (segments[0] === 'api' ? 3 : 4) : segments.indexOf('namespaces') + 3;
  return segments[from];
}
