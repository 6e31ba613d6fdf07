import type { ServerResponse } from 'node:http';
import { methodNotAllowed, noSuchPage, notFound } from '../failure.ts';
import type { PodInside } from '../../types.ts';
import type { ApiStore } from '../store.ts';
import { answerLog } from '../streams/logs.ts';
import { subjectOf } from '../writer.ts';
import { aggregatedDiscovery, aggregatedType, legacyDiscovery, usageRoot } from './discovery.ts';
import { list } from './list.ts';
import { openApiDocument, openApiIndex } from './openapi.ts';
import { answerReview, answerTokenRequest } from './reviews.ts';
import { removeAll, removeOne } from './remove.ts';
import type { ApiRequest, Reply } from './request.ts';
import { reply } from './request.ts';
import { scalePaths } from './scale.ts';
import type { Target } from './target.ts';
import { findTarget } from './target.ts';
import { answerUsage } from './usage.ts';
import type { Watches } from './watch.ts';
import { watch } from './watch.ts';
import type { Backend } from './write.ts';
import { create, patch, read, replace } from './write.ts';

/** Pods that run; undefined for all others. */
export type PodAccess = (namespace: string, name: string) => PodInside | undefined;

export interface Routes extends Backend {
  readonly watches: Watches;
  readonly pods: PodAccess;
}

const version = {
  major: '1',
  minor: '34',
  gitVersion: 'v1.34.4+sandbox',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: 'linux/amd64',
};

/** The answer to a request; undefined when a watch has taken over the response. */
export function answer(routes: Routes, request: ApiRequest, response: ServerResponse): Reply | undefined {
  const { store } = routes;
  const fixed = fixedPage(store, request);
  if (fixed) return fixed;
  const reviewed = answerReview(routes, request) ?? answerTokenRequest(routes, request);
  if (reviewed) return reviewed;
  if (request.path.startsWith(`${usageRoot}/`)) return answerUsage(routes, request);
  const target = findTarget(request.path, store.registry);
  if (!target) throw noSuchPage();
  const { name } = target;
  const isWatch = request.query.get('watch') === 'true' || request.query.get('watch') === '1';
  if (name === undefined || (isWatch && request.method === 'GET')) {
    return onCollection(routes, request, target, response, isWatch);
  }
  return onObject(routes, request, { ...target, name }, response);
}

function fixedPage(store: ApiStore, request: ApiRequest): Reply | undefined {
  const path = request.path.replace(/\/+$/, '') || '/';
  switch (path) {
    case '/healthz':
    case '/livez':
    case '/readyz':
      return { status: 200, body: 'ok', contentType: 'text/plain; charset=utf-8' };
    case '/version':
      return reply(200, version);
    case '/openapi/v3':
      return reply(200, openApiIndex(store));
    case '/':
      return reply(200, { paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v3', '/readyz', '/version'] });
    default:
  }
  if (path.startsWith('/openapi/v3/')) {
    const document = openApiDocument(store, path.slice('/openapi/v3/'.length));
    return document && reply(200, document);
  }
  if ((path === '/api' || path === '/apis') && request.accept.includes('g=apidiscovery.k8s.io;v=v2;')) {
    return { status: 200, body: aggregatedDiscovery(path === '/api', store.registry), contentType: aggregatedType };
  }
  const legacy = path.startsWith('/api') ? legacyDiscovery(path, store.registry) : undefined;
  return legacy && reply(200, legacy);
}

function onCollection(
  routes: Routes,
  request: ApiRequest,
  target: Target,
  response: ServerResponse,
  isWatch: boolean,
): Reply | undefined {
  switch (request.method) {
    case 'GET':
      if (!isWatch) return list(routes.store, request, target);
      watch(routes.store, request, target, response, routes.watches);
      return undefined;
    case 'POST':
      return create(routes, request, target);
    case 'DELETE':
      return removeAll(routes, request, target);
    default:
      throw methodNotAllowed();
  }
}

function onObject(
  routes: Routes,
  request: ApiRequest,
  target: Target & { readonly name: string },
  response: ServerResponse,
): Reply | undefined {
  const { resource, namespace, name, subresource } = target;
  if (subresource === 'log' && resource.storage === '/pods') return logOf(routes, request, target, response);
  if (subresource === 'scale') scalePaths(resource);
  else if (subresource !== undefined && (subresource !== 'status' || !resource.status)) throw noSuchPage();
  switch (request.method) {
    case 'GET': {
      const object = routes.store.objects.get(resource.storage, namespace, name);
      if (!object) throw notFound(subjectOf(resource, name));
      return read(routes.store, request, target, object);
    }
    case 'PUT':
      return replace(routes, request, target);
    case 'PATCH':
      return patch(routes, request, target);
    case 'DELETE':
      if (subresource !== undefined) throw methodNotAllowed();
      return removeOne(routes, request, target);
    default:
      throw methodNotAllowed();
  }
}

function logOf(
  { store, pods }: Routes,
  request: ApiRequest,
  target: Target & { readonly name: string },
  response: ServerResponse,
): Reply | undefined {
  const { namespace = '', name, resource } = target;
  const pod = store.objects.get(resource.storage, namespace, name);
  if (!pod) throw notFound(subjectOf(resource, name));
  return answerLog(pod, pods(namespace, name), request.query, store.clock.now(), response);
}
