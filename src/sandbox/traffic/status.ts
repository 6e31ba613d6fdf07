import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { SandboxStore, StoredObject } from '../types.ts';
import { fieldsOf, type Fields, listOf, textOf } from './read.ts';
import { GATEWAY_API, listVersions, nameKey } from './routing-objects.ts';

export interface StatusOptions {
  readonly store: SandboxStore;
  readonly clock: Clock;
  readonly log?: Logger;
}

/** For Gateways whose class is not found in the cluster. */
const OWN_CONTROLLER = 'sandbox.serin.dev/gateway-controller';
const MESH_CONTROLLER = 'linkerd.io/policy-controller';

/** Writes what controllers of the proxies write: that routes are accepted, and where an Ingress is reached. */
export function reportStatus({ store, clock, log }: StatusOptions): () => void {
  const due = new Map<string, StoredObject>();
  let stopped = false;
  const write = (): void => {
    const objects = [...due.values()];
    due.clear();
    if (stopped) return;
    for (const { apiVersion, kind, metadata } of objects) {
      const { namespace, name } = metadata;
      try {
        const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
        store.update(apiVersion, kind, namespace, name, (draft) => setStatus(draft, store, now), 'status');
      } catch (error) {
        log?.warn({ kind, namespace, name, error: messageOf(error) }, 'the status of a routing object was not written');
      }
    }
  };
  // Not at once: the store is in the middle of telling of a write.
  const add = (object: StoredObject): void => {
    if (due.size === 0) queueMicrotask(write);
    due.set(`${object.kind}/${nameKey(object.metadata.namespace, object.metadata.name)}`, object);
  };
  const addRoutes = (): void => {
    listVersions(store, GATEWAY_API, 'HTTPRoute').forEach(add);
  };
  addRoutes();
  store.list('networking.k8s.io/v1', 'Ingress').forEach(add);
  const stop = store.onEvent(({ type, object }) => {
    // A Service that comes or goes decides whether the references of routes resolve.
    if (object.kind === 'Service' && type !== 'MODIFIED') addRoutes();
    else if (type !== 'DELETED' && ['HTTPRoute', 'Ingress', 'Gateway', 'GatewayClass'].includes(object.kind))
      add(object);
  });
  return () => {
    stopped = true;
    stop();
  };
}

function setStatus(draft: StoredObject, store: SandboxStore, now: string): void {
  const conditions = (before: unknown, wanted: readonly Condition[]): readonly Fields[] =>
    wanted.map((condition) => dated(condition, listOf(before), draft.metadata.generation ?? 1, now));
  const status = fieldsOf(draft.status);
  switch (draft.kind) {
    case 'Ingress':
      draft.status = { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } };
      break;
    case 'GatewayClass':
      draft.status = { ...status, conditions: conditions(status.conditions, [yes('Accepted')]) };
      break;
    case 'Gateway':
      draft.status = {
        ...status,
        addresses: [{ type: 'IPAddress', value: '127.0.0.1' }],
        conditions: conditions(status.conditions, [yes('Accepted'), yes('Programmed')]),
      };
      break;
    default:
      draft.status = {
        ...status,
        parents: listOf(fieldsOf(draft.spec).parentRefs).map((parentRef) => {
          const controllerName = controllerOf(parentRef, draft.metadata.namespace ?? '', store);
          const before = listOf(status.parents).find((one) => sameParent(one.parentRef, parentRef));
          return {
            parentRef,
            controllerName,
            conditions: conditions(before?.conditions, [yes('Accepted'), resolved(draft, store)]),
          };
        }),
      };
  }
}

interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

function yes(type: string): Condition {
  return { type, status: 'True', reason: type, message: '' };
}

function resolved({ spec, metadata }: StoredObject, store: SandboxStore): Condition {
  const missing = listOf(fieldsOf(spec).rules)
    .flatMap((rule) => listOf(rule.backendRefs))
    .map((ref) => ({ namespace: textOf(ref.namespace) || metadata.namespace, name: textOf(ref.name) }))
    .find(({ namespace, name }) => !store.get('v1', 'Service', namespace, name));
  if (!missing) return yes('ResolvedRefs');
  const message = `Service ${missing.namespace}/${missing.name} not found`;
  return { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound', message };
}

/** Keeps the time of the last change when the status stayed. */
function dated(condition: Condition, before: readonly Fields[], observedGeneration: number, now: string): Fields {
  const old = before.find(({ type }) => type === condition.type);
  const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : now;
  return { ...condition, observedGeneration, lastTransitionTime };
}

function controllerOf(parent: Fields, namespace: string, store: SandboxStore): string {
  if (parent.kind === 'Service') return MESH_CONTROLLER;
  const gateways = listVersions(store, GATEWAY_API, 'Gateway');
  const wanted = nameKey(textOf(parent.namespace) || namespace, textOf(parent.name));
  const gateway = gateways.find(({ metadata }) => nameKey(metadata.namespace, metadata.name) === wanted);
  const className = textOf(fieldsOf(gateway?.spec).gatewayClassName);
  const classes = listVersions(store, GATEWAY_API, 'GatewayClass');
  const gatewayClass = classes.find(({ metadata }) => metadata.name === className);
  return textOf(fieldsOf(gatewayClass?.spec).controllerName) || OWN_CONTROLLER;
}

function sameParent(a: unknown, b: Fields): boolean {
  const other = fieldsOf(a);
  return ['group', 'kind', 'namespace', 'name', 'sectionName', 'port'].every((field) => other[field] === b[field]);
}
