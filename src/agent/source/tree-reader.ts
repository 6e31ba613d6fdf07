import { setTimeout as sleep } from 'node:timers/promises';
import type { GitRepo, TreeFile } from '../../git/repo.ts';
import { createTurns } from '../../lib/turns.ts';
import { defaultLimits, type ManifestLimits } from '../../manifest/limits.ts';
import {
  areaOf,
  awaitedFile,
  type Haste,
  leftOutFile,
  type LoadCache,
  type LoadSettings,
  missingTexts,
  type Rendering,
} from '../../manifest/load.ts';
import { type ParsedFiles, pathsByBlob } from '../../manifest/parsed-files.ts';
import { createTreeBudget, crowdedOut, longFile, type TreeBudget, weighingFile } from '../../manifest/tree-budget.ts';
import { readingPlain } from '../../render/plain.ts';
import { createAreaSlots } from './area-slots.ts';

/** What the files of one commit say, each by itself. */
export interface ReadFiles {
  readonly known: LoadCache;
  /** With these files in it; what it gives up is given up in `known`. */
  readonly budget: TreeBudget;
  /** The tenants whose files are not read to their end: in `known` all files of theirs are waited for. */
  readonly unread: ReadonlySet<string>;
  /** What of a loaded tree is to be kept for the next commit. */
  keep(loaded: LoadCache): LoadCache;
}

export interface TreeReader {
  /** All files. `cache`: what is known of files. */
  read(files: ReadonlyMap<string, TreeFile>, cache: LoadCache): Promise<ReadFiles>;
  /**
   * Likewise, of the commit that is followed. Of several tenants nobody waits for long: whose files take longer are read on, and `onRead` is
   * called when that is done.
   */
  follow(files: ReadonlyMap<string, TreeFile>, cache: LoadCache): Promise<ReadFiles>;
}

export interface TreeReaderOptions {
  readonly repo: Pick<GitRepo, 'blobs'>;
  readonly parsed: ParsedFiles;
  readonly settings: Pick<LoadSettings, 'tenancy'> & { readonly limits?: ManifestLimits };
  /** What was rendered last takes so much of the budget. */
  readonly renderedWeight: () => number;
  readonly onRead?: (() => void) | undefined;
  /** How long tenants wait for each other. */
  readonly patienceMs?: number;
}

/** Nobody waits longer for what others have pushed. */
const usualPatienceMs = 2_000;
/** So much is read of a tenant before it is somebody else's turn. */
const sliceFiles = 2_048;
const sliceBytes = 4 * 1024 * 1024;
/** A file costs about so much beside its bytes. */
const bytesAFile = 2_048;

export function createTreeReader({
  repo,
  parsed,
  settings,
  renderedWeight,
  onRead = () => undefined,
  patienceMs = usualPatienceMs,
}: TreeReaderOptions): TreeReader {
  const { treeBytes } = settings.limits ?? defaultLimits;
  const turns = createTurns();
  const slots = createAreaSlots();
  const weights = new WeakMap<Rendering, number>();
  /** Files for which there was no room. */
  const crowded = new Map<string, { readonly oid: string; readonly weight: number }>();
  const areaAt = (path: string): string => areaOf(path, settings);
  let followed: Followed | undefined;
  const reading = new Map<string, Promise<void>>();

  /** What is known of the files, as far as there is room. */
  const begin = (files: ReadonlyMap<string, TreeFile>, cache: LoadCache): Begun => {
    const known = new Map(cache);
    const budget = createTreeBudget(treeBytes, areaAt);
    const giveUp = (paths: readonly string[]): void => {
      for (const path of paths) {
        const [file, read] = [files.get(path), known.get(path)];
        if (!file || !read) continue;
        crowded.set(path, { oid: file.oid, weight: weights.get(read) ?? 0 });
        known.set(path, crowdedOut(path, file, read, treeBytes));
      }
    };
    for (const [path, read] of cache)
      if (files.get(path)?.oid === read.oid) giveUp(budget.add(path, weights.get(read) ?? 0));
    let left = budget.left - renderedWeight();
    for (const [path, { oid, weight }] of crowded) {
      if (files.get(path)?.oid === oid && weight > left) continue;
      // There is room for it by now, or it is another one.
      crowded.delete(path);
      if (files.get(path)?.oid !== oid) continue;
      left -= weight;
      known.delete(path);
    }
    return { files, known, budget, giveUp };
  };

  /** Reads files, until so much was read; gives how much that was. `tree`: what they are read for, which may be another one by then. */
  const readSome = async (
    paths: readonly string[],
    tree: () => Begun,
    haste: () => Haste,
    mostBytes = Infinity,
  ): Promise<number> => {
    let bytes = 0;
    const missing = pathsByBlob(paths, tree().files);
    /** The paths of a blob for which there may be room. */
    const fitting = (oid: string, length: number): readonly string[] => {
      const { files, known, budget } = tree();
      return (missing.get(oid) ?? []).filter((path) => {
        const file = files.get(path);
        if (file?.oid !== oid) return false;
        if (length <= longFile || budget.mayFit(path, length)) return true;
        crowded.set(path, { oid, weight: length });
        known.set(path, crowdedOut(path, file, undefined, treeBytes));
        return false;
      });
    };
    const takeBlob = async (oid: string, content: Uint8Array | undefined): Promise<void> => {
      if (bytes >= mostBytes) return;
      bytes += bytesAFile + (content?.length ?? 0);
      for (const path of fitting(oid, content?.length ?? 0)) {
        const file = tree().files.get(path) ?? { oid };
        const read = content
          ? await turns.run(readingPlain(parsed, path, content, file, settings.limits, haste()))
          : leftOutFile(path, file, settings.limits);
        const weight = await turns.run(weighingFile(content?.length ?? 0, read));
        weights.set(read, weight);
        const now = tree();
        // Another commit may have come meanwhile.
        if (now.files.get(path)?.oid !== oid) continue;
        now.known.set(path, read);
        now.giveUp(now.budget.add(path, weight));
      }
    };
    await repo.blobs(missing.keys(), takeBlob, (oid, length) => bytes < mostBytes && fitting(oid, length).length > 0);
    return bytes;
  };

  const missingOf = (area: string, { missing, known, files }: Followed): readonly string[] => {
    const left = (missing.get(area) ?? []).filter((path) => !isKnown(files.get(path), known.get(path)));
    missing.set(area, left);
    return left;
  };
  const readArea = async (area: string): Promise<void> => {
    const hasteOf = (): Haste => (slots.isHeavy(area) ? 'later' : 'soon');
    for (let tree = followed; tree; tree = followed) {
      const now = tree;
      const paths = missingOf(area, now).slice(0, sliceFiles);
      if (paths.length === 0) return;
      await slots.run(area, async () =>
        slots.spend(area, await readSome(paths, () => followed ?? now, hasteOf, sliceBytes)),
      );
    }
  };
  const ensureRead = (area: string): Promise<void> => {
    const under =
      reading.get(area) ??
      readArea(area).finally(() => {
        reading.delete(area);
        if (followed?.unread.has(area) === true) onRead();
      });
    reading.set(area, under);
    // Whoever waits for it is told; where nobody does it is missing the next time.
    under.catch(() => undefined);
    return under;
  };

  const sayingOf = (tree: Begun, said: Map<string, Rendering>, unread: ReadonlySet<string>): ReadFiles => ({
    known: said,
    budget: {
      get left() {
        return tree.budget.left;
      },
      mayFit: (path, length) => tree.budget.mayFit(path, length),
      add(path, weight) {
        const gone = tree.budget.add(path, weight);
        tree.giveUp(gone);
        for (const one of said === tree.known ? [] : gone) {
          const now = tree.known.get(one);
          if (now && !unread.has(areaAt(one))) said.set(one, now);
        }
        return gone;
      },
    },
    unread,
    keep(loaded) {
      if (unread.size === 0) return loaded;
      const kept = new Map(loaded);
      for (const [path, file] of tree.files) {
        if (!unread.has(areaAt(path))) continue;
        const read = tree.known.get(path);
        if (read && isKnown(file, read)) kept.set(path, read);
        else kept.delete(path);
      }
      return kept;
    },
  });

  return {
    async read(files, cache) {
      const tree = begin(files, cache);
      await readSome(
        missingTexts(files, tree.known),
        () => tree,
        () => 'later',
      );
      return sayingOf(tree, tree.known, new Set());
    },
    async follow(files, cache) {
      const all = new Map(cache);
      // What was read after the others had gone on.
      for (const [path, read] of followed?.unread.size ? followed.known : [])
        if (followed?.unread.has(areaAt(path)) === true && isKnown(files.get(path), read)) all.set(path, read);
      const missing = new Map<string, string[]>();
      const tree: Followed = { ...begin(files, all), missing, unread: new Set() };
      for (const path of missingTexts(files, tree.known)) {
        const ofArea = missing.get(areaAt(path));
        if (ofArea) ofArea.push(path);
        else missing.set(areaAt(path), [path]);
      }
      followed = tree;
      if (!hasSeveral([...files.keys()], areaAt)) {
        await readSome(
          [...missing.values()].flat(),
          () => tree,
          () => 'later',
        );
        return sayingOf(tree, tree.known, tree.unread);
      }
      const untilMs = performance.now() + patienceMs;
      const left = (): readonly string[] => [...missing.keys()].filter((area) => missingOf(area, tree).length > 0);
      for (let areas = left(); areas.length > 0; areas = left()) {
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0) break;
        const late = new AbortController();
        await Promise.race([
          Promise.all(areas.map(ensureRead)),
          sleep(leftMs, undefined, { signal: late.signal }).catch(() => undefined),
        ]);
        late.abort();
      }
      for (const area of left()) {
        void ensureRead(area);
        tree.unread.add(area);
      }
      if (tree.unread.size === 0) return sayingOf(tree, tree.known, tree.unread);
      const said = new Map(tree.known);
      for (const [path, file] of files) if (tree.unread.has(areaAt(path))) said.set(path, awaitedFile(file));
      return sayingOf(tree, said, tree.unread);
    },
  };
}

/** A tree of which files are read, with the room that they have together. */
interface Begun {
  readonly files: ReadonlyMap<string, TreeFile>;
  readonly known: Map<string, Rendering>;
  readonly budget: TreeBudget;
  /** Leaves files out. */
  giveUp(paths: readonly string[]): void;
}

interface Followed extends Begun {
  /** Paths by area. */
  readonly missing: Map<string, readonly string[]>;
  /** The areas that were not waited for. */
  readonly unread: Set<string>;
}

const isKnown = (file: TreeFile | undefined, read: Rendering | undefined): boolean =>
  read !== undefined && file?.oid === read.oid && file.mode === read.mode;

function hasSeveral(paths: readonly string[], areaAt: (path: string) => string): boolean {
  const [first] = paths;
  return first !== undefined && paths.some((path) => areaAt(path) !== areaAt(first));
}
