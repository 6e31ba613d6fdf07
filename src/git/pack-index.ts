import { createHash } from 'node:crypto';
import { atOnce, type Steps } from '../lib/turns.ts';
import { type PackEntries, uint32At } from './pack-entries.ts';

/** Pack index, version 2. https://git-scm.com/docs/pack-format */
interface PackEntry {
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
const ID_BYTES = 20;
const MOST_GUESSES = 6;
/** So much is done without others in between. */
const ENTRIES_ATURN = 4 * 1024;
const HASHED_ATURN_BYTES = 1024 * 1024;
const FANOUT = 8;
const NAMES = FANOUT + 256 * 4;

export const encodePackIndex = (entries: PackEntries, packChecksum: Buffer): Buffer =>
  atOnce(encodingPackIndex(entries, packChecksum));

/** The same in steps: a pack may have very many entries. */
export function* encodingPackIndex(entries: PackEntries, packChecksum: Buffer): Steps<Buffer> {
  const count = entries.length;
  const index = Buffer.allocUnsafeSlow(NAMES + count * 28 + 40);
  MAGIC.copy(index);
  const order = yield* entries.sorted();
  let byte = 0;
  for (let place = 0; place < count; ) {
    const end = Math.min(place + ENTRIES_ATURN, count);
    for (; place < end; place += 1) {
      writeEntry(index, entries, order[place] ?? 0, place);
      for (const first = index[NAMES + place * ID_BYTES] ?? 0; byte < first; byte += 1)
        index.writeUInt32BE(place, FANOUT + byte * 4);
    }
    yield;
  }
  for (; byte < 256; byte += 1) index.writeUInt32BE(count, FANOUT + byte * 4);
  packChecksum.copy(index, index.length - 40);
  const hash = createHash('sha1');
  for (let at = 0; at < index.length - 20; at += HASHED_ATURN_BYTES) {
    hash.update(index.subarray(at, Math.min(at + HASHED_ATURN_BYTES, index.length - 20)));
    yield;
  }
  hash.digest().copy(index, index.length - 20);
  return index;
}

function writeEntry(index: Buffer, entries: PackEntries, entry: number, place: number): void {
  const offset = entries.offsetAt(entry);
  if (offset > 0x7fffffff) throw new Error('packs over 2 GiB are not written');
  const count = entries.length;
  entries.copyId(entry, index, NAMES + place * ID_BYTES);
  index.writeUInt32BE(entries.crcAt(entry), NAMES + count * 20 + place * 4);
  index.writeUInt32BE(offset, NAMES + count * 24 + place * 4);
}

/** Byte by byte: a call of Node's costs more. */
function compareIds(id: Uint8Array, ids: Uint8Array, at: number): number {
  for (let byte = 0; byte < ID_BYTES; byte += 1) {
    const order = (id[byte] ?? 0) - (ids[at + byte] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}

/** Throws when the bytes are not a whole, unchanged index. */
export function parsePackIndex(bytes: Buffer): PackIndex {
  if (bytes.length < NAMES + 40 || !bytes.subarray(0, 8).equals(MAGIC)) throw new Error('no pack index of version 2');
  const sum = createHash('sha1').update(bytes.subarray(0, -20)).digest();
  if (!sum.equals(bytes.subarray(-20))) throw new Error('pack index checksum does not match');
  const fan = (byte: number): number => (byte < 0 ? 0 : uint32At(bytes, FANOUT + byte * 4));
  const count = fan(255);
  const offsets = NAMES + count * 24;
  const large = offsets + count * 4;

  const offsetAt = (index: number): number => {
    const offset = uint32At(bytes, offsets + index * 4);
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
      const start = uint32At(wanted, 0);
      let [lowStart, highStart] = [first * 0x1000000, (first + 1) * 0x1000000];
      for (let probes = 0; low < high; probes += 1) {
        // Ids are spread evenly, so that each is near its share; whoever makes them uneven has them cut in halves.
        const share = (start - lowStart) / (highStart - lowStart);
        const middle =
          probes < MOST_GUESSES && share >= 0 && share < 1
            ? low + Math.floor((high - low) * share)
            : (low + high) >>> 1;
        const at = NAMES + middle * ID_BYTES;
        const found = uint32At(bytes, at);
        const order = start - found || compareIds(wanted, bytes, at);
        if (order === 0) return offsetAt(middle);
        if (order < 0) [high, highStart] = [middle, found];
        else [low, lowStart] = [middle + 1, found];
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
