import { constants, createInflate, inflateSync } from 'node:zlib';

/** What Node's zlib streams are made of. It is not documented; npm itself depends on it. */
interface Engine {
  readonly _handle: {
    reset(): void;
    writeSync(
      flush: number,
      from: Uint8Array,
      fromAt: number,
      fromLength: number,
      to: Uint8Array,
      toAt: number,
      toLength: number,
    ): void;
    onerror: (message: string) => void;
  };
  /** After a write: what is left of the room for output, and of the input. */
  readonly _writeState: Uint32Array;
}

/** One stream that is used again and again: making one costs many times what a hundred bytes cost, and the garbage collector as much again. */
class KeptEngine {
  readonly #handle: Engine['_handle'];
  readonly #left: Uint32Array;
  readonly #failures: string[] = [];

  constructor({ _handle, _writeState }: Engine) {
    this.#handle = _handle;
    this.#left = _writeState;
    _handle.onerror = (message) => void this.#failures.push(message);
  }

  inflate(input: Uint8Array, from: number, output: Uint8Array, to: number, size: number): number {
    const length = input.length - from;
    this.#handle.reset();
    // The stream has ended where it leaves the last byte of the room alone; else this calls it an error.
    this.#handle.writeSync(constants.Z_FINISH, input, from, length, output, to, size + 1);
    const [room = 0, rest = 0] = this.#left;
    const failure = this.#failures.pop();
    if (failure !== undefined) throw new Error(`deflated data is damaged (${failure})`);
    if (room !== 1) throw new Error('deflated data has another size');
    return length - rest;
  }
}

/** Undefined where this Node's streams are made of something else. */
function keptEngine(): KeptEngine | undefined {
  try {
    const engine = new KeptEngine(createInflate({ chunkSize: 64 }) as unknown as Engine);
    const known = Buffer.from('789c4b040000620062', 'hex');
    const output = Buffer.alloc(2);
    // Twice, because it is to be used again.
    for (let time = 0; time < 2; time += 1)
      if (engine.inflate(known, 0, output, 0, 1) !== known.length || output[0] !== 0x61) return undefined;
    return engine;
  } catch {
    return undefined;
  }
}

const engine = keptEngine();

/** False: each stream is made anew, which is right and slow. */
export const isInflateKept = engine !== undefined;

/**
 * Inflates the zlib stream that begins at `from` and becomes exactly `size` bytes, into `output` at `to`, where there is room for one byte
 * more. Gives how many bytes the stream has; what follows it is ignored. Throws where it is damaged, cut off, or of another size.
 */
export function inflateInto(input: Uint8Array, from: number, output: Uint8Array, to: number, size: number): number {
  // Beyond these Node would end the process.
  if (!isWithin(from, 0, input)) throw new Error('deflated data is cut off');
  if (!isWithin(to, size, output)) throw new Error('no room to inflate to');
  return (engine ?? afresh).inflate(input, from, output, to, size);
}

const isWithin = (at: number, length: number, bytes: Uint8Array): boolean =>
  Number.isInteger(at) && Number.isInteger(length) && at >= 0 && length >= 0 && at + length < bytes.length;

const afresh: Pick<KeptEngine, 'inflate'> = {
  inflate(input, from, output, to, size) {
    const { content, used } = inflatedAfresh(input.subarray(from), size);
    output.set(content, to);
    return used;
  },
};

/** So much is asked for in one piece, so that a size that is a lie costs no memory. */
const MAX_CHUNK_BYTES = 1024 * 1024;

/** The same into memory of its own, for what is large. */
function inflatedAfresh(input: Uint8Array, size: number): { readonly content: Buffer; readonly used: number } {
  const result = inflateSync(input, {
    info: true,
    maxOutputLength: Math.max(size, 1),
    // The usual chunk of 16 KiB would be held by every small object that is kept.
    chunkSize: Math.min(size + 64, MAX_CHUNK_BYTES),
  }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
  if (result.buffer.length !== size) throw new Error('deflated data has another size');
  return { content: result.buffer, used: result.engine.bytesWritten };
}
