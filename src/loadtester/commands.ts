import { readRegex } from '../images/regex/regex.ts';
import type { Clock } from '../lib/clock.ts';
import { own } from '../lib/own.ts';
import { type Client, NoAnswer } from './client.ts';
import type { Side } from './figures.ts';
import { headersOf, type Pace, parseHey, runHey, type Targets, toUrl } from './hey.ts';
import { parseOptions, parseScript, type Pipeline } from './shell.ts';

export interface Result {
  readonly exitCode: number;
  /** Cut where it is longer than a task may write. */
  readonly output: string;
}

/** What the commands work with. */
export interface Tools {
  readonly client: Client;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly pace: Pace;
  /** Hears of each request of a load. */
  readonly onRequest: (side: Side, outcome: string, durationMs: number) => void;
  /** Runs a program of the machine. */
  readonly spawn: Spawn;
}

export type Spawn = (words: readonly string[], input: string, signal: AbortSignal) => Promise<Result>;

/** A command line that was understood, ready to run any number of times. */
export type Ready = (tools: Tools) => Promise<Result>;

/** A command that was understood; `input` is what the one before it in the pipe has written. */
type Step = (input: string, tools: Tools) => Promise<Result>;

export interface Offer {
  /** What the first command of each pipe can read. Absent: nothing. */
  readonly given?: string;
  /** Loads go to the primary, too. */
  readonly paired?: boolean;
  /** Programs of the machine that may be run. Absent: none. */
  readonly programs?: readonly string[];
  /** Workers of one load; more are refused. Absent: any number. */
  readonly maxWorkers?: number;
}

const builtIn = 'hey, curl, grep, echo, sleep, true, false, | and &&';

/**
 * `hey`, `curl`, `grep` and a few trifles, joined by `|` and `&&`, and the programs that are offered. Everything else is refused with the
 * reason, but where a shell is offered: that one gets what is not understood here.
 */
export function understand(commandLine: string, offer: Offer = {}): Ready | { readonly refused: string } {
  const { given = '', programs = [] } = offer;
  const refuse = (why: string) => ({
    refused: `the load tester cannot run "${shown(commandLine)}": ${why}; it knows ${[builtIn, ...programs].join(', ')}; others are run where --allow-shell names them`,
  });
  const shell = ['bash', 'sh'].find((name) => programs.includes(name));
  const byShell: Ready | undefined =
    shell === undefined || offer.paired === true
      ? undefined
      : ({ spawn, signal }) => spawn([shell, '-c', commandLine], given, signal);
  const script = parseScript(commandLine);
  if ('refused' in script) return byShell ?? refuse(script.refused);
  const pipelines: Step[][] = [];
  for (const pipeline of script.pipelines) {
    const steps = stepsOf(pipeline, offer);
    if (typeof steps === 'string') return byShell ?? refuse(steps);
    pipelines.push(steps);
  }
  return async (tools) => {
    let result: Result = { exitCode: 0, output: '' };
    let output = '';
    for (const steps of pipelines) {
      result = await runPipeline(steps, tools, given);
      output = (output + result.output).slice(0, maxOutput);
      if (result.exitCode !== 0) break;
    }
    return { exitCode: result.exitCode, output };
  };
}

/** Characters that a command line may write. */
export const maxOutput = 65_536;
/** Of a command line in a message. */
const shown = (commandLine: string): string =>
  commandLine.length > 300 ? `${commandLine.slice(0, 300)}…` : commandLine;

async function runPipeline(steps: readonly Step[], tools: Tools, given: string): Promise<Result> {
  let result: Result = { exitCode: 0, output: given };
  for (const step of steps) result = await step(result.output, tools);
  return result;
}

function stepsOf(pipeline: Pipeline, offer: Offer): Step[] | string {
  const steps: Step[] = [];
  for (const words of pipeline) {
    const [program = '', ...rest] = words;
    const make = own(commands, program);
    if (!make && offer.programs?.includes(program)) {
      steps.push((input, { spawn, signal }) => spawn(words, input, signal));
      continue;
    }
    if (!make) return `"${program}" is not there`;
    const step = make(rest, offer);
    if (typeof step === 'string') return step;
    steps.push(step);
  }
  return steps;
}

const fixed =
  (exitCode: number, output = ''): Step =>
  () =>
    Promise.resolve({ exitCode, output });

const commands: Readonly<Record<string, (words: readonly string[], offer: Offer) => Step | string>> = {
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
  hey,
  curl,
  grep,
};

function hey(
  words: readonly string[],
  { paired = false, maxWorkers = Number.POSITIVE_INFINITY }: Offer,
): Step | string {
  const load = parseHey(words);
  if (typeof load === 'string') return load;
  if (load.workers > maxWorkers) return `${load.workers} workers are more than the ${maxWorkers} of --max-workers`;
  const primary = paired ? primaryOf(load.url) : undefined;
  if (paired && !primary)
    return `a paired load needs a URL whose host is the canary's service, as http://APP-canary.NAMESPACE/, not ${load.url.host}`;
  return async (_input, tools) => {
    const canary = { side: 'canary' as const, url: load.url };
    const targets: Targets = primary ? [canary, { side: 'primary' as const, url: primary }] : [canary];
    return { exitCode: 0, output: await runHey(load, targets, tools) };
  };
}

/** The same URL at the primary's service. Undefined: its host is not that of a canary's service. */
function primaryOf(url: URL): URL | undefined {
  const [service = '', ...rest] = url.hostname.split('.');
  if (!service.endsWith('-canary')) return undefined;
  const primary = new URL(url);
  primary.hostname = [service.replace(/-canary$/, '-primary'), ...rest].join('.');
  return primary;
}

const words = (text: string): readonly string[] => text.split(' ');

const curlOptions = {
  valued: words(
    'd data data-raw data-binary X request H header m max-time connect-timeout o output A user-agent u user w write-out url',
  ),
  plain: words(
    's silent S show-error f fail k insecure L location i include v verbose I head g globoff http1.1 http2 compressed',
  ),
  bundles: true,
} as const;

const bodyOptions = ['d', 'data', 'data-raw', 'data-binary'];

function curl(words: readonly string[]): Step | string {
  const options = parseOptions(words, curlOptions);
  if (typeof options === 'string') return options;
  const { named, rest } = options;
  const all = (...names: string[]): string[] => names.flatMap((name) => named.get(name) ?? []);
  const last = (...names: string[]): string | undefined => all(...names).at(-1);
  const has = (...names: string[]): boolean => names.some((name) => named.has(name));
  const urls = [...rest, ...all('url')];
  const url = urls.length === 1 ? toUrl(urls[0] ?? '') : undefined;
  if (!url) return `curl wants one URL, not "${urls.join(' ')}"`;
  if (has('o', 'output') && last('o', 'output') !== '/dev/null') return 'curl may write no files but /dev/null';
  if (has('w', 'write-out') && !/^(?:%\{http_code\}|\\n)*$/.test(last('w', 'write-out') ?? ''))
    return 'curl -w knows only %{http_code}';
  if (all('d', 'data', 'data-binary', 'H', 'header').some((value) => value.startsWith('@')))
    return 'curl may read no files';
  const parts = all(...bodyOptions);
  const body = parts.length > 0 ? parts.join('&') : undefined;
  const form = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  const [agent, user] = [last('A', 'user-agent'), last('u', 'user')];
  const seconds = Number(last('m', 'max-time') ?? '60');
  if (!(seconds > 0)) return 'curl -m wants seconds';
  const call = {
    url,
    method: last('X', 'request') ?? (body === undefined ? (has('I', 'head') ? 'HEAD' : 'GET') : 'POST'),
    headers: {
      ...form,
      ...(agent === undefined ? {} : { 'user-agent': agent }),
      ...(user === undefined ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
      ...headersOf(all('H', 'header')),
    },
    body,
    timeoutMs: seconds * 1_000,
    insecure: has('k', 'insecure'),
    http2: has('http2'),
    follow: has('L', 'location'),
  };
  return async (_input, { client, signal }) => {
    try {
      const { status, headers, body: answered } = await client.send(call, signal);
      if (has('f', 'fail') && status >= 400) {
        const silent = has('s', 'silent') && !has('S', 'show-error');
        return { exitCode: 22, output: silent ? '' : `curl: (22) The requested URL returned error: ${status}\n` };
      }
      const head = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\n`);
      const shown = has('i', 'include', 'I', 'head') ? `HTTP/1.1 ${status}\n${head.join('')}\n` : '';
      const written = last('w', 'write-out')?.replaceAll('%{http_code}', String(status)).replaceAll('\\n', '\n') ?? '';
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
  const bare = named.has('F') ? pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : pattern;
  const source = named.has('w') ? `\\b(?:${bare})\\b` : bare;
  const expression = readRegex(named.has('i') ? `(?i)${source}` : source);
  if ('problem' in expression) return `grep cannot read the pattern "${pattern}": ${expression.problem}`;
  return (input) => {
    const budget = { left: grepSteps };
    const lines = input === '' ? [] : input.replace(/\n$/, '').split('\n');
    const found = lines.flatMap((line) => {
      // The matcher knows the signs of ASCII.
      const at = expression.find(line.replace(/[^\0-\x7f]/g, '\x7f'), budget);
      if ((at !== undefined) === named.has('v')) return [];
      return [named.has('o') && at ? line.slice(at[0], at[1]) : line];
    });
    if (budget.left < 0) return Promise.resolve({ exitCode: 2, output: 'grep: the pattern takes too long\n' });
    const printed = named.has('c') ? `${found.length}\n` : found.map((line) => `${line}\n`).join('');
    return Promise.resolve({ exitCode: found.length > 0 ? 0 : 1, output: named.has('q') ? '' : printed });
  };
}

/** About a tenth of a second. */
const grepSteps = 5_000_000;
