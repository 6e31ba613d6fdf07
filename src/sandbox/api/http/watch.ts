import type { ServerResponse } from 'node:http';
import type { StoredObject, StoreEvent } from '../../types.ts';
import { expired } from '../failure.ts';
import type { Json } from '../json.ts';
import { apiVersionOf } from '../resource.ts';
import type { ObjectTest } from '../selectors.ts';
import type { ApiStore } from '../store.ts';
import { partial, tableOf } from '../table/table.ts';
import { shown } from '../view.ts';
import { parseVersion, selection } from './list.ts';
import type { ApiRequest, View } from './request.ts';
import { viewOf } from './request.ts';
import type { Target } from './target.ts';

type EventType = StoreEvent['type'];

/** An open watch connection, as the faults need it. */
interface OpenWatch {
  /** `apiVersion/Kind`. */
  readonly kind: string;
  end(): void;
  reset(): void;
  /** Frozen: events wait, the connection stays. */
  freeze(frozen: boolean): void;
}

export interface Watches {
  readonly open: Set<OpenWatch>;
  frozen: boolean;
}

const bookmarkEveryMs = 60_000;

/** What a watcher with a selector sees: an object that enters or leaves the selection is added or deleted. */
function translated(event: StoreEvent, matches: ObjectTest): EventType | undefined {
  const now = matches(event.object);
  if (event.type !== 'MODIFIED') return now || (event.previous && matches(event.previous)) ? event.type : undefined;
  const before = event.previous !== undefined && matches(event.previous);
  if (now) return before ? 'MODIFIED' : 'ADDED';
  return before ? 'DELETED' : undefined;
}

export function watch(
  store: ApiStore,
  request: ApiRequest,
  target: Target,
  response: ServerResponse,
  watches: Watches,
): void {
  const { resource } = target;
  const matches = selection(request, target);
  const view = viewOf(request);
  const asked = parseVersion(request.query.get('resourceVersion'));
  const backlog = openingEvents(store, request, target, matches, asked);

  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
  response.flushHeaders();
  let held: string[] | undefined = watches.frozen ? [] : undefined;
  const send = (type: string, object: Json): void => {
    const line = `${JSON.stringify({ type, object })}\n`;
    if (held) held.push(line);
    else response.write(line);
  };
  const present = presenter(store, target, view);
  const stops: (() => void)[] = [];
  const one: OpenWatch = {
    kind: `${apiVersionOf(resource)}/${resource.kind}`,
    end: () => {
      close();
      response.end();
    },
    reset: () => {
      close();
      response.socket?.resetAndDestroy();
    },
    freeze: (frozen) => {
      if (frozen) held ??= [];
      else {
        const lines = held ?? [];
        held = undefined;
        for (const line of lines) response.write(line);
      }
    },
  };
  const close = (): void => {
    watches.open.delete(one);
    for (const stop of stops.splice(0)) stop();
  };
  const bookmark = (initial = false): void => {
    if (request.query.get('allowWatchBookmarks') !== 'true') return;
    const annotations = initial ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
    const metadata = { resourceVersion: String(store.objects.version()), creationTimestamp: null, ...annotations };
    send('BOOKMARK', { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata });
  };

  watches.open.add(one);
  response.on('close', close);
  if (backlog === undefined) {
    send('ERROR', expired(`too old resource version: ${asked ?? 0} (${store.objects.version()})`).status);
    one.end();
    return;
  }
  for (const { type, object } of backlog) send(type, present(object));
  if (request.query.get('sendInitialEvents') === 'true') bookmark(true);
  stops.push(
    store.objects.onEvent((event, storage) => {
      if (storage !== resource.storage) return;
      const type = translated(event, matches);
      if (type) send(type, present(withVersion(event, type)));
    }),
  );
  let cancelBookmark = store.clock.after(bookmarkEveryMs, function again() {
    cancelBookmark = store.clock.after(bookmarkEveryMs, again);
    bookmark();
  });
  const seconds = Number(request.query.get('timeoutSeconds') ?? '0') || 1_800 + Math.floor(Math.random() * 1_800);
  const cancelDeadline = store.clock.after(seconds * 1_000, () => {
    bookmark();
    one.end();
  });
  stops.push(() => cancelBookmark());
  stops.push(cancelDeadline);
}

/** An object that leaves a selection is told as it was, but at the version at which it left. */
function withVersion(event: StoreEvent, type: EventType): StoredObject {
  if (type !== 'DELETED' || event.type === 'DELETED' || !event.previous) return event.object;
  const { resourceVersion } = event.object.metadata;
  return { ...event.previous, metadata: { ...event.previous.metadata, resourceVersion } };
}

/** What there is to tell before live events; undefined when the asked version is unknown or forgotten. */
function openingEvents(
  store: ApiStore,
  request: ApiRequest,
  target: Target,
  matches: ObjectTest,
  asked: number | undefined,
): readonly { type: EventType; object: StoredObject }[] | undefined {
  const { storage } = target.resource;
  const everything = asked === undefined || asked === 0 || request.query.get('sendInitialEvents') === 'true';
  if (everything) {
    return store.objects
      .list(storage, target.namespace)
      .filter(matches)
      .map((object) => ({ type: 'ADDED' as const, object }));
  }
  if (asked > store.objects.version()) return undefined;
  return store.objects.history.since(asked, storage)?.flatMap(({ event }) => {
    const type = translated(event, matches);
    return type ? [{ type, object: withVersion(event, type) }] : [];
  });
}

function presenter(store: ApiStore, target: Target, view: View): (object: StoredObject) => Json {
  const { resource } = target;
  let isFirst = true;
  return (stored) => {
    const object = shown(resource, stored);
    if (view.kind === 'partial') return partial(object);
    if (view.kind === 'object') return object;
    const metadata = { resourceVersion: object.metadata.resourceVersion };
    const table = tableOf(resource, [object], metadata, view.include, store.clock.now(), isFirst);
    isFirst = false;
    return table;
  };
}
