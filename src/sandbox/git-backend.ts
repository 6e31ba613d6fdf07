import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { hermeticEnvironment, runGit } from './git-command.ts';
import { spawn } from './spawn.ts';

interface BackendCall {
  readonly root: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly protocolV2: boolean;
  readonly user: string;
  /** True: what is pushed survives a crash of the machine, and is packed anew by and by, as with a server of its own. */
  readonly isDurable?: boolean;
  readonly cutAfterBytes?: number;
  /** Absent: the answer is sent. Git has finished in all three cases before the end is seen. */
  readonly answer?: 'reset' | 'hang';
  onBytesIn(count: number): void;
  onBytesOut(count: number): void;
}

let backendPath: Promise<string> | undefined;

/** The program itself: by way of `git` each call would cost a process more. */
const findBackend = (): Promise<string> =>
  (backendPath ??= runGit(['--exec-path']).then((path) => join(path.trim(), 'git-http-backend')));

/** What a crash of the machine destroys, nobody misses; nor does anybody need it in a smaller form. */
const passing: readonly (readonly [string, string])[] = [
  ['core.fsync', 'none'],
  ['receive.autogc', 'false'],
];

/** One CGI call of `git http-backend`, both bodies streamed. */
export async function runBackend(call: BackendCall): Promise<void> {
  const { request, response } = call;
  const url = new URL(request.url ?? '/', 'http://localhost');
  const header = (name: string): string => String(request.headers[name] ?? '');
  const settings = call.isDurable ? [] : passing;
  const variables: Record<string, string> = {
    GIT_PROJECT_ROOT: call.root,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: decodeURIComponent(url.pathname),
    QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method ?? 'GET',
    CONTENT_TYPE: header('content-type'),
    HTTP_CONTENT_ENCODING: header('content-encoding'),
    REMOTE_USER: call.user,
    REMOTE_ADDR: '127.0.0.1',
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(settings.map(([name], index) => [`GIT_CONFIG_KEY_${index}`, name])),
    ...Object.fromEntries(settings.map(([, value], index) => [`GIT_CONFIG_VALUE_${index}`, value])),
    ...(request.headers['content-length'] ? { CONTENT_LENGTH: header('content-length') } : {}),
    ...(call.protocolV2 && header('git-protocol') ? { GIT_PROTOCOL: header('git-protocol') } : {}),
  };
  const backend = spawn(await findBackend(), [], {
    env: hermeticEnvironment(variables),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  // An early exit of git closes its stdin; what it said is in its output.
  pipeline(request, backend.stdin, () => undefined);
  request.on('data', (chunk: Buffer) => call.onBytesIn(chunk.length));
  return new Promise((done, fail) => {
    let head: Buffer | undefined = Buffer.alloc(0);
    let sent = 0;
    backend.on('error', fail);
    response.on('close', () => backend.kill());
    const send = (chunk: Buffer): void => {
      if (call.answer || response.destroyed) return;
      const room = (call.cutAfterBytes ?? Number.POSITIVE_INFINITY) - sent;
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
      sent += part.length;
      call.onBytesOut(part.length);
      const cut = part.length < chunk.length;
      const flowing = response.write(part, () => {
        if (cut) response.socket?.resetAndDestroy();
      });
      if (!flowing && !cut) {
        backend.stdout.pause();
        response.once('drain', () => backend.stdout.resume());
      }
    };
    backend.stdout.on('data', (chunk: Buffer) => {
      if (!head) return send(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const body = head.subarray(end + 4);
      if (!call.answer) writeHead(response, head.toString('latin1', 0, end));
      head = undefined;
      if (body.length > 0) send(body);
    });
    backend.on('close', () => {
      if (call.answer === 'reset') response.socket?.resetAndDestroy();
      else if (call.answer === undefined && !response.destroyed) {
        if (head) response.writeHead(500);
        response.end();
      }
      done();
    });
  });
}

function writeHead(response: ServerResponse, head: string): void {
  const headers: Record<string, string> = {};
  let status = 200;
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else headers[name] = value;
  }
  response.writeHead(status, headers);
}
