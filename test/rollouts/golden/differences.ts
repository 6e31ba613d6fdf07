import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { diffPatch } from 'node-diff3';
import { parse } from 'yaml';
import { type Faces, type Facet, facets } from './facets.ts';

/** Where we mean to differ; lines may contain `*` for anything, and begin with `3× ` or `3–5× ` for that many lines. */
export interface Difference {
  readonly recordings: readonly string[];
  readonly why: string;
  readonly facets: Readonly<
    Partial<Record<Facet, { readonly theirs?: readonly string[]; readonly ours?: readonly string[] }>>
  >;
}

export const differences = parse(readFileSync(join(import.meta.dirname, 'differences.yaml'), 'utf8')) as Difference[];

/** `- lines: text` is only in the recording, `+ lines: text` only in our run. */
export function difference(theirs: Faces, ours: Faces): string[] {
  return facets.flatMap((facet) =>
    diffPatch([...theirs[facet]], [...ours[facet]]).flatMap(({ buffer1, buffer2 }) => [
      ...buffer1.chunk.map((line) => `- ${facet}: ${line}`),
      ...buffer2.chunk.map((line) => `+ ${facet}: ${line}`),
    ]),
  );
}

function matches(pattern: string, text: string, anything = '.*'): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join(anything)}$`).test(text);
}

/** The patterns of everything that is wanted of this recording. */
export function wantedOf(name: string, among: readonly Difference[] = differences): string[] {
  return among.flatMap(({ recordings, facets: all }) =>
    recordings.some((pattern) => matches(pattern, name, '[^/]*')) ? patternsOf(all) : [],
  );
}

function patternsOf(all: Difference['facets']): string[] {
  return Object.entries(all).flatMap(([facet, { theirs = [], ours = [] }]) => [
    ...theirs.map((line) => `- ${facet}: ${line}`),
    ...ours.map((line) => `+ ${facet}: ${line}`),
  ]);
}

interface Wanted {
  /** As it stands in the file. */
  readonly text: string;
  readonly pattern: string;
  readonly least: number;
  readonly most: number;
}

function readWanted(text: string): Wanted {
  const [, head = '', least = '1', most = least, rest = ''] =
    /^([-+] \w+: )(?:(\d+)(?:–(\d+))?× )?(.*)$/s.exec(text) ?? [];
  return { text, pattern: head + rest, least: Number(least), most: Number(most) };
}

/** What is not wanted, what is wanted and does not occur, and what occurs more or less often than it is wanted. */
export function judge(
  found: readonly string[],
  wanted: readonly string[],
): { unwanted: string[]; missing: string[]; miscounted: string[] } {
  const all = wanted.map(readWanted);
  const counted = all.map((one) => ({ ...one, count: found.filter((line) => matches(one.pattern, line)).length }));
  return {
    unwanted: found.filter((line) => !all.some(({ pattern }) => matches(pattern, line))),
    missing: counted.filter(({ count }) => count === 0).map(({ text }) => text),
    miscounted: counted
      .filter(({ count, least, most }) => count > 0 && (count < least || count > most))
      .map(({ text, count }) => `${text}: ${count} times`),
  };
}
