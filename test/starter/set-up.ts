import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { starterVariable } from './spawn.ts';

/** One small process begins the programs that the tests run; it ends with them. */
export default async function startStarter(): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'starter-'));
  const path = join(folder, 'socket');
  const starter = fork(join(import.meta.dirname, 'starter.mjs'), [path], { execArgv: [] });
  const ended = once(starter, 'exit');
  await Promise.race([
    once(starter, 'message'),
    ended.then(() => Promise.reject(new Error('the starter of programs did not begin'))),
  ]);
  process.env[starterVariable] = path;
  return async () => {
    starter.disconnect();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}
