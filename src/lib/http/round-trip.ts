import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from './dispatcher.ts';

/** What is sent. */
export interface Exchange {
  /** `https://host:6443` */
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  readonly method: Dispatcher.HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent: none. */
  readonly body?: string | Uint8Array | undefined;
  /** Until the last byte of the answer; what takes longer is rejected as Late with this message. */
  readonly timeoutMs: number;
  readonly late: string;
  /** Longer bodies are cut here. Absent: they are not. */
  readonly maxBytes?: number;
}

/** The answer was not complete in time. */
export class Late extends Error {
  override readonly name = 'Late';
}

export interface Answer<Body = string> {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Body;
  /** It has `maxBytes` or more, of which no more were read. */
  readonly isCut: boolean;
}

/** One request with its whole answer, read as UTF-8. Rejects as `roundTripBytes`. */
export const roundTrip = (dispatcher: Dispatcher, exchange: Exchange, signal: AbortSignal): Promise<Answer> =>
  readWhole(dispatcher, exchange, (body) => body.toString('utf8'), signal);

/**
 * One request with its whole answer. Rejects with undici's error, at once with the signal's reason when it aborts, also before there
 * is a connection. Streams and abort signals of its own would cost each small exchange a third more.
 */
export const roundTripBytes = (
  dispatcher: Dispatcher,
  exchange: Exchange,
  signal: AbortSignal,
): Promise<Answer<Buffer>> => readWhole(dispatcher, exchange, (body) => body, signal);

function readWhole<Body>(
  dispatcher: Dispatcher,
  exchange: Exchange,
  read: (body: Buffer) => Body,
  signal: AbortSignal,
): Promise<Answer<Body>> {
  const { origin, path, method, headers, body, timeoutMs, late, maxBytes = Number.POSITIVE_INFINITY } = exchange;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    let controller: Dispatcher.DispatchController | undefined;
    let stopped: Error | undefined;
    let answer: Pick<Answer, 'status' | 'headers'> | undefined;
    const content = createContent(maxBytes);
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
      if (answer) resolve({ ...answer, body: read(content.whole()), isCut: content.bytes >= maxBytes });
    };
    const timer = setTimeout(() => stop(new Late(late)), timeoutMs);
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
            content.add(chunk);
            if (content.bytes < maxBytes) return;
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

/** Small chunks are joined as they come: a server that sends single bytes would have an object for each of them kept. */
const joinBelow = 1_024;
const roomBytes = 16_384;

interface Content {
  readonly bytes: number;
  add(chunk: Buffer): void;
  /** At most `maxBytes` of it. */
  whole(): Buffer;
}

function createContent(maxBytes: number): Content {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let room = Buffer.alloc(0);
  let [from, to] = [0, 0];
  const close = (): void => {
    if (to > from) chunks.push(room.subarray(from, to));
    from = to;
  };
  return {
    get bytes() {
      return bytes;
    },
    add(chunk) {
      // Most answers are one small chunk.
      const isFirst = bytes === 0;
      bytes += chunk.length;
      if (isFirst || chunk.length >= joinBelow) {
        close();
        chunks.push(chunk);
        return;
      }
      if (to + chunk.length > room.length) {
        close();
        room = Buffer.alloc(roomBytes);
        [from, to] = [0, 0];
      }
      to += chunk.copy(room, to);
    },
    whole() {
      close();
      const [first = Buffer.alloc(0)] = chunks;
      const whole = chunks.length > 1 ? Buffer.concat(chunks) : first;
      return whole.length > maxBytes ? whole.subarray(0, maxBytes) : whole;
    },
  };
}

/** A header of an answer; the first one where a server has sent several, which the types do not tell. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
