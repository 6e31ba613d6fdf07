/** Least recently used values, bounded by their weight in bytes. */
export class ByteCache<Value, Key = string> {
  readonly #entries = new Map<Key, { readonly value: Value; readonly bytes: number }>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: Key, value: Value, bytes: number): void {
    // One huge value must not push out everything else.
    if (bytes > this.#maxBytes / 4) return;
    this.#bytes += bytes - (this.#entries.get(key)?.bytes ?? 0);
    this.#entries.delete(key);
    this.#entries.set(key, { value, bytes });
    this.trim(this.#maxBytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Forgets what was not used for longest, until no more than this is left. */
  trim(maxBytes: number): void {
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= maxBytes) return;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
