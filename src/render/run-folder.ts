import { accessSync, constants } from 'node:fs';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** A folder for one run of a program. */
export interface RunFolder {
  readonly path: string;
  /** Removes it with all that is in it. */
  remove(): Promise<void>;
}

/** Names of folders for runs; what those of former versions are called as well. */
const prefixes = ['serin-render-', 'serin-helm-', 'serin-chart-'] as const;
export type FolderPrefix = (typeof prefixes)[number];

const lockName = 'lock';
/** No run takes so long: one without a lock is left over. */
const longestMs = 600_000;
const mostLooked = 10_000;

/**
 * Makes a private folder. Whoever holds its lock, a socket, is alive: a process that is killed lets go of it, wherever its number counts. Rejects
 * where there is no room.
 */
export async function makeRunFolder(place: string, prefix: FolderPrefix): Promise<RunFolder> {
  await sweepRunFolders(place);
  const path = await mkdtemp(join(place, prefix));
  const lock = await locked(join(path, lockName));
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
      lock?.close();
    },
  };
}

const swept = new Map<string, Promise<void>>();

/** Removes what processes have left behind that were killed; once in the life of this one. */
export function sweepRunFolders(place: string): Promise<void> {
  const sweeping = swept.get(place) ?? sweep(place).catch(() => undefined);
  swept.set(place, sweeping);
  return sweeping;
}

async function sweep(place: string): Promise<void> {
  const names = await readdir(place);
  const own = names.filter((name) => prefixes.some((prefix) => name.startsWith(prefix))).slice(0, mostLooked);
  for (const name of own) {
    const path = join(place, name);
    if (await isLeftOver(path)) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function isLeftOver(path: string): Promise<boolean> {
  try {
    const { uid, mtimeMs, ...entry } = await lstat(path).then((stats) => ({
      uid: stats.uid,
      mtimeMs: stats.mtimeMs,
      isFolder: stats.isDirectory(),
    }));
    // What somebody else put there under such a name is his.
    if (!entry.isFolder || uid !== process.getuid?.()) return false;
    const answer = await asked(join(path, lockName));
    return answer === 'gone' || (answer === 'none' && Date.now() - mtimeMs > longestMs);
  } catch {
    return false;
  }
}

/** Whether somebody holds a lock; `none`: there is none. */
function asked(path: string): Promise<'held' | 'gone' | 'none'> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('held');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' ? 'gone' : error.code === 'ENOENT' ? 'none' : 'held');
    });
  });
}

/** Undefined: there can be none, as where the path is too long. */
function locked(path: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    try {
      server.listen(path, () => resolve(server.unref()));
    } catch {
      resolve(undefined);
    }
  });
}

/** Where nothing is written to a disk, if there is such a folder. */
export function memoryFolder(place: string): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return place;
  }
}
