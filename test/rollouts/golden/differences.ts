import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { diffPatch } from 'node-diff3';
import { parse } from 'yaml';
import { type Faces, type Facet, facets } from './facets.ts';

/** Where we mean to differ; lines may contain `*` for anything. */
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

/** What is not wanted, and what is wanted and does not occur. */
export function judge(found: readonly string[], wanted: readonly string[]): { unwanted: string[]; missing: string[] } {
  return {
    unwanted: found.filter((line) => !wanted.some((pattern) => matches(pattern, line))),
    missing: wanted.filter((pattern) => !found.some((line) => matches(pattern, line))),
  };
}
