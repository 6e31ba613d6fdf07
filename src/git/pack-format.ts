import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { deflated } from './deflate.ts';
import type { NewObject, ObjectType } from './objects.ts';
import type { PackEntry } from './pack-index.ts';

/** The pack file's own encoding. https://git-scm.com/docs/pack-format */
const TYPE_CODES = { commit: 1, tree: 2, blob: 3, tag: 4 } as const satisfies Record<ObjectType, number>;
const TYPES: readonly (ObjectType | undefined)[] = [undefined, 'commit', 'tree', 'blob', 'tag'];

export type EntryHead = {
  /** Inflated size in bytes. */
  readonly size: number;
  /** Where the deflated data begins, counted from the entry's start. */
  readonly dataAt: number;
} & (
  | { readonly kind: 'whole'; readonly type: ObjectType }
  | { readonly kind: 'offset-delta'; readonly back: number }
  | { readonly kind: 'ref-delta'; readonly base: string }
);

export function packHeader(count: number): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  header.writeUInt32BE(count, 8);
  return header;
}

/** `bytes` holds at least the head of the entry at `at`. */
export function readEntryHead(bytes: Buffer, at: number): EntryHead {
  const byteAt = (index: number): number => {
    const byte = bytes[index];
    if (byte === undefined) throw new Error('pack entry is cut off');
    return byte;
  };
  let next = at;
  let byte = byteAt(next++);
  const code = (byte >> 4) & 7;
  let size = byte & 15;
  for (let factor = 16; byte & 0x80; factor *= 128) {
    byte = byteAt(next++);
    size += (byte & 0x7f) * factor;
  }
  if (code === 6) {
    byte = byteAt(next++);
    let back = byte & 0x7f;
    while (byte & 0x80) {
      byte = byteAt(next++);
      back = (back + 1) * 128 + (byte & 0x7f);
    }
    return { kind: 'offset-delta', size, back, dataAt: next - at };
  }
  if (code === 7) {
    byteAt(next + 19);
    return { kind: 'ref-delta', size, base: bytes.toString('hex', next, next + 20), dataAt: next + 20 - at };
  }
  const type = TYPES[code];
  if (!type) throw new Error(`unknown pack entry type ${code}`);
  return { kind: 'whole', size, type, dataAt: next - at };
}

export function applyDelta(delta: Buffer, base: Buffer): Buffer {
  let at = 0;
  const byte = (): number => {
    const value = delta[at++];
    if (value === undefined) throw new Error('delta is cut off');
    return value;
  };
  const size = (): number => {
    let value = 0;
    let factor = 1;
    let part: number;
    do {
      part = byte();
      value += (part & 0x7f) * factor;
      factor *= 128;
    } while (part & 0x80);
    return value;
  };
  if (size() !== base.length) throw new Error('delta belongs to another base');
  const target = Buffer.alloc(size());
  let written = 0;
  while (at < delta.length) {
    const op = byte();
    if (op & 0x80) {
      let from = 0;
      let length = 0;
      for (let bit = 0; bit < 4; bit += 1) if (op & (1 << bit)) from += byte() * 256 ** bit;
      for (let bit = 0; bit < 3; bit += 1) if (op & (16 << bit)) length += byte() * 256 ** bit;
      if (length === 0) length = 0x10000;
      if (from + length > base.length || written + length > target.length) throw new Error('delta copies too much');
      base.copy(target, written, from, from + length);
      written += length;
    } else {
      if (op === 0 || at + op > delta.length || written + op > target.length) throw new Error('delta is damaged');
      delta.copy(target, written, at, at + op);
      at += op;
      written += op;
    }
  }
  if (written !== target.length) throw new Error('delta result has the wrong size');
  return target;
}

export function encodeEntry({ type, content }: Pick<NewObject, 'type' | 'content'>): Buffer {
  const head: number[] = [];
  let rest = content.length;
  let byte = (TYPE_CODES[type] << 4) | (rest & 15);
  rest = Math.floor(rest / 16);
  while (rest > 0) {
    head.push(byte | 0x80);
    byte = rest & 0x7f;
    rest = Math.floor(rest / 128);
  }
  head.push(byte);
  return Buffer.concat([Buffer.from(head), deflated(content)]);
}

export interface EncodedPack {
  readonly bytes: Buffer;
  readonly entries: readonly PackEntry[];
  readonly checksum: Buffer;
}

/** Builds a pack of whole objects, without deltas; holds only their deflated bytes. */
export class PackBuilder {
  readonly #parts: Buffer[] = [];
  readonly #entries: PackEntry[] = [];
  #offset = 12;

  add(object: NewObject): void {
    const encoded = encodeEntry(object);
    this.#entries.push({ oid: object.oid, offset: this.#offset, crc: crc32(encoded) });
    this.#parts.push(encoded);
    this.#offset += encoded.length;
  }

  seal(): EncodedPack {
    return sealPack([packHeader(this.#entries.length), ...this.#parts], this.#entries);
  }
}

export function encodePack(objects: Iterable<NewObject>): EncodedPack {
  const builder = new PackBuilder();
  for (const object of objects) builder.add(object);
  return builder.seal();
}

export function sealPack(parts: readonly Buffer[], entries: readonly PackEntry[]): EncodedPack {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  const checksum = hash.digest();
  return { bytes: Buffer.concat([...parts, checksum]), entries, checksum };
}
