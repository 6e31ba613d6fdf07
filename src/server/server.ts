import type { Registry } from 'prom-client';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { plainLine } from '../lib/plain-text.ts';
import { answer, createApp, createLimitedServer, listen, listenerOf, type RunningServer } from './listen.ts';

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
  const report = (reasons: readonly string[], remarks: readonly string[] = []): Response => {
    if (reasons.length > 0) return answer(503, `${[...reasons, ...remarks].map(plainLine).join('\n')}\n`);
    return answer(200, remarks.length === 0 ? 'OK' : `OK\n${remarks.map(plainLine).join('\n')}\n`);
  };
  const app = createApp((error, path) => {
    const what = path === '/metrics' ? 'metrics cannot be shown' : 'a request could not be answered';
    log.error({ reason: messageOf(error) }, what);
    return answer(500, `${what}\n`);
  });
  app.use(async ({ req }, next) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return answer(405, 'only GET\n');
    await next();
    return undefined;
  });
  app.get('/healthz', () => report(notAlive()));
  app.get('/readyz', () => report(notReady(), notes()));
  app.get('/metrics', async () => answer(200, await registry.metrics(), registry.contentType));
  app.notFound(() => answer(404, 'not found; try /metrics, /healthz or /readyz\n'));
  const server = createLimitedServer(listenerOf(app));
  const running = await listen(server, {
    port: options.port,
    ...(options.host === undefined ? {} : { host: options.host }),
    setting: '--port',
    log,
  });
  log.info({ port: running.port }, `Starting HTTP server on port ${running.port}`);
  return running;
}
