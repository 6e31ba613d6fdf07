import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { AgentError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';

export interface RunningServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly port: number;
  /** Absent: every address. */
  readonly host?: string;
  /** The setting that the port comes from, for messages. */
  readonly setting: string;
  readonly log: Logger;
}

/**
 * A server with limits against slow callers. How long headers and a whole request may take is looked at each second; Node's own default
 * is half a minute, whatever the limits are.
 */
export function createLimitedServer(answer: RequestListener, limits: Partial<CallerLimits> = {}): Server {
  const { headersMs, requestMs, answerMs, connectionsOfOne } = { ...callerLimits, ...limits };
  const server = createServer(
    {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: 15_000,
      connectionsCheckingInterval: Math.min(1_000, headersMs),
      maxHeaderSize: 16_384,
    },
    (request, response) => {
      // Whoever takes an answer byte by byte makes us keep the rest of it.
      const ms = typeof answerMs === 'number' ? answerMs : answerMs(request);
      const timer = setTimeout(() => request.socket.destroy(), ms).unref();
      response.once('close', () => clearTimeout(timer));
      answer(request, response);
    },
  );
  server.maxConnections = callerLimits.connections;
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    const caller = socket.remoteAddress ?? '';
    const count = (open.get(caller) ?? 0) + 1;
    open.set(caller, count);
    socket.once('close', () => {
      const left = (open.get(caller) ?? 1) - 1;
      if (left > 0) open.set(caller, left);
      else open.delete(caller);
    });
    // One that opens very many must not keep the kubelet out.
    if (count > connectionsOfOne) socket.destroy();
  });
  return server;
}

export interface CallerLimits {
  /** From the connection, or the end of the request before, to the last header. */
  readonly headersMs: number;
  /** Likewise to the last byte of the body. */
  readonly requestMs: number;
  /** From the headers to the last byte of the answer; a function where some answers are streams. */
  readonly answerMs: number | ((request: IncomingMessage) => number);
  readonly connections: number;
  /** From one address. */
  readonly connectionsOfOne: number;
}

export const callerLimits = {
  headersMs: 5_000,
  requestMs: 10_000,
  answerMs: 60_000,
  connections: 1_024,
  connectionsOfOne: 64,
} as const satisfies CallerLimits;

/** An app that says `failed` where an answer could not be made. Without it hono writes the error to the console, which is not ours. */
export function createApp(failed: (error: Error, path: string) => Response): Hono {
  const app = new Hono();
  app.onError((error, { req }) => failed(error, req.path));
  return app;
}

/** What an app answers, for a server of Node's. Callers that name no host, as those of HTTP/1.0, are answered, too. */
export const listenerOf = (app: { readonly fetch: Parameters<typeof getRequestListener>[0] }): RequestListener =>
  // Everybody else's Request and Response stay those of Node.
  getRequestListener(app.fetch, { hostname: 'localhost', overrideGlobalObjects: false });

/** One answer. Nothing of ours is kept by caches. */
export const answer = (status: number, body: string, type = 'text/plain; charset=utf-8'): Response =>
  new Response(body, { status, headers: { 'content-type': type, 'cache-control': 'no-store' } });

/** Opens a server. Throws CONFIG_INVALID that names the setting. */
export async function listen(server: Server, { port, host, setting, log }: ListenOptions): Promise<RunningServer> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error): void => {
      const message = `${setting}: cannot listen on port ${port}: ${cause.message}`;
      reject(new AgentError('CONFIG_INVALID', message, { cause }));
    };
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve();
    });
  });
  // A connection that cannot be taken (no file handles are left) ends itself, and must not end the agent.
  server.on('error', ({ message }: Error) => log.error({ setting, reason: message }, 'a connection cannot be taken'));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
