import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { Failure, badRequest, noSuchPage, notFound } from '../failure.ts';
import type { PodAccess } from '../http/routes.ts';
import { findTarget } from '../http/target.ts';
import type { ApiStore } from '../store.ts';
import { subjectOf } from '../writer.ts';
import { containerOf } from './container.ts';
import { type ExecRequest, execOverSpdy, execOverWebSocket } from './exec.ts';
import { portForward } from './port-forward.ts';
import { openSpdy, type SpdyStream } from './spdy.ts';
import { acceptKey, openWebSocket, type WebSocketConnection } from './websocket.ts';

const tunnel = 'SPDY/3.1+portforward.k8s.io';

/** Takes over a connection for `exec` or `portforward`, by SPDY/3.1 or WebSocket; refuses with a Status. */
export function upgrade(store: ApiStore, pods: PodAccess, request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  try {
    begin(store, pods, request, socket);
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure(500, 'InternalError', String(error));
    const body = JSON.stringify(failure.status);
    const head = `HTTP/1.1 ${failure.code} ${STATUS_CODES[failure.code] ?? ''}\r\ncontent-type: application/json\r\n`;
    socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
  }
}

function begin(store: ApiStore, pods: PodAccess, request: IncomingMessage, socket: Duplex): void {
  const url = new URL(request.url ?? '/', 'http://cluster');
  const target = findTarget(decodeURIComponent(url.pathname), store.registry);
  if (target?.resource.storage !== '/pods' || target.name === undefined) throw noSuchPage();
  const { namespace = '', name, resource, subresource } = target;
  const stored = store.objects.get(resource.storage, namespace, name);
  if (!stored) throw notFound(subjectOf(resource, name));
  const inside = pods(namespace, name);
  const offered = offers(request, 'sec-websocket-protocol');
  const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
  const gone = new AbortController();
  socket.on('close', () => gone.abort(new Error('the client has gone')));
  if (subresource === 'portforward') {
    if (!inside) throw badRequest(`unable to forward port because pod is not running. Current status=Pending`);
    const onStream = portForward(inside);
    if (!isWebSocket) return overSpdy(socket, 'portforward.k8s.io', onStream);
    if (!offered.includes(tunnel)) throw badRequest(`only ${tunnel} is served`);
    return overTunnel(request, socket, onStream);
  }
  if (subresource !== 'exec') throw noSuchPage();
  const exec = execRequest(url.searchParams, (asked) => containerOf(stored, asked));
  if (!inside?.usage().some(({ container }) => container === exec.container))
    throw new Failure(500, 'InternalError', `container not found ("${exec.container}")`);
  if (!isWebSocket) {
    // The client closes when it has read the end of all streams.
    return overSpdy(
      socket,
      'v4.channel.k8s.io',
      execOverSpdy(inside, exec, gone.signal, () => undefined),
    );
  }
  const protocol = ['v5.channel.k8s.io', 'v4.channel.k8s.io'].find((one) => offered.includes(one));
  if (protocol === undefined) throw badRequest('only v5.channel.k8s.io and v4.channel.k8s.io are served');
  const session = execOverWebSocket(inside, exec, () => connection, gone.signal);
  const connection: WebSocketConnection = webSocket(request, socket, protocol, session.onMessage, session.closed);
  session.begin();
  return undefined;
}

function execRequest(query: URLSearchParams, containerFor: (asked: string) => string): ExecRequest {
  const is = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  const command = query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least 1 command for the container');
  const container = containerFor(query.get('container') ?? '');
  return { container, command, stdin: is('stdin'), stdout: is('stdout'), stderr: is('stderr'), tty: is('tty') };
}

const offers = ({ headers }: IncomingMessage, name: string): readonly string[] =>
  String(headers[name] ?? '')
    .split(',')
    .map((one) => one.trim());

function overSpdy(socket: Duplex, protocol: string, onStream: (stream: SpdyStream) => void): void {
  const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n';
  socket.write(`${head}X-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
  const spdy = openSpdy(
    (bytes) => {
      if (socket.writable) socket.write(bytes);
    },
    onStream,
    () => socket.destroy(),
  );
  socket.on('data', (bytes: Buffer) => spdy.receive(bytes));
  socket.on('close', () => spdy.close());
}

/** SPDY in the messages of a WebSocket. */
function overTunnel(request: IncomingMessage, socket: Duplex, onStream: (stream: SpdyStream) => void): void {
  const connection: WebSocketConnection = webSocket(
    request,
    socket,
    tunnel,
    (bytes) => spdy.receive(bytes),
    () => socket.end(),
  );
  const spdy = openSpdy(
    (bytes) => connection.send(bytes),
    onStream,
    () => socket.destroy(),
  );
  socket.on('close', () => spdy.close());
}

function webSocket(
  request: IncomingMessage,
  socket: Duplex,
  protocol: string,
  onMessage: (bytes: Buffer) => void,
  onClose: () => void,
): WebSocketConnection {
  const key = acceptKey(request.headers['sec-websocket-key'] ?? '');
  const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  socket.write(`${head}Sec-WebSocket-Accept: ${key}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`);
  const connection = openWebSocket(
    (bytes) => {
      if (socket.writable) socket.write(bytes);
    },
    onMessage,
    () => {
      onClose();
      socket.end();
    },
  );
  socket.on('data', (bytes: Buffer) => connection.receive(bytes));
  socket.on('close', onClose);
  return connection;
}
