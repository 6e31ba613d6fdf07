import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { inFolder, runTool, type ToolLimits, type ToolResult } from '../../src/render/run-tool.ts';

const MiB = 1024 * 1024;
const never = new AbortController().signal;
const roomy: ToolLimits = { timeMs: 30_000, memoryBytes: 512 * MiB, outputBytes: MiB };

/** Runs a program that is known to be here: Node itself. */
const run = (script: string, limits: Partial<ToolLimits> = {}, signal = never): Promise<ToolResult> =>
  runTool(
    {
      program: process.execPath,
      args: ['-e', script, 'a b; echo c', '$HOME'],
      folder: tmpdir(),
      environment: { NAMED: 'yes' },
      limits: { ...roomy, ...limits },
    },
    signal,
  );
const said = (result: ToolResult): string =>
  result.kind === 'done' ? Buffer.from(result.output).toString('utf8') : `${result.kind}: ${result.reason}`;

describe('a program', () => {
  it('gets its arguments as they are, and no more of the environment than is named', async () => {
    const script = 'console.log(JSON.stringify([process.argv.slice(1), process.env]))';
    expect(JSON.parse(said(await run(script)))).toEqual([['a b; echo c', '$HOME'], { NAMED: 'yes' }]);
  });

  it('that fails is told with what it says, and would fail again', async () => {
    const result = await run('console.error("no such thing"); process.exit(3)');
    expect(result).toEqual({ kind: 'failed', reason: 'no such thing', isFinal: true, code: 3 });
    expect(said(await run('process.exit(4)'))).toBe('failed: ended with code 4');
  });

  it.each<readonly [string, string, Partial<ToolLimits>, string]>([
    ['never ends', 'setInterval(() => {}, 1000)', { timeMs: 300 }, 'takes longer than 0.3 s'],
    ['is busy without end', 'for (;;);', { timeMs: 300 }, 'takes longer than 0.3 s'],
    [
      'writes without end',
      'const w = () => process.stdout.write("x".repeat(65536), w); w()',
      {},
      'makes more than 1 MiB',
    ],
    [
      'takes memory without end',
      'const all = []; setInterval(() => all.push(Buffer.alloc(8 * 1024 * 1024, 1)), 1)',
      { memoryBytes: 160 * MiB },
      'takes more than 160 MiB of memory',
    ],
  ])('is ended where it %s', async (_, script, limits, reason) => {
    expect(await run(script, limits)).toEqual({ kind: 'failed', reason, isFinal: false });
  });

  it('takes what it has started along', async () => {
    const child = 'require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"])';
    const result = await run(
      `process.stdout.write(String(${child}.pid)); setInterval(() => process.stdout.write(" ".repeat(65536)), 1)`,
      { outputBytes: 8 * MiB, timeMs: 1_500 },
    );
    expect(result.kind).toBe('failed');
    // Whatever it started holds its output open, so that the run ends only when all of them are gone.
  });

  it('is ended with whoever waits for it', async () => {
    const stop = new AbortController();
    const running = run('setInterval(() => {}, 1000)', {}, stop.signal);
    setTimeout(() => stop.abort(new Error('enough')), 100);
    await expect(running).rejects.toThrow('enough');
  });

  it('that is not there is missing', async () => {
    const there = { program: '/nowhere/x', args: [], folder: tmpdir(), environment: {}, limits: roomy };
    expect(await runTool(there, never)).toMatchObject({ kind: 'missing', isAbsent: true });
  });

  it('that cannot be started for want of file descriptors is told, and nothing is thrown', async () => {
    const script = `
      import { openSync } from 'node:fs';
      import { inFolder, runTool } from ${JSON.stringify(new URL('../../dist/render/run-tool.js', import.meta.url).href)};
      const never = new AbortController().signal;
      const limits = { timeMs: 1000, memoryBytes: 1e9, outputBytes: 1e6 };
      const { writeFile } = await import('node:fs/promises');
      try { for (;;) openSync('/dev/null'); } catch {}
      const run = await runTool({ program: '/bin/true', args: [], folder: '/', environment: {}, limits }, never);
      const written = await inFolder(${JSON.stringify(tmpdir())}, 'serin-', async (at) => { await writeFile(at + '/x', ''); }, never);
      process.stdout.write(JSON.stringify([run, written]));`;
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'ulimit -n 128; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      script,
    ]);
    expect(JSON.parse(stdout)).toEqual([
      { kind: 'missing', reason: expect.stringContaining('EMFILE') as string, isAbsent: false },
      {
        kind: 'failed',
        reason: expect.stringMatching(/^its files cannot be written: EMFILE/) as string,
        isFinal: false,
      },
    ]);
  });

  it('has no folder where none can be made, and that is told', async () => {
    const made = await inFolder(
      join(tmpdir(), 'none'),
      'serin-render-',
      () => Promise.reject(new Error('unused')),
      never,
    );
    expect(made).toMatchObject({ kind: 'failed', isFinal: false });
    await expect(
      inFolder(tmpdir(), 'serin-render-', () => Promise.reject(new Error('a mistake')), never),
    ).rejects.toThrow('a mistake');
  });
});
