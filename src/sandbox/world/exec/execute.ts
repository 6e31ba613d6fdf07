import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Address, ExecResult, ExecStreams } from '../../types.ts';
import type { Surroundings } from '../images/image.ts';
import { understand } from '../../../loadtester/commands.ts';
import { createClusterClient } from '../images/cluster-client.ts';
import { gentlePace } from '../images/loadtester.ts';
import { programs } from './programs.ts';
import { splitScript } from './script.ts';

/** What a command in a container finds around itself. */
export interface Room {
  readonly surroundings: Surroundings;
  /** Of ConfigMaps and Secrets, by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly address: (port: number) => Address | undefined;
}

export interface Console {
  readonly room: Room;
  readonly streams: ExecStreams;
  readonly signal: AbortSignal;
}

const shells = /^(\/(usr\/)?bin\/)?(sh|ash|bash)$/;
const notFound = 127;

/**
 * Runs a command as `kubectl exec` does. There are no processes: a shell that knows words, quotes, variables, `|`, `&&`, `||` and `;`, and
 * the programs of `programs.ts`, `curl`, `grep` and `hey`. Everything else is not there, as in an image without it.
 */
export async function execute(
  command: readonly string[],
  room: Room,
  streams: ExecStreams,
  signal: AbortSignal,
): Promise<ExecResult> {
  const at: Console = { room, streams, signal };
  const [program = '', ...words] = command;
  if (shells.test(program)) return { exitCode: await shell(at, words) };
  const name = program.replace(/^\/(usr\/)?bin\//, '');
  const result = await run(at, [name, ...words]);
  if (result !== undefined) return { exitCode: result };
  return { failure: `exec: ${JSON.stringify(program)}: executable file not found in $PATH` };
}

async function shell(at: Console, words: readonly string[]): Promise<number> {
  const { streams } = at;
  const script = words.find((_, index) => index > 0 && /^-\w*c$/.test(words[index - 1] ?? ''));
  if (script !== undefined) return (await runScript(at, script)).exitCode;
  if (!streams.input) return 0;
  const prompt = streams.tty ? '/ $ ' : '';
  streams.out(prompt);
  let exitCode = 0;
  for await (const line of linesOf(streams)) {
    const result = await runScript(at, line);
    exitCode = result.exitCode;
    if (result.leaves) return exitCode;
    streams.out(prompt);
  }
  return exitCode;
}

/** On a terminal what is typed is shown, Return is a carriage return, and Ctrl-D ends. */
async function* linesOf({ input, out, tty }: ExecStreams): AsyncGenerator<string> {
  if (!input) return;
  if (!tty) {
    yield* createInterface({ input: Readable.from(input), crlfDelay: Number.POSITIVE_INFINITY });
    return;
  }
  let typed = '';
  for await (const chunk of input) {
    for (const key of chunk.toString('utf8')) {
      if (key === '\u0004' && typed === '') return;
      if (key === '\u0003') {
        typed = '';
        out('^C\r\n/ $ ');
      } else if (key === '\u007f' || key === '\b') {
        if (typed !== '') out('\b \b');
        typed = typed.slice(0, -1);
      } else if (key === '\r' || key === '\n') {
        out('\r\n');
        yield typed;
        typed = '';
      } else {
        typed += key;
        out(key);
      }
    }
  }
}

async function runScript(at: Console, text: string): Promise<{ exitCode: number; leaves?: true }> {
  const { streams, room } = at;
  const steps = splitScript(text, room.surroundings.env);
  if (typeof steps === 'string') {
    streams.err(`sh: ${steps}\n`);
    return { exitCode: 2 };
  }
  let exitCode = 0;
  for (const { after, pipeline } of steps) {
    if (after === '&&' ? exitCode !== 0 : after === '||' && exitCode === 0) continue;
    const [first = []] = pipeline;
    if (first[0] === 'exit') return { exitCode: Number(first[1] ?? exitCode) & 255, leaves: true };
    exitCode = await runPipeline(at, pipeline);
  }
  return { exitCode };
}

async function runPipeline(at: Console, pipeline: readonly (readonly string[])[]): Promise<number> {
  let input = at.streams.input;
  let exitCode = 0;
  for (const [index, words] of pipeline.entries()) {
    let written = '';
    const isLast = index === pipeline.length - 1;
    const out = isLast ? at.streams.out : (text: string): void => void (written += text);
    const streams = { out, err: at.streams.err, tty: false, ...(input ? { input } : {}) };
    const result = await run({ ...at, streams }, words);
    if (result === undefined) at.streams.err(`sh: ${words[0] ?? ''}: not found\n`);
    exitCode = result ?? notFound;
    input = bytesOf(written);
  }
  return exitCode;
}

async function* bytesOf(text: string): AsyncGenerator<Buffer> {
  if (text !== '') yield Buffer.from(text);
}

/** Undefined where there is no such program. */
async function run(at: Console, words: readonly string[]): Promise<number | undefined> {
  const [name = '', ...rest] = words;
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined;
  if (program) return program(rest, at);
  if (name === 'wget') {
    const [url = ''] = rest.filter((word) => !word.startsWith('-'));
    return (await asLoadTester(at, ['curl', '-fsS', url])) === 0 ? 0 : 1;
  }
  if (!['curl', 'hey', 'grep'].includes(name)) return undefined;
  return asLoadTester(at, words);
}

/** `curl`, `hey` and `grep` are those of the load tester; its own ports are the pod's. */
async function asLoadTester({ room, streams, signal }: Console, words: readonly string[]): Promise<number> {
  const { clock, lookUp, pod } = room.surroundings;
  const quoted = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  let given = '';
  if (words[0] === 'grep') for await (const chunk of streams.input ?? []) given += chunk.toString('utf8');
  const ready = understand(quoted, { given });
  if (typeof ready !== 'function') {
    streams.err(`${ready.refused}\n`);
    return 2;
  }
  const own = ['localhost', '127.0.0.1', pod.name];
  const client = createClusterClient((host, port) => (own.includes(host) ? room.address(port) : lookUp(host, port)));
  try {
    const { exitCode, output } = await ready({
      client,
      clock,
      signal,
      pace: gentlePace,
      onRequest: () => undefined,
      spawn: () => Promise.reject(new Error('there are no programs')),
    });
    (exitCode === 0 ? streams.out : streams.err)(output);
    return exitCode;
  } finally {
    client.close();
  }
}
