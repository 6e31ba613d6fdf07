import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { AgentError } from '../lib/errors.ts';
import { createTurns, type Turns } from '../lib/turns.ts';
import { inflated, inflatedThrough, LARGEST_OBJECT_BYTES } from './deflate.ts';
import { addChild, createForest, type DeltaForest, descend } from './delta-forest.ts';
import { KeptDeltas } from './kept-deltas.ts';
import { defaultMemoryBytes, type GitMemory, memoryWithin } from './memory.ts';
import { type GitObject, type ObjectType, objectId } from './objects.ts';
import { PackEntries } from './pack-entries.ts';
import { encodeEntry, type EncodedPack, type EntryHead, packHeader, readEntryHead, sealPack } from './pack-format.ts';
import { malformed } from './pkt-line.ts';

export interface IngestedPack extends EncodedPack {
  /** Ids of the commits in it, in the pack's order. */
  readonly commits: readonly string[];
}

/**
 * Checks a received pack down to the last object and computes its index. Deltas against objects outside the pack (a
 * thin pack) are allowed; those bases are appended, so that what is stored is a pack that native git reads too. Each commit is told.
 * GIT_PROTOCOL when anything is wrong with it, GIT_TOO_LARGE where it becomes more than can be read in time.
 */
export async function ingestPack(
  bytes: Buffer,
  outside: (oid: string) => GitObject | undefined,
  onCommit?: (oid: string, content: Buffer) => void,
  memory = memoryWithin(defaultMemoryBytes),
): Promise<IngestedPack> {
  try {
    return await new Ingest(bytes, outside, onCommit, memory).run();
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw malformed(`damaged pack (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}

const ID_BYTES = 20;
const TRAILER_BYTES = 20;
const HEADER_BYTES = 12;
/** No object takes less: a byte that says what it is, and a stream of zlib that says nothing. */
const MIN_ENTRY_BYTES = 9;
/** Git's packs become some ten times their size. */
const MOST_INFLATED_BYTES = 8 * 1024 * 1024 * 1024;
/** So much is inflated without a look at the time; each object counts at least so much. */
const UNBROKEN_BYTES = 64 * 1024;
const SMALL_OBJECT_BYTES = 1024;
const HASHED_ATURN_BYTES = 1024 * 1024;
const TYPES: readonly ObjectType[] = ['commit', 'tree', 'blob', 'tag'];

/**
 * The pack's objects by their number in it, in columns, because there may be very many. Read once from front to back, then each object
 * that others are made of with all that are made of it: no delta is applied twice, however the pack is sorted.
 */
class Ingest {
  readonly #bytes: Buffer;
  readonly #body: Buffer;
  readonly #outside: (oid: string) => GitObject | undefined;
  readonly #onCommit: ((oid: string, content: Buffer) => void) | undefined;
  readonly #turns: Turns = createTurns();
  readonly #count: number;
  readonly #offsets: Uint32Array;
  readonly #sizes: Float64Array;
  readonly #headBytes: Uint8Array;
  readonly #crcs: Uint32Array;
  /** Index in TYPES, plus one; 0 while it is not known. */
  readonly #types: Uint8Array;
  readonly #ids: Buffer;
  readonly #forest: DeltaForest;
  /** Deltas are needed twice: what is not kept is inflated again. */
  readonly #keptDeltas: KeptDeltas;
  readonly #wayBytes: number;
  /** Objects that name their base by its id, until the base is found. */
  readonly #waiting = new Map<string, number[]>();
  readonly #added = new Map<string, GitObject>();
  #known = 0;
  #inflatedBytes = 0;

  constructor(
    bytes: Buffer,
    outside: (oid: string) => GitObject | undefined,
    onCommit: ((oid: string, content: Buffer) => void) | undefined,
    memory: GitMemory,
  ) {
    this.#wayBytes = memory.way;
    this.#onCommit = onCommit;
    this.#bytes = bytes;
    this.#body = bytes.subarray(0, -TRAILER_BYTES);
    this.#outside = outside;
    if (bytes.length < HEADER_BYTES + TRAILER_BYTES || bytes.toString('latin1', 0, 8) !== 'PACK\0\0\0\x02')
      throw new Error('not a pack of version 2');
    const count = bytes.readUInt32BE(8);
    if (count * MIN_ENTRY_BYTES > this.#body.length - HEADER_BYTES)
      throw new Error('more objects than it has room for');
    this.#count = count;
    this.#offsets = new Uint32Array(count);
    this.#sizes = new Float64Array(count);
    this.#headBytes = new Uint8Array(count);
    this.#crcs = new Uint32Array(count);
    this.#types = new Uint8Array(count);
    this.#ids = Buffer.alloc(count * ID_BYTES);
    this.#forest = createForest(count);
    this.#keptDeltas = new KeptDeltas(count, memory.deltas);
  }

  async run(): Promise<IngestedPack> {
    const checksum = await this.#checksum();
    await this.#scan();
    this.#linkByName();
    for (let index = 0; index < this.#count; index += 1) {
      const isBase = this.#types[index] !== 0 && this.#isWhole(index) && this.#firstChild(index) >= 0;
      if (isBase) await this.#makeFrom(this.#types[index] ?? 0, this.#firstChild(index), () => this.#inflate(index));
    }
    for (const oid of this.#waiting.keys()) await this.#makeFromOutside(oid);
    if (this.#known < this.#count) throw new Error(`${this.#count - this.#known} deltas without base`);
    return this.#seal(checksum);
  }

  async #checksum(): Promise<Buffer> {
    const hash = createHash('sha1');
    for (let at = 0; at < this.#body.length; at += HASHED_ATURN_BYTES) {
      hash.update(this.#body.subarray(at, at + HASHED_ATURN_BYTES));
      await this.#turns.breathe();
    }
    const sum = hash.digest();
    if (!sum.equals(this.#bytes.subarray(-TRAILER_BYTES))) throw new Error('checksum does not match');
    return sum;
  }

  async #scan(): Promise<void> {
    let at = HEADER_BYTES;
    let unbroken = 0;
    for (let index = 0; index < this.#count; index += 1) {
      const head = readEntryHead(this.#body, at);
      this.#spend(head.size);
      const from = at + head.dataAt;
      const end = from + (this.#scanHeld(index, at, from, head) ?? (await this.#scanThrough(index, from, head)));
      this.#offsets[index] = at;
      this.#sizes[index] = head.size;
      this.#headBytes[index] = head.dataAt;
      this.#crcs[index] = crc32(this.#body.subarray(at, end));
      at = end;
      // A promise for each of very many small ones would cost as much as they do.
      unbroken += head.size + SMALL_OBJECT_BYTES;
      if (unbroken < UNBROKEN_BYTES) continue;
      unbroken = 0;
      await this.#turns.breathe();
    }
    if (at !== this.#body.length) throw new Error('bytes after the last object');
  }

  /** Gives how many deflated bytes it has; undefined: it is too large to be held. */
  #scanHeld(index: number, at: number, from: number, head: EntryHead): number | undefined {
    if (head.kind === 'offset-delta') addChild(this.#forest, this.#indexAt(at - head.back, index), index);
    else if (head.kind === 'ref-delta') this.#wait(head.base, index);
    else {
      if (head.size > LARGEST_OBJECT_BYTES) return undefined;
      const { content, used } = inflated(this.#body, from, head.size, true);
      this.#register(index, TYPES.indexOf(head.type) + 1, content);
      return used;
    }
    return this.#keptDeltas.inflate(index, this.#body, from, head.size);
  }

  async #scanThrough(index: number, from: number, head: EntryHead): Promise<number> {
    if (head.kind !== 'whole') throw new Error('a delta without content');
    const { used, oid } = await hashedThrough(head.type, this.#body.subarray(from), head.size);
    this.#note(index, TYPES.indexOf(head.type) + 1, oid);
    return used;
  }

  /** The number of the entry that begins there; it stands before `end`. */
  #indexAt(offset: number, end: number): number {
    let [low, high] = [0, end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#offsets[middle] ?? 0;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle;
    }
    throw new Error('delta base is missing');
  }

  #wait(base: string, index: number): void {
    const others = this.#waiting.get(base);
    if (others) others.push(index);
    else this.#waiting.set(base, [index]);
  }

  #note(index: number, type: number, oid: string): void {
    this.#ids.write(oid, index * ID_BYTES, 'hex');
    this.#types[index] = type;
    this.#known += 1;
  }

  /** Counts what the pack becomes. */
  #spend(bytes: number): void {
    this.#inflatedBytes += bytes;
    if (this.#inflatedBytes > MOST_INFLATED_BYTES)
      throw new AgentError('GIT_TOO_LARGE', 'a pack of the Git server becomes more than 8 GiB');
  }

  #register(index: number, type: number, content: Buffer): void {
    const oid = objectId(TYPES[type - 1] ?? 'blob', content);
    this.#note(index, type, oid);
    if (TYPES[type - 1] === 'commit') this.#onCommit?.(oid, content);
  }

  #idOf(index: number): string {
    return this.#ids.toString('hex', index * ID_BYTES, (index + 1) * ID_BYTES);
  }

  readonly #firstChild = (index: number): number => this.#forest.firstChild[index] ?? -1;

  #isWhole(index: number): boolean {
    return readEntryHead(this.#body, this.#offsets[index] ?? 0).kind === 'whole';
  }

  #inflate(index: number, isBrief = false): Buffer {
    const at = (this.#offsets[index] ?? 0) + (this.#headBytes[index] ?? 0);
    return inflated(this.#body, at, this.#sizes[index] ?? 0, isBrief).content;
  }

  /** Those that name a base which is whole in the pack become its children. */
  #linkByName(): void {
    if (this.#waiting.size === 0) return;
    for (let index = 0; index < this.#count; index += 1) if (this.#types[index] !== 0) this.#adoptWaiting(index);
  }

  #adoptWaiting(index: number): void {
    const oid = this.#idOf(index);
    for (const child of this.#waiting.get(oid) ?? []) addChild(this.#forest, index, child);
    this.#waiting.delete(oid);
  }

  /** Everything that is made of one object, directly or not. */
  async #makeFrom(type: number, first: number, root: () => Buffer): Promise<void> {
    await this.#turns.run(
      descend({
        forest: this.#forest,
        first,
        heldBytes: this.#wayBytes,
        root,
        deltaOf: (index) => this.#keptDeltas.get(index) ?? this.#inflate(index, true),
        visit: (index, content) => {
          this.#spend(content.length);
          this.#register(index, type, content);
          if (this.#waiting.size > 0) this.#adoptWaiting(index);
        },
      }),
    );
  }

  /** Everything that is made of a base which is not in the pack, if it is to be had. */
  async #makeFromOutside(oid: string): Promise<void> {
    // It may have turned up in the pack meanwhile.
    const children = this.#waiting.get(oid);
    const base = children && this.#outside(oid);
    if (!children || !base) return;
    this.#waiting.delete(oid);
    this.#added.set(oid, base);
    const { nextSibling } = this.#forest;
    children.forEach((child, at) => (nextSibling[child] = children[at + 1] ?? -1));
    await this.#makeFrom(TYPES.indexOf(base.type) + 1, children[0] ?? -1, () => base.content);
  }

  #seal(checksum: Buffer): IngestedPack {
    const entries = new PackEntries(this.#count + this.#added.size);
    const commits: string[] = [];
    for (let index = 0; index < this.#count; index += 1) {
      const id = this.#ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES);
      entries.add(id, this.#offsets[index] ?? 0, this.#crcs[index] ?? 0);
      if (this.#types[index] === 1) commits.push(this.#idOf(index));
    }
    const appended: Buffer[] = [];
    let offset = this.#body.length;
    const own = new Set(this.#added.size === 0 ? [] : Array.from({ length: this.#count }, (_, at) => this.#idOf(at)));
    for (const [oid, object] of this.#added) {
      // Made of another base from outside, it came afterwards.
      if (own.has(oid)) continue;
      const encoded = encodeEntry(object);
      entries.add(oid, offset, crc32(encoded));
      appended.push(encoded);
      offset += encoded.length;
    }
    if (appended.length === 0) return { bytes: this.#bytes, entries, checksum, commits };
    const parts = [packHeader(this.#count + appended.length), this.#body.subarray(HEADER_BYTES), ...appended];
    return { ...sealPack(parts, entries), commits };
  }
}

/** The id of an object that is not held. */
async function hashedThrough(
  type: ObjectType,
  data: Buffer,
  size: number,
): Promise<{ readonly oid: string; readonly used: number }> {
  const hash = createHash('sha1').update(`${type} ${size}\0`);
  const { used } = await inflatedThrough(data, size, (piece) => void hash.update(piece));
  return { oid: hash.digest('hex'), used };
}
