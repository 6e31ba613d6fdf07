import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import type { BaseCache, CachedBase } from './base-cache.ts';
import { inflated } from './deflate.ts';
import { applyDelta } from './delta.ts';
import { addChild, createForest, descend } from './delta-forest.ts';
import type { GitObject } from './objects.ts';
import { type EncodedPack, type EntryHead, readEntryHead } from './pack-format.ts';
import { encodePackIndex, type PackIndex, parsePackIndex } from './pack-index.ts';

/**
 * One pack. Objects are read by position with synchronous calls: a read is some microseconds from the page
 * cache, a hop through the thread pool costs ten times as much. A pack on disk is never held in memory.
 */
export interface PackFile {
  /** Path without `.pack` and `.idx`. */
  readonly stem: string;
  readonly bytes: number;
  readonly index: PackIndex;
  read(oid: Buffer): GitObject | undefined;
  /** Gives the objects at these offsets to `take`, those that are made of each other together; yields between them. */
  readMany(offsets: readonly number[], take: (offset: number, object: GitObject) => void): Generator<void, void>;
  /** What stands between two offsets. */
  bytesAt(from: number, to: number): Buffer;
  close(): void;
}

export interface PackContext {
  /** Shared by all packs; keys are made by `openPackFile`. */
  readonly bases: BaseCache;
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
export function holdPack(stem: string, { bytes, entries, checksum }: EncodedPack, context: PackContext): PackFile {
  const source: PackBytes = {
    bytes: bytes.length,
    readAt: (at, length) => bytes.subarray(at, at + length),
    viewAt: (at) => bytes.subarray(at),
    forget: () => undefined,
    close: () => undefined,
  };
  return packOf(stem, parsePackIndex(encodePackIndex(entries, checksum)), source, context);
}

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

function packOf(stem: string, index: PackIndex, source: PackBytes, context: PackContext): PackFile {
  const { bytes, readAt, viewAt } = source;
  packNumber = (packNumber + 1) % 2 ** 20;
  const firstKey = packNumber * MAX_PACK_BYTES;
  const headAt = (at: number): EntryHead => readEntryHead(viewAt(at, HEAD_BYTES), 0);
  const inflateAt = (at: number, { dataAt, size, kind }: EntryHead): Buffer => {
    const from = at + dataAt;
    const isBrief = kind !== 'whole';
    // Nearly always enough; a writer may also store in tiny blocks.
    const guess = viewAt(from, size + (size >> 8) + 128);
    try {
      return inflated(guess, size, isBrief).content;
    } catch (error) {
      if (guess.length >= bytes - from - 20) throw error;
      return inflated(readAt(from, bytes - from), size, isBrief).content;
    }
  };
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

  function* readMany(wanted: readonly number[], take: (at: number, object: GitObject) => void): Generator<void, void> {
    const places: number[] = [];
    const numbers = new Map<number, number>();
    const parents: number[] = [];
    const add = (at: number): number => {
      const number = places.length;
      places.push(at);
      parents.push(-1);
      numbers.set(at, number);
      return number;
    };
    // With all that they are made of.
    const sorted = Float64Array.from(new Set(wanted)).sort();
    for (const start of sorted) {
      let child = -1;
      for (let at: number | undefined = start; at !== undefined; ) {
        const known = numbers.get(at);
        const number: number = known ?? add(at);
        if (child >= 0) parents[child] = number;
        if (known !== undefined) break;
        child = number;
        at = baseOf(at, headAt(at));
      }
      yield;
    }
    const forest = createForest(places.length);
    const isWanted = new Uint8Array(places.length);
    for (const start of sorted) isWanted[numbers.get(start) ?? -1] = 1;
    numbers.clear();
    for (const [number, parent] of parents.entries()) if (parent >= 0) addChild(forest, parent, number);
    for (const [number, at] of places.entries()) {
      if ((parents[number] ?? -1) >= 0) continue;
      const root = readObject(at);
      if (isWanted[number]) take(at, root);
      yield;
      yield* descend({
        forest,
        first: forest.firstChild[number] ?? -1,
        root: () => root.content,
        deltaOf: (node) => {
          const place = places[node] ?? 0;
          return inflateAt(place, headAt(place));
        },
        visit: (node, content) => {
          if (isWanted[node]) take(places[node] ?? 0, { type: root.type, content });
        },
      });
    }
  }

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
