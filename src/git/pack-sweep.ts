import { addChild, createForest, descend } from './delta-forest.ts';
import type { GitObject } from './objects.ts';
import type { EntryHead } from './pack-format.ts';

/** What is asked of a pack of which much is read; places are offsets in it. */
export interface SweptPack {
  headAt(at: number): EntryHead;
  /** Undefined: it is whole, or its base is elsewhere. */
  baseOf(at: number, head: EntryHead): number | undefined;
  objectAt(at: number): GitObject;
  /** The deflated bytes that begin there and become so many; it may change when the next one is asked for. */
  deltaAt(from: number, size: number): Buffer;
}

/** So much is done without others in between. */
const LOOKED_ATURN = 64;
const GIVEN_ATURN_BYTES = 64 * 1024;
const SMALL_OBJECT_BYTES = 1024;

export interface Takers {
  readonly take: (number: number, object: GitObject) => void;
  /** Whether an object that is whole, and that none of the others is made of, is to be read at all. Absent: each is. */
  readonly isWanted?: ((number: number, size: number) => boolean) | undefined;
}

/**
 * Gives the objects at these places, which are sorted, by their number among them: those that are made of each other together, so that no
 * delta is applied twice. Yields after some of them. `heldBytes`: as of `descend`.
 */
export function* sweep(
  pack: SweptPack,
  wanted: Float64Array,
  { take, isWanted = () => true }: Takers,
  heldBytes: number,
): Generator<void, void> {
  const links = new Links(pack, wanted);
  while (links.look(LOOKED_ATURN)) yield;
  const forest = links.forest();
  let unbroken = 0;
  for (let number = 0; number < links.count; number += 1) {
    if (!links.isRoot(number)) continue;
    const first = forest.firstChild[number] ?? -1;
    if (number < wanted.length && first < 0 && !isWanted(number, links.sizeOf(number))) continue;
    const root = pack.objectAt(links.placeOf(number));
    if (number < wanted.length) take(number, root);
    unbroken += root.content.length + SMALL_OBJECT_BYTES;
    if (first >= 0) {
      yield* descend({
        forest,
        first,
        heldBytes,
        root: () => root.content,
        deltaOf: (node) => links.deltaOf(node),
        visit: (node, content) => {
          if (node < wanted.length) take(node, { type: root.type, content });
        },
      });
    }
    if (unbroken < GIVEN_ATURN_BYTES) continue;
    unbroken = 0;
    yield;
  }
}

/** The wanted objects, and behind them what they are made of, in columns. */
class Links {
  readonly #pack: SweptPack;
  readonly #wanted: Float64Array;
  readonly #others: number[] = [];
  readonly #numbers = new Map<number, number>();
  readonly #parents: number[] = [];
  readonly #deltasAt: number[] = [];
  readonly #sizes: number[] = [];

  constructor(pack: SweptPack, wanted: Float64Array) {
    this.#pack = pack;
    this.#wanted = wanted;
  }

  get count(): number {
    return this.#wanted.length + this.#others.length;
  }

  placeOf(number: number): number {
    return this.#wanted[number] ?? this.#others[number - this.#wanted.length] ?? 0;
  }

  /** Looks at some more of them. False: that was all. */
  look(most: number): boolean {
    for (let looked = 0; looked < most; looked += 1) {
      const number = this.#parents.length;
      if (number >= this.count) return false;
      const at = this.placeOf(number);
      const head = this.#pack.headAt(at);
      const base = this.#pack.baseOf(at, head);
      this.#parents.push(base === undefined ? -1 : this.#numberOf(base));
      this.#deltasAt.push(at + head.dataAt);
      this.#sizes.push(head.size);
    }
    return true;
  }

  #numberOf(place: number): number {
    let [low, high] = [0, this.#wanted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#wanted[middle] ?? 0;
      if (found === place) return middle;
      if (found < place) low = middle + 1;
      else high = middle;
    }
    let number = this.#numbers.get(place);
    if (number === undefined) {
      number = this.count;
      this.#numbers.set(place, number);
      this.#others.push(place);
    }
    return number;
  }

  forest(): ReturnType<typeof createForest> {
    const forest = createForest(this.count);
    for (let number = 0; number < this.count; number += 1) {
      const parent = this.#parents[number] ?? -1;
      if (parent >= 0) addChild(forest, parent, number);
    }
    return forest;
  }

  isRoot(number: number): boolean {
    return this.#parents[number] === -1;
  }

  /** Of a delta: its own. */
  sizeOf(number: number): number {
    return this.#sizes[number] ?? 0;
  }

  deltaOf(number: number): Buffer {
    return this.#pack.deltaAt(this.#deltasAt[number] ?? 0, this.#sizes[number] ?? 0);
  }
}
