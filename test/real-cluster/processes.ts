import { spawn } from 'node:child_process';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** A part of the cluster that runs as an ordinary process, noted in `pids/NAME` of the cluster's folder as `PID STARTTIME`. */
export interface Downed {
  /** Starts it as it was started before, and notes it. */
  start(): Promise<void>;
}

/** Rejects where there is none; one that only waits to be buried is none. */
const startTimeOf = async (pid: number): Promise<string> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z') throw new Error(`${pid} is dead`);
  return fields[19] ?? '';
};

/** Kills it at once, as a crash would. Only ever a process of this very cluster. */
export async function crash(clusterFolder: string, name: string): Promise<Downed> {
  const note = join(clusterFolder, 'pids', name);
  const [noted = '', noticedStart = ''] = (await readFile(note, 'utf8')).trim().split(' ');
  const pid = Number(noted);
  if (!(pid > 1) || (await startTimeOf(pid)) !== noticedStart)
    throw new Error(`${name} does not run as noted in ${note}`);
  const [words, variables] = await Promise.all(
    ['cmdline', 'environ'].map(async (file) =>
      (await readFile(`/proc/${pid}/${file}`, 'utf8')).split('\0').slice(0, -1),
    ),
  );
  const [program = '', ...rest] = words ?? [];
  const env = Object.fromEntries(
    (variables ?? []).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  process.kill(pid, 'SIGKILL');
  while (
    await startTimeOf(pid).then(
      (start) => start === noticedStart,
      () => false,
    )
  )
    await pause(50);
  return {
    async start() {
      const log = await open(join(clusterFolder, 'logs', `${name}.log`), 'a');
      const child = spawn(program, rest, { env, stdio: ['ignore', log.fd, log.fd], detached: true });
      await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      child.unref();
      await log.close();
      await writeFile(note, `${child.pid} ${await startTimeOf(child.pid ?? 0)}\n`);
    },
  };
}
