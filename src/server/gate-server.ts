import type { IncomingMessage } from 'node:http';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { type GateToken, rightOf } from './gate-tokens.ts';
import { createLimitedServer, listen, type RunningServer } from './listen.ts';

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

interface Reply {
  readonly status: number;
  readonly body?: string;
}

const maxBytes = 65_536;
const namePattern = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * The gates of Flagger's load tester, for those who ask over HTTP: the same paths, payload and replies. It executes nothing: what the
 * load tester runs as a task is refused here, whatever the path.
 */
export async function startGateServer(options: GateServerOptions): Promise<RunningServer> {
  const { port, host, log } = options;
  const server = createLimitedServer((request, response) => {
    answer(request, options)
      .catch((error: unknown): Reply => {
        log.error({ reason: messageOf(error) }, 'a gate could not be answered for');
        return { status: 503, body: 'try again' };
      })
      .then(({ status, body = '' }) => {
        response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
        response.end(body);
      })
      .catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'a caller left before the answer'));
  });
  return listen(server, { port, ...(host === undefined ? {} : { host }), setting: '--gate-port', log });
}

async function answer(request: IncomingMessage, { gates, tokens, log }: GateServerOptions): Promise<Reply> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  if (request.method === 'GET' && path === '/healthz') return { status: 200, body: 'OK' };
  const [, gate, verb] = /^\/(gate|rollback)\/(check|open|close|approve|halt)$/.exec(path) ?? [];
  if ((gate !== 'gate' && gate !== 'rollback') || verb === undefined)
    return { status: 404, body: 'there are only gates here' };
  if (gate === 'rollback' && (verb === 'approve' || verb === 'halt'))
    return { status: 404, body: 'there are only gates here' };
  if (request.method !== 'POST') return { status: 405, body: 'only POST' };
  const payload = parsePayload(await read(request));
  if (!payload) return { status: 400 };
  if (payload.hasTask) return { status: 400, body: 'this agent runs no commands' };
  const { namespace, name } = payload;
  const canary = `${gate === 'rollback' ? 'rollback.' : ''}${name}.${namespace}`;
  const state = gates.stateOf(gate, namespace, name);
  if (verb === 'halt' || (verb === 'approve' && state === undefined)) return { status: 403, body: 'Forbidden' };
  if (verb === 'approve') return { status: 200, body: 'OK' };
  if (verb === 'check') {
    log.debug({ canary: `${name}.${namespace}` }, `${canary} ${gate} check: approved ${state === 'open'}`);
    return state === 'open' ? { status: 200, body: 'Approved' } : { status: 403, body: 'Forbidden' };
  }
  if (!tokens)
    return { status: 403, body: 'gates are changed by "serin gate" or kubectl annotate; see --gate-token-file' };
  const right = rightOf(await tokens(), request.headers.authorization, namespace);
  if (right !== 'granted') return right === 'unknown' ? { status: 401 } : { status: 403, body: 'Forbidden' };
  const open = verb === 'open';
  if (!(await gates.set(gate, { namespace, name, open }))) return { status: 404, body: `there is no Canary ${name}` };
  log.info({ canary: `${name}.${namespace}` }, `${canary} ${gate} ${open ? 'opened' : 'closed'}`);
  return { status: 202 };
}

interface Payload {
  readonly namespace: string;
  readonly name: string;
  /** It asks for something to be run. */
  readonly hasTask: boolean;
}

function parsePayload(body: string | undefined): Payload | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body ?? '');
  } catch {
    return undefined;
  }
  const { name, namespace, metadata } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || typeof namespace !== 'string') return undefined;
  if (!namePattern.test(name) || !namePattern.test(namespace)) return undefined;
  const { cmd, type } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  return { name, namespace, hasTask: cmd !== undefined || type !== undefined };
}

/** Undefined: too much for a payload. */
async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
