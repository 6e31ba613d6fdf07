import { formatGoDuration } from '../lib/duration.ts';
import { messageOf } from '../lib/errors.ts';
import type { Tools } from './commands.ts';
import { createGates } from './gates.ts';
import { createLoads } from './loads.ts';
import type { Named, Program, Reply, Request, Surroundings } from './program.ts';
import { parseTask, type Task } from './task.ts';

interface Payload extends Named {
  /** Of the revision that is released; empty: not told. */
  readonly checksum: string;
  readonly metadata: unknown;
}

/** Tells of loads by side: `{"canary":{"requests":600,"failed":3,"p50Ms":3.1,"p95Ms":9.4,"p99Ms":12.4}}`. */
const loadHeader = 'serin-load';

const text = (status: number, body = ''): Reply => ({ status, body });

/** Flagger's load tester: gates, rollback switches, and tasks that send traffic. */
export function startLoadtester(surroundings: Surroundings): Program {
  const { port, allowed, clock, log, client, limits, programs, meter } = surroundings;
  const gates = createGates(log);
  const loads = createLoads(clock);
  /** Command lines that run in the background, by canary. */
  const inBackground = new Set<string>();
  let running = 0;
  const stopping = new AbortController();
  // Unanchored, `team-a` would let `not-team-a` in.
  const mayAsk = allowed === undefined || allowed === '' ? undefined : new RegExp(`^(?:${allowed})$`);
  const offer = {
    programs: programs?.names ?? [],
    ...(limits === undefined ? {} : { maxWorkers: limits.workers }),
  };

  /** Runs a task to its end, which is its timeout's at the latest. Never rejects. */
  const run = async (
    task: Task,
    payload: Payload,
    signal?: AbortSignal,
  ): Promise<{ ok: boolean; output: string; why: string }> => {
    const ends = [stopping.signal, ...(signal ? [signal] : [])];
    const timeout = limits && AbortSignal.timeout(limits.taskMs);
    const tallyOf = loads.of(keyOf(payload, task.shown), payload.checksum);
    const tools: Tools = {
      client,
      clock,
      signal: AbortSignal.any([...ends, ...(timeout ? [timeout] : [])]),
      pace: surroundings.pace ?? { maxWorkers: Number.POSITIVE_INFINITY, minGapMs: 0 },
      onRequest: (side, outcome, durationMs) => {
        tallyOf(side).note(outcome, durationMs);
        meter?.request({ ...canaryOf(payload), side, code: /^\d{3}$/.test(outcome) ? outcome : 'none' }, durationMs);
      },
      spawn: programs?.spawn ?? (() => Promise.reject(new Error('no programs are run here'))),
    };
    meter?.running((running += 1));
    log(`task starting ${task.shown}`);
    try {
      const { exitCode, output } = await task.run(tools);
      tools.signal.throwIfAborted();
      meter?.task({ type: task.type, result: exitCode === 0 ? 'succeeded' : 'failed' });
      if (exitCode === 0) log(`command finished ${task.shown}`);
      else log(`command failed ${task.shown} exit status ${exitCode} ${output}`);
      if (task.logsOutput) log(output);
      return { ok: exitCode === 0, output, why: `exit status ${exitCode}` };
    } catch (error) {
      const why = timeout?.aborted === true ? `ended after ${formatGoDuration(limits?.taskMs ?? 0)}` : messageOf(error);
      meter?.task({ type: task.type, result: 'failed' });
      log(`command failed ${task.shown} ${why}`);
      return { ok: false, output: '', why };
    } finally {
      meter?.running((running -= 1));
    }
  };

  const perform = async (payload: Payload, signal: AbortSignal | undefined): Promise<Reply> => {
    const task = parseTask(payload.metadata, offer);
    if ('refused' in task) {
      log(`${payload.name}.${payload.namespace} task refused: ${task.refused}`);
      return text(400, task.refused);
    }
    const key = keyOf(payload, task.shown);
    if (!task.isAwaited && inBackground.has(key)) {
      log(`command skipped ${task.shown} is already running`);
      return withLoad(text(202), loads.told(key, payload.checksum));
    }
    if (limits && running >= limits.tasks) {
      const why = `${running} tasks run already, which is the most that --max-tasks allows`;
      log(`${payload.name}.${payload.namespace} task refused: ${why}`);
      return text(429, why);
    }
    if (!task.isAwaited) {
      const before = loads.told(key, payload.checksum);
      inBackground.add(key);
      void run(task, payload).finally(() => inBackground.delete(key));
      return withLoad(text(202), before);
    }
    const { ok, output, why } = await run(task, payload, signal);
    const reply = ok
      ? text(200, task.returnsOutput ? output : '')
      : text(500, `command ${task.shown} failed: ${output}: ${why}`);
    return withLoad(reply, loads.told(key, payload.checksum));
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
      if (mayAsk?.test(payload.namespace) === false) return text(403, 'Forbidden');
      return gates.answer(request.path, `${payload.name}.${payload.namespace}`) ?? perform(payload, request.signal);
    },
  };
}

const withLoad = (reply: Reply, told: string | undefined): Reply =>
  told === undefined ? reply : { ...reply, headers: { [loadHeader]: told } };

const keyOf = ({ name, namespace }: Named, shown: string): string => `${name}.${namespace} ${shown}`;

/** Names for labels: whoever calls could make up any number of others. */
function canaryOf({ name, namespace }: Named): Named {
  const isName = (one: string): boolean => one.length <= 253 && /^[a-z0-9][-a-z0-9.]*$/.test(one);
  return isName(name) && isName(namespace) ? { name, namespace } : { name: '', namespace: '' };
}

function withoutPayload({ path }: Request): Reply | undefined {
  if (path === '/healthz') return { status: 200, body: 'OK', quiet: true };
  if (path === '/metrics') return { status: 200, body: '', quiet: true };
  if (path === '/gate/approve') return text(200, 'OK');
  return path === '/gate/halt' ? text(403, 'Forbidden') : undefined;
}

function parsePayload(body: string): Payload | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { name, namespace, checksum, metadata } = value as Readonly<Record<string, unknown>>;
  const asText = (one: unknown): string => (typeof one === 'string' ? one : '');
  return { name: asText(name), namespace: asText(namespace), checksum: asText(checksum), metadata };
}
