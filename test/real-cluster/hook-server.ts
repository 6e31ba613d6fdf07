import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Webhooks of the tests: each name lets as many calls pass as were allowed, or whatever its check says. */
export interface HookServer {
  url(name: string): string;
  /** So many more calls pass. */
  allow(name: string, count: number): void;
  /** Decides from now on, in place of numbers. */
  check(name: string, passes: () => Promise<boolean>): void;
  stop(): Promise<void>;
}

export async function startHookServer(): Promise<HookServer> {
  const allowed = new Map<string, number>();
  const checks = new Map<string, () => Promise<boolean>>();
  const passes = async (name: string): Promise<boolean> => {
    const check = checks.get(name);
    if (check) return check().catch(() => false);
    const left = allowed.get(name) ?? 0;
    if (left > 0) allowed.set(name, left - 1);
    return left > 0;
  };
  const server = createServer((request, response) => {
    request.resume();
    void passes(decodeURIComponent((request.url ?? '').slice(1))).then((isGood) => {
      response.writeHead(isGood ? 200 : 403).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (name) => `http://127.0.0.1:${port}/${encodeURIComponent(name)}`,
    allow: (name, count) => void allowed.set(name, (allowed.get(name) ?? 0) + count),
    check: (name, decide) => void checks.set(name, decide),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
