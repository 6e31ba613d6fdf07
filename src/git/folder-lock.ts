import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../lib/errors.ts';

export interface FolderLock {
  /** Looks at the file. False: this process stood still for so long that another one has taken the folder. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

export interface LockTimes {
  /** How often whoever holds a lock says that it lives. */
  readonly beatMs: number;
  /** A lock that says nothing for so long is free. Watched, and not told from times: clocks differ. */
  readonly silenceMs: number;
}

interface Holder {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly beat: number;
}

/** A host's name has 64 characters at most. */
const SAID_BYTES = 512;

const usual: LockTimes = { beatMs: 5_000, silenceMs: 12_000 };

/**
 * Takes a folder for this process; a file in it says so. CONFIG_INVALID where another process holds it, of this machine or of another one
 * that has the same volume. What a process left that was killed is taken over: at once on the same machine, else after a silence.
 */
export async function lockFolder(dir: string, { beatMs, silenceMs }: LockTimes = usual): Promise<FolderLock> {
  const path = join(dir, 'agent.lock');
  const own: Holder = { id: randomUUID(), host: hostname(), pid: process.pid, beat: 0 };
  const said = async (): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);
  let file: FileHandle | undefined;
  const isMine = async (): Promise<boolean> => holderOf(await said())?.id === own.id;

  for (;;) {
    file = await create(path, own);
    if (file) break;
    const before = await said();
    if (before === undefined) continue;
    const holder = holderOf(before);
    const isDead = holder !== undefined && holder.host === own.host && !isOther(holder.pid);
    if (!isDead && (await speaks(said, before, silenceMs))) {
      const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
      throw new AgentError(
        'CONFIG_INVALID',
        `--git-dir: the folder ${dir} is used by ${who}; give each agent a folder of its own, or end the other one`,
      );
    }
    file = await replace(path, own);
    // Two may have waited for the same silence.
    await sleep(50);
    if (await isMine()) break;
    await file.close();
  }

  const held = file;
  let isLost = false;
  // One that cannot be read is not another's.
  const isHeld = async (): Promise<boolean> => {
    const holder = holderOf(await said());
    isLost ||= holder !== undefined && holder.id !== own.id;
    return !isLost;
  };
  let beat = 0;
  let spoken: Promise<void> = Promise.resolve();
  const beating = setInterval(() => {
    beat += 1;
    // A full disk is told where something is to be stored.
    spoken = spoken.then(() => say(held, own, beat)).catch(() => undefined);
  }, beatMs);
  beating.unref();
  return {
    isHeld,
    async release() {
      clearInterval(beating);
      await spoken;
      if (await isMine()) await rm(path, { force: true });
      await held.close();
    },
  };
}

/** Undefined: there is one already. */
async function create(path: string, own: Holder): Promise<FileHandle | undefined> {
  try {
    return await saying(path, own);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return undefined;
    throw error;
  }
}

/** Puts a file of our own in the place of another one. */
async function replace(path: string, own: Holder): Promise<FileHandle> {
  const staged = `${path}.${own.id}`;
  let file: FileHandle | undefined;
  try {
    file = await saying(staged, own);
    await rename(staged, path);
    return file;
  } catch (error) {
    await file?.close();
    await rm(staged, { force: true });
    throw error;
  }
}

async function saying(path: string, own: Holder): Promise<FileHandle> {
  const file = await open(path, 'wx');
  try {
    await say(file, own, 0);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Writes to the file that we made, wherever it is now: one that another process put in its place is never written to, however long
 * we stood still in between. Each beat is as long as the one before, so that nothing is left of that.
 */
async function say(file: FileHandle, own: Holder, beat: number): Promise<void> {
  await file.write(Buffer.from(JSON.stringify({ ...own, beat }).padEnd(SAID_BYTES)), 0, SAID_BYTES, 0);
}

/** Whether the lock changes, or goes and comes, within the time. */
async function speaks(said: () => Promise<string | undefined>, before: string, silenceMs: number): Promise<boolean> {
  const stepMs = Math.max(5, Math.min(500, silenceMs / 4));
  for (let waitedMs = 0; waitedMs < silenceMs; waitedMs += stepMs) {
    await sleep(stepMs);
    const now = await said();
    if (now === undefined) return false;
    if (now !== before) return true;
  }
  return false;
}

/** Whether a process of this machine lives and is another one. A container that starts again has the id that it had. */
function isOther(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

function holderOf(text: string | undefined): Holder | undefined {
  try {
    const value = JSON.parse(text ?? '') as Partial<Holder> | null;
    const { id, host, pid, beat } = value ?? {};
    if (typeof id !== 'string' || typeof host !== 'string' || !Number.isSafeInteger(pid)) return undefined;
    return { id, host, pid: Number(pid), beat: Number(beat ?? 0) };
  } catch {
    return undefined;
  }
}
