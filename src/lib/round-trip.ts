import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

/** What is sent. */
export interface Exchange {
  /** `https://host:6443` */
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  readonly method: Dispatcher.HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent: none. */
  readonly body?: string | undefined;
  /** Until the last byte of the answer; what takes longer is rejected with `late`. */
  readonly timeoutMs: number;
  readonly late: string;
  /** Longer bodies are cut here. Absent: they are not. */
  readonly maxBytes?: number;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Read as UTF-8. */
  readonly body: string;
}

/**
 * One request with its whole answer. Rejects with undici's error, at once with the signal's reason when it aborts, also before there
 * is a connection. Streams and abort signals of its own would cost each small exchange a third more.
 */
export function roundTrip(dispatcher: Dispatcher, exchange: Exchange, signal: AbortSignal): Promise<Answer> {
  const { origin, path, method, headers, body, timeoutMs, late, maxBytes = Number.POSITIVE_INFINITY } = exchange;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    let controller: Dispatcher.DispatchController | undefined;
    let stopped: Error | undefined;
    let answer: Pick<Answer, 'status' | 'headers'> | undefined;
    let bytes = 0;
    const chunks: Buffer[] = [];
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const stop = (reason: Error): void => {
      settle();
      stopped = reason;
      reject(reason);
      controller?.abort(reason);
    };
    const onAbort = (): void => stop(signal.reason as Error);
    const finish = (): void => {
      settle();
      const [first = Buffer.alloc(0)] = chunks;
      const whole = chunks.length > 1 ? Buffer.concat(chunks) : first;
      if (answer) resolve({ ...answer, body: whole.toString('utf8', 0, Math.min(whole.length, maxBytes)) });
    };
    const timer = setTimeout(() => stop(new Error(late)), timeoutMs);
    signal.addEventListener('abort', onAbort);
    try {
      dispatcher.dispatch(
        {
          origin,
          path,
          method,
          headers,
          body: body ?? null,
        },
        {
          onRequestStart(started) {
            controller = started;
            if (stopped) started.abort(stopped);
          },
          onResponseStart(_started, status, received) {
            if (status >= 200) answer = { status, headers: received };
          },
          onResponseData(started, chunk) {
            chunks.push(chunk);
            bytes += chunk.length;
            if (bytes < maxBytes) return;
            finish();
            started.abort(new Error('the answer is long enough'));
          },
          onResponseEnd: finish,
          onResponseError(_started, error) {
            settle();
            reject(error);
          },
        },
      );
    } catch (error) {
      stop(error as Error);
    }
  });
}
