import type { Clock } from '../lib/clock.ts';
import { own } from '../lib/own.ts';
import { type Client, NoAnswer } from './client.ts';
import { headersOf, parseHey, runHey, toUrl } from './hey.ts';
import { parseOptions, parseScript, type Pipeline } from './shell.ts';

interface Result {
  readonly exitCode: number;
  readonly output: string;
}

/** What the commands work with. */
interface Tools {
  readonly client: Client;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A command line that was understood, ready to run any number of times. */
export type Ready = (tools: Tools) => Promise<Result>;

/** A command that was understood; `input` is what the one before it in the pipe has written. */
type Step = (input: string, tools: Tools) => Promise<Result>;

/**
 * `hey`, `curl`, `grep` and a few trifles, joined by `|` and `&&`. Everything else is refused with the reason. `given` is what the first
 * command of each pipe can read.
 */
export function understand(commandLine: string, given = ''): Ready | { readonly refused: string } {
  const script = parseScript(commandLine);
  const refuse = (why: string) => ({
    refused: `the embedded cluster's load tester cannot run "${commandLine}": ${why}; it knows hey, curl, grep, echo, sleep, true, false, | and &&`,
  });
  if ('refused' in script) return refuse(script.refused);
  const pipelines: Step[][] = [];
  for (const pipeline of script.pipelines) {
    const steps = stepsOf(pipeline);
    if (typeof steps === 'string') return refuse(steps);
    pipelines.push(steps);
  }
  return async (tools) => {
    let result: Result = { exitCode: 0, output: '' };
    let output = '';
    for (const steps of pipelines) {
      result = await runPipeline(steps, tools, given);
      output += result.output;
      if (result.exitCode !== 0) break;
    }
    return { exitCode: result.exitCode, output };
  };
}

async function runPipeline(steps: readonly Step[], tools: Tools, given: string): Promise<Result> {
  let result: Result = { exitCode: 0, output: given };
  for (const step of steps) result = await step(result.output, tools);
  return result;
}

function stepsOf(pipeline: Pipeline): Step[] | string {
  const steps: Step[] = [];
  for (const [program = '', ...words] of pipeline) {
    const make = own(programs, program);
    if (!make) return `"${program}" is not there`;
    const step = make(words);
    if (typeof step === 'string') return step;
    steps.push(step);
  }
  return steps;
}

const fixed =
  (exitCode: number, output = ''): Step =>
  () =>
    Promise.resolve({ exitCode, output });

const programs: Readonly<Record<string, (words: readonly string[]) => Step | string>> = {
  true: () => fixed(0),
  false: () => fixed(1),
  echo: (words) => fixed(0, `${words.join(' ')}\n`),
  sleep: ([seconds = '']) => {
    const ms = Number(seconds.replace(/s$/, '')) * 1_000;
    if (!(ms >= 0)) return `"sleep ${seconds}" is no time`;
    return async (_input, { clock, signal }) => {
      await clock.sleep(ms, signal);
      return { exitCode: 0, output: '' };
    };
  },
  hey: (words) => {
    const load = parseHey(words);
    if (typeof load === 'string') return load;
    return async (_input, { client, clock, signal }) => ({
      exitCode: 0,
      output: await runHey(load, client, clock, signal),
    });
  },
  curl,
  grep,
};

const curlOptions = {
  valued: ['d', 'data', 'data-raw', 'X', 'request', 'H', 'header', 'm', 'max-time', 'o', 'output', 'A', 'w'],
  plain: [
    's',
    'silent',
    'S',
    'show-error',
    'f',
    'fail',
    'k',
    'insecure',
    'L',
    'location',
    'i',
    'include',
    'v',
    'I',
    'g',
  ],
  bundles: true,
} as const;

function curl(words: readonly string[]): Step | string {
  const options = parseOptions(words, curlOptions);
  if (typeof options === 'string') return options;
  const { named, rest } = options;
  const last = (...names: string[]): string | undefined => names.flatMap((name) => named.get(name) ?? []).at(-1);
  const has = (...names: string[]): boolean => names.some((name) => named.has(name));
  const url = rest.length === 1 ? toUrl(rest[0] ?? '') : undefined;
  if (!url) return `curl wants one URL, not "${rest.join(' ')}"`;
  if (has('o', 'output') && last('o', 'output') !== '/dev/null') return 'curl may write no files but /dev/null';
  if (has('w') && !/^(%\{http_code\}|\\n)*$/.test(last('w') ?? '')) return 'curl -w knows only %{http_code}';
  const parts = ['d', 'data', 'data-raw'].flatMap((name) => named.get(name) ?? []);
  const body = parts.length > 0 ? parts.join('&') : undefined;
  const form = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  const call = {
    url,
    method: last('X', 'request') ?? (body === undefined ? (has('I') ? 'HEAD' : 'GET') : 'POST'),
    headers: { ...form, ...headersOf([...(named.get('H') ?? []), ...(named.get('header') ?? [])]) },
    body,
    timeoutMs: Number(last('m', 'max-time') ?? '60') * 1_000,
  };
  return async (_input, { client, signal }) => {
    try {
      const { status, headers, body: answered } = await client.send(call, signal);
      if (has('f', 'fail') && status >= 400) {
        const silent = has('s', 'silent') && !has('S', 'show-error');
        return { exitCode: 22, output: silent ? '' : `curl: (22) The requested URL returned error: ${status}\n` };
      }
      const head = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\n`);
      const shown = has('i', 'include', 'I') ? `HTTP/1.1 ${status}\n${head.join('')}\n` : '';
      const written = last('w')?.replaceAll('%{http_code}', String(status)).replaceAll('\\n', '\n') ?? '';
      return { exitCode: 0, output: (has('o', 'output') ? '' : shown + answered) + written };
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const silent = has('s', 'silent') && !has('S', 'show-error');
      return { exitCode: error.exitCode, output: silent ? '' : `curl: (${error.exitCode}) ${error.message}\n` };
    }
  };
}

function grep(words: readonly string[]): Step | string {
  const plain = ['q', 'i', 'v', 'E', 'F', 'c', 'o', 'w'];
  const options = parseOptions(words, { valued: ['e'], plain, bundles: true });
  if (typeof options === 'string') return options;
  const { named, rest } = options;
  const pattern = named.get('e')?.at(-1) ?? rest[0];
  if (pattern === undefined || rest.length > (named.has('e') ? 0 : 1)) return 'grep wants one pattern and no files';
  const literal = pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const source = named.has('F') ? literal : pattern;
  let expression: RegExp;
  try {
    expression = new RegExp(named.has('w') ? `\\b(?:${source})\\b` : source, named.has('i') ? 'i' : '');
  } catch {
    return `grep cannot read the pattern "${pattern}"`;
  }
  return (input) => {
    const lines = input === '' ? [] : input.replace(/\n$/, '').split('\n');
    const found = lines.filter((line) => expression.test(line) !== named.has('v'));
    const shown = named.has('o') ? found.map((line) => expression.exec(line)?.[0] ?? line) : found;
    const printed = named.has('c') ? `${found.length}\n` : shown.map((line) => `${line}\n`).join('');
    return Promise.resolve({ exitCode: found.length > 0 ? 0 : 1, output: named.has('q') ? '' : printed });
  };
}
