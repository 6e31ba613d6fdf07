import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../lib/errors.ts';

export interface FolderLock {
  /** False: this process stood still for so long that another one has taken the folder. */
  readonly isHeld: boolean;
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

const usual: LockTimes = { beatMs: 5_000, silenceMs: 12_000 };

/**
 * Takes a folder for this process; a file in it says so. CONFIG_INVALID where another process holds it, of this machine or of another one
 * that has the same volume. What a process left that was killed is taken over: at once on the same machine, else after a silence.
 */
export async function lockFolder(dir: string, { beatMs, silenceMs }: LockTimes = usual): Promise<FolderLock> {
  const path = join(dir, 'agent.lock');
  const own: Holder = { id: randomUUID(), host: hostname(), pid: process.pid, beat: 0 };
  const said = async (): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);
  const say = async (beat: number): Promise<void> => {
    const staged = `${path}.${own.id}`;
    try {
      await writeFile(staged, JSON.stringify({ ...own, beat }));
      await rename(staged, path);
    } catch (error) {
      await rm(staged, { force: true });
      throw error;
    }
  };
  const isMine = async (): Promise<boolean> => holderOf(await said())?.id === own.id;

  for (;;) {
    if (await create(path, JSON.stringify(own))) break;
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
    await say(0);
    // Two may have waited for the same silence.
    await sleep(50);
    if (await isMine()) break;
  }

  let isHeld = true;
  let beat = 0;
  const beating = setInterval(() => {
    beat += 1;
    const next = async (): Promise<void> => {
      if (await isMine()) return say(beat);
      // One that cannot be read is not another's.
      if (holderOf(await said()) !== undefined) isHeld = false;
    };
    // A full disk is told where something is to be stored.
    next().catch(() => undefined);
  }, beatMs);
  beating.unref();
  return {
    get isHeld() {
      return isHeld;
    },
    async release() {
      clearInterval(beating);
      if (await isMine()) await rm(path, { force: true });
    },
  };
}

/** False: there is one already. */
async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return false;
    throw error;
  }
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
