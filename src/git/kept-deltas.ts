import { inflated } from './deflate.ts';
import { inflateInto } from './inflate.ts';

const CHUNK_BYTES = 1024 * 1024;
const NOT_KEPT = -1;

/** Inflated deltas by the number of their object, side by side in few large pieces: a buffer for each would cost more than it holds. */
export class KeptDeltas {
  readonly #chunks: Buffer[] = [];
  /** In all chunks, one after the other. */
  readonly #places: Int32Array;
  readonly #lengths: Uint32Array;
  readonly #maxChunks: number;
  #used = CHUNK_BYTES;

  constructor(count: number, maxBytes: number) {
    this.#places = new Int32Array(count).fill(NOT_KEPT);
    this.#lengths = new Uint32Array(count);
    this.#maxChunks = Math.floor(maxBytes / CHUNK_BYTES);
  }

  /** Inflates the delta of this object, whose deflated bytes begin at `from`, and keeps it if there is room. Gives how many they are. */
  inflate(index: number, bytes: Uint8Array, from: number, size: number): number {
    const chunk = this.#roomFor(size);
    if (!chunk) return inflated(bytes, from, size, true).used;
    const used = inflateInto(bytes, from, chunk, this.#used, size);
    this.#places[index] = (this.#chunks.length - 1) * CHUNK_BYTES + this.#used;
    this.#lengths[index] = size;
    this.#used += size;
    return used;
  }

  #roomFor(size: number): Buffer | undefined {
    if (size > CHUNK_BYTES) return undefined;
    if (this.#used + size > CHUNK_BYTES) {
      if (this.#chunks.length === this.#maxChunks) return undefined;
      // Inflating needs a byte more.
      this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK_BYTES + 1));
      this.#used = 0;
    }
    return this.#chunks.at(-1);
  }

  get(index: number): Buffer | undefined {
    const place = this.#places[index] ?? NOT_KEPT;
    if (place === NOT_KEPT) return undefined;
    const from = place % CHUNK_BYTES;
    return this.#chunks[Math.floor(place / CHUNK_BYTES)]?.subarray(from, from + (this.#lengths[index] ?? 0));
  }
}
