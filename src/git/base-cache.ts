import { ByteCache } from './byte-cache.ts';
import type { GitObject } from './objects.ts';

export interface CachedBase {
  readonly object: GitObject;
  /** How many deltas lead to it. */
  readonly depth: number;
}

/** What an object takes beside its content. */
const OBJECT_BYTES = 250;
/** Of a long chain each so-many-th object is kept longer: the others are a few deltas away, and there are so many fewer to be kept. */
const STRIDE = 8;

/**
 * Objects that others are made of, by a number that tells pack and place. Where there are more of them than it can hold, those that lead
 * to all others stay: else each of a large tree's files would push out what the next one needs.
 */
export class BaseCache {
  readonly #milestones: ByteCache<CachedBase, number>;
  readonly #others: ByteCache<CachedBase, number>;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#milestones = new ByteCache((maxBytes / 4) * 3);
    this.#others = new ByteCache(maxBytes);
  }

  get(key: number): CachedBase | undefined {
    return this.#others.get(key) ?? this.#milestones.get(key);
  }

  keep(key: number, base: CachedBase): void {
    const cache = base.depth % STRIDE === 0 ? this.#milestones : this.#others;
    cache.set(key, base, base.object.content.length + OBJECT_BYTES);
    this.#others.trim(this.#maxBytes - this.#milestones.bytes);
  }

  clear(): void {
    this.#milestones.clear();
    this.#others.clear();
  }
}
