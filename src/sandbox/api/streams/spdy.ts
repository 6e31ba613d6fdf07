import { createDeflate, createInflate, constants } from 'node:zlib';
import { spdyDictionary } from './spdy-dictionary.ts';

/** One of the streams of a connection. Either side may end its half alone. */
export interface SpdyStream {
  readonly headers: Readonly<Record<string, string>>;
  /** What the client sends, until it ends its half. */
  readonly input: AsyncIterable<Buffer>;
  write(bytes: Buffer): void;
  /** Ends our half. */
  end(): void;
}

export interface SpdyConnection {
  /** Bytes that came. */
  receive(bytes: Buffer): void;
  /** The connection has gone: all streams end. */
  close(): void;
}

const frames = { synStream: 1, synReply: 2, reset: 3, ping: 6, goAway: 7 };
const fin = 1;
const maxFrameBytes = 1 << 20;

interface Stream extends SpdyStream {
  readonly push: (bytes: Buffer) => void;
  readonly finish: () => void;
}

/** The server's side of SPDY/3.1, as far as Kubernetes' streams use it: no flow control, no pushes. Throws out what it cannot read. */
export function openSpdy(
  send: (bytes: Buffer) => void,
  onStream: (stream: SpdyStream) => void,
  onWrong: () => void,
): SpdyConnection {
  const streams = new Map<number, Stream>();
  const inflate = createInflate({ dictionary: spdyDictionary, finishFlush: constants.Z_SYNC_FLUSH });
  const deflate = createDeflate();
  const replies: Buffer[] = [];
  const inflated: Buffer[] = [];
  inflate.on('data', (chunk: Buffer) => inflated.push(chunk));
  inflate.on('error', onWrong);
  deflate.on('data', (chunk: Buffer) => replies.push(chunk));
  let waiting = Buffer.alloc(0);
  let turn = Promise.resolve();

  const control = (type: number, body: Buffer): void => {
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x8003, 0);
    head.writeUInt16BE(type, 2);
    head.writeUIntBE(body.length, 5, 3);
    send(Buffer.concat([head, body]));
  };
  const data = (id: number, flags: number, body: Buffer): void => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(id, 0);
    head.writeUInt8(flags, 4);
    head.writeUIntBE(body.length, 5, 3);
    send(Buffer.concat([head, body]));
  };
  const headersOf = (block: Buffer): Promise<Record<string, string>> =>
    new Promise((resolve) => {
      inflate.write(block, () => resolve(readHeaders(Buffer.concat(inflated.splice(0)))));
    });
  /** An empty list of headers, in the one compressed stream that all of ours share. */
  const noHeaders = (): Promise<Buffer> =>
    new Promise((resolve) => {
      deflate.write(Buffer.alloc(4));
      deflate.flush(constants.Z_SYNC_FLUSH, () => resolve(Buffer.concat(replies.splice(0))));
    });

  const take = async (head: Buffer, body: Buffer): Promise<void> => {
    if ((head.readUInt8(0) & 0x80) === 0) {
      const stream = streams.get(head.readUInt32BE(0));
      if (body.length > 0) stream?.push(body);
      if ((head.readUInt8(4) & fin) !== 0) stream?.finish();
      return;
    }
    const type = head.readUInt16BE(2);
    if (type === frames.synStream) {
      const id = body.readUInt32BE(0) & 0x7fffffff;
      const headers = await headersOf(body.subarray(10));
      const stream = createStream(headers, (flags, bytes) => data(id, flags, bytes));
      streams.set(id, stream);
      const number = Buffer.alloc(4);
      number.writeUInt32BE(id);
      control(frames.synReply, Buffer.concat([number, await noHeaders()]));
      if ((head.readUInt8(4) & fin) !== 0) stream.finish();
      onStream(stream);
    } else if (type === frames.reset) streams.get(body.readUInt32BE(0) & 0x7fffffff)?.finish();
    else if (type === frames.ping) control(frames.ping, body);
  };

  return {
    receive(bytes) {
      waiting = Buffer.concat([waiting, bytes]);
      while (waiting.length >= 8) {
        const length = waiting.readUIntBE(5, 3);
        if (length > maxFrameBytes) return onWrong();
        if (waiting.length < 8 + length) return;
        const [head, body] = [waiting.subarray(0, 8), waiting.subarray(8, 8 + length)];
        waiting = waiting.subarray(8 + length);
        turn = turn.then(() => take(head, body)).catch(onWrong);
      }
    },
    close() {
      for (const stream of streams.values()) stream.finish();
      streams.clear();
      inflate.destroy();
      deflate.destroy();
    },
  };
}

function createStream(headers: Readonly<Record<string, string>>, send: (flags: number, bytes: Buffer) => void): Stream {
  const { push, finish, input } = createInput();
  let ended = false;
  return {
    headers,
    input,
    push,
    finish,
    write(bytes) {
      // Frames of 16 KiB, so that streams take turns.
      for (let at = 0; at < bytes.length && !ended; at += 16_384) send(0, bytes.subarray(at, at + 16_384));
    },
    end() {
      if (!ended) send(fin, Buffer.alloc(0));
      ended = true;
    },
  };
}

/** Chunks in the order in which they came. */
export interface StreamInput {
  readonly push: (bytes: Buffer) => void;
  readonly finish: () => void;
  readonly input: AsyncIterable<Buffer>;
}

export function createInput(): StreamInput {
  const chunks: Buffer[] = [];
  let isOver = false;
  let wake = (): void => undefined;
  return {
    push(bytes) {
      chunks.push(bytes);
      wake();
    },
    finish() {
      isOver = true;
      wake();
    },
    input: {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          const next = chunks.shift();
          if (next) yield next;
          else if (isOver) return;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      },
    },
  };
}

function readHeaders(block: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  let at = 4;
  const text = (): string => {
    const length = block.readUInt32BE(at);
    at += 4 + length;
    return block.toString('utf8', at - length, at);
  };
  for (let left = block.readUInt32BE(0); left > 0; left -= 1) {
    const name = text().toLowerCase();
    headers[name] = text();
  }
  return headers;
}
