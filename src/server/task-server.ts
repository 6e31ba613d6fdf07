import type { Registry } from 'prom-client';
import { bodyLimit } from 'hono/body-limit';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { answer, createApp, createLimitedServer, listen, listenerOf, type RunningServer } from './listen.ts';

/** Who answers, e.g. a load tester. */
interface TaskProgram {
  handle(request: {
    /** Without the query. */
    readonly path: string;
    readonly body: string;
    /** Aborts when the caller has gone. */
    readonly signal: AbortSignal;
  }): TaskReply | Promise<TaskReply>;
}

interface TaskReply {
  readonly status: number;
  /** Text, or an object that is sent as JSON. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TaskServerOptions {
  readonly port: number;
  /** Absent: all addresses. */
  readonly host?: string;
  readonly program: TaskProgram;
  readonly registry: Registry;
  /** The longest that a caller may wait for an answer. */
  readonly answerMs: number;
  readonly log: Logger;
}

const maxBytes = 65_536;

/** Any method and any path, as Flagger's load tester answers them, and `/metrics` for Prometheus. */
export async function startTaskServer(options: TaskServerOptions): Promise<RunningServer> {
  const { port, host, program, registry, answerMs, log } = options;
  const app = createApp((error) => {
    log.error({ reason: messageOf(error) }, 'a request could not be answered');
    return answer(500, 'a request could not be answered');
  });
  app.get('/metrics', async () => answer(200, await registry.metrics(), registry.contentType));
  const bounded = bodyLimit({
    maxSize: maxBytes,
    onError: () => answer(413, `the payload is longer than ${maxBytes}`),
  });
  app.all('*', bounded, async ({ req }) => {
    const { status, body, headers } = await program.handle({
      path: req.path,
      body: await req.text(),
      signal: req.raw.signal,
    });
    const isText = typeof body === 'string';
    const response = answer(
      status,
      isText ? body : JSON.stringify(body),
      isText ? undefined : 'application/json; charset=utf-8',
    );
    for (const [name, value] of Object.entries(headers ?? {})) response.headers.set(name, value);
    return response;
  });
  const server = createLimitedServer(listenerOf(app), { answerMs });
  return listen(server, { port, ...(host === undefined ? {} : { host }), setting: '--port', log });
}
