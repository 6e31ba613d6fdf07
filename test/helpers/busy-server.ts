import { createServer, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a request that came was, in the order in which it was let in. */
export interface Served {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** By `performance.now()`. */
  readonly cameMs: number;
  readonly answeredMs: number;
}

export interface BusyServer {
  readonly url: string;
  readonly served: readonly Served[];
  /** How it answers from now on: so many requests at once, each after so long; more than `room` are refused. Watches are let through. */
  be(load: BusyLoad): void;
  close(): Promise<void>;
}

export interface BusyLoad {
  readonly atOnce: number;
  readonly workMs: number;
  /** How many may be worked on or wait; absent: any number. */
  readonly room?: number;
  readonly retryAfterSeconds?: number;
}

/** A server in front of another one, which has less to work with than it is asked for. */
export async function startBusyServer(target: string, first: BusyLoad): Promise<BusyServer> {
  let load = first;
  let working = 0;
  const queue: (() => void)[] = [];
  const served: Served[] = [];
  const next = (): void => {
    while (working < load.atOnce) {
      const begin = queue.shift();
      if (!begin) return;
      working += 1;
      begin();
    }
  };
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const cameMs = performance.now();
    const note = (status: number): void => {
      served.push({ method, path: url, status, cameMs, answeredMs: performance.now() });
    };
    const pass = (onEnd: () => void): void => {
      const passed = sendRequest(new URL(url, target), { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
        answer.on('close', () => {
          note(answer.statusCode ?? 502);
          onEnd();
        });
      });
      passed.on('error', () => {
        outgoing.destroy();
        onEnd();
      });
      outgoing.on('close', () => passed.destroy());
      incoming.pipe(passed);
    };
    if (/[?&]watch=1/.test(url)) return pass(() => undefined);
    if (load.room !== undefined && working + queue.length >= load.room) {
      incoming.resume();
      note(429);
      outgoing.writeHead(429, {
        'retry-after': String(load.retryAfterSeconds ?? 1),
        'content-type': 'application/json',
      });
      return void outgoing.end(
        JSON.stringify({ kind: 'Status', status: 'Failure', code: 429, reason: 'TooManyRequests' }),
      );
    }
    queue.push(() => {
      setTimeout(() => {
        pass(() => {
          working -= 1;
          next();
        });
      }, load.workMs);
    });
    next();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    served,
    be(wanted) {
      load = wanted;
      next();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
