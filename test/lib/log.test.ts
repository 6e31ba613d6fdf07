import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const built = new URL('../../dist/lib/log.js', import.meta.url).href;
const run = async (after: string): Promise<string> => {
  const program = `import { createLogger } from '${built}'; createLogger('info').info({}, 'the last word'); ${after}`;
  const done = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  return (await done.catch((error: unknown) => error as { stderr: string })).stderr;
};

it.each([
  ['ends by itself', ''],
  ['is ended', 'process.exit(3)'],
  ['breaks', "throw new Error('broken')"],
])('is written to its last line where the process %s', async (_how, after) => {
  expect(await run(after)).toContain('the last word');
});

const many = `import { createLogger } from '${built}'; const log = createLogger('info');`;

it('keeps no process from its end when nobody reads any more', async () => {
  const program = `${many} process.on('SIGTERM', () => { log.info({}, 'the last word'); process.exit(4); }); setInterval(() => 0, 1_000); console.log('runs');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  child.stderr.destroy();
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  expect(await ended).toEqual([4, null]);
  clearTimeout(timer);
});

it('loses no line to a reader that is slow', async () => {
  const program = `${many} for (let i = 0; i < 20_000; i += 1) log.info({ i }, 'a line of some length, so that the pipe is full');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'close');
  let text = '';
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await ended;
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { i: number }).i),
  ).toEqual([...Array(20_000).keys()]);
});
