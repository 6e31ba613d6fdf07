import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { createTurns } from '../lib/turns.ts';
import { ByteCache } from './byte-cache.ts';
import { inflated } from './deflate.ts';
import { applyDelta } from './delta.ts';
import { type GitObject, objectId } from './objects.ts';
import { encodeEntry, type EncodedPack, type EntryHead, packHeader, readEntryHead, sealPack } from './pack-format.ts';
import type { PackEntry } from './pack-index.ts';
import { malformed } from './pkt-line.ts';

export interface IngestedPack extends EncodedPack {
  /** Ids of the commits in it, in the pack's order. */
  readonly commits: readonly string[];
}

const BASE_CACHE_BYTES = 32 * 1024 * 1024;

/**
 * Checks a received pack down to the last object and computes its index. Deltas against objects outside the pack (a
 * thin pack) are allowed; those bases are appended, so that what is stored is a pack that native git reads too. Each commit is told.
 * GIT_PROTOCOL when anything is wrong with it.
 */
export async function ingestPack(
  bytes: Buffer,
  outside: (oid: string) => GitObject | undefined,
  onCommit?: (oid: string, content: Buffer) => void,
): Promise<IngestedPack> {
  try {
    return await new Ingest(bytes, outside, onCommit).run();
  } catch (cause) {
    throw malformed(`damaged pack (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}

interface Raw {
  readonly at: number;
  readonly head: EntryHead;
  readonly crc: number;
}

class Ingest {
  readonly #bytes: Buffer;
  readonly #outside: (oid: string) => GitObject | undefined;
  readonly #cache = new ByteCache<GitObject>(BASE_CACHE_BYTES);
  readonly #rawAt = new Map<number, Raw>();
  /** Entries whose content has been computed. */
  readonly #known = new Set<number>();
  readonly #offsets = new Map<string, number>();
  readonly #added = new Map<string, GitObject>();
  readonly #commits: string[] = [];
  readonly #turns = createTurns();

  readonly #onCommit: ((oid: string, content: Buffer) => void) | undefined;

  constructor(
    bytes: Buffer,
    outside: (oid: string) => GitObject | undefined,
    onCommit: ((oid: string, content: Buffer) => void) | undefined,
  ) {
    this.#bytes = bytes;
    this.#outside = outside;
    this.#onCommit = onCommit;
  }

  async run(): Promise<IngestedPack> {
    const body = this.#bytes.subarray(0, -20);
    const sum = createHash('sha1').update(body).digest();
    if (!sum.equals(this.#bytes.subarray(-20))) throw new Error('checksum does not match');
    if (body.toString('latin1', 0, 8) !== 'PACK\0\0\0\x02') throw new Error('not a pack of version 2');
    const count = body.readUInt32BE(8);
    let pending = await this.#scan(body, count);
    while (pending.length > 0) {
      const left: Raw[] = [];
      for (const raw of pending) {
        if (this.#baseIsKnown(raw)) this.#register(raw, this.#resolve(raw));
        else left.push(raw);
        await this.#turns.breathe();
      }
      if (left.length === pending.length) throw new Error(`${left.length} deltas without base`);
      pending = left;
    }
    return this.#seal(body, count, sum);
  }

  /** Reads all entries once; gives those that are deltas. */
  async #scan(body: Buffer, count: number): Promise<Raw[]> {
    const deltas: Raw[] = [];
    let at = 12;
    for (let index = 0; index < count; index += 1) {
      const head = readEntryHead(body, at);
      const { content, used } = inflated(body.subarray(at + head.dataAt), head.size);
      const end = at + head.dataAt + used;
      const raw = { at, head, crc: crc32(body.subarray(at, end)) };
      this.#rawAt.set(at, raw);
      if (head.kind === 'whole') this.#register(raw, { type: head.type, content });
      else deltas.push(raw);
      at = end;
      await this.#turns.breathe();
    }
    if (at !== body.length) throw new Error('bytes after the last object');
    return deltas;
  }

  #register(raw: Raw, object: GitObject): void {
    const oid = objectId(object.type, object.content);
    this.#offsets.set(oid, raw.at);
    this.#known.add(raw.at);
    this.#cache.set(String(raw.at), object, object.content.length);
    if (object.type !== 'commit') return;
    this.#commits.push(oid);
    this.#onCommit?.(oid, object.content);
  }

  #baseIsKnown({ at, head }: Raw): boolean {
    if (head.kind === 'offset-delta') return this.#known.has(at - head.back);
    if (head.kind === 'whole' || this.#offsets.has(head.base) || this.#added.has(head.base)) return true;
    const base = this.#outside(head.base);
    if (base) this.#added.set(head.base, base);
    return base !== undefined;
  }

  #resolve(start: Raw): GitObject {
    const chain: Raw[] = [];
    let raw = start;
    let base = this.#cache.get(String(raw.at));
    while (!base) {
      if (raw.head.kind === 'whole') {
        base = { type: raw.head.type, content: this.#inflate(raw) };
        break;
      }
      chain.push(raw);
      const offset = raw.head.kind === 'offset-delta' ? raw.at - raw.head.back : this.#offsets.get(raw.head.base);
      if (offset === undefined) base = raw.head.kind === 'ref-delta' ? this.#added.get(raw.head.base) : undefined;
      else base = this.#cache.get(String(offset));
      const next = offset === undefined ? undefined : this.#rawAt.get(offset);
      if (!base && !next) throw new Error('delta base is missing');
      if (!base && next) raw = next;
    }
    for (let link = chain.pop(); link; link = chain.pop()) {
      base = { type: base.type, content: applyDelta(this.#inflate(link), base.content) };
      this.#cache.set(String(link.at), base, base.content.length);
    }
    return base;
  }

  #inflate({ at, head }: Raw): Buffer {
    return inflated(this.#bytes.subarray(at + head.dataAt), head.size).content;
  }

  #seal(body: Buffer, count: number, checksum: Buffer): IngestedPack {
    const entries: PackEntry[] = [];
    for (const [oid, offset] of this.#offsets) entries.push({ oid, offset, crc: this.#rawAt.get(offset)?.crc ?? 0 });
    const appended: Buffer[] = [];
    let offset = body.length;
    for (const [oid, object] of this.#added) {
      // A base may turn up later in the pack itself.
      if (this.#offsets.has(oid)) continue;
      const encoded = encodeEntry(object);
      entries.push({ oid, offset, crc: crc32(encoded) });
      appended.push(encoded);
      offset += encoded.length;
    }
    const commits = this.#commits;
    if (appended.length === 0) return { bytes: this.#bytes, entries, checksum, commits };
    const parts = [packHeader(count + appended.length), body.subarray(12), ...appended];
    return { ...sealPack(parts, entries), commits };
  }
}
