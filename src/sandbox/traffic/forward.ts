import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  request as open,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream';
import type { Address } from '../types.ts';
import { edited, passedOn } from './headers.ts';
import type { Edits } from './route.ts';

export interface Forwarding {
  readonly agent: Agent;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly edits: Edits;
  /** Where to go, and where next when nobody answers there. Asked before each try. */
  readonly nextAddress: () => Address | undefined;
  /** Aborted when the rule's timeout is over; absent: it has none. */
  readonly timeout?: AbortSignal | undefined;
}

/** How the exchange ended; the headers are the upstream's, empty when the gateway answered by itself. */
export interface Outcome {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
}

const MAX_TRIES = 3;
/** nginx's code for clients that do not wait for the answer. */
const CLIENT_CLOSED = 499;

/** Passes the request on and the answer back, both as streams; resolves when the last byte is out. */
export async function forward(forwarding: Forwarding): Promise<Outcome> {
  const { incoming, outgoing, edits, timeout } = forwarding;
  const repeatable = !hasBody(incoming);
  for (let attempt = 1; ; attempt += 1) {
    const address = forwarding.nextAddress();
    if (!address) return answerPlainly(outgoing, 503, 'no available server\n');
    try {
      const upstream = await exchange(forwarding, address);
      const headers = edited(passedOn(upstream.headers), edits.response);
      outgoing.writeHead(upstream.statusCode ?? 502, headers);
      const complete = await passBody(upstream, outgoing);
      return { status: complete ? (upstream.statusCode ?? 502) : CLIENT_CLOSED, headers: upstream.headers };
    } catch {
      if (outgoing.destroyed) return { status: CLIENT_CLOSED, headers: {} };
      if (timeout?.aborted) return answerPlainly(outgoing, 504, 'upstream request timeout\n');
      // A pod that has just gone closes kept connections; nothing has been done there.
      if (!repeatable || attempt >= MAX_TRIES) return answerPlainly(outgoing, 502, 'Bad Gateway\n');
    }
  }
}

function exchange(forwarding: Forwarding, { host, port }: Address): Promise<IncomingMessage> {
  const { agent, incoming, outgoing, edits, timeout } = forwarding;
  return new Promise((resolve, reject) => {
    const request = open({ ...target(incoming, edits), host, port, agent, ...(timeout && { signal: timeout }) });
    const abandon = (): void => void request.destroy();
    outgoing.once('close', abandon);
    request.on('error', reject);
    request.once('error', () => outgoing.off('close', abandon));
    request.once('response', (response) => {
      // From here on the body's pipeline watches over both ends.
      outgoing.off('close', abandon);
      resolve(response);
    });
    sendBody(incoming, request);
  });
}

function target(incoming: IncomingMessage, edits: Edits): RequestOptions {
  const headers = passedOn(incoming.headers);
  const client = incoming.socket.remoteAddress ?? '127.0.0.1';
  const before = incoming.headers['x-forwarded-for'];
  headers['x-forwarded-for'] = before === undefined ? client : `${String(before)}, ${client}`;
  headers['x-forwarded-host'] ??= incoming.headers.host;
  headers['x-forwarded-proto'] ??= 'http';
  if (edits.host !== undefined) headers.host = edits.host;
  const [path = '/', query] = (incoming.url ?? '/').split(/\?(.*)/s);
  return {
    method: incoming.method ?? 'GET',
    path: query === undefined ? (edits.path ?? path) : `${edits.path ?? path}?${query}`,
    headers: edited(headers, edits.request),
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function sendBody(incoming: IncomingMessage, request: ClientRequest): void {
  if (hasBody(incoming)) pipeline(incoming, request, () => undefined);
  else request.end();
}

/** True when all of it is out. `pipeline` would do the same, but what it sets up and ends costs more than a small exchange. */
function passBody(upstream: IncomingMessage, outgoing: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    upstream.on('data', (chunk: Buffer) => {
      if (!outgoing.write(chunk)) upstream.pause();
    });
    outgoing.on('drain', () => upstream.resume());
    upstream.once('end', () => outgoing.end());
    upstream.once('error', () => outgoing.destroy());
    upstream.once('close', () => {
      if (!upstream.readableEnded) outgoing.destroy();
    });
    outgoing.once('finish', () => resolve(true));
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) upstream.destroy();
      resolve(outgoing.writableFinished);
    });
  });
}

export function answerPlainly(outgoing: ServerResponse, status: number, body: string): Outcome {
  if (!outgoing.headersSent) {
    outgoing.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    });
  }
  outgoing.end(body);
  return { status, headers: {} };
}

/** Sends a copy of the request; nobody waits for the answer. */
export function mirror(incoming: IncomingMessage, agent: Agent, edits: Edits, { host, port }: Address): void {
  const request = open({ ...target(incoming, edits), host, port, agent });
  request.on('error', () => undefined);
  request.on('response', (response) => response.resume());
  if (!hasBody(incoming)) {
    request.end();
    return;
  }
  incoming.on('data', (chunk: Buffer) => request.write(chunk));
  incoming.once('end', () => request.end());
  incoming.once('error', () => request.destroy());
}
