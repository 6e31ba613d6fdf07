import { createHash } from 'node:crypto';
import type { PackEntries } from './pack-entries.ts';

/** Pack index, version 2. https://git-scm.com/docs/pack-format */
export interface PackEntry {
  readonly oid: string;
  readonly offset: number;
  readonly crc: number;
}

export interface PackIndex {
  readonly count: number;
  /** Trailer of the pack that this index belongs to, hex. */
  readonly packChecksum: string;
  /** `oid` as bytes: it is looked for in many packs. */
  offsetOf(oid: Buffer): number | undefined;
  /** All, by id. */
  entries(): Iterable<PackEntry>;
}

const MAGIC = Buffer.from([0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]);
const FANOUT = 8;
const NAMES = FANOUT + 256 * 4;

export function encodePackIndex(entries: PackEntries, packChecksum: Buffer): Buffer {
  const count = entries.length;
  const index = Buffer.allocUnsafeSlow(NAMES + count * 28 + 40);
  MAGIC.copy(index);
  const [crcs, offsets] = [NAMES + count * 20, NAMES + count * 24];
  let byte = 0;
  let place = 0;
  for (const entry of entries.sorted()) {
    const offset = entries.offsetAt(entry);
    if (offset > 0x7fffffff) throw new Error('packs over 2 GiB are not written');
    entries.copyId(entry, index, NAMES + place * 20);
    index.writeUInt32BE(entries.crcAt(entry), crcs + place * 4);
    index.writeUInt32BE(offset, offsets + place * 4);
    for (const first = index[NAMES + place * 20] ?? 0; byte < first; byte += 1)
      index.writeUInt32BE(place, FANOUT + byte * 4);
    place += 1;
  }
  for (; byte < 256; byte += 1) index.writeUInt32BE(count, FANOUT + byte * 4);
  packChecksum.copy(index, index.length - 40);
  createHash('sha1')
    .update(index.subarray(0, -20))
    .digest()
    .copy(index, index.length - 20);
  return index;
}

/** An id's first bytes as a number. */
const startAt = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;

/** Throws when the bytes are not a whole, unchanged index. */
export function parsePackIndex(bytes: Buffer): PackIndex {
  if (bytes.length < NAMES + 40 || !bytes.subarray(0, 8).equals(MAGIC)) throw new Error('no pack index of version 2');
  const sum = createHash('sha1').update(bytes.subarray(0, -20)).digest();
  if (!sum.equals(bytes.subarray(-20))) throw new Error('pack index checksum does not match');
  const fan = (byte: number): number => (byte < 0 ? 0 : bytes.readUInt32BE(FANOUT + byte * 4));
  const count = fan(255);
  const offsets = NAMES + count * 24;
  const large = offsets + count * 4;

  const offsetAt = (index: number): number => {
    const offset = bytes.readUInt32BE(offsets + index * 4);
    return offset < 0x80000000 ? offset : Number(bytes.readBigUInt64BE(large + (offset - 0x80000000) * 8));
  };
  return {
    count,
    packChecksum: bytes.toString('hex', bytes.length - 40, bytes.length - 20),
    offsetOf(wanted) {
      const first = wanted[0];
      if (wanted.length !== 20 || first === undefined) return undefined;
      let low = fan(first - 1);
      let high = fan(first);
      const start = startAt(wanted, 0);
      while (low < high) {
        const middle = (low + high) >>> 1;
        const at = NAMES + middle * 20;
        // Few begin alike.
        const order = start - startAt(bytes, at) || wanted.compare(bytes, at, at + 20);
        if (order === 0) return offsetAt(middle);
        if (order < 0) high = middle;
        else low = middle + 1;
      }
      return undefined;
    },
    *entries() {
      for (let index = 0; index < count; index += 1) {
        const oid = bytes.toString('hex', NAMES + index * 20, NAMES + index * 20 + 20);
        yield { oid, offset: offsetAt(index), crc: bytes.readUInt32BE(NAMES + count * 20 + index * 4) };
      }
    },
  };
}
