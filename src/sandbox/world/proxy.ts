import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Address } from '../types.ts';

export interface ProxyOptions {
  /** Where a name of the cluster leads, e.g. `World.resolve`. */
  readonly resolve: (host: string, port: number) => Address | undefined;
  /** Names that the cluster does not know, as `prometheus.monitoring:9090`; asked first. */
  readonly extra?: ReadonlyMap<string, Address>;
  /** 0 or absent: any free port. */
  readonly port?: number;
}

export interface Proxy {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const loopback = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/;

/** An HTTP forward proxy on loopback: absolute-form requests and CONNECT tunnels, both into the embedded cluster only. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => forward(options, incoming, outgoing));
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('connect', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    tunnel(options, incoming, socket, head);
  });
  await listen(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}

function find({ resolve, extra }: ProxyOptions, host: string, port: number): Address | undefined {
  const known = extra?.get(`${host}:${port}`) ?? resolve(host, port);
  return known ?? (loopback.test(host) ? { host: host.replace(/[[\]]/g, ''), port } : undefined);
}

function nowhere(host: string, port: number): string {
  return `no ready pod of the embedded cluster answers as ${host}:${port}\n`;
}

const hopByHop = ['connection', 'proxy-connection', 'proxy-authorization', 'keep-alive', 'te', 'trailer', 'upgrade'];

function forward(options: ProxyOptions, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const target = URL.canParse(incoming.url ?? '') ? new URL(incoming.url ?? '') : undefined;
  if (target?.protocol !== 'http:') {
    outgoing.writeHead(400, { 'content-type': 'text/plain' });
    outgoing.end('this is a proxy: it wants absolute http:// addresses or CONNECT\n');
    return;
  }
  const port = Number(target.port || '80');
  const fail = (message: string): void => {
    if (!outgoing.headersSent) outgoing.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' });
    outgoing.end(message);
  };
  const address = find(options, target.hostname, port);
  if (!address) return fail(nowhere(target.hostname, port));
  const headers = { ...incoming.headers };
  for (const name of hopByHop) delete headers[name];
  const path = `${target.pathname}${target.search}`;
  const sending = request({ ...address, method: incoming.method, path, headers }, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(outgoing);
    response.once('error', () => outgoing.destroy());
  });
  sending.once('error', (error) => fail(`${target.hostname}:${port} does not answer: ${error.message}\n`));
  outgoing.once('close', () => sending.destroy());
  incoming.pipe(sending);
}

function tunnel(options: ProxyOptions, incoming: IncomingMessage, client: Socket, head: Buffer): void {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(incoming.url ?? '') ?? [];
  const address = find(options, host, Number(port));
  const refuse = (message: string): void => {
    const head = `HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close`;
    client.end(`${head}\r\ncontent-length: ${Buffer.byteLength(message)}\r\n\r\n${message}`);
  };
  client.on('error', () => client.destroy());
  if (!address) return refuse(nowhere(host, Number(port)));
  const server = connect(address.port, address.host);
  let open = false;
  server.once('connect', () => {
    open = true;
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    if (head.length > 0) server.write(head);
    server.pipe(client);
    client.pipe(server);
  });
  server.on('error', (error) => {
    if (open) client.destroy();
    else refuse(`${host}:${port} does not answer: ${error.message}\n`);
  });
  server.once('close', () => client.end());
  client.once('close', () => server.destroy());
}
