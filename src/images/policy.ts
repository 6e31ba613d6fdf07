import { fits } from '../manifest/name-pattern.ts';
import { type VersionRange, readRange } from './range.ts';
import { type Budget, expand, type Regex, readRegex } from './regex/regex.ts';
import type { PrereleaseOrder, VersionForm } from './version.ts';
import type { Window } from './windows.ts';

/** Which tags a policy takes, and which of them is the newest. */
export type Selection =
  | {
      readonly kind: 'semver';
      readonly range: VersionRange;
      readonly form: VersionForm;
      readonly prereleases: PrereleaseOrder;
    }
  /** By the number, or the text, that the filter takes out of a tag; `desc`: the least is the newest. */
  | { readonly kind: 'numerical' | 'alphabetical'; readonly order: 'asc' | 'desc' }
  /** By the time at which the image was made, as its publisher says. */
  | { readonly kind: 'newest'; readonly pattern: Pattern };

export type Pattern =
  | { readonly kind: 'glob'; readonly text: string }
  | { readonly kind: 'regex'; readonly text: string; readonly regex: Regex };

/** Tags that do not match are passed over; `extract` (`$ts`) is what is looked at instead of the tag. */
export interface TagFilter {
  readonly text: string;
  readonly regex: Regex;
  /** Absent: the whole tag. */
  readonly extract?: string;
}

/** What may become of the image of one container. */
export interface ImagePolicy {
  /** For people, as in the subject of a commit: `semver:~1.4`. */
  readonly text: string;
  readonly selection: Selection;
  readonly filter?: TagFilter;
  /** Tags that match one of them are passed over. Absent: none is. */
  readonly exclusions?: readonly Regex[];
  /** Whether the digest is written behind the tag; `always` also where it changes under the same tag. */
  readonly digest: 'never' | 'with-tag' | 'always';
  /** How long a tag has to be known, or lie in the registry, before it is taken; 0: at once. */
  readonly minAgeMs: number;
  readonly windows: readonly Window[];
  /** Why nothing moves, whatever else is said. Absent: it may. */
  readonly frozen?: string;
}

/** What a policy says where nothing else is asked for. */
export const plainly: Pick<ImagePolicy, 'digest' | 'minAgeMs' | 'windows'> = {
  digest: 'never',
  minAgeMs: 0,
  windows: [],
};

/**
 * A pattern of Flux v1: `semver:~1.4`, `glob:1.*`, `regex:^1`, `regexp:^1`, or a glob without a word before it. What cannot be read is a
 * problem, where Flux v1 takes any tag.
 */
export function readPattern(text: string): Selection | { readonly problem: string } {
  const colon = text.indexOf(':');
  const word = colon < 0 ? '' : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  switch (word) {
    case 'semver': {
      const range = readRange(rest.trim());
      if ('problem' in range) return { problem: `the range "${shown(rest)}" cannot be read: ${range.problem}` };
      return { kind: 'semver', range, form: 'loose', prereleases: 'semver' };
    }
    case 'regex':
    case 'regexp': {
      const regex = readRegex(rest);
      if ('problem' in regex) return { problem: `the expression "${shown(rest)}" cannot be read: ${regex.problem}` };
      return { kind: 'newest', pattern: { kind: 'regex', text: rest, regex } };
    }
    case 'glob':
      return globOf(rest);
    default:
      // A tag has no colon, so it is a misspelt word rather than a glob.
      if (colon >= 0) return { problem: `"${shown(text)}" begins with none of semver:, glob:, regex:, regexp:` };
      return globOf(text);
  }
}

const maxGlobLength = 200;

function globOf(text: string): Selection | { readonly problem: string } {
  if (text === '') return { problem: 'the pattern is empty' };
  if (text.length > maxGlobLength) return { problem: `the glob is longer than ${maxGlobLength} letters` };
  if (!/^[\w.*-]+$/.test(text))
    return { problem: `the glob "${shown(text)}" matches no tag: only "*", letters, digits, "_", "." and "-" can` };
  return { kind: 'newest', pattern: { kind: 'glob', text } };
}

const shown = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

/** Whether a pattern takes a tag. `latest` is taken only where the pattern says just that: it names no version. */
export function patternTakes(pattern: Pattern, tag: string, budget: Budget): boolean {
  if (tag === 'latest') return pattern.text === 'latest';
  return pattern.kind === 'glob' ? fits(pattern.text, tag) : pattern.regex.matches(tag, budget);
}

/** What a policy looks at of a tag; undefined where its filter passes it over. */
export function filtered({ filter }: Pick<ImagePolicy, 'filter'>, tag: string, budget: Budget): string | undefined {
  if (!filter) return tag;
  const found = filter.regex.find(tag, budget);
  if (!found) return undefined;
  return filter.extract === undefined ? tag : expand(filter.extract, filter.regex, tag, found);
}
