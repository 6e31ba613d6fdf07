import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';

export interface RunningServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly port: number;
  /** Absent: every address. */
  readonly host?: string;
  /** The setting that the port comes from, for messages. */
  readonly setting: string;
  readonly log: Logger;
}

/** Opens a server with limits against slow callers. Throws CONFIG_INVALID that names the setting. */
export async function listen(server: Server, { port, host, setting, log }: ListenOptions): Promise<RunningServer> {
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  server.keepAliveTimeout = 15_000;
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error): void => {
      const message = `${setting}: cannot listen on port ${port}: ${cause.message}`;
      reject(new AgentError('CONFIG_INVALID', message, { cause }));
    };
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve();
    });
  });
  // A connection that cannot be taken (no file handles are left) ends itself, and must not end the agent.
  server.on('error', ({ message }: Error) => log.error({ setting, reason: message }, 'a connection cannot be taken'));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
