import { messageOf } from '../lib/errors.ts';
import { createClient } from './client.ts';
import { understand } from './commands.ts';
import { createGates } from './gates.ts';
import type { Program, Reply, Request, Surroundings } from './program.ts';

interface Payload {
  readonly name?: string;
  readonly namespace?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

const text = (status: number, body = ''): Reply => ({ status, body });

/** Flagger's load tester: gates, rollback switches, and tasks that send traffic. */
export function startLoadtester({ port, allowed, clock, log, lookUp }: Surroundings): Program {
  const gates = createGates(log);
  const client = createClient(lookUp);
  const running = new Set<string>();
  const stopping = new AbortController();
  const tools = { client, clock, signal: stopping.signal };

  const start = (canary: string, commandLine: string, logOutput: boolean): Reply => {
    const ready = understand(commandLine);
    if ('refused' in ready) return text(400, ready.refused);
    const key = `${canary} ${commandLine}`;
    if (running.has(key)) {
      log(`command skipped ${commandLine} is already running`);
      return text(202);
    }
    running.add(key);
    log(`task starting ${commandLine}`);
    ready(tools)
      .then(({ exitCode, output }) => {
        if (exitCode === 0) log(`command finished ${commandLine}`);
        else log(`command failed ${commandLine} exit status ${exitCode} ${output}`);
        if (logOutput) log(output);
      })
      .catch((error: unknown) => log(`command failed ${commandLine} ${messageOf(error)}`))
      .finally(() => running.delete(key));
    return text(202);
  };
  const wait = async (commandLine: string, returnOutput: boolean): Promise<Reply> => {
    const ready = understand(commandLine);
    if ('refused' in ready) return text(400, ready.refused);
    const { exitCode, output } = await ready(tools);
    if (exitCode === 0) return text(200, returnOutput ? output : '');
    return text(500, `command ${commandLine} failed: ${output}: exit status ${exitCode}`);
  };
  const task = ({ name = '', namespace = '', metadata }: Payload): Reply | Promise<Reply> => {
    if (!metadata || Object.keys(metadata).length === 0) return text(400, 'metadata not found in payload');
    const { type = 'cmd', cmd, logCmdOutput, returnCmdOutput } = metadata;
    if (type !== 'cmd' && type !== 'bash') {
      const known = ['helm', 'helmv3', 'kubectl', 'concord', 'ngrinder'].includes(type);
      const why = known ? `task type ${type} is not offered by the embedded cluster` : `unknown task type ${type}`;
      return text(400, why);
    }
    if (!cmd) return text(400, 'cmd not found in metadata');
    return type === 'cmd'
      ? start(`${name}.${namespace}`, cmd, logCmdOutput === 'true')
      : wait(cmd, returnCmdOutput === 'true');
  };

  log(`Starting load tester on port ${port}`);
  return {
    end: () => {
      stopping.abort(new Error('the load tester is stopping'));
      client.close();
    },
    handle(request) {
      const fixed = withoutPayload(request);
      if (fixed) return fixed;
      const payload = parsePayload(request.body);
      if (!payload) return text(400);
      if (allowed && !new RegExp(allowed).test(payload.namespace ?? '')) return text(403, 'Forbidden');
      const canary = `${payload.name ?? ''}.${payload.namespace ?? ''}`;
      return gates.answer(request.path, canary) ?? task(payload);
    },
  };
}

function withoutPayload({ path }: Request): Reply | undefined {
  if (path === '/healthz') return { status: 200, body: 'OK', quiet: true };
  if (path === '/metrics') return { status: 200, body: '', quiet: true };
  if (path === '/gate/approve') return text(200, 'OK');
  return path === '/gate/halt' ? text(403, 'Forbidden') : undefined;
}

function parsePayload(body: string): Payload | undefined {
  try {
    const payload: unknown = JSON.parse(body);
    return typeof payload === 'object' && payload !== null ? (payload as Payload) : undefined;
  } catch {
    return undefined;
  }
}
