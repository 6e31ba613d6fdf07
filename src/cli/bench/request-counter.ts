import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RequestCounter {
  readonly url: string;
  /** Requests so far; watches count when they begin. */
  count(): number;
  close(): Promise<void>;
}

/** Stands between the agent and a server and passes everything on. */
export async function startRequestCounter(target: string): Promise<RequestCounter> {
  let requests = 0;
  const server = createServer((incoming, outgoing) => {
    requests += 1;
    const { method, url = '/', headers } = incoming;
    const passed = request(new URL(url, target), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
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
    count: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
