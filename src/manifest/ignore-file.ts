import { type Glob, matchesGlob, readGlob } from './glob.ts';
import type { Problem } from './types.ts';

/** One line of an ignore file. */
interface IgnorePattern {
  /** Matches a path below the file's folder, or one of the folders that it is in. */
  readonly glob: Glob;
  /** It is about their last name alone: quicker. */
  readonly isOfName: boolean;
  /** What comes before and after the only star of such a name; one part where it has none. Undefined: it has other wildcards. */
  readonly ends: readonly string[] | undefined;
  /** `!pattern`: takes an earlier match back. */
  readonly keeps: boolean;
  readonly foldersOnly: boolean;
}

/** What one ignore file says. */
export interface IgnoreFile {
  readonly path: string;
  /** From the repository's root; it is about what is below. */
  readonly folder: string;
  readonly patterns: readonly IgnorePattern[];
  /** Why it cannot be followed; undefined where it can. */
  readonly fault: string | undefined;
}

const names = new Set(['.serinignore', '.sourceignore']);

export function isIgnoreFile(path: string): boolean {
  return names.has(path.slice(path.lastIndexOf('/') + 1));
}

const maxLength = 64 * 1024;

/** Reads an ignore file: .gitignore's rules without character classes and escapes. */
export function readIgnoreFile(path: string, text: string): IgnoreFile {
  const patterns: IgnorePattern[] = [];
  const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
  if (text.length > maxLength) return { path, folder, patterns, fault: 'is larger than 64 KiB' };
  for (const written of text.split(/\r?\n/)) {
    const line = written.trim();
    if (line === '' || line.startsWith('#')) continue;
    const keeps = line.startsWith('!');
    const pattern = keeps ? line.slice(1) : line;
    const bare = pattern.replace(/\/$/, '').replace(/^\//, '');
    const isAnchored = pattern.slice(0, -1).includes('/');
    const isOfName = !isAnchored && !bare.includes('**');
    const glob = readGlob(isAnchored || isOfName ? bare : `**/${bare}`);
    const ends = isOfName && !bare.includes('?') ? bare.split('*', 3) : undefined;
    patterns.push({
      glob,
      isOfName,
      ends: ends && ends.length < 3 ? ends : undefined,
      keeps,
      foldersOnly: pattern.endsWith('/'),
    });
  }
  return { path, folder, patterns, fault: undefined };
}

/** Steps of comparison for each path below an ignore file, on the average. A hundred ordinary lines need less than half of them. */
const stepsEach = 2_000;
/** For folders with few files. */
const stepsAtLeast = 100_000;

/** So many paths are looked at before other work may have its turn. */
const pathsATurn = 64;

export interface Ignored {
  readonly paths: ReadonlySet<string>;
  /** Ignore files that cannot be followed. */
  readonly problems: readonly Problem[];
}

/**
 * The paths that ignore files name: of a path and the folders that it is in, the last line that matches counts, inner files after outer ones.
 * Yields between paths. A file that is too large, or whose lines take too long to compare, ignores all of its folder: what it was to leave out is not known.
 */
export function* ignoredPaths(paths: readonly string[], files: readonly IgnoreFile[]): Generator<void, Ignored> {
  if (files.length === 0) return { paths: new Set(), problems: [] };
  const byFolder = new Map<string, Ignorer[]>();
  for (const file of files) {
    const known = byFolder.get(file.folder);
    const ignorer: Ignorer = { file, left: stepsAtLeast, fault: file.fault };
    if (known) known.push(ignorer);
    else byFolder.set(file.folder, [ignorer]);
  }
  const known = new Map<string, boolean>();
  const isIgnored = (path: string, isFile: boolean, above: readonly Ignorer[]): boolean => {
    let verdict = false;
    for (const ignorer of above) verdict = judge(ignorer, path, isFile) ?? verdict;
    return verdict;
  };
  const found = new Set<string>();
  for (const [at, path] of paths.entries()) {
    if (at % pathsATurn === pathsATurn - 1) yield;
    const above = [...(byFolder.get('') ?? [])];
    let isOut = false;
    for (let end = path.indexOf('/'); end >= 0 && !isOut; end = path.indexOf('/', end + 1)) {
      const folder = path.slice(0, end);
      isOut = known.get(folder) ?? isIgnored(folder, false, above);
      known.set(folder, isOut);
      for (const ignorer of byFolder.get(folder) ?? []) above.push(ignorer);
    }
    for (const ignorer of above) ignorer.left += stepsEach;
    if (isOut || isIgnored(path, true, above)) found.add(path);
  }
  const blunt = [...byFolder.values()].flat().filter(({ fault }) => fault !== undefined);
  if (blunt.length === 0) return { paths: found, problems: [] };
  // Not only what came after: nobody should depend on the order.
  const isBelow = (path: string): boolean =>
    blunt.some(({ file: { folder } }) => folder === '' || path.startsWith(`${folder}/`));
  return {
    paths: new Set(paths.filter((path) => found.has(path) || isBelow(path))),
    problems: blunt.map(problemOf),
  };
}

interface Ignorer {
  readonly file: IgnoreFile;
  /** Steps that it may still take. */
  left: number;
  fault: string | undefined;
}

/** Undefined where no line says anything about the path. */
function judge(ignorer: Ignorer, path: string, isFile: boolean): boolean | undefined {
  const { folder, patterns } = ignorer.file;
  if (ignorer.fault !== undefined) return true;
  const below = folder === '' ? path : path.slice(folder.length + 1);
  const name = path.slice(path.lastIndexOf('/') + 1);
  const spend = (): boolean => {
    ignorer.left -= 1;
    return ignorer.left >= 0;
  };
  for (let at = patterns.length - 1; at >= 0; at -= 1) {
    const pattern = patterns[at];
    if (!pattern || (isFile && pattern.foldersOnly)) continue;
    const { glob, isOfName, ends } = pattern;
    const isMatch = spend() && (ends ? hasEnds(name, ends) : matchesGlob(glob, isOfName ? name : below, spend));
    if (ignorer.left < 0) {
      ignorer.fault = 'has patterns that take too long to compare';
      return true;
    }
    if (isMatch) return !pattern.keeps;
  }
  return undefined;
}

function hasEnds(name: string, [start = '', end]: readonly string[]): boolean {
  if (end === undefined) return name === start;
  return name.length >= start.length + end.length && name.startsWith(start) && name.endsWith(end);
}

function problemOf({ file: { path, folder }, fault = '' }: Ignorer): Problem {
  const where = folder === '' ? 'of the repository' : `of ${folder}`;
  const message = `the file ${fault}: nothing ${where} is applied, and what the cluster has of it stays`;
  return { severity: 'error', path, line: 1, message, hint: 'write fewer or simpler patterns' };
}
