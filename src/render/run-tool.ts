import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** What a program may take; it is killed where it takes more. */
export interface ToolLimits {
  readonly timeMs: number;
  readonly memoryBytes: number;
  readonly outputBytes: number;
}

export interface ToolRun {
  /** A path, or a name that is looked up nowhere but in `PATH` of `environment`. */
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: string;
  /** All that the program gets; nothing of the agent's own. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: ToolLimits;
}

export type ToolResult =
  | { readonly kind: 'done'; readonly output: Uint8Array }
  /** There is no such program, or it cannot be started. */
  | { readonly kind: 'missing'; readonly reason: string }
  /** `isFinal`: it would fail in the same way again. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isFinal: boolean };

const errorBytes = 64 * 1024;
const lookEveryMs = 50;
const inMiB = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;

/** Runs a program without a shell, and gives what it writes. Rejects only when aborted; the program is gone then. */
export async function runTool(
  { program, args, folder, environment, limits }: ToolRun,
  signal: AbortSignal,
): Promise<ToolResult> {
  signal.throwIfAborted();
  const result = await new Promise<ToolResult>((resolve) => {
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that whatever it starts ends with it.
      detached: true,
    });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    let length = 0;
    let errorLength = 0;
    let why: string | undefined;
    const kill = (reason: string): void => {
      why ??= reason;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended by itself.
      }
    };
    const onAbort = (): void => kill('the agent stops');
    signal.addEventListener('abort', onAbort, { once: true });
    const late = setTimeout(() => kill(`takes longer than ${limits.timeMs / 1000} s`), limits.timeMs);
    const look = setInterval(() => {
      void residentBytes(child.pid).then((bytes) => {
        if (bytes > limits.memoryBytes) kill(`takes more than ${inMiB(limits.memoryBytes)} of memory`);
      });
    }, lookEveryMs);
    const settle = (settled: ToolResult): void => {
      clearTimeout(late);
      clearInterval(look);
      signal.removeEventListener('abort', onAbort);
      resolve(settled);
    };
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > limits.outputBytes) kill(`makes more than ${inMiB(limits.outputBytes)}`);
      else output.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errorLength += chunk.length;
      if (errorLength <= errorBytes) errors.push(chunk);
    });
    child.on('error', (error) => settle({ kind: 'missing', reason: error.message }));
    child.on('close', (code, killedBy) => {
      if (why !== undefined) return settle({ kind: 'failed', reason: why, isFinal: false });
      if (code === 0) return settle({ kind: 'done', output: Buffer.concat(output) });
      if (code === null)
        return settle({ kind: 'failed', reason: `was ended by ${killedBy ?? 'a signal'}`, isFinal: false });
      const said = Buffer.concat(errors).toString('utf8').trim();
      settle({ kind: 'failed', reason: said || `ended with code ${code}`, isFinal: true });
    });
  });
  signal.throwIfAborted();
  return result;
}

/** 0 where it cannot be told: elsewhere than on Linux, or the process is gone. */
async function residentBytes(pid: number | undefined): Promise<number> {
  try {
    const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
