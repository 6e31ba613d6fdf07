import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createTurns } from '../lib/turns.ts';
import { ByteCache } from './byte-cache.ts';
import { syncFolder, writeDurably } from './durable.ts';
import type { GitObject } from './objects.ts';
import { openPackFile, type PackContext, type PackFile } from './pack-file.ts';
import type { EncodedPack } from './pack-format.ts';
import { encodePackIndex } from './pack-index.ts';
import { joinPacks } from './pack-join.ts';

const BASE_CACHE_BYTES = 16 * 1024 * 1024;
const SMALL_PACK_BYTES = 1024 * 1024;
const MAX_SMALL_PACKS = 50;

/**
 * The objects of one mirror: packs only, all of them indexed and durable before a reader can see them. What is visible
 * stays readable; packs are only ever joined.
 */
export class ObjectStore {
  readonly #folder: string;
  readonly #context: PackContext;
  /** Newest first: what was fetched last is read most. */
  #packs: PackFile[] = [];
  readonly #turns = createTurns();

  private constructor(folder: string) {
    this.#folder = folder;
    this.#context = { bases: new ByteCache(BASE_CACHE_BYTES), elsewhere: (oid) => this.readNow(oid) };
  }

  /** Opens the packs of `<gitdir>/objects/pack`. Throws when one of them is damaged. */
  static async open(gitdir: string): Promise<ObjectStore> {
    const folder = join(gitdir, 'objects', 'pack');
    await mkdir(folder, { recursive: true });
    const store = new ObjectStore(folder);
    const names = await readdir(folder);
    try {
      for (const name of names) {
        if (name.endsWith('.idx')) store.#packs.push(openPackFile(join(folder, name.slice(0, -4)), store.#context));
        // Left by a crash: a pack becomes visible by its index.
        else if (!name.endsWith('.pack') || !names.includes(name.replace(/\.pack$/, '.idx'))) {
          await rm(join(folder, name), { force: true });
        }
      }
    } catch (error) {
      store.close();
      throw error;
    }
    store.#packs.sort((a, b) => a.bytes - b.bytes);
    return store;
  }

  get packs(): readonly { readonly bytes: number; readonly objects: number }[] {
    return this.#packs.map(({ bytes, index }) => ({ bytes, objects: index.count }));
  }

  has(oid: string): boolean {
    const id = Buffer.from(oid, 'hex');
    return this.#packs.some(({ index }) => index.offsetOf(id) !== undefined);
  }

  /** Undefined when the object is not here; throws when it is and cannot be read. */
  readNow(oid: string): GitObject | undefined {
    const id = Buffer.from(oid, 'hex');
    for (const pack of this.#packs) {
      const object = pack.read(id);
      if (object) return object;
    }
    return undefined;
  }

  /** As `readNow`, but lets other work through when many objects are read in a row. */
  async read(oid: string): Promise<GitObject | undefined> {
    await this.#turns.breathe();
    return this.readNow(oid);
  }

  /** Stores a checked pack. When it resolves, the objects survive a crash and can be read. */
  async addPack(pack: EncodedPack): Promise<void> {
    if (pack.entries.length === 0) return;
    const stem = this.#stemOf(pack);
    if (this.#packs.some((known) => known.stem === stem)) return;
    await writeDurably(`${stem}.pack`, pack.bytes);
    await writeDurably(`${stem}.idx`, encodePackIndex(pack.entries, pack.checksum));
    this.#packs.unshift(openPackFile(stem, this.#context));
  }

  #stemOf({ checksum }: EncodedPack): string {
    return join(this.#folder, `pack-${checksum.toString('hex')}`);
  }

  /** Joins the small packs when there are too many. Gives the number of packs that went. */
  async compact(): Promise<number> {
    const small = this.#packs.filter(({ bytes }) => bytes < SMALL_PACK_BYTES);
    if (small.length <= MAX_SMALL_PACKS) return 0;
    const joined = await joinPacks(small, this.#turns);
    await this.addPack(joined);
    // One of them may have had everything.
    const gone = new Set(small.filter(({ stem }) => stem !== this.#stemOf(joined)));
    this.#packs = this.#packs.filter((pack) => !gone.has(pack));
    this.#context.bases.clear();
    for (const pack of gone) {
      pack.close();
      // The index first: a pack without index is swept at the next start.
      await rm(`${pack.stem}.idx`, { force: true });
      await rm(`${pack.stem}.pack`, { force: true });
    }
    await syncFolder(this.#folder);
    return gone.size;
  }

  close(): void {
    for (const pack of this.#packs) pack.close();
    this.#packs = [];
    this.#context.bases.clear();
  }
}
