import type { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { type GateToken, rightOf } from './gate-tokens.ts';
import { answer, createApp, createLimitedServer, listen, listenerOf, type RunningServer } from './listen.ts';

/** What stands behind the gates. */
export interface GateKeeper {
  /** Undefined: there is no such Canary, or it is not looked after here. */
  stateOf(gate: 'gate' | 'rollback', namespace: string, name: string): 'open' | 'closed' | undefined;
  /** False: there is no such Canary. */
  set(
    gate: 'gate' | 'rollback',
    canary: { readonly namespace: string; readonly name: string; readonly open: boolean },
  ): Promise<boolean>;
}

export interface GateServerOptions {
  readonly port: number;
  /** Absent: all addresses. */
  readonly host?: string;
  readonly gates: GateKeeper;
  /** Who may change gates; asked each time. Absent: nobody, gates can only be asked for. */
  readonly tokens?: () => Promise<readonly GateToken[]>;
  readonly log: Logger;
}

const maxBytes = 65_536;
const namePattern = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * The gates of Flagger's load tester, for those who ask over HTTP: the same paths, payload and replies. It executes nothing: what the
 * load tester runs as a task is refused here, whatever the path.
 */
export async function startGateServer(options: GateServerOptions): Promise<RunningServer> {
  const { port, host, log } = options;
  const server = createLimitedServer(listenerOf(gateApp(options)));
  return listen(server, { port, ...(host === undefined ? {} : { host }), setting: '--gate-port', log });
}

type Gate = 'gate' | 'rollback';
type Verb = 'check' | 'open' | 'close' | 'approve' | 'halt';

function gateApp(options: GateServerOptions): Hono {
  const app = createApp((error) => {
    options.log.error({ reason: messageOf(error) }, 'a gate could not be answered for');
    return answer(503, 'try again');
  });
  const bounded = bodyLimit({ maxSize: maxBytes, onError: () => answer(400, '') });
  const verbs = { gate: ['check', 'open', 'close', 'approve', 'halt'], rollback: ['check', 'open', 'close'] } as const;
  app.get('/healthz', () => answer(200, 'OK'));
  for (const gate of ['gate', 'rollback'] as const) {
    for (const verb of verbs[gate]) {
      app.post(`/${gate}/${verb}`, bounded, async ({ req }) => {
        const payload = parsePayload(await req.text());
        if (!payload) return answer(400, '');
        if (payload.hasTask) return answer(400, 'this agent runs no commands');
        return asked(gate, verb, payload, req.header('authorization'), options);
      });
      app.all(`/${gate}/${verb}`, () => answer(405, 'only POST'));
    }
  }
  app.notFound(() => answer(404, 'there are only gates here'));
  return app;
}

async function asked(
  gate: Gate,
  verb: Verb,
  { namespace, name }: Payload,
  authorization: string | undefined,
  { gates, tokens, log }: GateServerOptions,
): Promise<Response> {
  const canary = `${gate === 'rollback' ? 'rollback.' : ''}${name}.${namespace}`;
  const state = gates.stateOf(gate, namespace, name);
  if (verb === 'halt' || (verb === 'approve' && state === undefined)) return answer(403, 'Forbidden');
  if (verb === 'approve') return answer(200, 'OK');
  if (verb === 'check') {
    log.debug({ canary: `${name}.${namespace}` }, `${canary} ${gate} check: approved ${state === 'open'}`);
    return state === 'open' ? answer(200, 'Approved') : answer(403, 'Forbidden');
  }
  if (!tokens) return answer(403, 'gates are changed by "serin gate" or kubectl annotate; see --gate-token-file');
  const right = rightOf(await tokens(), authorization, namespace);
  if (right !== 'granted') return right === 'unknown' ? answer(401, '') : answer(403, 'Forbidden');
  const open = verb === 'open';
  if (!(await gates.set(gate, { namespace, name, open }))) return answer(404, `there is no Canary ${name}`);
  log.info({ canary: `${name}.${namespace}` }, `${canary} ${gate} ${open ? 'opened' : 'closed'}`);
  return answer(202, '');
}

interface Payload {
  readonly namespace: string;
  readonly name: string;
  /** It asks for something to be run. */
  readonly hasTask: boolean;
}

function parsePayload(body: string): Payload | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  const { name, namespace, metadata } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || typeof namespace !== 'string') return undefined;
  if (!namePattern.test(name) || !namePattern.test(namespace)) return undefined;
  const { cmd, type } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  return { name, namespace, hasTask: cmd !== undefined || type !== undefined };
}
