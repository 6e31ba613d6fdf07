import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { runBackend } from './git-backend.ts';
import { commitWithGit } from './git-command.ts';

/** What the server does wrong, on order. Times count matching requests; absent means until `clear`. */
export type GitFault =
  | { readonly kind: 'status'; readonly status: number; readonly body?: string; readonly location?: string }
  | { readonly kind: 'hang' }
  /** The response ends in a reset after that many body bytes. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** Git does its work, the connection is reset instead of the answer. */
  | { readonly kind: 'drop-response' }
  /** Git does its work, the answer never comes. */
  | { readonly kind: 'hang-response' }
  | { readonly kind: 'slow'; readonly delayMs: number };

interface GitFaultScope {
  /** `push` is the POST to git-receive-pack, `fetch` the POST to git-upload-pack, `advert` the GET of info/refs. */
  readonly only?: 'push' | 'fetch' | 'advert';
  readonly times?: number;
}

interface GitServerFaults {
  inject(fault: GitFault, scope?: GitFaultScope): void;
  clear(): void;
  /** Closes the listener and every connection: connection refused until `up`, which takes the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Runs once, after the next push request has arrived and before Git sees it. */
  beforePush(run: () => Promise<void>): void;
}

interface GitRequestRecord {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Body bytes only. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface GitServerOptions {
  /** Folder of the bare repositories; made when absent. */
  readonly root: string;
  /** 0 or absent: any free port. */
  readonly port?: number;
  readonly auth?: { readonly username: string; readonly password: string };
  readonly readOnly?: boolean;
  /** False: the server speaks only the old protocol, like hosts that ignore the Git-Protocol header. */
  readonly protocolV2?: boolean;
  /** True: pushes are written as a real server writes them, through to the disk. For measurements. */
  readonly isDurable?: boolean;
}

export interface GitServer {
  readonly url: string;
  readonly faults: GitServerFaults;
  repoUrl(name: string): string;
  repoPath(name: string): string;
  /** A bare repository with one commit of `files`; without files it stays empty. Gives its path. */
  createRepo(
    name: string,
    options?: { readonly files?: Readonly<Record<string, string>>; readonly branch?: string },
  ): Promise<string>;
  /** Finished requests since the last call, oldest first, the last 1,000 at most. */
  takeRequests(): readonly GitRequestRecord[];
  stop(): Promise<void>;
}

type ArmedFault = { readonly fault: GitFault; readonly scope: GitFaultScope; left: number };

/** A real `git http-backend` behind node:http on loopback: for the demo and for tests. */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const root = resolve(options.root);
  await mkdir(root, { recursive: true });
  const sockets = new Set<Socket>();
  const records: GitRequestRecord[] = [];
  let armed: ArmedFault[] = [];
  let beforePush: (() => Promise<void>) | undefined;

  const faultFor = (kind: 'push' | 'fetch' | 'advert'): GitFault | undefined => {
    const found = armed.find(({ scope, left }) => left > 0 && (scope.only ?? kind) === kind);
    if (found) found.left -= 1;
    return found?.fault;
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const kind = kindOf(request.method, url.pathname);
    const record = {
      method: request.method ?? 'GET',
      path: url.pathname + url.search,
      status: 0,
      bytesIn: 0,
      bytesOut: 0,
    };
    response.on('close', () => {
      records.push({ ...record, status: response.headersSent ? response.statusCode : 0 });
      if (records.length > 1000) records.shift();
    });
    const fault = faultFor(kind);
    if (fault?.kind === 'slow') await new Promise((done) => setTimeout(done, fault.delayMs));
    if (fault?.kind === 'status') return refuse(request, response, fault.status, fault.body ?? '', fault.location);
    if (fault?.kind === 'hang') return void request.resume();
    if (!isAllowed(request, options.auth)) return refuse(request, response, 401, 'credentials are needed');
    if (options.readOnly && (kind === 'push' || url.search.includes('git-receive-pack'))) {
      return refuse(request, response, 403, 'this server is read-only');
    }
    if (kind === 'push' && beforePush) {
      const run = beforePush;
      beforePush = undefined;
      await run();
    }
    await runBackend({
      root,
      request,
      response,
      protocolV2: options.protocolV2 !== false,
      isDurable: options.isDurable === true,
      user: options.auth?.username ?? 'anonymous',
      ...(fault?.kind === 'cut' ? { cutAfterBytes: fault.afterBytes } : {}),
      ...(fault?.kind === 'drop-response'
        ? { answer: 'reset' }
        : fault?.kind === 'hang-response'
          ? { answer: 'hang' }
          : {}),
      onBytesIn: (count) => (record.bytesIn += count),
      onBytesOut: (count) => (record.bytesOut += count),
    });
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(request, response, 500, String(error));
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const port = await listen(server, options.port ?? 0);
  const url = `http://127.0.0.1:${port}`;
  const close = (): Promise<void> =>
    new Promise((done) => {
      server.close(() => done());
      for (const socket of sockets) socket.destroy();
    });

  return {
    url,
    repoUrl: (name) => `${url}/${name}.git`,
    repoPath: (name) => join(root, `${name}.git`),
    createRepo: async (name, { files, branch = 'main' } = {}) => {
      const path = join(root, `${name}.git`);
      await initBare(path, branch);
      if (files) await commitWithGit(path, { files, branch, message: 'initial commit' });
      return path;
    },
    takeRequests: () => records.splice(0),
    stop: async () => {
      if (server.listening) await close();
    },
    faults: {
      inject: (fault, scope = {}) => armed.push({ fault, scope, left: scope.times ?? Number.POSITIVE_INFINITY }),
      clear: () => {
        armed = [];
        beforePush = undefined;
      },
      down: close,
      up: async () => void (await listen(server, port)),
      beforePush: (run) => {
        beforePush = run;
      },
    },
  };
}

/** As `git init --bare`, without two processes and a dozen examples of hooks. */
async function initBare(path: string, branch: string): Promise<void> {
  if (existsSync(join(path, 'HEAD'))) return;
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags', 'hooks'])
    await mkdir(join(path, folder), { recursive: true });
  await writeFile(join(path, 'HEAD'), `ref: refs/heads/${branch}\n`);
  await writeFile(
    join(path, 'config'),
    '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n[http]\n\treceivepack = true\n',
  );
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', fail);
      done((server.address() as AddressInfo).port);
    });
  });
}

function kindOf(method: string | undefined, path: string): 'push' | 'fetch' | 'advert' {
  if (method !== 'POST') return 'advert';
  return path.endsWith('/git-receive-pack') ? 'push' : 'fetch';
}

function isAllowed(request: IncomingMessage, auth: GitServerOptions['auth']): boolean {
  if (!auth) return true;
  const wanted = Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  return request.headers.authorization === `Basic ${wanted}`;
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  location?: string,
): void {
  request.resume();
  response.writeHead(status, {
    'content-type': 'text/plain',
    ...(status === 401 ? { 'www-authenticate': 'Basic realm="git"' } : {}),
    ...(location === undefined ? {} : { location }),
  });
  response.end(text);
}
