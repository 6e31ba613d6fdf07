import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

interface Usage {
  /** User and system time since the start. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** The agent as it is installed: a process of its own. */
export interface AgentProcess {
  readonly pid: number;
  usage(): Promise<Usage>;
  /** With the last lines of its log. */
  throwIfEnded(): void;
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL('../main.js', import.meta.url));
/** As the image runs it. */
const nodeFlags = ['--max-semi-space-size=8', '--max-old-space-size=384', '--single-threaded-gc'];
const stopPatienceMs = 10_000;
const keptLines = 5;

/** `serin run` with these settings, by name. `onLine` is told each line of its log. */
export function startAgentProcess(
  settings: Readonly<Record<string, string>>,
  onLine: (line: string) => void = () => undefined,
): AgentProcess {
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [...nodeFlags, program, 'run', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said: string[] = [];
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    said = [...said, ...lines].slice(-keptLines);
  });
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid ?? 0,
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
  if (process.platform === 'linux') return linuxUsage(pid);
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=,time=', '-p', String(pid)]);
  const [rss = '0', time = '0'] = stdout.trim().split(/\s+/);
  return { rssBytes: Number(rss) * 1024, cpuMs: clockMs(time) };
}

async function linuxUsage(pid: number): Promise<Usage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ]);
  // The name before may hold blanks; user and system time are the 14th and 15th field, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const rssKib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  const cpuMs = (await scheduledMs(pid)) ?? (Number(fields[11]) + Number(fields[12])) * 10;
  return { rssBytes: rssKib * 1024, cpuMs };
}

/** What the scheduler says of each thread, in nanoseconds: ten canaries at rest cost less than a tick of the clock. */
async function scheduledMs(pid: number): Promise<number | undefined> {
  try {
    const tasks = await readdir(`/proc/${pid}/task`);
    const texts = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/schedstat`, 'utf8')));
    const sum = texts.reduce((total, text) => total + Number(text.split(' ')[0]), 0);
    return sum > 0 ? sum / 1e6 : undefined;
  } catch {
    return undefined;
  }
}

/** `1-02:03:04`, `02:03` or `0:00.12`. */
function clockMs(text: string): number {
  return text.split(/[-:]/).reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000;
}
