import type { CanaryEvent } from '../canary/types.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { fnv1a, sha256Hex } from '../lib/hash.ts';
import { messageOf } from '../lib/errors.ts';
import { namespacedName } from '../lib/key.ts';
import type { Logger } from '../lib/log.ts';
import { plainLine } from '../lib/plain-text.ts';
import type { KubeObject } from '../manifest/types.ts';

export interface EventRecorder {
  /** Never waits and never throws: an event that cannot be written is counted, the rollout goes on. */
  record(about: KubeObject, event: CanaryEvent): void;
  /** Waits until what was recorded is written, at most `ms`. */
  drain(ms: number): Promise<void>;
}

interface Written {
  readonly name: string;
  readonly count: number;
  readonly atMs: number;
}

/** Texts that may wait to be written; with one more the oldest is given up. */
const backlogLimit = 10_000;
const toldAgainMs = 600_000;
const sameEventMs = 3_600_000;
const rememberLimit = 5_000;
/** Events of one object are written in order; those of different ones side by side. */
const laneCount = 4;

/** As it stands in events. Not the object itself: a thousand releases at once have a backlog that would keep as many versions of Canaries. */
interface Subject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
}

interface Recorded {
  readonly about: Subject;
  readonly event: CanaryEvent;
  readonly firstMs: number;
  readonly lastMs: number;
  /** How often it was recorded while it waited. */
  readonly count: number;
}

interface Lane {
  /** By subject and text, oldest first. */
  readonly waiting: Map<string, Recorded>;
  working: Promise<void> | undefined;
}

/**
 * Kubernetes events as Flagger writes them (reason `Synced`, source component), in order. The same text within an hour raises
 * the count of the first; different texts are never folded into `(combined from similar events)`. Nothing waits for them: the API server
 * gets them after all else, and what is said again meanwhile is counted and written once.
 */
export function createEventRecorder(
  {
    cluster,
    clock,
    log,
    component,
    onDropped,
  }: {
    cluster: Cluster;
    clock: Clock;
    log: Logger;
    component: string;
    /** So many records will not be written. */
    onDropped: (count: number) => void;
  },
  signal: AbortSignal,
): EventRecorder {
  const lanes = Array.from({ length: laneCount }, (): Lane => ({ waiting: new Map(), working: undefined }));
  const written = new Map<string, Written>();
  const laneOf = ({ metadata }: KubeObject): Lane | undefined => {
    const place = namespacedName(metadata);
    return lanes[fnv1a(place) % laneCount];
  };

  let toldMs: number | undefined;

  const write = async (key: string, { about, event, firstMs, lastMs, count }: Recorded): Promise<void> => {
    const { namespace } = about;
    const at = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
    const known = written.get(key);
    if (known && firstMs - known.atMs < sameEventMs) {
      try {
        const ref = { apiVersion: 'v1', kind: 'Event', namespace, name: known.name };
        const sum = known.count + count;
        await cluster.mergePatch(ref, { count: sum, lastTimestamp: at(lastMs) }, { manager: component }, signal);
        written.set(key, { ...known, count: sum, atMs: lastMs });
        return;
      } catch (error) {
        // The server forgets events after an hour: tell it as new.
        log.debug({ reason: messageOf(error) }, 'an event is gone, it is written anew');
      }
    }
    const name = `${about.name}.${sha256Hex(`${key}|${firstMs}`).slice(0, 16)}`;
    await cluster.create(
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: { ...about },
        reason: 'Synced',
        message: plainLine(plainLine(event.message).slice(0, 1024)),
        type: event.type,
        source: { component },
        firstTimestamp: at(firstMs),
        lastTimestamp: at(lastMs),
        count,
      },
      { manager: component, unread: true },
      signal,
    );
    if (written.size >= rememberLimit) written.delete(written.keys().next().value ?? '');
    written.set(key, { name, count, atMs: lastMs });
  };

  const work = async (lane: Lane): Promise<void> => {
    for (let next = oldestOf(lane); next && !signal.aborted; next = oldestOf(lane)) {
      const [key, recorded] = next;
      lane.waiting.delete(key);
      try {
        await write(key, recorded);
      } catch (error) {
        if (!signal.aborted) {
          onDropped(recorded.count);
          log.warn({ reason: messageOf(error) }, 'a Kubernetes event could not be written');
        }
      }
    }
    lane.working = undefined;
  };

  const makeRoom = (): void => {
    if (lanes.reduce((sum, { waiting }) => sum + waiting.size, 0) < backlogLimit) return;
    const firsts = lanes.flatMap((lane) => {
      const first = oldestOf(lane);
      return first ? [{ lane, key: first[0], recorded: first[1] }] : [];
    });
    const [oldest] = firsts.toSorted((a, b) => a.recorded.firstMs - b.recorded.firstMs);
    if (!oldest) return;
    oldest.lane.waiting.delete(oldest.key);
    onDropped(oldest.recorded.count);
    if (toldMs !== undefined && clock.now() - toldMs < toldAgainMs) return;
    toldMs = clock.now();
    log.warn({}, 'the API server is too slow: the oldest Kubernetes events are dropped');
  };

  return {
    record(about, event) {
      const lane = laneOf(about);
      if (!lane) return;
      const subject = subjectOf(about);
      const key = `${subject.uid ?? subject.name}|${event.type}|${event.message}`;
      const nowMs = clock.now();
      const same = lane.waiting.get(key);
      if (!same) makeRoom();
      lane.waiting.set(
        key,
        same
          ? { ...same, lastMs: nowMs, count: same.count + 1 }
          : { about: subject, event, firstMs: nowMs, lastMs: nowMs, count: 1 },
      );
      lane.working ??= work(lane);
    },
    async drain(ms) {
      const stop = new AbortController();
      const all = Promise.all(lanes.map(({ working }) => working ?? Promise.resolve()));
      await Promise.race([all, clock.sleep(ms, stop.signal).catch(() => undefined)]);
      stop.abort(new Error('drained'));
    },
  };
}

const oldestOf = ({ waiting }: Lane): [string, Recorded] | undefined => waiting.entries().next().value;

function subjectOf({ apiVersion, kind, metadata }: KubeObject): Subject {
  const { name, namespace = 'default', uid, resourceVersion } = metadata;
  return { apiVersion, kind, name, namespace, uid, resourceVersion };
}
