const ID_BYTES = 20;

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
    this.#ids.copy(to, at, index * ID_BYTES, (index + 1) * ID_BYTES);
  }

  /** The entries' numbers in the order of their ids: cut into heaps by the first two bytes, each of which is sorted. */
  sorted(): Uint32Array {
    const starts = new Uint32Array(0x10001);
    const heapOf = (index: number): number => this.#ids.readUInt16BE(index * ID_BYTES);
    for (let index = 0; index < this.#length; index += 1) {
      const heap = heapOf(index) + 1;
      starts[heap] = (starts[heap] ?? 0) + 1;
    }
    for (let heap = 1; heap <= 0x10000; heap += 1) starts[heap] = (starts[heap] ?? 0) + (starts[heap - 1] ?? 0);
    const order = new Uint32Array(this.#length);
    const free = starts.slice();
    for (let index = 0; index < this.#length; index += 1) {
      const heap = heapOf(index);
      const place = free[heap] ?? 0;
      order[place] = index;
      free[heap] = place + 1;
    }
    for (let heap = 0; heap < 0x10000; heap += 1) {
      const [from = 0, to = 0] = [starts[heap], starts[heap + 1]];
      if (to - from > 1) order.subarray(from, to).sort((a, b) => this.#compare(a, b));
    }
    return order;
  }

  #compare(a: number, b: number): number {
    const [inA, inB] = [a * ID_BYTES, b * ID_BYTES];
    return this.#ids.compare(this.#ids, inB, inB + ID_BYTES, inA, inA + ID_BYTES);
  }
}
