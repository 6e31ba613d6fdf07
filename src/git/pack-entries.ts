import type { Steps } from '../lib/turns.ts';

const ID_BYTES = 20;
/** So many are looked at without others in between. */
const ENTRIES_ATURN = 16 * 1024;

/** Where a pack's objects stand, in columns: a pack may have very many. */
export class PackEntries {
  #ids: Buffer;
  #offsets: Float64Array;
  #crcs: Uint32Array;
  #length = 0;

  /** `expected`: how many there will be about. */
  constructor(expected = 64) {
    const room = Math.max(expected, 1);
    this.#ids = Buffer.allocUnsafeSlow(room * ID_BYTES);
    this.#offsets = new Float64Array(room);
    this.#crcs = new Uint32Array(room);
  }

  get length(): number {
    return this.#length;
  }

  /** `id` as bytes or hex. */
  add(id: string | Buffer, offset: number, crc: number): void {
    if (this.#length === this.#offsets.length) this.#grow();
    const at = this.#length * ID_BYTES;
    if (typeof id === 'string') this.#ids.write(id, at, 'hex');
    else id.copy(this.#ids, at, 0, ID_BYTES);
    this.#offsets[this.#length] = offset;
    this.#crcs[this.#length] = crc;
    this.#length += 1;
  }

  #grow(): void {
    const room = this.#offsets.length * 2;
    const [ids, offsets, crcs] = [this.#ids, this.#offsets, this.#crcs];
    this.#ids = Buffer.allocUnsafeSlow(room * ID_BYTES);
    ids.copy(this.#ids);
    this.#offsets = new Float64Array(room);
    this.#offsets.set(offsets);
    this.#crcs = new Uint32Array(room);
    this.#crcs.set(crcs);
  }

  offsetAt(index: number): number {
    return this.#offsets[index] ?? 0;
  }

  crcAt(index: number): number {
    return this.#crcs[index] ?? 0;
  }

  copyId(index: number, to: Buffer, at: number): void {
    const from = index * ID_BYTES;
    // A call of Node's costs more.
    for (let byte = 0; byte < ID_BYTES; byte += 1) to[at + byte] = this.#ids[from + byte] ?? 0;
  }

  /**
   * The entries' numbers in the order of their ids: cut into heaps by the first byte, each of which is sorted as numbers, without a call for
   * each comparison.
   */
  *sorted(): Steps<Uint32Array> {
    const length = this.#length;
    const starts = new Uint32Array(257);
    for (let index = 0; index < length; index += 1) {
      const heap = (this.#ids[index * ID_BYTES] ?? 0) + 1;
      starts[heap] = (starts[heap] ?? 0) + 1;
      if (index % ENTRIES_ATURN === 0) yield;
    }
    for (let heap = 1; heap <= 256; heap += 1) starts[heap] = (starts[heap] ?? 0) + (starts[heap - 1] ?? 0);
    // As much of each id as leaves room for its number in what a double holds exactly.
    const room = 2 ** Math.ceil(Math.log2(Math.max(length, 2)));
    const keys = new Float64Array(length);
    const free = starts.slice();
    for (let index = 0; index < length; index += 1) {
      const heap = this.#ids[index * ID_BYTES] ?? 0;
      const place = free[heap] ?? 0;
      keys[place] = uint32At(this.#ids, index * ID_BYTES) * room + index;
      free[heap] = place + 1;
      if (index % ENTRIES_ATURN === 0) yield;
    }
    const order = new Uint32Array(length);
    for (let heap = 0; heap < 256; heap += 1) {
      const [from = 0, to = 0] = [starts[heap], starts[heap + 1]];
      this.#sortHeap(keys.subarray(from, to).sort(), room, order.subarray(from, to));
      yield;
    }
    return order;
  }

  #sortHeap(keys: Float64Array, room: number, order: Uint32Array): void {
    let from = 0;
    for (let place = 0; place < keys.length; place += 1) {
      const key = keys[place] ?? 0;
      order[place] = key % room;
      const isLast = place + 1 === keys.length || Math.floor((keys[place + 1] ?? 0) / room) !== Math.floor(key / room);
      if (!isLast) continue;
      // Few begin alike.
      if (place > from) order.subarray(from, place + 1).sort((a, b) => this.#compare(a, b));
      from = place + 1;
    }
  }

  #compare(a: number, b: number): number {
    const [inA, inB] = [a * ID_BYTES, b * ID_BYTES];
    return this.#ids.compare(this.#ids, inB, inB + ID_BYTES, inA, inA + ID_BYTES);
  }
}

/** Big-endian, without the checks of Node's own. */
export const uint32At = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
