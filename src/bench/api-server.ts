import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { AgentError } from '../lib/errors.ts';

/** How the API server is measured: as it is, with one core, or far away. */
export type Server = 'plain' | 'one-core' | 'far';

/** What `far` adds to each answer. */
export const farMs = 50;

const run = promisify(execFile);

/** The API server of this machine and this network namespace. Undefined: there is none, or more than one. */
async function findProcess(): Promise<number | undefined> {
  const own = await readlink('/proc/self/ns/net').catch(() => undefined);
  const found: number[] = [];
  for (const entry of own === undefined ? [] : await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const name = await readFile(`/proc/${entry}/comm`, 'utf8').catch(() => '');
    // The kernel keeps fifteen letters.
    if (name.trim() !== 'kube-apiserver') continue;
    if ((await readlink(`/proc/${entry}/ns/net`).catch(() => undefined)) === own) found.push(Number(entry));
  }
  return found.length === 1 ? found[0] : undefined;
}

async function coresOf(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0';
}

/** `0-3,6` are five. */
export function countCores(list: string): number {
  return list.split(',').reduce((sum, part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return sum + to - from + 1;
  }, 0);
}

export interface HeldServer {
  /** That it may use. */
  readonly cores: number;
  release(): Promise<void>;
}

/** Holds the API server to one core where that is asked. Throws CONFIG_INVALID where it does not run here, or cannot be held. */
export async function holdServer(
  server: Server,
  givenCores: number | undefined,
  find: () => Promise<number | undefined> = findProcess,
): Promise<HeldServer> {
  const pid = await find();
  const cores = givenCores ?? (pid === undefined ? availableParallelism() : countCores(await coresOf(pid)));
  if (server !== 'one-core') return { cores, release: () => Promise.resolve() };
  if (pid === undefined)
    throw new AgentError(
      'CONFIG_INVALID',
      '--server one-core: no kube-apiserver runs on this machine, in this network; leave one-core out',
    );
  const before = await coresOf(pid);
  const hold = async (list: string): Promise<void> =>
    void (await run('taskset', ['-a', '-c', '-p', list, String(pid)]));
  try {
    await hold(before.split(/[-,]/)[0] ?? '0');
  } catch (cause) {
    throw new AgentError('CONFIG_INVALID', `--server one-core: taskset cannot hold the API server (process ${pid})`, {
      cause,
    });
  }
  return { cores: 1, release: () => hold(before) };
}
