import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { sweepRunFolders } from '../../src/render/run-folder.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that makes a folder, and does not end by itself. */
async function runInFolder(place: string): Promise<{ readonly path: string; kill(): Promise<void> }> {
  const module = JSON.stringify(new URL('../../dist/render/run-folder.js', import.meta.url).href);
  const script = `import { makeRunFolder } from ${module};
    const { path } = await makeRunFolder(${JSON.stringify(place)}, 'serin-render-');
    process.stdout.write(path);
    setInterval(() => undefined, 1_000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const path = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString()));
    child.once('exit', () => reject(new Error('it ended')));
  });
  writeFileSync(join(path, 'plain.txt'), 'a secret');
  return {
    path,
    async kill() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
  };
}

it('what a killed process has left is removed at the next start, and nothing of one that lives', async () => {
  const place = await tempDir();
  const [killed, living] = await Promise.all([runInFolder(place), runInFolder(place)]);
  await killed.kill();
  const at = (name: string): string => join(place, name);
  // As former versions made them, without a lock: old, and of one that may live.
  mkdirSync(at('serin-helm-formerA'));
  mkdirSync(at('serin-chart-formerB'));
  const hourAgo = Date.now() / 1_000 - 3_600;
  utimesSync(at('serin-helm-formerA'), hourAgo, hourAgo);
  // Of others.
  writeFileSync(at('serin-render-file'), '');
  mkdirSync(at('others'));
  symlinkSync(at('others'), at('serin-render-link'));
  writeFileSync(at('others/kept'), '');
  await sweepRunFolders(place);
  const stays = [
    living.path,
    ...['serin-chart-formerB', 'serin-render-file', 'serin-render-link', 'others/kept'].map(at),
  ];
  expect(stays.filter((path) => !existsSync(path))).toEqual([]);
  expect([killed.path, at('serin-helm-formerA')].filter((path) => existsSync(path))).toEqual([]);
  await removeDir(place);
});
