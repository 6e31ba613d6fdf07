import { execFile } from 'node:child_process';
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
