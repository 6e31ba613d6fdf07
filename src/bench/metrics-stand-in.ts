import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MetricsStandIn {
  readonly url: string;
  /** Queries so far. */
  count(): number;
  close(): Promise<void>;
}

/** Answers every query as if all went well: 100 % successes, 0.1 s. */
export async function startMetricsStandIn(): Promise<MetricsStandIn> {
  let queries = 0;
  const server = createServer((incoming, outgoing) => {
    queries += 1;
    incoming.resume();
    const value = decodeURIComponent(incoming.url ?? '').includes('histogram_quantile') ? '0.1' : '100';
    const result = [{ metric: {}, value: [Math.floor(Date.now() / 1_000), value] }];
    outgoing.writeHead(200, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    count: () => queries,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
