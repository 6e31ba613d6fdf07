import { own } from '../own.ts';

/** What became of a connection that failed: `connect` where the server cannot have seen the request, `answer` afterwards. */
export interface ConnectionFailure {
  readonly reason: string;
  readonly phase: 'connect' | 'answer';
}

const known: Readonly<Record<string, ConnectionFailure>> = {
  ECONNREFUSED: { reason: 'connection refused', phase: 'connect' },
  ENOTFOUND: { reason: 'no such host', phase: 'connect' },
  EAI_AGAIN: { reason: 'the name cannot be resolved now', phase: 'connect' },
  EHOSTUNREACH: { reason: 'no route to host', phase: 'connect' },
  ENETUNREACH: { reason: 'network is unreachable', phase: 'connect' },
  UND_ERR_CONNECT_TIMEOUT: { reason: 'no connection in time', phase: 'connect' },
  ECONNRESET: { reason: 'the connection was reset', phase: 'answer' },
  EPIPE: { reason: 'the connection was closed while sending', phase: 'answer' },
  UND_ERR_SOCKET: { reason: 'the connection was closed before the answer was complete', phase: 'answer' },
  UND_ERR_BODY_TIMEOUT: { reason: 'the answer stalled', phase: 'answer' },
};

/** In our words, by the code of an error; undefined where it says nothing of a connection. */
export const connectionFailure = (code: string): ConnectionFailure | undefined => own(known, code);

/** Whether an error's code tells of certificates or TLS. */
export const isTls = (code: string): boolean => /CERT|TLS|SSL|SIGNED|UNABLE_TO_VERIFY/.test(code);

/** An error with all that led to it, the outermost first. */
export function causesOf(cause: unknown): readonly Error[] {
  const found: Error[] = [];
  for (let error = cause; error instanceof Error && found.length < 10; ) {
    found.push(error);
    error = error instanceof AggregateError ? (error.errors as unknown[])[0] : error.cause;
  }
  return found;
}

/** The code that an error carries, such as ECONNRESET; undefined: none. */
export const codeOf = (error: Error): string | undefined =>
  'code' in error && typeof error.code === 'string' ? error.code : undefined;
