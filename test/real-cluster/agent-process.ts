import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from './command.ts';

export interface AgentProcess {
  /** Its HTTP server, once it listens. */
  url(): Promise<string>;
  /** The log so far: JSON lines, and whatever else it wrote. */
  log(): string;
  /** SIGTERM, as the kubelet does it; gives the exit code. */
  stop(): Promise<number | null>;
}

const entry = join(import.meta.dirname, '../../dist/main.js');

/** `serin run` as a process of its own that knows nothing but its flags. */
export function startAgentProcess(flags: Readonly<Record<string, string>>, home: string): AgentProcess {
  const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child: ChildProcess = spawn(process.execPath, [entry, 'run', ...words], {
    env: { PATH: process.env.PATH, HOME: home, TMPDIR: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (log += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    url: () =>
      until('the agent listens', 20_000, async () => {
        const port = /Starting HTTP server on port (\d+)/.exec(log)?.[1];
        return port && `http://127.0.0.1:${port}`;
      }),
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      // Longer than a pod gets: then it is killed, and the exit code tells.
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      const code = await ended;
      clearTimeout(timer);
      return code;
    },
  };
}
