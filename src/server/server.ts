import type { Registry } from 'prom-client';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { plainLine } from '../lib/plain-text.ts';
import { createLimitedServer, listen, type RunningServer } from './listen.ts';

export type { RunningServer };

/** Why the agent is not ready; empty when it is. */
type ReadinessReport = () => readonly string[];

export interface ServerOptions {
  readonly port: number;
  /** Absent: all addresses. */
  readonly host?: string;
  readonly registry: Registry;
  /** Not ready: Git or the cluster were not reached for a while, or the first sync is not done. */
  readonly notReady: ReadinessReport;
  /** What a person should know although it is ready; follows the OK. */
  readonly notes: ReadinessReport;
  /** Not alive: a restart would help. */
  readonly notAlive: ReadinessReport;
  readonly log: Logger;
}

/** `/metrics` for Prometheus, `/healthz` and `/readyz` for the kubelet. Nothing here changes anything. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { registry, notReady, notes, notAlive, log } = options;
  const server = createLimitedServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const report = (reasons: readonly string[], remarks: readonly string[] = []): void => {
      if (reasons.length > 0) return answer(503, `${[...reasons, ...remarks].map(plainLine).join('\n')}\n`);
      return answer(200, remarks.length === 0 ? 'OK' : `OK\n${remarks.map(plainLine).join('\n')}\n`);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET\n');
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/healthz') return report(notAlive());
    if (path === '/readyz') return report(notReady(), notes());
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
  const running = await listen(server, {
    port: options.port,
    ...(options.host === undefined ? {} : { host: options.host }),
    setting: '--port',
    log,
  });
  log.info({ port: running.port }, `Starting HTTP server on port ${running.port}`);
  return running;
}
