interface Entry<Value> {
  readonly value: Value;
  readonly weight: number;
}

/** Values by key, those that were used latest: what was used longest ago makes room where there are too many, or they weigh too much. */
export class LatestUsed<Value> {
  readonly #most: number;
  /** Used last goes last. */
  readonly #entries = new Map<string, Entry<Value>>();
  #weight = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** What all weigh together. */
  get weight(): number {
    return this.#weight;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** `mostWeight`: of all, with it; one that weighs more by itself is kept alone. Absent: no bound. */
  set(key: string, value: Value, weight = 0, mostWeight = Number.POSITIVE_INFINITY): void {
    this.delete(key);
    for (const [oldest] of this.#entries) {
      if (this.#entries.size < this.#most && this.#weight + weight <= mostWeight) break;
      this.delete(oldest);
    }
    this.#entries.set(key, { value, weight });
    this.#weight += weight;
  }

  delete(key: string): void {
    this.#weight -= this.#entries.get(key)?.weight ?? 0;
    this.#entries.delete(key);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }
}
