import type { Question, Wire, WireAnswer } from '../wire.ts';
import { AgentError } from '../../lib/errors.ts';
import type { SshAddress } from './address.ts';
import { openSshConnection, type SshAccess, type SshConnection } from './connection.ts';
import { talk } from './conversation.ts';

export interface SshWireOptions extends SshAccess {
  readonly address: SshAddress;
  /** The longest silence inside an answer. */
  readonly idleTimeoutMs: number;
}

/** Git over SSH: one kept connection, on which each question and call is a run of the service. */
export function createSshWire(options: SshWireOptions): Wire {
  const { address } = options;
  const ended = new AbortController();
  let opening: Promise<SshConnection> | undefined;
  let current: SshConnection | undefined;

  /** Made once for all who wait for it; each gives up waiting by its own deadline. */
  const connection = async (): Promise<SshConnection> => {
    if (current?.isUsable) return current;
    current?.retire();
    current = undefined;
    opening ??= openSshConnection(address, options, ended.signal).finally(() => (opening = undefined));
    current = await opening;
    return current;
  };

  const once = async (question: Question, body: Uint8Array | undefined, signal: AbortSignal): Promise<WireAnswer> => {
    const { service, version, maxBytes } = question;
    const command = `git-${service} ${quoted(address.path)}`;
    let isSent = false;
    const run = async (isLast: boolean): Promise<WireAnswer> => {
      const open = await connection();
      signal.throwIfAborted();
      try {
        return await open.run(command, version, (channel, isAlive) =>
          talk(
            channel,
            {
              service,
              version,
              body,
              maxBytes,
              idleTimeoutMs: options.idleTimeoutMs,
              host: address.host,
              onSending: () => (isSent = true),
              isAlive,
            },
            signal,
          ),
        );
      } catch (error) {
        // A kept connection may have died unnoticed, or the server allow fewer channels on one: another is tried once.
        if (isLast || isSent || signal.aborted || !isGone(error)) throw error;
        return run(true);
      }
    };
    try {
      return await raced(run(false), signal);
    } catch (error) {
      if (!(error instanceof Late)) throw error;
      throw new AgentError('GIT_UNREACHABLE', `${address.host}: ${error.message}`, {
        cause: error,
        details: { phase: isSent ? 'answer' : 'connect' },
      });
    }
  };

  const ask = async (question: Question, body: Uint8Array | undefined, signal: AbortSignal): Promise<WireAnswer> => {
    signal.throwIfAborted();
    const stop = new AbortController();
    const abort = (): void => stop.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const late = new Late(`no complete answer within ${question.timeoutMs / 1000} s`);
    const timer = setTimeout(() => stop.abort(late), question.timeoutMs);
    try {
      return await once(question, body, stop.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  };

  return {
    url: address.url,
    advertise: (question, signal) => ask(question, undefined, signal),
    call: ({ body, ...question }, signal) => ask(question, body, signal),
    async close() {
      ended.abort(
        new AgentError('GIT_UNREACHABLE', `${address.host}: the repository was closed`, {
          details: { phase: 'connect' },
        }),
      );
      await opening?.catch(() => undefined);
      current?.close();
    },
  };
}

class Late extends Error {}

const isGone = (error: unknown): boolean => error instanceof AgentError && error.code === 'GIT_UNREACHABLE';

/** Waits no longer than the signal lets it; the work itself is ended by the same signal. */
function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** As git quotes a path for the shell at the other end. */
const quoted = (path: string): string => `'${path.replaceAll(/['!]/g, (letter) => `'\\${letter}'`)}'`;
