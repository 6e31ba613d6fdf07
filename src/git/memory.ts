/** What a mirror may hold of the objects in it, in bytes. A download, and an object that is asked for, come on top. */
export interface GitMemory {
  /** Objects that others are made of, from one read to the next. */
  readonly bases: number;
  /** Folders, from one read to the next. */
  readonly folders: number;
  /** A pack in one piece, while most of it is read. */
  readonly pack: number;
  /** Deltas of a download, while it is checked. */
  readonly deltas: number;
  /** What leads to the object that is being made: once while objects are read, once while a download is checked. */
  readonly way: number;
}

export const defaultMemoryBytes = 128 * 1024 * 1024;

/** All of it together is no more than so much. */
export function memoryWithin(bytes: number): GitMemory {
  const eighth = Math.floor(bytes / 8);
  return { bases: 3 * eighth, folders: eighth, pack: eighth, deltas: eighth, way: eighth };
}
