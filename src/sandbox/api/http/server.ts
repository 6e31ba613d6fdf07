import { stackOf } from '../../../lib/errors.ts';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Faults } from '../../types.ts';
import { Failure } from '../failure.ts';
import { readProtobufTable } from '../protobuf.ts';
import type { ApiStore } from '../store.ts';
import { readRequest } from './request.ts';
import type { Reply } from './request.ts';
import type { PodAccess, Routes } from './routes.ts';
import { answer } from './routes.ts';
import { upgrade } from '../streams/upgrade.ts';
import type { Watches } from './watch.ts';

export interface ApiServer {
  readonly port: number;
  readonly faults: Faults;
  /** Kinds of the watches that are open, as `v1/ConfigMap`, each as often as it is watched. */
  watches(): readonly string[];
  stop(): Promise<void>;
}

interface OrderedFailures {
  left: number;
  status: number;
  retryAfterSeconds: number | undefined;
  delayMs: number;
}

/** Serves the store over plain HTTP on loopback. */
export async function startServer(store: ApiStore, pods: PodAccess, port = 0): Promise<ApiServer> {
  const watches: Watches = { open: new Set(), frozen: false };
  const routes: Routes = { store, pods, watches, protobuf: readProtobufTable() };
  const failures: OrderedFailures = { left: 0, status: 500, retryAfterSeconds: undefined, delayMs: 0 };
  const serve = (incoming: IncomingMessage, response: ServerResponse): void => {
    void handle(routes, failures, incoming, response);
  };
  /** Of exec and port-forward; nobody else closes them. */
  const upgraded = new Set<Duplex>();
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (head.length > 0) socket.unshift(head);
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    upgrade(store, pods, request, socket);
  };
  let server = await listen(serve, onUpgrade, port);
  const bound = (server.address() as AddressInfo).port;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const one of watches.open) one.reset();
    for (const socket of upgraded) socket.destroy();
    server.closeAllConnections();
    await closed;
  };
  const up = async (): Promise<void> => {
    server = await listen(serve, onUpgrade, bound);
  };
  return {
    port: bound,
    stop: close,
    watches: () => [...watches.open].map(({ kind }) => kind),
    faults: {
      resetWatches: () => [...watches.open].forEach((one) => one.reset()),
      endWatches: () => [...watches.open].forEach((one) => one.end()),
      freezeWatches: (frozen) => {
        watches.frozen = frozen;
        for (const one of watches.open) one.freeze(frozen);
      },
      compact: () => store.objects.history.forget(store.objects.version()),
      failRequests: (count, status, retryAfterSeconds) => {
        Object.assign(failures, { left: count, status, retryAfterSeconds });
      },
      slowRequests: (delayMs) => {
        failures.delayMs = delayMs;
      },
      down: close,
      up,
      restart: async (downMs) => {
        await close();
        await sleep(downMs);
        await up();
      },
    },
  };
}

function listen(
  serve: (incoming: IncomingMessage, response: ServerResponse) => void,
  onUpgrade: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void,
  port: number,
): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, serve);
  server.on('upgrade', onUpgrade);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

async function handle(
  routes: Routes,
  failures: OrderedFailures,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const request = await readRequest(incoming);
    if (failures.delayMs > 0) await sleep(failures.delayMs);
    if (failures.left > 0) {
      failures.left -= 1;
      throw orderedFailure(failures);
    }
    const answered = answer(routes, request, response);
    if (answered) send(response, answered);
  } catch (error) {
    const failure = error instanceof Failure ? error : internal(error);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { retryAfterSeconds } = failure.details;
    const retryAfter = typeof retryAfterSeconds === 'number' ? { 'retry-after': String(retryAfterSeconds) } : {};
    send(response, { status: failure.code, body: failure.status, headers: retryAfter });
  }
}

function orderedFailure({ status, retryAfterSeconds }: OrderedFailures): Failure {
  const texts: Readonly<Record<number, readonly [string, string]>> = {
    429: ['TooManyRequests', 'too many requests, please try again later'],
    500: ['InternalError', 'an error on the server has been ordered'],
    503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  };
  const [reason, message] = texts[status] ?? ['Unknown', 'ordered'];
  const seconds = retryAfterSeconds ?? (status === 429 ? 1 : undefined);
  return new Failure(status, reason, message, seconds === undefined ? {} : { retryAfterSeconds: seconds });
}

function internal(error: unknown): Failure {
  const text = stackOf(error);
  return new Failure(500, 'InternalError', `Internal error occurred: ${text}`);
}

function send(response: ServerResponse, { status, body, headers, contentType }: Reply): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, {
    'content-type': contentType ?? 'application/json',
    'cache-control': 'no-cache, private',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
