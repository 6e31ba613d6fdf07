import { AgentError } from '../lib/errors.ts';
import { causesOf, codeOf, type ConnectionFailure, connectionFailure, isTls } from '../lib/http/failures.ts';

type FailurePhase = ConnectionFailure['phase'];

/** GIT_UNREACHABLE in one line, with nothing of a URL but its host, and without a vendor's text. `known`: the phase, where the caller knows it better. */
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

function explain(cause: unknown, connectTimeoutMs: number): ConnectionFailure {
  for (const error of causesOf(cause)) {
    const code = codeOf(error) ?? '';
    if (code === 'UND_ERR_CONNECT_TIMEOUT')
      return { reason: `no connection within ${connectTimeoutMs / 1000} s`, phase: 'connect' };
    const failure = connectionFailure(code);
    if (failure) return failure;
    if (isTls(code)) return { reason: `TLS: ${error.message}; is a CA missing in the settings?`, phase: 'connect' };
  }
  const text = cause instanceof Error && cause.message !== '' ? cause.message : 'the request failed';
  return { reason: text, phase: 'answer' };
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
