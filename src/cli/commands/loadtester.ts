import { systemClock } from '../../lib/clock.ts';
import { parseGoDuration } from '../../lib/duration.ts';
import { AgentError } from '../../lib/errors.ts';
import { networkProblem } from '../../lib/http/addresses.ts';
import { createLogger, type LogLevel } from '../../lib/log.ts';
import { version } from '../../lib/version.ts';
import { startLoadtester } from '../../loadtester/loadtester.ts';
import { createNetworkClient } from '../../loadtester/network-client.ts';
import { createSpawn } from '../../loadtester/spawn.ts';
import { createLoadSeries } from '../../server/load-series.ts';
import { startTaskServer } from '../../server/task-server.ts';
import { type CommandContext, exitCodes } from '../context.ts';

/** As they are written. */
export interface LoadtesterOptions {
  readonly port: string;
  readonly host?: string;
  readonly timeout: string;
  readonly namespaceRegexp?: string;
  readonly allowShell?: string;
  readonly allowAddresses?: string;
  readonly maxTasks: string;
  readonly maxWorkers: string;
  readonly logLevel: string;
}

/** `serin loadtester`: answers webhooks as Flagger's load tester does, until it is told to end. */
export async function loadtester(context: CommandContext, options: LoadtesterOptions): Promise<number> {
  const log = createLogger(options.logLevel as LogLevel, (line) => void context.stderr.write(line));
  const names = listOf(options.allowShell);
  const wrong = names.find((name) => !/^[a-zA-Z0-9][\w.+-]*$/.test(name));
  if (wrong !== undefined) throw invalid(`--allow-shell: "${wrong}" is no name of a program, as in bash,helm`);
  const allowed = listOf(options.allowAddresses);
  for (const address of allowed) {
    const problem = networkProblem(address);
    if (problem !== undefined) throw invalid(`--allow-addresses: ${problem}`);
  }
  const taskMs = parseGoDuration(options.timeout);
  if (taskMs === undefined || taskMs <= 0 || taskMs > 86_400_000)
    throw invalid(`--timeout: "${options.timeout}" is no duration up to a day, as 1h or 90s`);
  const { namespaceRegexp } = options;
  if (namespaceRegexp !== undefined && !isExpression(namespaceRegexp))
    throw invalid(`--namespace-regexp: "${namespaceRegexp}" is no regular expression`);
  const port = numberOf('--port', options.port, 65_535);
  const limits = {
    taskMs,
    tasks: numberOf('--max-tasks', options.maxTasks, 10_000),
    workers: numberOf('--max-workers', options.maxWorkers, 10_000),
  };

  const { meter, registry } = createLoadSeries();
  const program = startLoadtester({
    port,
    allowed: namespaceRegexp,
    clock: systemClock,
    log: (line) => log.info({}, line),
    client: createNetworkClient({ mayLoopback: false, allowed }),
    limits,
    ...(names.length === 0 ? {} : { programs: { names, spawn: createSpawn(context.environment) } }),
    meter,
  });
  const server = await startTaskServer({
    port,
    ...(options.host === undefined ? {} : { host: options.host }),
    program,
    registry,
    // Whoever waits for a task is answered when it is ended.
    answerMs: taskMs + 5_000,
    log,
  });
  log.info({ version, port: server.port, programs: names }, `Load tester ${version} answers on port ${server.port}`);
  await new Promise<void>((resolve) => {
    if (context.signal.aborted) return resolve();
    context.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  program.end();
  await server.close();
  return exitCodes.done;
}

const invalid = (message: string): AgentError => new AgentError('CONFIG_INVALID', message);

const listOf = (text = ''): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

function numberOf(option: string, text: string, max: number): number {
  const number = Number(text);
  // Port 0 is any that is free.
  if (!/^\d+$/.test(text) || number > max || (number === 0 && option !== '--port'))
    throw invalid(`${option}: "${text}" is no number up to ${max}`);
  return number;
}

function isExpression(text: string): boolean {
  try {
    return new RegExp(`^(?:${text})$`) instanceof RegExp;
  } catch {
    return false;
  }
}
