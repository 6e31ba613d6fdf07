import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import type { ByteCache } from './byte-cache.ts';
import { inflated } from './deflate.ts';
import { applyDelta } from './delta.ts';
import type { GitObject } from './objects.ts';
import { type EntryHead, readEntryHead } from './pack-format.ts';
import { type PackIndex, parsePackIndex } from './pack-index.ts';

/**
 * One pack on disk. Objects are read by position with synchronous calls: a read is some microseconds from the page
 * cache, a hop through the thread pool costs ten times as much. The pack itself is never held in memory.
 */
export interface PackFile {
  /** Path without `.pack` and `.idx`. */
  readonly stem: string;
  readonly bytes: number;
  readonly index: PackIndex;
  read(oid: Buffer): GitObject | undefined;
  /** What stands between two offsets. */
  bytesAt(from: number, to: number): Buffer;
  close(): void;
}

export interface PackContext {
  /** Shared by all packs; keys are pack and offset. */
  readonly bases: ByteCache<GitObject>;
  /** An object of another pack. */
  elsewhere(oid: string): GitObject | undefined;
}

const MAX_DELTA_CHAIN = 4_096;
const HEAD_BYTES = 64;

/** Throws when index and pack do not belong together or the pack was cut. */
export function openPackFile(stem: string, context: PackContext): PackFile {
  const index = parsePackIndex(readFileSync(`${stem}.idx`));
  const fd = openSync(`${stem}.pack`, 'r');
  const bytes = fstatSync(fd).size;
  const readAt = (at: number, length: number): Buffer => {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, bytes - at)));
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, at));
  };
  const inflateAt = (at: number, size: number): Buffer => {
    // Nearly always enough; a writer may also store in tiny blocks.
    const guess = readAt(at, size + (size >> 8) + 128);
    try {
      return inflated(guess, size).content;
    } catch (error) {
      if (guess.length >= bytes - at - 20) throw error;
      return inflated(readAt(at, bytes - at), size).content;
    }
  };

  const readObject = (start: number): GitObject => {
    const chain: { at: number; head: EntryHead }[] = [];
    let at = start;
    let base = context.bases.get(`${stem}:${at}`);
    while (!base) {
      if (chain.length > MAX_DELTA_CHAIN) throw new Error('delta chain does not end');
      const head = readEntryHead(readAt(at, HEAD_BYTES), 0);
      if (head.kind === 'whole') {
        base = { type: head.type, content: inflateAt(at + head.dataAt, head.size) };
        if (chain.length > 0) context.bases.set(`${stem}:${at}`, base, base.content.length);
        break;
      }
      chain.push({ at, head });
      if (head.kind === 'offset-delta') at -= head.back;
      else {
        const local = index.offsetOf(Buffer.from(head.base, 'hex'));
        if (local === undefined) base = context.elsewhere(head.base);
        else at = local;
        if (local === undefined && !base) throw new Error(`delta base ${head.base} is missing`);
      }
      base ??= context.bases.get(`${stem}:${at}`);
    }
    for (let link = chain.pop(); link; link = chain.pop()) {
      const delta = inflateAt(link.at + link.head.dataAt, link.head.size);
      base = { type: base.type, content: applyDelta(delta, base.content) };
      context.bases.set(`${stem}:${link.at}`, base, base.content.length);
    }
    return base;
  };

  try {
    if (readAt(bytes - 20, 20).toString('hex') !== index.packChecksum) throw new Error(`pack ${stem} is damaged`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    stem,
    bytes,
    index,
    close: () => closeSync(fd),
    bytesAt: (from, to) => readAt(from, to - from),
    read: (oid) => {
      const offset = index.offsetOf(oid);
      return offset === undefined ? undefined : readObject(offset);
    },
  };
}
