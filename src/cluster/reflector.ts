import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { retryAfterMs } from '../lib/http/retry-after.ts';
import { openStream } from '../lib/http/stream.ts';
import type { Logger } from '../lib/log.ts';
import { createTurns } from '../lib/turns.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Watch, WatchSink } from './cache.ts';
import type { KindRef, ListOptions, Resource } from './cluster.ts';
import type { Connection } from './connection.ts';
import { countedAs } from './counted-as.ts';
import type { Page } from './pages.ts';
import { causeOf, type OnRequest } from './request.ts';

export interface ReflectorDeps {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Logger;
  readonly resource: (kind: KindRef, signal: AbortSignal) => Promise<Resource | undefined>;
  /** The server answered 404 although the kind was known. */
  readonly forget: (kind: KindRef) => void;
  readonly pathOf: (resource: Resource, namespace: string | undefined) => string;
  /** All objects at the path, page by page. `most`: no more than so many; absent: all. */
  readonly pages: (path: string, asked: AskedList, signal: AbortSignal) => AsyncIterable<Page>;
  /** Reads a line of a watch; what it gives may have been read by others before. */
  readonly parse: (line: string) => unknown;
  readonly onRequest?: OnRequest;
}

interface AskedList {
  readonly kind: KindRef;
  readonly selectors: Readonly<Record<string, string>>;
  readonly most?: number | undefined;
}

interface WatchLine {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject & { code?: number; message?: string };
}

class Expired extends Error {}

/** A watch is tried again after this time, whatever the server asks for. */
const longestPauseMs = 30_000;

class Busy extends Error {
  readonly status: number;
  readonly waitMs: number;
  constructor(status: number, waitMs: number) {
    super(`the watch was answered with ${status}`);
    this.status = status;
    this.waitMs = waitMs;
  }
}

/** Of the answer that an error tells of. Undefined: there was none. */
const statusOf = (error: unknown): unknown =>
  error instanceof Busy ? error.status : error instanceof AgentError ? error.details['status'] : undefined;
/** A list whose later pages the server has forgotten. */
const isExpired = (error: unknown): boolean => error instanceof AgentError && error.details['status'] === 410;

/** Reading one takes a turn of its own: an object may be as large as a cluster stores. */
const longLine = 64 * 1024;
/** Real servers send a bookmark about once a minute; two missed ones mean that the stream is dead. */
const silenceMs = 150_000;
/** It is noticed this exactly. */
const silenceParts = 3;

/** A watch that held so long was a good one: what ends it then is no reason to wait long. */
const steadyMs = 5_000;

/** List, then watch, for ever: no reset, 410, 429 or restart ends it, only the signal. */
export function startReflector(
  deps: ReflectorDeps,
  kind: KindRef,
  options: ListOptions,
  sink: WatchSink,
  signal: AbortSignal,
): Watch {
  const { clock, log } = deps;
  let resourceVersion: string | undefined;
  let lastContactMs = 0;
  let trouble: string | undefined;
  let isForbidden = false;
  /** Somebody has come who has not got what is there. */
  let isListWanted = false;
  let interrupt: () => void = () => undefined;

  const turns = createTurns();
  const selectors = new URLSearchParams();
  if (options.labelSelector) selectors.set('labelSelector', options.labelSelector);
  if (options.fieldSelector) selectors.set('fieldSelector', options.fieldSelector);

  const relist = async (path: string): Promise<void> => {
    isListWanted = false;
    sink.listing();
    try {
      await listAll(path);
    } catch (error) {
      // It broke off: whoever came for it has nothing yet.
      isListWanted = true;
      throw error;
    }
  };
  const listAll = async (path: string): Promise<void> => {
    const seen = new Map<string, Set<string>>();
    let version = '';
    for await (const page of deps.pages(path, { kind, selectors: Object.fromEntries(selectors) }, signal)) {
      for (const item of page.items) {
        const { namespace = '', name } = item.metadata;
        seen.set(namespace, (seen.get(namespace) ?? new Set()).add(name));
        sink.put(item);
        await turns.breathe();
        signal.throwIfAborted();
      }
      version = page.resourceVersion;
    }
    // Not before the last page: a list that broke off must be made again.
    resourceVersion = version;
    lastContactMs = clock.now();
    trouble = undefined;
    sink.listed((namespace, name) => seen.get(namespace)?.has(name) === true);
  };

  const handle = (line: WatchLine): void => {
    if (line.type === 'ERROR') {
      if (line.object.code === 410 || line.object.code === 504) throw new Expired(line.object.message ?? 'expired');
      throw new Error(line.object.message ?? 'the watch reported an error');
    }
    resourceVersion = line.object.metadata.resourceVersion ?? resourceVersion;
    if (line.type === 'BOOKMARK') return;
    if (line.type === 'DELETED') sink.drop(line.object);
    else sink.put(line.object);
  };

  const watchOnce = async (path: string): Promise<void> => {
    const query = new URLSearchParams(selectors);
    query.set('watch', '1');
    query.set('allowWatchBookmarks', 'true');
    query.set('resourceVersion', resourceVersion ?? '');
    query.set('timeoutSeconds', String(300 + Math.floor(Math.random() * 300)));
    const stop = new AbortController();
    let isInterrupted = false;
    interrupt = () => {
      isInterrupted = true;
      stop.abort(new Error('somebody else reads this watch, too: listing again'));
    };
    const credentials = await deps.connection.credentials();
    if (stop.signal.aborted) return;
    let silentParts = 0;
    let cancelSilence: () => void = () => undefined;
    /** One timer for many lines. It counts, and compares no times: the clock may be set back meanwhile. */
    const watchSilence = (): void => {
      cancelSilence = clock.after(silenceMs / silenceParts, () => {
        silentParts += 1;
        // The first part may have begun with a line.
        if (silentParts > silenceParts) stop.abort(new Error('the watch fell silent'));
        else watchSilence();
      });
    };
    watchSilence();
    try {
      const target = `${path}?${query.toString()}`;
      deps.onRequest?.(countedAs({ method: 'GET', path: target }));
      const response = await openStream(
        credentials.watches,
        `${deps.connection.server}${target}`,
        { ...credentials.headers, accept: 'application/json', 'user-agent': 'serin' },
        AbortSignal.any([signal, stop.signal]),
      );
      if (response.status !== 200) {
        await response.drop();
        if (response.status === 401) deps.connection.renew(credentials);
        if (response.status === 404) deps.forget(kind);
        if (response.status === 410 || response.status === 404) throw new Expired(String(response.status));
        throw new Busy(
          response.status,
          Math.min(retryAfterMs(response.headers['retry-after'], undefined) ?? 0, longestPauseMs),
        );
      }
      trouble = undefined;
      lastContactMs = clock.now();
      const decoder = new TextDecoder();
      /** Of a line that has not come to its end. */
      let rest = '';
      for await (const chunk of response.body) {
        silentParts = 0;
        lastContactMs = clock.now();
        const read = decoder.decode(chunk, { stream: true });
        let from = 0;
        for (let end = read.indexOf('\n'); end >= 0; end = read.indexOf('\n', from)) {
          const text = rest + read.slice(from, end);
          rest = '';
          from = end + 1;
          if (text.trim() === '') continue;
          const line = deps.parse(text) as WatchLine;
          if (text.length > longLine) await turns.breathe();
          signal.throwIfAborted();
          handle(line);
          await turns.breathe();
        }
        rest += read.slice(from);
      }
    } catch (error) {
      if (!isInterrupted || signal.aborted) throw error;
    } finally {
      cancelSilence();
      interrupt = () => undefined;
    }
  };

  /** Ends early where somebody comes who reads, too. */
  const pause = async (ms: number): Promise<void> => {
    const woken = new AbortController();
    interrupt = () => woken.abort(new Error('somebody else reads this watch'));
    await clock.sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => undefined);
    interrupt = () => undefined;
  };

  const run = async (): Promise<void> => {
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = clock.now();
      let waitMs = 0;
      try {
        const resource = await deps.resource(kind, signal);
        if (!resource) {
          // Not served (yet): an empty view is the truth, and it may appear at any moment.
          isListWanted = false;
          resourceVersion = undefined;
          trouble = `the cluster does not serve ${kind.kind} (${kind.apiVersion})`;
          sink.listing();
          sink.listed(() => false);
          await pause(Math.min(1_000 * 2 ** Math.min(failures, 4), 15_000));
          failures += 1;
          continue;
        }
        const path = deps.pathOf(resource, options.namespace);
        if (resourceVersion === undefined || isListWanted) await relist(path);
        if (isListWanted) continue;
        await watchOnce(path);
        // It ended for a reader who came: that is no failure.
        if (isListWanted) continue;
        failures = clock.now() - startedMs > steadyMs ? 0 : failures + 1;
        // A clean end is normal, a hot loop of clean ends is not.
        waitMs = failures === 0 ? 0 : backoffMs(failures - 1, { baseMs: 50, capMs: 5_000 }, Math.random());
      } catch (error) {
        if (signal.aborted) return;
        failures = clock.now() - startedMs > steadyMs ? 1 : failures + 1;
        waitMs = backoffMs(failures - 1, { baseMs: 100, capMs: 15_000 }, Math.random());
        if (error instanceof Expired || isExpired(error)) {
          resourceVersion = undefined;
          waitMs = failures > 1 ? waitMs : 0;
          log.debug({ kind: kind.kind }, 'the watch is too old, listing again');
        } else {
          trouble = causeOf(error);
          isForbidden = statusOf(error) === 403;
          if (error instanceof Busy) waitMs = Math.max(waitMs, error.waitMs);
          const level = failures > 3 ? 'warn' : 'debug';
          log[level]({ kind: kind.kind, reason: trouble, retryInMs: waitMs }, 'the watch was interrupted');
        }
      }
      if (waitMs > 0) await pause(waitMs);
    }
  };
  run().catch((error: unknown) => {
    if (!signal.aborted) log.error({ kind: kind.kind, error: messageOf(error) }, 'a watch ended');
  });

  return {
    get lastContactMs() {
      return lastContactMs;
    },
    get trouble() {
      return trouble;
    },
    get isForbidden() {
      return trouble !== undefined && isForbidden;
    },
    relist() {
      isListWanted = true;
      interrupt();
    },
  };
}
