import { connect, createServer } from 'node:net';

/** A port on loopback that nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** A program that was started and that will listen on a port. */
export interface Listener {
  readonly name: string;
  readonly port: number;
  /** Null while it runs. */
  readonly exitCode: () => number | null;
  /** What it has told so far; for the error. */
  readonly log: () => string;
}

/** Waits until it listens; rejects where it ends before, or takes more than 10 s. */
export async function listens({ name, port, exitCode, log }: Listener): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (exitCode() !== null) throw new Error(`${name} ended: ${log()}`);
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${name} did not begin to listen: ${log()}`);
}
