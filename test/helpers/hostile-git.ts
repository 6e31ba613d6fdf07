import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { FLUSH, pktLine, readPackets, textOf } from '../../src/git/pkt-line.ts';
import { runBackend } from '../../src/sandbox/git-backend.ts';

export type GitCall = 'advert-fetch' | 'advert-push' | 'fetch' | 'push';

export interface Ordered {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: GitCall;
  /** Body of the request; reading it leaves nothing for Git. */
  readonly body: () => Promise<Buffer>;
  /** What real Git answers to this request, or to another body, while nothing is sent. */
  readonly ask: (body?: Buffer) => Promise<GitAnswer>;
}

export interface GitAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** True: it has answered by itself. */
export type Order = (ordered: Ordered) => boolean | Promise<boolean>;

export interface HostileGit {
  /** What it does with each request from now on; undefined: all as real Git does. */
  readonly order: (order: Order | undefined) => void;
  /** Calls since the start, oldest first. */
  readonly calls: readonly GitCall[];
}

/** Real `git http-backend` that lies, stalls and breaks on order. `protocolV2` false: it speaks only the old protocol. */
export function createHostileGit(
  rootNow: () => string,
  protocolV2: boolean,
): HostileGit & { answer: (request: IncomingMessage, response: ServerResponse) => void } {
  const calls: GitCall[] = [];
  let ordered: Order | undefined;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [call, root] = [callOf(request), rootNow()];
    calls.push(call);
    let read: Promise<Buffer> | undefined;
    const body = (): Promise<Buffer> => (read ??= bodyOf(request));
    const ask = async (other?: Buffer): Promise<GitAnswer> =>
      askGit(root, request, other ?? (await body()), protocolV2);
    if (await ordered?.({ request, response, call, body, ask })) return;
    if (read) return send(response, await ask());
    await runBackend({
      root,
      request,
      response,
      protocolV2,
      user: 'someone',
      onBytesIn: () => undefined,
      onBytesOut: () => undefined,
    });
  };
  return {
    answer: (request, response) => void handle(request, response).catch(() => response.destroy()),
    order: (next) => {
      ordered = next;
    },
    calls,
  };
}

function callOf({ method, url = '/' }: IncomingMessage): GitCall {
  const { pathname, search } = new URL(url, 'http://localhost');
  if (method !== 'POST') return search.includes('receive-pack') ? 'advert-push' : 'advert-fetch';
  return pathname.endsWith('/git-receive-pack') ? 'push' : 'fetch';
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Asks a backend of its own, over a connection that only it uses. */
async function askGit(root: string, request: IncomingMessage, body: Buffer, protocolV2: boolean): Promise<GitAnswer> {
  const inner = createServer((again, response) => {
    const nothing = (): undefined => undefined;
    const call = {
      root,
      request: again,
      response,
      protocolV2,
      user: 'someone',
      onBytesIn: nothing,
      onBytesOut: nothing,
    };
    runBackend(call).catch(() => response.destroy());
  });
  await new Promise<void>((done) => inner.listen(0, '127.0.0.1', done));
  try {
    const { method = 'GET', url = '/', headers } = request;
    const kept = ['git-protocol', 'content-type'].flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    });
    const answer = await fetch(`http://127.0.0.1:${(inner.address() as AddressInfo).port}${url}`, {
      method,
      headers: Object.fromEntries(kept) as Record<string, string>,
      ...(method === 'POST' ? { body: new Uint8Array(body) } : {}),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return {
      status: answer.status,
      headers: { 'content-type': answer.headers.get('content-type') ?? '' },
      body: bytes,
    };
  } finally {
    inner.closeAllConnections();
    inner.close();
  }
}

export function send(response: ServerResponse, { status, headers, body }: GitAnswer): void {
  response.writeHead(status, headers);
  response.end(body);
}

const answered = (response: ServerResponse, status: number, type: string, text: string, more = {}): true => {
  response.req.resume();
  response.writeHead(status, { 'content-type': type, ...more });
  response.end(text);
  return true;
};

/** Only requests of these kinds; all others are as real Git does. */
export const on =
  (calls: readonly GitCall[], order: Order): Order =>
  (ordered) =>
    calls.includes(ordered.call) && order(ordered);

export const orders = {
  status:
    (status: number, more: Readonly<Record<string, string>> = {}): Order =>
    ({ response }) =>
      answered(response, status, 'text/plain', `the proxy says ${status}`, more),
  login: ({ response }: Ordered) => answered(response, 200, 'text/html', '<html><body>Please log in</body></html>'),
  reset: ({ request }: Ordered) => (request.socket.resetAndDestroy(), true),
  silence: ({ request }: Ordered) => (request.resume(), true),
  /** Git does its work, and its answer ends after some bytes, as if all had been said (`calm`) or in a reset. */
  cut:
    (bytes: number, isCalm = false): Order =>
    async ({ response, ask }) => {
      const answer = await ask();
      response.writeHead(answer.status, answer.headers);
      if (isCalm) response.end(answer.body.subarray(0, bytes));
      else response.write(answer.body.subarray(0, bytes), () => response.socket?.resetAndDestroy());
      return true;
    },
  /** Some bytes at a time. */
  drip:
    (bytes: number, everyMs: number): Order =>
    async ({ response, ask }) => {
      const { status, headers, body } = await ask();
      response.writeHead(status, headers);
      for (let at = 0; at < body.length && !response.destroyed; at += bytes) {
        response.write(body.subarray(at, at + bytes));
        await new Promise((done) => setTimeout(done, everyMs));
      }
      response.end();
      return true;
    },
  /** What Git answers, changed. */
  changed:
    (change: (answer: GitAnswer) => GitAnswer): Order =>
    async ({ response, ask }) => {
      send(response, change(await ask()));
      return true;
    },
  /** Of a push: says that all was done, and does nothing. */
  done: async ({ response, body }: Ordered): Promise<true> => {
    const said: Buffer[] = [];
    for (const packet of readPackets(await body())) {
      if (packet.kind !== 'data') break;
      const [, , ref = ''] = textOf(packet.payload).split('\0', 1).join('').split(' ');
      said.push(pktLine(`ok ${ref}\n`));
    }
    const report = Buffer.concat([Buffer.of(1), pktLine('unpack ok\n'), ...said, FLUSH]);
    response.writeHead(200, { 'content-type': 'application/x-git-receive-pack-result' });
    response.end(Buffer.concat([pktLine(report), FLUSH]));
    return true;
  },
  zipped:
    (encoding: string): Order =>
    async ({ response, ask }) => {
      const { status, headers, body } = await ask();
      send(response, { status, headers: { ...headers, 'content-encoding': encoding }, body: gzipSync(body) });
      return true;
    },
} as const;

/** Names a tip that nobody has. */
const wrongTip: Order = async (ordered) => {
  if (ordered.call !== 'fetch' || !(await ordered.body()).includes('command=ls-refs')) return false;
  const invent = (body: Buffer): Buffer =>
    Buffer.from(
      body.toString('latin1').replaceAll(/[0-9a-f]{40}(?= refs\/heads\/)/g, '1234567890'.repeat(4)),
      'latin1',
    );
  return orders.changed((answer) => ({ ...answer, body: invent(answer.body) }))(ordered);
};

/** Each kind of harm that passes with the next request. */
export const harms: readonly (readonly [string, Order])[] = [
  ['502', orders.status(502)],
  ['503', orders.status(503, { 'retry-after': '1' })],
  ['401', orders.status(401)],
  ['404', orders.status(404)],
  ['a login page', orders.login],
  ['a reset', orders.reset],
  ['an answer that breaks off', orders.cut(150)],
  ['an answer that ends early', orders.cut(150, true)],
  ['an answer by drops', orders.drip(200, 2)],
  ['a temporary redirect to nowhere', orders.status(302, { location: 'http://127.0.0.1:9/config.git' })],
  ['zeros', ({ response }) => (response.end(Buffer.alloc(100_000)), true)],
  ['a lie about the push', on(['push'], orders.done)],
  ['a tip that nobody has', wrongTip],
];

/** Does one harm after the other, to as many of the requests as `isHarmed` says; `done` counts them by name. */
export function inTurn(isHarmed: () => boolean, done: Map<string, number>): Order {
  let next = 0;
  return async (ordered) => {
    if (!isHarmed()) return false;
    const [name, order] = harms[(next += 1) % harms.length] ?? ['', () => false];
    const isDone = await order(ordered);
    if (isDone) done.set(name, (done.get(name) ?? 0) + 1);
    return isDone;
  };
}
