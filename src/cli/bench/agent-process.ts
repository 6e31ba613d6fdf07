import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Usage {
  /** User and system time since the start. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** The agent as it is installed: a process of its own. */
export interface AgentProcess {
  usage(): Promise<Usage>;
  /** With the last lines of its log. */
  throwIfEnded(): void;
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL('../../main.js', import.meta.url));
/** As the image runs it. */
const nodeFlags = ['--max-semi-space-size=2', '--max-old-space-size=384'];
const stopPatienceMs = 10_000;
const keptLines = 5;

/** `serin run` with these settings, by name. */
export function startAgentProcess(settings: Readonly<Record<string, string>>): AgentProcess {
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [...nodeFlags, program, 'run', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = [...said, ...text.split('\n').filter((line) => line !== '')].slice(-keptLines);
  });
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    usage: () => usageOf(child),
    throwIfEnded() {
      if (hasEnded()) throw new Error(`the agent has ended: ${said.join(' | ')}`);
    },
    async stop() {
      if (hasEnded()) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), stopPatienceMs);
      await ended;
      clearTimeout(force);
    },
  };
}

async function usageOf({ pid = 0 }: ChildProcess): Promise<Usage> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=,time=', '-p', String(pid)]);
  const [rss = '0', time = '0'] = stdout.trim().split(/\s+/);
  return { rssBytes: Number(rss) * 1024, cpuMs: (await linuxCpuMs(pid)) ?? clockMs(time) };
}

/** Linux's ps gives whole seconds; its clock ticks a hundred times a second. */
async function linuxCpuMs(pid: number): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name before may hold blanks; user and system time are the 14th and 15th field.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** `1-02:03:04`, `02:03` or `0:00.12`. */
function clockMs(text: string): number {
  return text.split(/[-:]/).reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000;
}
