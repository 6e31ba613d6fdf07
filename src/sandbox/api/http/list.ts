import type { StoredObject } from '../../types.ts';
import { Failure, badRequest, expired } from '../failure.ts';
import type { Json } from '../json.ts';
import { isObject } from '../json.ts';
import { apiVersionOf } from '../resource.ts';
import type { ObjectTest } from '../selectors.ts';
import { parseFieldSelector, parseLabelSelector } from '../selectors.ts';
import type { ApiStore } from '../store.ts';
import { partial, tableOf } from '../table/table.ts';
import { shown } from '../view.ts';
import type { ApiRequest, Reply } from './request.ts';
import { reply, viewOf } from './request.ts';
import type { Target } from './target.ts';

/** Which stored objects a list or a watch is about. */
export function selection(request: ApiRequest, target: Target): ObjectTest {
  const byLabel = parseLabelSelector(request.query.get('labelSelector') ?? '');
  const byField = parseFieldSelector(request.query.get('fieldSelector') ?? '', target.resource.storage);
  const { namespace, name } = target;
  return (object) => {
    const metadata = object.metadata as Json;
    if (namespace !== undefined && metadata.namespace !== namespace) return false;
    if (name !== undefined && metadata.name !== name) return false;
    return byLabel(object) && byField(object);
  };
}

/** Where the next page begins: after this key, at this version. */
interface Continuation {
  readonly version: number;
  readonly after: string;
}

function readContinuation(text: string): Continuation {
  try {
    const token: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (isObject(token) && typeof token.version === 'number' && typeof token.after === 'string') {
      return { version: token.version, after: token.after };
    }
  } catch {
    // Told below, like any other token that is none of ours.
  }
  throw badRequest('continue key is not valid');
}

const keyOf = (object: StoredObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

export function parseVersion(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text)) {
    throw new Failure(400, 'BadRequest', `resourceVersion: Invalid value: "${text}": must be a number`);
  }
  return Number(text);
}

function tooLarge(asked: number, current: number): Failure {
  return new Failure(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

export function list(store: ApiStore, request: ApiRequest, target: Target): Reply {
  const { resource } = target;
  const matches = selection(request, target);
  const current = store.objects.version();
  const asked = parseVersion(request.query.get('resourceVersion'));
  if (asked !== undefined && asked > current) throw tooLarge(asked, current);
  if (request.query.get('resourceVersionMatch') === 'Exact' && asked !== undefined && asked !== current) {
    throw expired('The resourceVersion for the provided list is too old.');
  }
  const token = request.query.get('continue');
  const from = token ? readContinuation(token) : undefined;
  if (from && store.objects.history.since(from.version, resource.storage) === undefined) {
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results.',
    );
  }
  const version = from?.version ?? current;
  const all = store.objects
    .list(resource.storage, target.namespace)
    .filter((object) => (from === undefined || keyOf(object) > from.after) && matches(object));
  const limit = Number(request.query.get('limit') ?? '0');
  const page = limit > 0 ? all.slice(0, limit) : all;
  const last = page.at(-1);
  const metadata: Json = { resourceVersion: String(version) };
  if (last && page.length < all.length) {
    metadata.continue = Buffer.from(JSON.stringify({ version, after: keyOf(last) })).toString('base64url');
    const selects = request.query.get('labelSelector') || request.query.get('fieldSelector');
    if (!selects) metadata.remainingItemCount = all.length - page.length;
  }
  const objects = page.map((object) => shown(resource, object));
  const view = viewOf(request);
  switch (view.kind) {
    case 'table':
      return reply(200, tableOf(resource, objects, metadata, view.include, store.clock.now()));
    case 'partial':
      return reply(200, {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: objects.map((object) => ({ metadata: object.metadata })),
      });
    case 'object':
      return reply(200, {
        kind: resource.listKind,
        apiVersion: apiVersionOf(resource),
        metadata,
        // Built-in lists leave kind and apiVersion out of their items, and clients have to cope.
        items: resource.custom ? objects : objects.map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest),
      });
  }
}

/** One object in the form that was asked for. */
export function render(
  store: ApiStore,
  request: ApiRequest,
  target: Target,
  status: number,
  object: StoredObject,
): Reply {
  const view = viewOf(request);
  const metadata = { resourceVersion: object.metadata.resourceVersion };
  switch (view.kind) {
    case 'table':
      return reply(status, tableOf(target.resource, [object], metadata, view.include, store.clock.now()));
    case 'partial':
      return reply(status, partial(object));
    case 'object':
      return reply(status, object);
  }
}
