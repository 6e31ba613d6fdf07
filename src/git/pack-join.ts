import { crc32 } from 'node:zlib';
import type { Turns } from '../lib/turns.ts';
import type { PackFile } from './pack-file.ts';
import { type EncodedPack, PackBuilder, readEntryHead, refDeltaEntry } from './pack-format.ts';

/**
 * One pack with all objects of these, each once. Deflated bytes are copied as they are. A delta stays one only where its base comes
 * from the same pack: two packs may hold the same two objects, each as the way from the other.
 */
export async function joinPacks(packs: readonly PackFile[], turns: Turns): Promise<EncodedPack> {
  const joined = new PackBuilder();
  const seen = new Set<string>();
  for (const pack of packs) {
    const entries = [...pack.index.entries()].sort((a, b) => a.offset - b.offset);
    const idAt = new Map(entries.map(({ oid, offset }) => [offset, oid]));
    const taken = new Set(entries.flatMap(({ oid }) => (seen.has(oid) ? [] : oid)));
    // They are small, and one read costs little more than that of an entry.
    const bytes = pack.bytesAt(0, pack.bytes);
    for (const [at, { oid, offset, crc }] of entries.entries()) {
      if (!taken.has(oid)) continue;
      seen.add(oid);
      const raw = bytes.subarray(offset, entries[at + 1]?.offset ?? bytes.length - 20);
      const head = readEntryHead(raw, 0);
      const isIntact = crc32(raw) === crc;
      const base =
        head.kind === 'offset-delta' ? idAt.get(offset - head.back) : head.kind === 'ref-delta' ? head.base : undefined;
      if (isIntact && head.kind === 'whole') joined.copy(oid, raw);
      else if (isIntact && base !== undefined && taken.has(base)) {
        joined.copy(oid, refDeltaEntry(base, head.size, raw.subarray(head.dataAt)));
      } else joined.add({ oid, ...readWhole(pack, oid) });
      await turns.breathe();
    }
  }
  return joined.seal();
}

function readWhole(pack: PackFile, oid: string): NonNullable<ReturnType<PackFile['read']>> {
  const object = pack.read(Buffer.from(oid, 'hex'));
  if (!object) throw new Error(`object ${oid} is missing`);
  return object;
}
