import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import { type AppKey, partsOf } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';
import type { FleetModel } from '../model/model.ts';
import { liveApp, liveRow } from '../pages/live.tsx';
import { UiError } from '../page.ts';
import type { Viewer } from '../viewer.ts';

/** What changes, as server-sent events: the same for all who look, so that it is made once. */
export interface Live {
  /**
   * `app` undefined: all apps that the viewer may read. `again`: who he is by now; undefined ends the stream. Throws UiError where too many look.
   */
  stream(app: AppKey | undefined, viewer: Viewer, again: () => Promise<Viewer | undefined>): Response;
  /** Open streams. */
  readonly count: number;
  close(): void;
}

/** Changes wait for so long for others. */
const gatherMs = 1_000;
const beatMs = 15_000;
const rightsEveryMs = 60_000;
/** Then the browser asks for another one. */
const longestMs = 900_000;
const mostStreams = 500;
/** A browser that has not taken so much gets nothing more until it has. */
const heldBytes = 262_144;

interface Stream {
  readonly app: AppKey | undefined;
  viewer: Viewer;
  readonly again: () => Promise<Viewer | undefined>;
  /** Apps that changed since it was last told. */
  readonly changed: Set<AppKey>;
  readonly beganAtMs: number;
  sentAtMs: number;
  askedAtMs: number;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
}

export interface LiveParts {
  readonly model: FleetModel;
  readonly href: (path: string) => string;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'error'>;
}

export function createLive({ model, href, clock, log }: LiveParts): Live {
  const streams = new Set<Stream>();
  const bytes = new TextEncoder();
  let cancel: (() => void) | undefined;
  let isClosed = false;

  const unsubscribe = model.subscribe((app, isOfRow) => {
    for (const one of streams) if (one.app === undefined ? isOfRow : one.app === app) one.changed.add(app);
  });
  const end = (one: Stream): void => {
    streams.delete(one);
    try {
      one.controller.close();
    } catch {
      // The browser has closed it already.
    }
  };
  const send = (one: Stream, text: string): void => {
    one.sentAtMs = clock.elapsed();
    one.controller.enqueue(bytes.encode(text));
  };
  const madeOnce = (make: (app: AppKey) => unknown): ((app: AppKey) => string | undefined) => {
    const made = new Map<AppKey, string | undefined>();
    return (app) => {
      if (!made.has(app)) {
        try {
          made.set(app, JSON.stringify(make(app)));
        } catch (error) {
          // One app's fault is that app's.
          log.error({ reason: messageOf(error) }, 'what has changed of an app cannot be shown');
          made.set(app, undefined);
        }
      }
      return made.get(app);
    };
  };
  const tick = (): void => {
    const nowMs = clock.elapsed();
    const shown = { href, nowMs: clock.now() };
    const row = madeOnce((app) => liveRow(model, app, shown));
    const whole = madeOnce((app) => liveApp(model, app, shown));
    for (const one of streams) {
      try {
        // What has changed waits, each app once.
        if ((one.controller.desiredSize ?? 0) <= 0) {
          if (nowMs - one.sentAtMs > 4 * beatMs) end(one);
          continue;
        }
        const apps = [...one.changed].filter((app) => one.viewer.may('read', partsOf(app).namespace));
        one.changed.clear();
        if (one.app === undefined) {
          const rows = apps.map(row).filter((text) => text !== undefined);
          if (rows.length > 0) send(one, `event: fleet\ndata: [${rows.join(',')}]\n\n`);
        } else {
          const text = apps.length > 0 ? whole(one.app) : undefined;
          if (text !== undefined) send(one, `event: app\ndata: ${text}\n\n`);
        }
        if (nowMs - one.sentAtMs >= beatMs) send(one, ': still there\n\n');
      } catch {
        // The browser has gone.
        end(one);
      }
      if (nowMs - one.beganAtMs > longestMs) end(one);
      else if (nowMs - one.askedAtMs > rightsEveryMs) askAgain(one, nowMs);
    }
    wake();
  };
  const askAgain = (one: Stream, nowMs: number): void => {
    one.askedAtMs = nowMs;
    one.again().then(
      (viewer) => {
        if (viewer) one.viewer = viewer;
        else end(one);
      },
      () => end(one),
    );
  };
  const wake = (): void => {
    cancel = streams.size === 0 || isClosed ? undefined : clock.after(gatherMs, tick);
  };

  return {
    get count() {
      return streams.size;
    },
    stream(app, viewer, again) {
      if (streams.size >= mostStreams) throw new UiError(503, 'Too many look at the dashboard just now.');
      let own: Stream | undefined;
      const body = new ReadableStream<Uint8Array>(
        {
          start(controller) {
            const nowMs = clock.elapsed();
            own = {
              app,
              viewer,
              again,
              changed: new Set(app === undefined ? [] : [app]),
              beganAtMs: nowMs,
              sentAtMs: nowMs,
              askedAtMs: nowMs,
              controller,
            };
            streams.add(own);
            send(own, 'retry: 2000\n\n');
          },
          cancel() {
            if (own) streams.delete(own);
          },
        },
        { highWaterMark: heldBytes, size: (chunk) => chunk?.byteLength ?? 0 },
      );
      if (!cancel) wake();
      return new Response(body, {
        headers: {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-store',
          // Proxies of NGINX would gather it.
          'x-accel-buffering': 'no',
        },
      });
    },
    close() {
      isClosed = true;
      cancel?.();
      unsubscribe();
      for (const one of streams) end(one);
    },
  };
}
