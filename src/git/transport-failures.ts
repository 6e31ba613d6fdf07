import { own } from '../lib/own.ts';
import { AgentError } from '../lib/errors.ts';

/** Failures before the first byte of the request has left: the server cannot have acted. */
const BEFORE_SENDING: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
};

const AFTER_SENDING: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed while sending',
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
  UND_ERR_BODY_TIMEOUT: 'the answer stalled',
};

export type FailurePhase = 'connect' | 'answer';

/** GIT_UNREACHABLE in one line, without the URL's path or a vendor's text. */
export const connectionFailure = (url: string, cause: unknown, connectTimeoutMs: number): AgentError =>
  hostFailure(new URL(url).host, cause, connectTimeoutMs);

/** The same of a host. `known`: the phase, where the caller knows it better. */
export function hostFailure(host: string, cause: unknown, connectTimeoutMs: number, known?: FailurePhase): AgentError {
  const { reason, phase } = explain(cause, connectTimeoutMs);
  return new AgentError('GIT_UNREACHABLE', `${host}: ${reason}`, { cause, details: { phase: known ?? phase } });
}

/** Of a connection; undefined: the error is of another kind. */
export function failurePhase(error: unknown): FailurePhase | undefined {
  if (!(error instanceof AgentError)) return undefined;
  if (error.details['phase'] === 'connect') return 'connect';
  return error.code === 'GIT_UNREACHABLE' ? 'answer' : undefined;
}

function explain(cause: unknown, connectTimeoutMs: number): { reason: string; phase: FailurePhase } {
  for (let error = cause; error instanceof Error; error = inner(error)) {
    const code = 'code' in error ? String(error.code) : '';
    const before = own(BEFORE_SENDING, code);
    if (code === 'UND_ERR_CONNECT_TIMEOUT') {
      return { reason: `no connection within ${connectTimeoutMs / 1000} s`, phase: 'connect' };
    }
    if (before !== undefined) return { reason: before, phase: 'connect' };
    const after = own(AFTER_SENDING, code);
    if (after !== undefined) return { reason: after, phase: 'answer' };
    if (/CERT|TLS|SIGNED|SSL/.test(code)) {
      return { reason: `TLS: ${error.message}; is a CA missing in the settings?`, phase: 'connect' };
    }
  }
  const text = cause instanceof Error && cause.message !== '' ? cause.message : 'the request failed';
  return { reason: text, phase: 'answer' };
}

function inner(error: Error): unknown {
  return error instanceof AggregateError ? (error.errors as unknown[])[0] : error.cause;
}

/** Where a redirect leads. Credentials in it are dropped; a way down from https to http is refused. */
export function redirectTarget(from: string, location: string): string {
  if (!URL.canParse(location, from)) {
    throw new AgentError('GIT_PROTOCOL', `${new URL(from).host} redirects to something that is no URL`);
  }
  const target = new URL(location, from);
  target.username = '';
  target.password = '';
  if (new URL(from).protocol === 'https:' && target.protocol !== 'https:') {
    throw new AgentError('GIT_PROTOCOL', `${new URL(from).host} redirects from https to ${target.protocol}//; refused`);
  }
  return target.href;
}
