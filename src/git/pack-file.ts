import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import type { BaseCache, CachedBase } from './base-cache.ts';
import { inflated } from './deflate.ts';
import { applyDelta } from './delta.ts';
import type { GitMemory } from './memory.ts';
import type { GitObject } from './objects.ts';
import { type EncodedPack, type EntryHead, readEntryHead } from './pack-format.ts';
import { type PackIndex, parsePackIndex } from './pack-index.ts';
import { sweep, type SweptPack, type Takers } from './pack-sweep.ts';

/**
 * One pack. Objects are read by position with synchronous calls: a read is some microseconds from the page
 * cache, a hop through the thread pool costs ten times as much. A large pack on disk is never held in memory.
 */
export interface PackFile {
  /** Path without `.pack` and `.idx`. */
  readonly stem: string;
  readonly bytes: number;
  readonly index: PackIndex;
  read(oid: Buffer): GitObject | undefined;
  /** Gives the objects at these offsets, which are sorted, by their number among them, as `sweep` does. */
  readMany(offsets: Float64Array, takers: Takers): Generator<void, void>;
  /** What stands between two offsets. */
  bytesAt(from: number, to: number): Buffer;
  close(): void;
}

export interface PackContext {
  /** Shared by all packs; keys are made by `openPackFile`. */
  readonly bases: BaseCache;
  readonly memory: GitMemory;
  /** An object of another pack. */
  elsewhere(oid: string): GitObject | undefined;
}

const MAX_DELTA_CHAIN = 4_096;
const HEAD_BYTES = 64;
/** So much is read at once: nearly always the whole entry, and often the next ones. */
const WINDOW_BYTES = 8 * 1024;
/** Larger packs are not opened: keys of the cache are a pack's number and an offset. */
const MAX_PACK_BYTES = 2 ** 33;
let packNumber = 0;

/** Where a pack's bytes come from. */
interface PackBytes {
  readonly bytes: number;
  readonly readAt: (at: number, length: number) => Buffer;
  /** At least so many bytes of the pack, as long as nothing else is read. */
  readonly viewAt: (at: number, length: number) => Buffer;
  /** What is read next is not what was read before. */
  readonly forget: () => void;
  readonly close: () => void;
}

/** Throws when index and pack do not belong together or the pack was cut. */
export function openPackFile(stem: string, context: PackContext): PackFile {
  const index = parsePackIndex(readFileSync(`${stem}.idx`));
  const source = bytesOnDisk(`${stem}.pack`);
  try {
    if (source.readAt(source.bytes - 20, 20).toString('hex') !== index.packChecksum)
      throw new Error(`pack ${stem} is damaged`);
    if (source.bytes >= MAX_PACK_BYTES) throw new Error(`pack ${stem} is too large`);
  } catch (error) {
    source.close();
    throw error;
  }
  return packOf(stem, index, source, context);
}

/** A pack that is not on disk; `stem` is where it would be. */
export function holdPack(stem: string, { bytes }: EncodedPack, index: Buffer, context: PackContext): PackFile {
  return packOf(stem, parsePackIndex(index), bytesHeld(bytes), context);
}

const bytesHeld = (bytes: Buffer): PackBytes => ({
  bytes: bytes.length,
  readAt: (at, length) => bytes.subarray(at, at + length),
  viewAt: (at) => bytes.subarray(at),
  forget: () => undefined,
  close: () => undefined,
});

function bytesOnDisk(path: string): PackBytes {
  const fd = openSync(path, 'r');
  const bytes = fstatSync(fd).size;
  const window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  let windowAt = 0;
  let windowEnd = 0;
  const readAt = (at: number, length: number): Buffer => {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, bytes - at)));
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, at));
  };
  return {
    bytes,
    readAt,
    viewAt: (at, length) => {
      const end = Math.min(at + length, bytes);
      if (at >= windowAt && end <= windowEnd) return window.subarray(at - windowAt, windowEnd - windowAt);
      if (length > WINDOW_BYTES) return readAt(at, length);
      windowAt = at;
      windowEnd = at + readSync(fd, window, 0, WINDOW_BYTES, at);
      return window.subarray(0, windowEnd - windowAt);
    },
    forget: () => (windowEnd = 0),
    close: () => closeSync(fd),
  };
}

/** The deflated bytes that begin there and become so many. `isBrief`: see `inflated`. */
function inflateFrom({ bytes, readAt, viewAt }: PackBytes, from: number, size: number, isBrief: boolean): Buffer {
  // Nearly always enough; a writer may also store in tiny blocks.
  const guess = viewAt(from, size + (size >> 8) + 128);
  try {
    return inflated(guess, 0, size, isBrief).content;
  } catch (error) {
    if (guess.length >= bytes - from - 20) throw error;
    return inflated(readAt(from, bytes - from), 0, size, isBrief).content;
  }
}

function packOf(stem: string, index: PackIndex, source: PackBytes, context: PackContext): PackFile {
  const { bytes, readAt, viewAt } = source;
  packNumber = (packNumber + 1) % 2 ** 20;
  const firstKey = packNumber * MAX_PACK_BYTES;
  const headAt = (at: number): EntryHead => readEntryHead(viewAt(at, HEAD_BYTES), 0);
  const inflateAt = (at: number, { dataAt, size, kind }: EntryHead): Buffer =>
    inflateFrom(source, at + dataAt, size, kind !== 'whole');
  const cached = (at: number): CachedBase | undefined => context.bases.get(firstKey + at);
  /** Where an entry's base stands in this pack; undefined: it is whole, or its base is elsewhere. */
  const baseOf = (at: number, head: EntryHead): number | undefined => {
    if (head.kind === 'whole') return undefined;
    return head.kind === 'offset-delta' ? at - head.back : index.offsetOf(Buffer.from(head.base, 'hex'));
  };
  const elsewhere = (head: EntryHead): GitObject => {
    const base = head.kind === 'ref-delta' ? context.elsewhere(head.base) : undefined;
    if (!base) throw new Error(`delta base ${head.kind === 'ref-delta' ? head.base : ''} is missing`);
    return base;
  };

  const readObject = (start: number): GitObject => {
    const chain: { at: number; head: EntryHead }[] = [];
    let at = start;
    let base = cached(at);
    while (!base) {
      if (chain.length > MAX_DELTA_CHAIN) throw new Error('delta chain does not end');
      const head = headAt(at);
      if (head.kind === 'whole') {
        base = { object: { type: head.type, content: inflateAt(at, head) }, depth: 0 };
        if (chain.length > 0) context.bases.keep(firstKey + at, base);
        break;
      }
      chain.push({ at, head });
      const next = baseOf(at, head);
      base = next === undefined ? { object: elsewhere(head), depth: 0 } : cached(next);
      at = next ?? at;
    }
    let { object, depth } = base;
    for (let link = chain.pop(); link; link = chain.pop()) {
      depth += 1;
      object = { type: object.type, content: applyDelta(inflateAt(link.at, link.head), object.content) };
      context.bases.keep(firstKey + link.at, { object, depth });
    }
    return object;
  };

  const readMany = (wanted: Float64Array, takers: Takers): Generator<void, void> => {
    const isMuch = wanted.length * WINDOW_BYTES >= bytes && bytes <= context.memory.pack;
    const from = isMuch ? bytesHeld(readAt(0, bytes)) : source;
    const pack: SweptPack = {
      headAt: (at) => readEntryHead(from.viewAt(at, HEAD_BYTES), 0),
      baseOf,
      objectAt: readObject,
      deltaAt: (at, size) => inflateFrom(from, at, size, true),
    };
    return sweep(pack, wanted, takers, context.memory.way);
  };

  return {
    stem,
    bytes,
    index,
    readMany,
    close: source.close,
    bytesAt: (from, to) => readAt(from, to - from),
    read: (oid) => {
      const offset = index.offsetOf(oid);
      // What is damaged on the disk is to be seen as soon as it is read.
      source.forget();
      return offset === undefined ? undefined : readObject(offset);
    },
  };
}
