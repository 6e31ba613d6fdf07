import { addAll } from '../lib/add-all.ts';
import type { Clock } from '../lib/clock.ts';
import { AgentError } from '../lib/errors.ts';
import { namespacedName } from '../lib/key.ts';
import type { Logger } from '../lib/log.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { createCache } from './cache.ts';
import type { Cluster, KindRef, ListOptions, Resource } from './cluster.ts';
import type { ClusterSource } from './source.ts';
import { openConnection } from './connection.ts';
import { createDiscovery, groupVersionPath } from './discovery.ts';
import { createEchoes, versionOnly } from './echoes.ts';
import { createFlowControl, type Load } from './flow-control.ts';
import { flowOf } from './priority.ts';
import { createPager } from './pages.ts';
import { type ReflectorDeps, startReflector } from './reflector.ts';
import type { ApiRequest } from './api-request.ts';
import { type OnRequest, type RequestStatistics, send } from './request.ts';

export interface ClusterClient extends Cluster {
  readonly server: string;
  /** Counted since the start; watches are not requests. */
  readonly statistics: Readonly<RequestStatistics>;
  /** What is under way and what waits for its turn; watches are not counted. */
  readonly load: Load;
  /** Anything else that the server offers: its metrics, a token of a service account. JSON where it answers so, text otherwise. */
  raw(method: ApiRequest['method'], path: string, body: unknown, signal: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

type Call = (request: ApiRequest, signal: AbortSignal) => Promise<unknown>;
type Writing = Pick<Cluster, 'create' | 'apply' | 'jsonPatch' | 'mergePatch' | 'remove'>;

interface ListBody {
  readonly items?: KubeObject[] | null;
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

/** A list is begun again when its later pages are lost, so often in all: never is all of it asked for in one answer. */
const mostLists = 3;

const isMissing = (error: unknown): boolean => error instanceof AgentError && error.details['status'] === 404;

export async function openCluster(
  source: ClusterSource,
  { clock, log, onRequest }: { clock: Clock; log: Logger; onRequest?: OnRequest },
): Promise<ClusterClient> {
  const connection = await openConnection(source, () => clock.now());
  const statistics: RequestStatistics = { requests: 0, throttled: 0, ...(onRequest ? { onRequest } : {}) };
  const flow = createFlowControl(clock);
  const call: Call = (request, signal) => send({ connection, clock, statistics, flow }, request, signal);
  const echoes = createEchoes();
  const discovery = createDiscovery(
    (path, what, signal) => call({ method: 'GET', path, what }, signal),
    isMissing,
    () => clock.now(),
  );

  const pathOf = ({ apiVersion, plural, namespaced }: Resource, namespace: string | undefined): string =>
    `${groupVersionPath(apiVersion)}${namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''}/${plural}`;

  const served = async (kind: KindRef, signal: AbortSignal): Promise<Resource> => {
    const resource = await discovery.resource(kind, signal);
    if (!resource) {
      throw new AgentError(
        'CLUSTER_REFUSED',
        `the cluster does not serve ${kind.kind} (${kind.apiVersion}); install its CustomResourceDefinition`,
        {
          details: { status: 404, reason: 'NoKind' },
        },
      );
    }
    return resource;
  };
  const objectPath = async (ref: ObjectRef, signal: AbortSignal): Promise<string> =>
    `${pathOf(await served(ref, signal), ref.namespace)}/${encodeURIComponent(ref.name)}`;
  const named = (ref: ObjectRef): string =>
    `${ref.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`;
  const query = (values: Readonly<Record<string, string | undefined>>): string => {
    const present = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return present.length === 0 ? '' : `?${new URLSearchParams(present).toString()}`;
  };
  const pager = createPager();
  const pages: ReflectorDeps['pages'] = (path, { kind, selectors, most }, signal) =>
    pager.pages(
      kind,
      async ({ limit, from, maxBytes }) => {
        const query = new URLSearchParams({
          ...selectors,
          limit: String(limit),
          ...(from === '' ? {} : { continue: from }),
        });
        let length = 0;
        const read = (text: string): unknown => {
          length = text.length;
          return JSON.parse(text);
        };
        const request = {
          method: 'GET',
          path: `${path}?${query.toString()}`,
          what: `list ${kind.kind}`,
          maxBytes,
          read,
        } as const;
        const body = (await call(request, signal)) as ListBody;
        const items = body.items ?? [];
        // Built-in kinds leave both out of list items.
        for (const item of items) {
          item.apiVersion ??= kind.apiVersion;
          item.kind ??= kind.kind;
        }
        const { resourceVersion = '', continue: next = '' } = body.metadata ?? {};
        return { items, resourceVersion, next, length };
      },
      most,
    );

  const writing = (call: Call): Writing => ({
    async create(object, { manager, unread = false }, signal) {
      const path = `${pathOf(await served(object, signal), object.metadata.namespace)}${query({ fieldManager: manager })}`;
      const what = `create ${named({ ...object, ...object.metadata })}`;
      const read = unread ? () => undefined : echoes.read;
      const stored = await call({ method: 'POST', path, body: object, what, read }, signal);
      return unread ? object : (stored as KubeObject);
    },
    async apply(object, { manager, force, dryRun }, signal) {
      const ref = { apiVersion: object.apiVersion, kind: object.kind, ...object.metadata };
      const path = `${await objectPath(ref, signal)}${query({
        fieldManager: manager,
        force: force === undefined ? undefined : String(force),
        dryRun: dryRun ? 'All' : undefined,
      })}`;
      const request = {
        method: 'PATCH',
        path,
        body: object,
        contentType: 'application/apply-patch+yaml',
        what: `apply ${named(ref)}`,
      } as const;
      return (await call(request, signal)) as KubeObject;
    },
    async jsonPatch(ref, operations, { manager, subresource, resourceVersion }, signal) {
      // A written resourceVersion is a precondition: 409 when it is not the live one. A failed `test` would be an unexplained 422.
      const guarded =
        resourceVersion === undefined
          ? operations
          : [{ op: 'replace' as const, path: '/metadata/resourceVersion', value: resourceVersion }, ...operations];
      const path = `${await objectPath(ref, signal)}${subresource ? `/${subresource}` : ''}${query({ fieldManager: manager })}`;
      const request = {
        method: 'PATCH',
        path,
        body: guarded,
        contentType: 'application/json-patch+json',
        what: `patch ${named(ref)}`,
        read: echoes.read,
      } as const;
      return (await call(request, signal)) as KubeObject;
    },
    async mergePatch(ref, patch, { manager, subresource, unread = false }, signal) {
      const path = `${await objectPath(ref, signal)}${subresource ? `/${subresource}` : ''}${query({ fieldManager: manager })}`;
      return (await call(
        {
          method: 'PATCH',
          path,
          body: patch,
          contentType: 'application/merge-patch+json',
          what: `patch ${named(ref)}`,
          read: unread ? versionOnly : echoes.read,
        },
        signal,
      )) as KubeObject;
    },
    async remove(ref, { propagation, uid }, signal) {
      const resource = await discovery.resource(ref, signal);
      if (!resource) return;
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: propagation ?? 'Background',
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      };
      try {
        await call(
          {
            method: 'DELETE',
            path: `${pathOf(resource, ref.namespace)}/${encodeURIComponent(ref.name)}`,
            body,
            what: `delete ${named(ref)}`,
          },
          signal,
        );
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    },
  });

  const reflectorDeps: ReflectorDeps = {
    connection,
    clock,
    log,
    resource: (wanted, stop) => discovery.resource(wanted, stop),
    forget: ({ apiVersion }) => discovery.forget(apiVersion),
    pathOf,
    pages,
    parse: echoes.hear,
    ...(onRequest ? { onRequest } : {}),
  };
  const reflect = createCache(
    (kind, scope, sink, signal) => startReflector(reflectorDeps, kind, scope, sink, signal),
    log,
  );

  const client: ClusterClient = {
    server: connection.server,
    statistics,
    get load() {
      return flow.load;
    },
    resource: (kind, signal) => discovery.resource(kind, signal),
    async get(ref, signal) {
      const resource = await discovery.resource(ref, signal);
      if (!resource) return undefined;
      try {
        const path = `${pathOf(resource, ref.namespace)}/${encodeURIComponent(ref.name)}`;
        return (await call({ method: 'GET', path, what: `get ${named(ref)}` }, signal)) as KubeObject;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async list(kind, options: ListOptions, signal) {
      const resource = await discovery.resource(kind, signal);
      if (!resource) return [];
      const { labelSelector, fieldSelector, limit: most } = options;
      const selectors = { ...(labelSelector ? { labelSelector } : {}), ...(fieldSelector ? { fieldSelector } : {}) };
      for (let time = 1; ; time += 1) {
        const all: KubeObject[] = [];
        try {
          const read = pages(pathOf(resource, options.namespace), { kind, selectors, most }, signal);
          for await (const { items } of read) addAll(all, items);
          return most === undefined ? all : all.slice(0, most);
        } catch (error) {
          // The server forgot the version of the first page.
          const isForgotten = error instanceof AgentError && error.details['status'] === 410;
          if (!isForgotten || time === mostLists) throw error;
        }
      }
    },
    ...writing(call),
    async podLog({ namespace, name }, { container, previous, tailLines, limitBytes }, signal) {
      const asked = query({
        container,
        previous: previous ? 'true' : undefined,
        tailLines: String(tailLines),
        limitBytes: String(limitBytes),
      });
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/log${asked}`;
      const request = {
        method: 'GET',
        path,
        what: `read the log of pod ${namespacedName({ namespace, name })}`,
      } as const;
      try {
        // Whatever an app writes is text, also where it reads as JSON.
        return ((await call({ ...request, read: (text) => text }, signal)) as string | undefined) ?? '';
      } catch (error) {
        // A container that has not run yet is a bad request.
        const status = error instanceof AgentError ? error.details['status'] : undefined;
        if (status === 400 || status === 404) return undefined;
        throw error;
      }
    },
    async externalMetric({ namespace, name, labelSelector }, signal) {
      const asked = labelSelector === '' ? '' : query({ labelSelector });
      const [place, metric] = [namespace, name].map((part) => encodeURIComponent(part));
      const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${place}/${metric}${asked}`;
      try {
        return await call(
          { method: 'GET', path, what: `read external metric ${namespacedName({ namespace, name })}` },
          signal,
        );
      } catch (error) {
        if (error instanceof AgentError && error.details['status'] === 404) return undefined;
        throw error;
      }
    },
    reflect,
    late: (namespace, names, lateMs) => flow.late([...new Set(names.map((name) => flowOf(namespace, name)))], lateMs),
    async version(signal) {
      const body = (await call({ method: 'GET', path: '/version', what: 'ask for the version' }, signal)) as {
        gitVersion?: string;
      };
      return body.gitVersion ?? 'unknown';
    },
    raw: (method, path, body, signal) => call({ method, path, body, what: `${method} ${path}` }, signal),
    as({ namespace, name }) {
      const user = `system:serviceaccount:${namespace}:${name}`;
      return { ...client, ...writing((request, signal) => call({ ...request, as: user }, signal)) };
    },
    close: () => connection.close(),
  };
  return client;
}
