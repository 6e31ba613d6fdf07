import type { StoreEvent } from '../types.ts';

interface Entry {
  readonly version: number;
  readonly storage: string;
  readonly event: StoreEvent;
}

/** What watches can still be told about. Forgets the oldest beyond `maxEvents` or `maxBytes`. */
export interface History {
  add(entry: Entry, bytes: number): void;
  /** Everything after `version`; undefined when some of it has been forgotten. */
  since(version: number, storage: string): readonly Entry[] | undefined;
  forget(upTo: number): void;
}

export function createHistory(start: number, maxEvents = 5_000, maxBytes = 24_000_000): History {
  let entries: { entry: Entry; bytes: number }[] = [];
  let first = 0;
  let bytesKept = 0;
  let forgottenUpTo = start;
  const dropOldest = (): void => {
    const oldest = entries[first];
    if (!oldest) return;
    first += 1;
    bytesKept -= oldest.bytes;
    forgottenUpTo = oldest.entry.version;
    if (first > 1_000) {
      entries = entries.slice(first);
      first = 0;
    }
  };
  return {
    add: (entry, bytes) => {
      entries.push({ entry, bytes });
      bytesKept += bytes;
      while (entries.length - first > maxEvents || (bytesKept > maxBytes && entries.length - first > 1)) dropOldest();
    },
    since: (version, storage) => {
      if (version < forgottenUpTo) return undefined;
      // Most watches resume near the end, so the search starts there.
      let from = entries.length;
      while (from > first && (entries[from - 1]?.entry.version ?? 0) > version) from -= 1;
      const found: Entry[] = [];
      for (const { entry } of entries.slice(from)) if (entry.storage === storage) found.push(entry);
      return found;
    },
    forget: (upTo) => {
      entries = [];
      first = 0;
      bytesKept = 0;
      forgottenUpTo = upTo;
    },
  };
}
