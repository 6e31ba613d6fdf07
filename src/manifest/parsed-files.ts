import type { Rendering, FileOfTree, FileReader, LoadCache } from './load.ts';

/**
 * What was parsed of files in Git, for everybody who reads trees of one repository: what the sync has read of the tip need not be parsed again
 * for a revert. It outlives what it was read for.
 */
export class ParsedFiles {
  /** Who reads what is not known. Undefined: whoever asks, document by document. */
  readonly reader: FileReader | undefined;
  /** The tree that is followed. Whoever follows one keeps it here. */
  followed: LoadCache = new Map();
  /** Files of other trees, by path and blob. */
  #others = new Map<string, readonly [path: string, file: Rendering]>();

  constructor(reader?: FileReader) {
    this.reader = reader;
  }

  get(path: string, file: FileOfTree): Rendering | undefined {
    return this.#inFollowed(path, file) ?? this.#others.get(keyOf(path, file))?.[1];
  }

  #inFollowed(path: string, file: FileOfTree): Rendering | undefined {
    const known = this.followed.get(path);
    // Of one with errors another reader may make more.
    const isClean =
      known?.isGivenUp === true || (known?.parsed.unreadableText === '' && known.parsed.problems.length === 0);
    return known && isClean && isSame(known, file) ? known : undefined;
  }

  keep(path: string, file: Rendering): void {
    this.#others.set(keyOf(path, file), [path, file]);
  }

  /** Forgets what is neither in the tree that is followed nor in this one. */
  keepOnly(tree: ReadonlyMap<string, FileOfTree>): void {
    for (const [key, [path, file]] of this.#others) {
      const wanted = tree.get(path);
      if (!wanted || !isSame(wanted, file) || this.#inFollowed(path, file)) this.#others.delete(key);
    }
  }
}

/** Paths by the blob that stands there. */
export function pathsByBlob(
  paths: Iterable<string>,
  files: ReadonlyMap<string, FileOfTree>,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const path of paths) {
    const oid = files.get(path)?.oid ?? '';
    const others = found.get(oid);
    if (others) others.push(path);
    else found.set(oid, [path]);
  }
  return found;
}

const keyOf = (path: string, { oid, mode = '' }: FileOfTree): string => `${oid} ${mode} ${path}`;

const isSame = (a: FileOfTree, b: FileOfTree): boolean => a.oid === b.oid && (a.mode ?? '') === (b.mode ?? '');
