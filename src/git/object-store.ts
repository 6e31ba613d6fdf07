import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError, messageOf } from '../lib/errors.ts';
import { createTurns } from '../lib/turns.ts';
import { BaseCache } from './base-cache.ts';
import { syncFolder, writeAllDurably } from './durable.ts';
import { defaultMemoryBytes, type GitMemory, memoryWithin } from './memory.ts';
import type { GitObject } from './objects.ts';
import { holdPack, openPackFile, type PackContext, type PackFile } from './pack-file.ts';
import type { EncodedPack } from './pack-format.ts';
import { encodingPackIndex } from './pack-index.ts';
import { joinPacks } from './pack-join.ts';

const SMALL_PACK_BYTES = 1024 * 1024;
const MAX_SMALL_PACKS = 50;
/** What is held beside the disk at most. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;
const MAX_HELD_PACKS = 50;
/** Of many objects so many are looked for at once: a look at the time for each of them would cost as much as they do. */
const LOOKED_UP_ATURN = 64;
/** A place in a pack and a number below this are held exactly by one double. */
const LOOKED_UP_ATONCE = 2 ** 20;

/** What is here and cannot be read when many are: not what became of it elsewhere. */
export class UnreadableObject extends Error {
  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}

export type TakeObject = (oid: string, object: GitObject | undefined) => Promise<void>;

export interface ReadingMany {
  /** Takes what is not here. Absent: that throws. */
  readonly missing?: (oid: string) => Promise<void>;
  /** Whether an object is to be read, where its size is known before. Absent: each is. */
  readonly isWanted?: ((oid: string, bytes: number) => boolean) | undefined;
}

/**
 * The objects of one mirror: packs only, all of them indexed before a reader can see them, and durable too unless they are held for a
 * moment. What is visible stays readable; packs are only ever joined.
 */
export class ObjectStore {
  readonly #folder: string;
  readonly #context: PackContext;
  /** Newest first: what was fetched last is read most. */
  #packs: PackFile[] = [];
  /** Those of them that are not on disk yet. */
  readonly #held = new Set<PackFile>();
  readonly #turns = createTurns();

  private constructor(folder: string, memory: GitMemory) {
    this.#folder = folder;
    this.#context = { bases: new BaseCache(memory.bases), memory, elsewhere: (oid) => this.readNow(oid) };
  }

  /** Opens the packs of `<gitdir>/objects/pack`. Throws when one of them is damaged. */
  static async open(gitdir: string, memoryBytes = defaultMemoryBytes): Promise<ObjectStore> {
    const folder = join(gitdir, 'objects', 'pack');
    await mkdir(folder, { recursive: true });
    const store = new ObjectStore(folder, memoryWithin(memoryBytes));
    const names = await readdir(folder);
    try {
      for (const name of names) {
        const stem = name.replace(/\.(idx|pack)$/, '');
        const isWhole = stem !== name && names.includes(`${stem}.idx`) && names.includes(`${stem}.pack`);
        // Left by a crash: a pack becomes visible by its index.
        if (!isWhole) await rm(join(folder, name), { force: true });
        else if (name.endsWith('.idx')) store.#packs.push(openPackFile(join(folder, stem), store.#context));
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
    return this.#placeOf(oid) !== undefined;
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

  /**
   * Gives many objects to `take`, each once and in no order, what is made of each other together: so no delta is applied twice, and
   * nothing but one way down is held. Undefined: it is too large to be held. UnreadableObject where one is damaged.
   */
  async readMany(
    oids: Iterable<string>,
    take: TakeObject,
    { missing = notFetched, isWanted }: ReadingMany = {},
  ): Promise<void> {
    let some: string[] = [];
    for (const oid of oids) {
      some.push(oid);
      if (some.length < LOOKED_UP_ATONCE) continue;
      await this.#readSome(some, take, { missing, isWanted });
      some = [];
    }
    await this.#readSome(some, take, { missing, isWanted });
  }

  async #readSome(
    oids: readonly string[],
    take: TakeObject,
    { missing = notFetched, isWanted }: ReadingMany,
  ): Promise<void> {
    const byPack = new Map<PackFile, number[]>();
    const absent = new Set<string>();
    for (let number = 0; number < oids.length; number += 1) {
      const found = this.#placeOf(oids[number] ?? '');
      if (found) {
        const keys = byPack.get(found.pack);
        // Sorted by place, they still tell which object that is.
        const key = found.offset * LOOKED_UP_ATONCE + number;
        if (keys) keys.push(key);
        else byPack.set(found.pack, [key]);
      } else absent.add(oids[number] ?? '');
      if (number % LOOKED_UP_ATURN === 0) await this.#turns.breathe();
    }
    for (const oid of absent) await missing(oid);
    for (const [pack, keys] of byPack) {
      const wanted = { take, isWanted };
      await this.#readOfPack(pack, oids, Float64Array.from(keys).sort(), wanted);
    }
  }

  #placeOf(oid: string): { readonly pack: PackFile; readonly offset: number } | undefined {
    const id = idOf(oid);
    for (const pack of this.#packs) {
      const offset = pack.index.offsetOf(id);
      if (offset !== undefined) return { pack, offset };
    }
    return undefined;
  }

  async #readOfPack(
    pack: PackFile,
    oids: readonly string[],
    keys: Float64Array,
    { take, isWanted = () => true }: { readonly take: TakeObject } & Pick<ReadingMany, 'isWanted'>,
  ): Promise<void> {
    const places = new Float64Array(keys.length);
    const named = new Uint32Array(keys.length);
    let count = 0;
    for (const key of keys) {
      const place = Math.floor(key / LOOKED_UP_ATONCE);
      // The same object may be asked for more than once.
      if (count > 0 && places[count - 1] === place) continue;
      places[count] = place;
      named[count] = key % LOOKED_UP_ATONCE;
      count += 1;
    }
    const isGiven = new Uint8Array(count);
    let numbers: number[] = [];
    let objects: GitObject[] = [];
    const oidOf = (number: number): string => oids[named[number] ?? 0] ?? '';
    const reading = pack.readMany(places.subarray(0, count), {
      take(number, object) {
        isGiven[number] = 1;
        numbers.push(number);
        objects.push(object);
      },
      isWanted(number, size) {
        const isIt = isWanted(oidOf(number), size);
        if (!isIt) isGiven[number] = 1;
        return isIt;
      },
    });
    for (let goesOn = true; goesOn; ) {
      goesOn = this.#mayGoOn(reading);
      for (let at = 0; at < objects.length; at += 1) await take(oidOf(numbers[at] ?? 0), objects[at]);
      numbers = [];
      objects = [];
      await this.#turns.breathe();
    }
    // One of them cannot be held, and the others are not to suffer from it.
    for (let number = 0; number < count; number += 1) {
      if (isGiven[number] === 1) continue;
      const oid = oidOf(number);
      await take(oid, await this.#heldOrNot(oid));
    }
  }

  /** False: there is no more, or something cannot be held. */
  #mayGoOn(reading: Generator<void, void>): boolean {
    try {
      return reading.next().done !== true;
    } catch (error) {
      if (isTooLarge(error)) return false;
      throw new UnreadableObject(error);
    }
  }

  async #heldOrNot(oid: string): Promise<GitObject | undefined> {
    try {
      return await this.read(oid);
    } catch (error) {
      if (isTooLarge(error)) return undefined;
      throw new UnreadableObject(error);
    }
  }

  /** Stores a checked pack. When it resolves, the objects survive a crash and can be read. */
  async addPack(pack: EncodedPack): Promise<void> {
    if (pack.entries.length === 0) return;
    const stem = this.#stemOf(pack);
    if (this.#packs.some((known) => known.stem === stem)) return;
    await this.#write(pack, stem);
    this.#packs.unshift(openPackFile(stem, this.#context));
  }

  async #write(pack: EncodedPack, stem: string): Promise<void> {
    const index = await this.#turns.run(encodingPackIndex(pack.entries, pack.checksum));
    // Nobody sees a pack without its index.
    await writeAllDurably([
      [`${stem}.pack`, pack.bytes],
      [`${stem}.idx`, index],
    ]);
  }

  /** Lets the objects be read at once; they are durable when `settle` resolves. Much is stored as `addPack` does. */
  async hold(pack: EncodedPack): Promise<void> {
    if (pack.entries.length === 0) return;
    const heldBytes = [...this.#held].reduce((sum, { bytes }) => sum + bytes, pack.bytes.length);
    if (heldBytes > MAX_HELD_BYTES || this.#held.size >= MAX_HELD_PACKS) {
      await this.settle();
      return this.addPack(pack);
    }
    const stem = this.#stemOf(pack);
    if (this.#packs.some((known) => known.stem === stem)) return;
    const index = await this.#turns.run(encodingPackIndex(pack.entries, pack.checksum));
    const held = holdPack(stem, pack, index, this.#context);
    this.#held.add(held);
    this.#packs.unshift(held);
  }

  /** Stores what is held. Where that fails it stays held. */
  async settle(): Promise<void> {
    const held = this.#packs.filter((pack) => this.#held.has(pack));
    if (held.length === 0) return;
    const joined = await joinPacks(held, this.#turns);
    const stem = this.#stemOf(joined);
    await this.#write(joined, stem);
    const stored = openPackFile(stem, this.#context);
    this.#packs = [stored, ...this.#packs.filter((pack) => !held.includes(pack))];
    for (const pack of held) this.#held.delete(pack);
  }

  #stemOf({ checksum }: EncodedPack): string {
    return join(this.#folder, `pack-${checksum.toString('hex')}`);
  }

  /** Joins the small packs when there are too many. Gives the number of packs that went. */
  async compact(): Promise<number> {
    const small = this.#packs.filter((pack) => pack.bytes < SMALL_PACK_BYTES && !this.#held.has(pack));
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
    this.#held.clear();
    this.#context.bases.clear();
  }
}

const notFetched = (oid: string): Promise<never> =>
  Promise.reject(new AgentError('GIT_NOT_FOUND', `object ${oid} has not been fetched`));

const wantedId = Buffer.alloc(20);

/** The bytes of an id until the next one is asked for: a buffer for each would cost as much as to look for it. */
function idOf(oid: string): Buffer {
  return oid.length === 40 && wantedId.write(oid, 'hex') === 20 ? wantedId : Buffer.from(oid, 'hex');
}

const isTooLarge = (error: unknown): boolean => error instanceof AgentError && error.code === 'GIT_TOO_LARGE';
