import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createHostileGit, type HostileGit } from './hostile-git.ts';

/** What must reach nobody: it stands in whatever is answered. */
export const strangersWord = 'topsecret';

/** Ways in which a metrics server, a webhook receiver or a receiver of alerts does harm. */
export const orders = [
  'stalls',
  'stalls halfway',
  'answers a huge body',
  'answers a gzip bomb',
  'answers single bytes',
  'drips',
  'sends headers without an end',
  'resets',
  'shows a login page',
  'answers broken JSON',
  'answers NaN',
  'answers what it was sent',
  'is busy',
  'redirects to itself',
  'redirects to another server',
] as const;
export type OrderName = (typeof orders)[number];

const path = (order: string): string => order.replaceAll(' ', '-');

export interface HostileServer {
  /** For somebody who asks it to behave so: base of a metrics server, a webhook, an alert receiver. */
  urlOf(order: OrderName | 'behaves'): string;
  /** False: whoever asks is answered well. */
  isHostile: boolean;
  /** How often it was asked, by order, while it was hostile. */
  readonly asked: ReadonlyMap<string, number>;
  /** Who came by a redirect that is not to be followed. */
  readonly strays: readonly string[];
}

/** What `order` says is for Git. */
export interface HostileHost extends HostileGit {
  /** Base of the repositories' URLs. */
  readonly url: string;
  /** Folder with the bare repositories. */
  repositories: string;
  /** GET is a question to Prometheus, POST a webhook or an alert. What it does is told by the first part of the path. */
  readonly web: HostileServer;
  stop(): Promise<void>;
}

/**
 * One double of all servers that others run: a Git server, a metrics server, a receiver of webhooks and of alerts; each does harm on order.
 * Plain HTTP on one port of loopback.
 */
export async function startHostileHost(
  repositories = '',
  { protocolV2 = true }: { readonly protocolV2?: boolean } = {},
): Promise<HostileHost> {
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  const asked = new Map<string, number>();
  const strays: string[] = [];
  const git = createHostileGit(() => host.repositories, protocolV2);
  const other = await listening(
    whole((request, response) => {
      strays.push(`${request.method} ${JSON.stringify(request.headers)}`);
      response.end(strangersWord);
    }),
    sockets,
  );
  const serve = whole((request, response) => {
    const name = orders.find((order) => request.url?.startsWith(`/${path(order)}/`));
    if (!web.isHostile || name === undefined) return behave(request, response);
    asked.set(name, (asked.get(name) ?? 0) + 1);
    doHarm(name, request, response, { timers, elsewhere: other.url });
  });
  const front = await listening(
    (request, response) => (/^\/[^/]+\.git\//.test(request.url ?? '') ? git.answer : serve)(request, response),
    sockets,
  );
  const web: HostileServer = {
    urlOf: (order) => `${front.url}/${path(order)}/${strangersWord}`,
    isHostile: false,
    asked,
    strays,
  };
  const host: HostileHost = {
    repositories,
    url: front.url,
    order: git.order,
    calls: git.calls,
    web,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      await Promise.all([front.close(), other.close()]);
    },
  };
  return host;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers when all has been said. */
const whole =
  (answer: Answer): Answer =>
  (request, response) => {
    request.resume();
    request.once('end', () => answer(request, response));
  };

async function listening(answer: Answer, sockets: Set<Socket>): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    answer(request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => new Promise((done) => server.close(() => done())) };
}

const answerOf = (value: string): string =>
  JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [0, value] } });

function behave({ method }: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(method === 'GET' ? answerOf('1') : '');
}

const word = `${strangersWord} \u001B[31m\u202E\u2028Verdict: promoted `;
let bomb: Buffer | undefined;
/** 64 MiB of nothing but the word, packed twice: a few hundred bytes. Made once. */
const gzipBomb = (): Buffer => (bomb ??= gzipSync(gzipSync(Buffer.alloc(64 * 1024 * 1024, strangersWord))));

function doHarm(
  order: OrderName,
  request: IncomingMessage,
  response: ServerResponse,
  { timers, elsewhere }: { readonly timers: Set<NodeJS.Timeout>; readonly elsewhere: string },
): void {
  // A webhook is refused only by its status.
  const status = request.method === 'GET' ? 200 : 500;
  const json = { 'content-type': 'application/json' };
  const repeatedly = (write: () => void, ms: number): void => {
    const timer = setInterval(write, ms);
    timers.add(timer);
    response.once('close', () => {
      clearInterval(timer);
      timers.delete(timer);
    });
  };
  switch (order) {
    case 'stalls':
      return;
    case 'stalls halfway':
      response.writeHead(status, json).write('{"status":"success","data":{"resultType":"scalar",');
      return;
    case 'answers a huge body': {
      response.writeHead(status, json);
      const chunk = Buffer.alloc(1_048_576, word);
      let left = 512;
      const more = (): void => {
        while (left > 0 && response.write(chunk)) left -= 1;
        if (left > 0) {
          left -= 1;
          response.once('drain', more);
        } else response.end();
      };
      return more();
    }
    case 'answers a gzip bomb':
      response.writeHead(status, { ...json, 'content-encoding': 'gzip, gzip' }).end(gzipBomb());
      return;
    case 'answers single bytes': {
      response.writeHead(status, { ...json, 'transfer-encoding': 'chunked' });
      // As chunks of one byte each, by the hundred thousand.
      response.socket?.write('1\r\nx\r\n'.repeat(400_000));
      return;
    }
    case 'drips':
      response.writeHead(status, json);
      return repeatedly(() => response.write('{'), 50);
    case 'sends headers without an end':
      request.socket.write('HTTP/1.1 200 OK\r\n');
      return repeatedly(() => request.socket.write(`x-${randomBytes(4).toString('hex')}: ${'y'.repeat(1_000)}\r\n`), 5);
    case 'resets':
      request.socket.resetAndDestroy();
      return;
    case 'shows a login page':
      response.writeHead(request.method === 'GET' ? 200 : 403, { 'content-type': 'text/html' });
      response.end(`<!doctype html><title>Sign in</title>${word}`);
      return;
    case 'answers broken JSON':
      response.writeHead(status, json).end(`{"status":"error","error":"${word}`);
      return;
    case 'answers NaN':
      response.writeHead(status, json).end(answerOf('NaN'));
      return;
    case 'answers what it was sent':
      response.writeHead(request.method === 'GET' ? 401 : 400, json);
      response.end(JSON.stringify({ status: 'error', errorType: word, error: JSON.stringify(request.headers) + word }));
      return;
    case 'is busy':
      response.writeHead(429, { 'retry-after': '999999' }).end(word);
      return;
    case 'redirects to itself':
      response.writeHead(307, { location: request.url ?? '/' }).end();
      return;
    case 'redirects to another server':
      response.writeHead(307, { location: `${elsewhere}/latest/meta-data/` }).end();
  }
}
