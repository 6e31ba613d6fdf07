import { createServer, Agent as HttpAgent, request as plainRequest } from 'node:http';
import { Agent as HttpsAgent, request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Relay {
  readonly url: string;
  /** Requests so far; watches count when they begin. */
  count(): number;
  close(): Promise<void>;
}

export interface RelayOptions {
  /** Each part of an answer comes so much later; absent: at once. */
  readonly delayMs?: number;
  /** PEM of who vouches for an https target. Absent: those that the machine knows. */
  readonly ca?: string;
}

/** Stands between the agent and a server and passes everything on, whatever it is. */
export async function startRelay(target: string, { delayMs = 0, ca }: RelayOptions = {}): Promise<Relay> {
  let requests = 0;
  const isTls = target.startsWith('https:');
  const send = isTls ? tlsRequest : plainRequest;
  const agent = isTls ? new HttpsAgent({ keepAlive: true, ca }) : new HttpAgent({ keepAlive: true });
  // Timers of one length run in the order in which they were set.
  const later = (run: () => void): void => {
    if (delayMs > 0) setTimeout(run, delayMs);
    else run();
  };
  const server = createServer((incoming, outgoing) => {
    requests += 1;
    const { method, url = '/', headers } = incoming;
    const { host: _own, ...kept } = headers;
    const passed = send(new URL(url, target), { method, headers: kept, agent }, (answer) => {
      later(() => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
      });
      answer.on('data', (part: Buffer) => later(() => void outgoing.write(part)));
      answer.on('end', () => later(() => void outgoing.end()));
      answer.on('error', () => later(() => void outgoing.destroy()));
    });
    passed.on('error', () => later(() => void outgoing.destroy()));
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    count: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
}
