import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { AppReply, AppRequest } from './images/image.ts';

export interface PodServer {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Lets open requests end, for at most `graceMs` of real time. */
  readonly close: (graceMs: number) => Promise<void>;
}

export interface ServeOptions {
  readonly clock: Clock;
  readonly handle: (request: AppRequest) => AppReply | Promise<AppReply>;
  /** `durationMs`: what the program took, told delays in the clock's time, the rest (`workMs`) in real time. */
  readonly answered: (request: AppRequest, reply: AppReply, durationMs: number, workMs: number) => void;
}

const maxBodyBytes = 1_000_000;

/** One pod's HTTP server on a free loopback port. */
export async function servePod(options: ServeOptions): Promise<PodServer> {
  const closing = new AbortController();
  const server = createServer((incoming, outgoing) => {
    void answer(options, incoming, outgoing, closing.signal);
  });
  // Clients keep connections; a pod must not be the one that ends them between two requests.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: (graceMs) =>
      new Promise((resolve) => {
        closing.abort();
        const force = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(force);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

async function answer(
  { clock, handle, answered }: ServeOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const startedMs = performance.now();
  try {
    const request = await readRequest(incoming);
    const reply = await handle(request);
    const workMs = performance.now() - startedMs;
    if (reply.delayMs) await clock.sleep(reply.delayMs, gone(outgoing));
    const text = typeof reply.body === 'string';
    const body = text ? String(reply.body) : `${JSON.stringify(reply.body)}\n`;
    const type = text ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8';
    outgoing.writeHead(reply.status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      // Proxies measure real time; a told delay is in the clock's time, so it is told to them.
      ...(reply.delayMs ? { 'server-timing': `app;dur=${workMs + reply.delayMs}` } : {}),
      ...reply.headers,
      ...(closing.aborted ? { connection: 'close' } : {}),
    });
    outgoing.end(request.method === 'HEAD' ? undefined : body);
    answered(request, reply, workMs + (reply.delayMs ?? 0), workMs);
  } catch (error) {
    if (outgoing.destroyed) return;
    if (!outgoing.headersSent) outgoing.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' });
    outgoing.end(`${messageOf(error)}\n`);
  }
}

function gone(outgoing: ServerResponse): AbortSignal {
  const left = new AbortController();
  outgoing.once('close', () => left.abort(new Error('the client has gone')));
  return left.signal;
}

async function readRequest(incoming: IncomingMessage): Promise<AppRequest> {
  const { method = 'GET', url = '/', headers } = incoming;
  const path = url.replace(/[?#].*$/s, '') || '/';
  // Without one of these a request has no body, and to wait for its end costs as much as to answer it.
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return { method, path, headers, body: hasBody ? await readBody(incoming) : '' };
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Error('request body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
