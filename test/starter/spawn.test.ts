import { spawn as spawnHere } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { spawn as spawnFromStarter, starterVariable } from './spawn.ts';

type Spawn = typeof spawnHere;
const ways: readonly (readonly [string, Spawn])[] = [
  ['by this process', spawnHere],
  ['by the starter', spawnFromStarter as Spawn],
];

async function run(spawn: Spawn, script: string, input: Buffer | string = '') {
  const program = spawn('sh', ['-c', script], { env: { PATH: process.env['PATH'], GREETING: 'hello' } });
  const read = (stream: NodeJS.ReadableStream): Buffer[] => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  };
  const [out, err] = [read(program.stdout), read(program.stderr)];
  program.stdin.on('error', () => undefined);
  program.stdin.end(input);
  const [code, signal] = (await once(program, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, out: Buffer.concat(out), err: Buffer.concat(err).toString() };
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe.each(ways)('a program that is begun %s', (_, spawn) => {
  it('gets its arguments, environment and input, and gives its output and exit code', async () => {
    const { out, err, ...end } = await run(spawn, 'echo $GREETING; cat; echo no >&2; exit 3', 'there\n');
    expect({ ...end, out: out.toString(), err }).toEqual({ code: 3, signal: null, out: 'hello\nthere\n', err: 'no\n' });
  });

  it('gives back what it gets, however much', async () => {
    const bytes = randomBytes(3_000_000);
    const { out } = await run(spawn, 'cat', bytes);
    expect(out.equals(bytes)).toBe(true);
  });

  it('may end before it has read everything', async () => {
    const { code, out } = await run(spawn, 'echo enough', randomBytes(3_000_000));
    expect([code, out.toString()]).toEqual([0, 'enough\n']);
  });

  it('waits for whoever reads slowly', async () => {
    const program = spawn('sh', ['-c', 'head -c 3000000 /dev/zero'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let length = 0;
    for await (const chunk of program.stdout) length += (chunk as Buffer).length;
    expect(length).toBe(3_000_000);
  });

  it('is ended by a signal', async () => {
    const program = spawn('sleep', ['60'], { stdio: ['pipe', 'pipe', 'ignore'] });
    program.stdout.resume();
    program.kill();
    const [code, signal] = (await once(program, 'close')) as [number | null, string | null];
    expect([code, signal]).toEqual([null, 'SIGTERM']);
  });

  it('may have ended by itself when it is to be ended', async () => {
    const program = spawn('true', [], { stdio: ['pipe', 'pipe', 'ignore'] });
    program.stdout.resume();
    program.stdin.on('error', () => undefined);
    const closed = once(program, 'close');
    await new Promise((done) => program.stdin.write('unread', done));
    program.kill();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    await closed;
  });

  it('is an error where there is none', async () => {
    const program = spawn('/nowhere/git', [], {});
    const [error] = (await once(program, 'error')) as [Error & { code: string }];
    expect(error.code).toBe('ENOENT');
  });
});

describe('the starter', () => {
  it('ends a program when whoever wanted it is gone', async () => {
    const starter = connect({ path: process.env[starterVariable] ?? '', allowHalfOpen: true });
    const call = {
      file: 'sh',
      args: ['-c', 'echo $$; exec yes'],
      env: { PATH: process.env['PATH'] },
      isErrorRead: false,
    };
    starter.write(`${JSON.stringify(call)}\n`);
    let said = '';
    await new Promise<void>((done) =>
      starter.on('data', (chunk: Buffer) => {
        said += chunk.toString('latin1', 0, 200);
        if (/"pid":\d+/.test(said)) done();
      }),
    );
    const pid = Number(/"pid":(\d+)/.exec(said)?.[1]);
    expect(isRunning(pid)).toBe(true);
    starter.destroy();
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  });
});
