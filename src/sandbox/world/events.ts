import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { messageOf } from '../../lib/errors.ts';
import type { StoredObject } from '../types.ts';
import { type Objects, timestamp } from './objects.ts';

export interface Happening {
  readonly type?: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** Part of the object, such as `spec.containers{app}`. */
  readonly fieldPath?: string;
}

/** Writes Kubernetes events; repeats of the same event raise its count. */
export type Recorder = (object: StoredObject, happening: Happening) => void;

export interface RecorderOptions {
  readonly objects: Objects;
  readonly clock: Clock;
  /** Ends the names of events: never the same, and growing, because lists go by name. */
  readonly stamp: () => string;
  /** Shown by kubectl under "From". */
  readonly component: string;
  readonly node?: string;
  readonly log?: Logger;
}

const maxRemembered = 2_000;

export function createRecorder({ objects, clock, stamp, component, node, log }: RecorderOptions): Recorder {
  const remembered = new Map<string, string>();

  const write = (object: StoredObject, { type = 'Normal', reason, message, fieldPath }: Happening): void => {
    const { namespace = 'default', name, uid, resourceVersion } = object.metadata;
    const now = timestamp(clock.now());
    const key = [uid, type, reason, message, fieldPath].join('\n');
    const known = remembered.get(key);
    const old = known === undefined ? undefined : objects.get('Event', namespace, known);
    if (old) {
      objects.change<'Event'>(old, (event) => {
        event['count'] = Number(event['count'] ?? 1) + 1;
        event['lastTimestamp'] = now;
      });
      return;
    }
    const eventName = `${name}.${stamp()}`;
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(key, eventName);
    objects.create('Event', {
      metadata: { name: eventName, namespace },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        ...(object.metadata.namespace === undefined ? {} : { namespace }),
        name,
        uid,
        resourceVersion,
        ...(fieldPath === undefined ? {} : { fieldPath }),
      },
      type,
      reason,
      message,
      source: node === undefined ? { component } : { component, host: node },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      eventTime: null,
      reportingComponent: component,
      reportingInstance: node ?? '',
    });
  };
  return (object, happening) => {
    try {
      write(object, happening);
    } catch (error) {
      // A namespace that is going away takes no more events; the work itself goes on.
      log?.debug({ reason: happening.reason, cause: messageOf(error) }, 'sandbox event could not be written');
    }
  };
}

/** Nanoseconds since the epoch in hexadecimal, as a real cluster names its events. */
export function createStamp(clock: Clock): () => string {
  let last = 0n;
  return () => {
    const now = BigInt(Math.floor(clock.now())) * 1_000_000n;
    last = now > last ? now : last + 1n;
    return last.toString(16);
  };
}
