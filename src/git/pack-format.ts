import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { deflated } from './deflate.ts';
import type { NewObject, ObjectType } from './objects.ts';
import { PackEntries } from './pack-entries.ts';

/** The pack file's own encoding. https://git-scm.com/docs/pack-format */
const TYPE_CODES = { commit: 1, tree: 2, blob: 3, tag: 4 } as const satisfies Record<ObjectType, number>;
const OFFSET_DELTA = 6;
const REF_DELTA = 7;
const ID_BYTES = 20;
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
  let next = at + 1;
  let byte = bytes[at] ?? 0;
  const code = (byte >> 4) & 7;
  let size = byte & 15;
  for (let factor = 16; byte & 0x80; factor *= 128) {
    byte = bytes[next++] ?? 0;
    size += (byte & 0x7f) * factor;
  }
  let back = 0;
  if (code === OFFSET_DELTA) {
    byte = bytes[next++] ?? 0;
    back = byte & 0x7f;
    while (byte & 0x80) {
      byte = bytes[next++] ?? 0;
      back = (back + 1) * 128 + (byte & 0x7f);
    }
  }
  const dataAt = next - at + (code === REF_DELTA ? ID_BYTES : 0);
  if (at + dataAt > bytes.length) throw new Error('pack entry is cut off');
  if (code === OFFSET_DELTA) return { kind: 'offset-delta', size, back, dataAt };
  if (code === REF_DELTA) {
    return { kind: 'ref-delta', size, base: bytes.toString('hex', next, next + ID_BYTES), dataAt };
  }
  const type = TYPES[code];
  if (!type) throw new Error(`unknown pack entry type ${code}`);
  return { kind: 'whole', size, type, dataAt };
}

/** An object to be packed: whole, or as the way to it from another one of the same pack. */
export type PackObject = NewObject | DeltaObject;

export interface DeltaObject {
  readonly oid: string;
  readonly base: string;
  readonly delta: Buffer;
}

export function encodeEntry(object: Omit<NewObject, 'oid'> | Omit<DeltaObject, 'oid'>): Buffer {
  if ('delta' in object) {
    return refDeltaEntry(object.base, object.delta.length, deflated(object.delta));
  }
  const { type, content } = object;
  return Buffer.concat([entryHead(TYPE_CODES[type], content.length), deflated(content)]);
}

/** The base is named by its id and not by its place: every server takes that, and entries can be moved. */
export function refDeltaEntry(base: string, size: number, deflatedDelta: Uint8Array): Buffer {
  return Buffer.concat([entryHead(REF_DELTA, size), Buffer.from(base, 'hex'), deflatedDelta]);
}

function entryHead(code: number, size: number): Buffer {
  const head: number[] = [];
  let rest = Math.floor(size / 16);
  let byte = (code << 4) | (size & 15);
  while (rest > 0) {
    head.push(byte | 0x80);
    byte = rest & 0x7f;
    rest = Math.floor(rest / 128);
  }
  head.push(byte);
  return Buffer.from(head);
}

export interface EncodedPack {
  readonly bytes: Buffer;
  readonly entries: PackEntries;
  readonly checksum: Buffer;
}

/** Builds a pack; holds only the deflated bytes. */
export class PackBuilder {
  readonly #parts: Buffer[] = [];
  readonly #entries = new PackEntries();
  #offset = 12;

  add(object: PackObject): void {
    this.copy(object.oid, encodeEntry(object));
  }

  /** An entry as it stands in another pack. */
  copy(oid: string, entry: Buffer): void {
    this.#entries.add(oid, this.#offset, crc32(entry));
    this.#parts.push(entry);
    this.#offset += entry.length;
  }

  seal(): EncodedPack {
    return sealPack([packHeader(this.#entries.length), ...this.#parts], this.#entries);
  }
}

export function encodePack(objects: Iterable<PackObject>): EncodedPack {
  const builder = new PackBuilder();
  for (const object of objects) builder.add(object);
  return builder.seal();
}

export function sealPack(parts: readonly Buffer[], entries: PackEntries): EncodedPack {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  const checksum = hash.digest();
  return { bytes: Buffer.concat([...parts, checksum]), entries, checksum };
}
