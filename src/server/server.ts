import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';

/** Why the agent is not ready; empty when it is. */
export type ReadinessReport = () => readonly string[];

export interface ServerOptions {
  readonly port: number;
  /** Absent: all addresses. */
  readonly host?: string;
  readonly registry: Registry;
  /** Not ready: Git or the cluster were not reached for a while, or the first sync is not done. */
  readonly notReady: ReadinessReport;
  /** Not alive: a restart would help. */
  readonly notAlive: ReadinessReport;
  readonly log: Logger;
}

export interface RunningServer {
  readonly port: number;
  close(): Promise<void>;
}

/** `/metrics` for Prometheus, `/healthz` and `/readyz` for the kubelet. Nothing here changes anything. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { registry, notReady, notAlive, log } = options;
  const server: Server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const report = (reasons: readonly string[]): void =>
      answer(reasons.length === 0 ? 200 : 503, reasons.length === 0 ? 'OK' : `${reasons.join('\n')}\n`);
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET\n');
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/healthz') return report(notAlive());
    if (path === '/readyz') return report(notReady());
    if (path === '/metrics') {
      registry.metrics().then(
        (text) => answer(200, text, registry.contentType),
        (error: unknown) => {
          log.error({ reason: messageOf(error) }, 'metrics cannot be shown');
          answer(500, 'metrics cannot be shown\n');
        },
      );
      return undefined;
    }
    return answer(404, 'not found; try /metrics, /healthz or /readyz\n');
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  server.keepAliveTimeout = 15_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: Error) => {
      const message = `--port: cannot listen on port ${options.port}: ${cause.message}`;
      reject(new AgentError('CONFIG_INVALID', message, { cause }));
    });
    server.listen(options.port, options.host, () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  log.info({ port }, `Starting HTTP server on port ${port}`);
  return {
    port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
