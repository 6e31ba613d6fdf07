import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Whether somebody may write at a path. `user`: in whose name it is asked; undefined: the agent's own. */
export type MayWrite = (user: string | undefined, path: string) => boolean;

export interface Guard {
  readonly url: string;
  close(): Promise<void>;
}

/** What of a real API server's RBAC matters here: it stands before one that lets everybody do everything, and refuses writes as told. */
export async function startGuard(apiUrl: string, mayWrite: MayWrite): Promise<Guard> {
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const path = url.replace(/\?.*$/, '');
    const user = headers['impersonate-user'] as string | undefined;
    if (method !== 'GET' && !mayWrite(user, path)) {
      const message = `${path} is forbidden: User "${user ?? 'serin'}" cannot patch it`;
      const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403, message };
      outgoing.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(status));
      incoming.resume();
      return;
    }
    const passed = ask(new URL(url, apiUrl), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
