/** So many bits of a code are looked up at once; longer ones are rare and are counted out. */
const LOOKUP_BITS = 9;
const LOOKUP_MASK = (1 << LOOKUP_BITS) - 1;
const MAX_BITS = 15;
const LENGTH_CODES = 288;
const DISTANCE_CODES = 32;
const END_OF_BLOCK = 256;
const ADLER_BASE = 65_521;
/** So many bytes can be summed before the sums leave 32 bits. */
const ADLER_RUN = 3_800;

const lengthBase = new Uint16Array([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const lengthExtra = new Uint8Array([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
const distanceBase = new Uint16Array([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1_025, 1_537, 2_049, 3_073, 4_097,
  6_145, 8_193, 12_289, 16_385, 24_577,
]);
const distanceExtra = new Uint8Array([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);
const codeLengthOrder = Uint8Array.of(16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15);

/** A canonical Huffman code, as https://www.rfc-editor.org/rfc/rfc1951#section-3.2.2 has them. */
class Code {
  /** By the next bits: symbol times 16 plus the bits that it takes; 0: more bits than are looked up, or none. */
  readonly lookup = new Uint16Array(1 << LOOKUP_BITS);
  /** How many symbols have codes of each length, and all symbols by their codes. */
  readonly #counts = new Uint16Array(MAX_BITS + 1);
  readonly #symbols: Uint16Array;
  readonly #next = new Uint16Array(MAX_BITS + 1);

  constructor(symbols: number) {
    this.#symbols = new Uint16Array(symbols);
  }

  /** `lengths` from `from` to `to`, one for each symbol. `mayBeOne`: a single code of one bit is enough. */
  build(lengths: Uint8Array, from: number, to: number, mayBeOne: boolean): this {
    const [counts, next, symbols, lookup] = [this.#counts, this.#next, this.#symbols, this.lookup];
    counts.fill(0);
    for (let at = from; at < to; at += 1) {
      const length = lengths[at] ?? 0;
      counts[length] = (counts[length] ?? 0) + 1;
    }
    counts[0] = 0;
    let left = 1;
    let longest = 0;
    for (let length = 1; length <= MAX_BITS; length += 1) {
      const count = counts[length] ?? 0;
      left = left * 2 - count;
      if (left < 0) throw new Error('deflated data has too many codes');
      if (count > 0) longest = length;
    }
    if (left > 0 && longest > 0 && !(mayBeOne && longest === 1)) throw new Error('deflated data has too few codes');
    next[1] = 0;
    for (let length = 1; length < MAX_BITS; length += 1) next[length + 1] = (next[length] ?? 0) + (counts[length] ?? 0);
    lookup.fill(0);
    // Where in `symbols` a length begins tells the code: codes of a length follow each other.
    let code = 0;
    let first = 0;
    const codes = firstCodes;
    for (let length = 1; length <= MAX_BITS; length += 1) {
      codes[length] = code - first;
      code = (code + (counts[length] ?? 0)) * 2;
      first += counts[length] ?? 0;
    }
    for (let at = from; at < to; at += 1) {
      const length = lengths[at] ?? 0;
      if (length === 0) continue;
      const place = next[length] ?? 0;
      next[length] = place + 1;
      symbols[place] = at - from;
      if (length > LOOKUP_BITS) continue;
      const entry = (at - from) * 16 + length;
      for (let bits = reversed((codes[length] ?? 0) + place, length); bits <= LOOKUP_MASK; bits += 1 << length)
        lookup[bits] = entry;
    }
    return this;
  }

  /** As an entry of `lookup`, for codes of any length. */
  countedOut(bits: number): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= MAX_BITS; length += 1) {
      code |= (bits >> (length - 1)) & 1;
      const count = this.#counts[length] ?? 0;
      if (code - count < first) return (this.#symbols[index + code - first] ?? 0) * 16 + length;
      index += count;
      first = (first + count) * 2;
      code *= 2;
    }
    throw new Error('deflated data has a code that does not exist');
  }
}

const firstCodes = new Int32Array(MAX_BITS + 1);

function reversed(code: number, length: number): number {
  let bits = 0;
  for (let at = 0; at < length; at += 1) bits |= ((code >> at) & 1) << (length - 1 - at);
  return bits;
}

/** Bits of a stream in the order in which deflate takes them. What is beyond its end counts as zeros until that is known to be too much. */
class Bits {
  input: Uint8Array;
  at = 0;
  hold = 0;
  held = 0;

  constructor(input: Uint8Array) {
    this.input = input;
  }

  take(count: number): number {
    while (this.held < count) this.#more();
    const bits = this.hold & ((1 << count) - 1);
    this.hold >>>= count;
    this.held -= count;
    return bits;
  }

  symbol(code: Code): number {
    while (this.held < MAX_BITS) this.#more();
    const entry = code.lookup[this.hold & LOOKUP_MASK] || code.countedOut(this.hold);
    this.hold >>>= entry & 15;
    this.held -= entry & 15;
    return entry >> 4;
  }

  #more(): void {
    this.hold |= (this.input[this.at++] ?? 0) << this.held;
    this.held += 8;
  }

  /** Goes on with the next whole byte, and gives back those that were taken too early. */
  align(): number {
    this.at -= this.held >> 3;
    this.hold = this.held = 0;
    return this.at;
  }

  get isCutOff(): boolean {
    return this.at - (this.held >> 3) > this.input.length;
  }
}

const lengthsRead = new Uint8Array(LENGTH_CODES + DISTANCE_CODES);
const fixedLengths = new Code(LENGTH_CODES).build(
  new Uint8Array(LENGTH_CODES).fill(8).fill(9, 144, 256).fill(7, 256, 280),
  0,
  LENGTH_CODES,
  false,
);
const fixedDistances = new Code(DISTANCE_CODES).build(new Uint8Array(DISTANCE_CODES).fill(5), 0, DISTANCE_CODES, false);
const ownLengths = new Code(LENGTH_CODES);
const ownDistances = new Code(DISTANCE_CODES);
const codeLengths = new Code(19);

/**
 * Inflates a zlib stream that becomes exactly `output`, and gives how many bytes it has. For small objects: a stream of Node's zlib is an
 * object with a window of its own, which costs many times what a hundred bytes cost, and the garbage collector as much again.
 * Throws where the stream is damaged, cut off, or of another size.
 */
export function inflateSmall(input: Uint8Array, output: Uint8Array): number {
  const [method = 0, flags = 0] = input;
  if ((method & 15) !== 8 || method >> 4 > 7 || (method * 256 + flags) % 31 !== 0 || (flags & 32) !== 0)
    throw new Error('not deflated data');
  const bits = new Bits(input);
  bits.at = 2;
  let written = 0;
  for (let isLast = false; !isLast; ) {
    isLast = bits.take(1) === 1;
    const kind = bits.take(2);
    if (kind === 0) written = copyStored(bits, output, written);
    else if (kind === 1) written = inflateBlock(bits, fixedLengths, fixedDistances, output, written);
    else if (kind === 2) {
      readCodes(bits);
      written = inflateBlock(bits, ownLengths, ownDistances, output, written);
    } else throw new Error('deflated data is damaged');
    if (bits.isCutOff) throw new Error('deflated data is cut off');
  }
  const at = bits.align();
  if (at + 4 > input.length) throw new Error('deflated data is cut off');
  if (written !== output.length) throw new Error('deflated data has another size');
  const high = ((input[at] ?? 0) << 8) | (input[at + 1] ?? 0);
  const low = ((input[at + 2] ?? 0) << 8) | (input[at + 3] ?? 0);
  if (high * 65_536 + low !== adler32(output)) throw new Error('deflated data has another checksum');
  return at + 4;
}

function copyStored(bits: Bits, output: Uint8Array, written: number): number {
  const { input } = bits;
  const at = bits.align();
  const length = (input[at] ?? 0) | ((input[at + 1] ?? 0) << 8);
  const check = (input[at + 2] ?? 0) | ((input[at + 3] ?? 0) << 8);
  if (length !== (~check & 0xffff)) throw new Error('deflated data is damaged');
  const from = at + 4;
  if (from + length > input.length || written + length > output.length)
    throw new Error('deflated data has another size');
  output.set(input.subarray(from, from + length), written);
  bits.at = from + length;
  return written + length;
}

/** A block's own codes. */
function readCodes(bits: Bits): void {
  const lengthCount = bits.take(5) + 257;
  const distanceCount = bits.take(5) + 1;
  const orderCount = bits.take(4) + 4;
  if (lengthCount > 286 || distanceCount > 30) throw new Error('deflated data has too many codes');
  lengthsRead.fill(0, 0, 19);
  for (let index = 0; index < orderCount; index += 1) lengthsRead[codeLengthOrder[index] ?? 0] = bits.take(3);
  codeLengths.build(lengthsRead, 0, 19, false);
  const total = lengthCount + distanceCount;
  for (let index = 0; index < total; ) {
    const symbol = bits.symbol(codeLengths);
    if (symbol < 16) {
      lengthsRead[index++] = symbol;
      continue;
    }
    if (symbol === 16 && index === 0) throw new Error('deflated data repeats what is not there');
    const value = symbol === 16 ? (lengthsRead[index - 1] ?? 0) : 0;
    const end = index + (symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7));
    if (end > total) throw new Error('deflated data has too many codes');
    for (; index < end; index += 1) lengthsRead[index] = value;
  }
  if (lengthsRead[END_OF_BLOCK] === 0) throw new Error('deflated data has no end');
  ownLengths.build(lengthsRead, 0, lengthCount, true);
  ownDistances.build(lengthsRead, lengthCount, total, true);
}

/** Everything of the stream's state is local in here: this is where the time goes. */
function inflateBlock(bits: Bits, lengths: Code, distances: Code, output: Uint8Array, from: number): number {
  const { input } = bits;
  const [lengthLookup, distanceLookup, size] = [lengths.lookup, distances.lookup, output.length];
  let { at, hold, held } = bits;
  let written = from;
  for (;;) {
    while (held < MAX_BITS) {
      hold |= (input[at++] ?? 0) << held;
      held += 8;
    }
    let entry = lengthLookup[hold & LOOKUP_MASK] || lengths.countedOut(hold);
    hold >>>= entry & 15;
    held -= entry & 15;
    const symbol = entry >> 4;
    if (symbol < END_OF_BLOCK) {
      if (written >= size) throw new Error('deflated data has another size');
      output[written++] = symbol;
      continue;
    }
    if (symbol === END_OF_BLOCK) break;
    if (symbol > 285) throw new Error('deflated data is damaged');
    const more = lengthExtra[symbol - 257] ?? 0;
    // At most 5 bits, and then 15 and 13.
    while (held < MAX_BITS) {
      hold |= (input[at++] ?? 0) << held;
      held += 8;
    }
    const end = written + (lengthBase[symbol - 257] ?? 0) + (hold & ((1 << more) - 1));
    hold >>>= more;
    held -= more;
    while (held < MAX_BITS) {
      hold |= (input[at++] ?? 0) << held;
      held += 8;
    }
    entry = distanceLookup[hold & LOOKUP_MASK] || distances.countedOut(hold);
    hold >>>= entry & 15;
    held -= entry & 15;
    const code = entry >> 4;
    if (code > 29) throw new Error('deflated data is damaged');
    const farther = distanceExtra[code] ?? 0;
    while (held < farther) {
      hold |= (input[at++] ?? 0) << held;
      held += 8;
    }
    const distance = (distanceBase[code] ?? 0) + (hold & ((1 << farther) - 1));
    hold >>>= farther;
    held -= farther;
    if (distance > written || end > size) throw new Error('deflated data repeats what is not there');
    for (; written < end; written += 1) output[written] = output[written - distance] ?? 0;
  }
  bits.at = at;
  bits.hold = hold;
  bits.held = held;
  return written;
}

function adler32(bytes: Uint8Array): number {
  let [low, high] = [1, 0];
  for (let at = 0; at < bytes.length; ) {
    for (const end = Math.min(at + ADLER_RUN, bytes.length); at < end; at += 1) {
      low += bytes[at] ?? 0;
      high += low;
    }
    low %= ADLER_BASE;
    high %= ADLER_BASE;
  }
  return high * 65_536 + low;
}
