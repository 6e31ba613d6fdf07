import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { messageOf } from '../lib/errors.ts';
import { type FolderPrefix, makeRunFolder, type RunFolder } from './run-folder.ts';

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
  /** What it reads from its standard input. Absent: nothing. */
  readonly input?: Uint8Array | undefined;
  /** It starts others, whose memory counts as well. Absent: it starts none. */
  readonly startsOthers?: boolean | undefined;
}

export type ToolResult =
  | { readonly kind: 'done'; readonly output: Uint8Array }
  /** There is no such program (`isAbsent`), or it cannot be started, which may pass. */
  | { readonly kind: 'missing'; readonly reason: string; readonly isAbsent: boolean }
  /** `isFinal`: it would fail in the same way again. `code`: with which it ended by itself. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isFinal: boolean; readonly code?: number };

const errorBytes = 64 * 1024;
const lookEveryMs = 50;
const mostProcesses = 20;
const inMiB = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;

/** Runs a program without a shell, and gives what it writes. Rejects only when aborted; the program is gone then. */
export async function runTool(
  { program, args, folder, environment, limits, input, startsOthers = false }: ToolRun,
  signal: AbortSignal,
): Promise<ToolResult> {
  signal.throwIfAborted();
  const result = await new Promise<ToolResult>((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        cwd: folder,
        env: { ...environment },
        stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
        // A group of its own, so that whatever it starts ends with it.
        detached: true,
      });
    } catch (error) {
      // Node throws for some reasons (ELOOP, ENOTDIR, E2BIG) what it tells as an event for others.
      return resolve(unstarted(program, error));
    }
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
      void residentBytes(child.pid, startsOthers).then((bytes) => {
        if (bytes > limits.memoryBytes) kill(`takes more than ${inMiB(limits.memoryBytes)} of memory`);
      });
    }, lookEveryMs);
    const settle = (settled: ToolResult): void => {
      clearTimeout(late);
      clearInterval(look);
      signal.removeEventListener('abort', onAbort);
      resolve(settled);
    };
    // One that ends before it has read all of it says why by itself.
    child.stdin?.on('error', () => undefined).end(input);
    // Without free file descriptors there are no pipes either.
    child.stdout?.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > limits.outputBytes) kill(`makes more than ${inMiB(limits.outputBytes)}`);
      else output.push(chunk);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      errorLength += chunk.length;
      if (errorLength <= errorBytes) errors.push(chunk);
    });
    child.on('error', (error) => settle(unstarted(program, error)));
    child.on('close', (code, killedBy) => {
      if (why !== undefined) return settle({ kind: 'failed', reason: why, isFinal: false });
      if (code === 0) return settle({ kind: 'done', output: Buffer.concat(output) });
      if (code === null)
        return settle({ kind: 'failed', reason: `was ended by ${killedBy ?? 'a signal'}`, isFinal: false });
      const said = Buffer.concat(errors).toString('utf8').trim();
      settle({ kind: 'failed', reason: said || `ended with code ${code}`, isFinal: true, code });
    });
  });
  signal.throwIfAborted();
  return result;
}

const unstarted = (program: string, error: unknown): ToolResult => ({
  kind: 'missing',
  // Node names the program in some of them only.
  reason: messageOf(error).replace(/^spawn (?=E\w+$)/, () => `spawn ${program} `),
  isAbsent: (error as NodeJS.ErrnoException).code === 'ENOENT',
});

/**
 * Does work around a run in a folder of its own, made at `place`, that is gone afterwards. Where files cannot be written (no room, no free
 * descriptors, a name that is too long) that is told as of a program that failed, and tried again later.
 */
export async function inFolder(
  place: string,
  prefix: FolderPrefix,
  work: (folder: string) => Promise<ToolResult>,
  signal: AbortSignal,
): Promise<ToolResult> {
  let folder: RunFolder | undefined;
  try {
    folder = await makeRunFolder(place, prefix);
    return await work(folder.path);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const reason = folder === undefined ? messageOf(error) : messageOf(error).replaceAll(folder.path, '');
    return { kind: 'failed', reason: `its files cannot be written: ${reason}`, isFinal: false };
  } finally {
    await folder?.remove();
  }
}

/** `withOthers`: and of what it has started. 0 where it cannot be told: elsewhere than on Linux, or the process is gone. */
async function residentBytes(pid: number | undefined, withOthers: boolean): Promise<number> {
  let bytes = 0;
  const open = pid === undefined ? [] : [pid];
  for (const [at, one] of open.entries()) {
    if (at >= mostProcesses) break;
    try {
      const status = await readFile(`/proc/${one}/status`, 'utf8');
      bytes += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
      for (const thread of withOthers ? await readdir(`/proc/${one}/task`) : []) {
        const children = await readFile(`/proc/${one}/task/${thread}/children`, 'utf8');
        for (const child of children.split(' ')) if (child.trim() !== '') open.push(Number(child));
      }
    } catch {
      // It has just ended.
    }
  }
  return bytes;
}
