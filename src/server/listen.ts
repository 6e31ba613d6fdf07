import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentError } from '../lib/errors.ts';

export interface RunningServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens a server with limits against slow callers. Throws CONFIG_INVALID that names the setting. */
export async function listen(
  server: Server,
  { port, host, setting }: { readonly port: number; readonly host?: string; readonly setting: string },
): Promise<RunningServer> {
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  server.keepAliveTimeout = 15_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: Error) => {
      const message = `${setting}: cannot listen on port ${port}: ${cause.message}`;
      reject(new AgentError('CONFIG_INVALID', message, { cause }));
    });
    server.listen(port, host, () => resolve());
  });
  // A connection that cannot be taken (no file handles are left) ends itself, and must not end the agent.
  server.on('error', () => undefined);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
