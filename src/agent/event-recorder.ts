import type { CanaryEvent } from '../canary/types.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { fnv1a, sha256Hex } from '../lib/hash.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
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

const backlogLimit = 10_000;
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
  readonly atMs: number;
}

interface Lane {
  readonly queue: Recorded[];
  working: Promise<void> | undefined;
}

/**
 * Kubernetes events as Flagger writes them (reason `Synced`, source component), in order. The same text within an hour raises
 * the count of the first; different texts are never folded into `(combined from similar events)`.
 */
export function createEventRecorder(
  {
    cluster,
    clock,
    log,
    component,
    onDropped,
  }: { cluster: Cluster; clock: Clock; log: Logger; component: string; onDropped: () => void },
  signal: AbortSignal,
): EventRecorder {
  const lanes = Array.from({ length: laneCount }, (): Lane => ({ queue: [], working: undefined }));
  const written = new Map<string, Written>();
  const laneOf = ({ metadata }: KubeObject): Lane | undefined => {
    const place = `${metadata.namespace ?? ''}/${metadata.name}`;
    return lanes[fnv1a(place) % laneCount];
  };

  const write = async (about: Subject, event: CanaryEvent, atMs: number): Promise<void> => {
    const { namespace } = about;
    const key = `${about.uid ?? about.name}|${event.type}|${event.message}`;
    const at = `${new Date(atMs).toISOString().slice(0, 19)}Z`;
    const known = written.get(key);
    if (known && atMs - known.atMs < sameEventMs) {
      try {
        const ref = { apiVersion: 'v1', kind: 'Event', namespace, name: known.name };
        await cluster.mergePatch(ref, { count: known.count + 1, lastTimestamp: at }, { manager: component }, signal);
        written.set(key, { ...known, count: known.count + 1, atMs });
        return;
      } catch (error) {
        // The server forgets events after an hour: tell it as new.
        log.debug({ reason: messageOf(error) }, 'an event is gone, it is written anew');
      }
    }
    const name = `${about.name}.${sha256Hex(`${key}|${atMs}`).slice(0, 16)}`;
    await cluster.create(
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: { ...about },
        reason: 'Synced',
        message: event.message.slice(0, 1024),
        type: event.type,
        source: { component },
        firstTimestamp: at,
        lastTimestamp: at,
        count: 1,
      },
      { manager: component, unread: true },
      signal,
    );
    if (written.size >= rememberLimit) written.delete(written.keys().next().value ?? '');
    written.set(key, { name, count: 1, atMs });
  };

  const work = async (lane: Lane): Promise<void> => {
    for (let next = lane.queue.shift(); next && !signal.aborted; next = lane.queue.shift()) {
      try {
        await write(next.about, next.event, next.atMs);
      } catch (error) {
        if (!signal.aborted) {
          onDropped();
          log.warn({ reason: messageOf(error) }, 'a Kubernetes event could not be written');
        }
      }
    }
    lane.working = undefined;
  };

  return {
    record(about, event) {
      const lane = laneOf(about);
      const backlog = lanes.reduce((sum, { queue }) => sum + queue.length, 0);
      if (!lane || backlog >= backlogLimit) return onDropped();
      lane.queue.push({ about: subjectOf(about), event, atMs: clock.now() });
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

function subjectOf({ apiVersion, kind, metadata }: KubeObject): Subject {
  const { name, namespace = 'default', uid, resourceVersion } = metadata;
  return { apiVersion, kind, name, namespace, uid, resourceVersion };
}
