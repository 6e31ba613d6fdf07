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

  /** Copies it, if there is room. */
  keep(index: number, delta: Uint8Array): void {
    if (delta.length > CHUNK_BYTES) return;
    if (this.#used + delta.length > CHUNK_BYTES) {
      if (this.#chunks.length === this.#maxChunks) return;
      this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK_BYTES));
      this.#used = 0;
    }
    this.#chunks.at(-1)?.set(delta, this.#used);
    this.#places[index] = (this.#chunks.length - 1) * CHUNK_BYTES + this.#used;
    this.#lengths[index] = delta.length;
    this.#used += delta.length;
  }

  get(index: number): Buffer | undefined {
    const place = this.#places[index] ?? NOT_KEPT;
    if (place === NOT_KEPT) return undefined;
    const from = place % CHUNK_BYTES;
    return this.#chunks[Math.floor(place / CHUNK_BYTES)]?.subarray(from, from + (this.#lengths[index] ?? 0));
  }
}
