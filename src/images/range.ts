import { Range, type SemVer } from 'semver';

/** Versions that a policy takes. */
export interface VersionRange {
  /** As it is written. */
  readonly text: string;
  includes(version: SemVer): boolean;
}

/** As in the library that Flux uses. */
const maxLength = 512;
const maxGroups = 32;

interface Comparator {
  readonly range: Range;
  /** `!=`: what the range does not include. */
  readonly isInverse: boolean;
}

interface Group {
  readonly comparators: readonly Comparator[];
  /** Whether one of them names a pre-release: then all in their bounds are taken, as with Flux, and not only those of one version. */
  readonly takesPrereleases: boolean;
}

/**
 * Reads a range as Flux does: `~1.4`, `>=1.2, <2`, `1.2 - 1.4`, `!=1.3.0`, `1.x || 2.x`. What Flux refuses is refused; an empty text takes
 * nothing. The differences that are left are in `test/images/range.test.ts`.
 */
export function readRange(text: string): VersionRange | { readonly problem: string } {
  if (text.length > maxLength) return { problem: `it is longer than ${maxLength} letters` };
  const parts = withoutHyphens(text).split('||');
  if (parts.length > maxGroups) return { problem: `it has more than ${maxGroups} parts divided by "||"` };
  const groups: Group[] = [];
  for (const part of parts) {
    const group = readGroup(part);
    if ('problem' in group) return group;
    groups.push(group);
  }
  return { text, includes: (version) => groups.some((group) => groupIncludes(group, version)) };
}

function groupIncludes({ comparators, takesPrereleases }: Group, version: SemVer): boolean {
  if (version.prerelease.length > 0 && !takesPrereleases) return false;
  return comparators.every(({ range, isInverse }) => range.test(version) !== isInverse);
}

const number = '(?:\\d+|[xX*])';
const identifiers = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
const partial = `v?${number}(?:\\.${number})?(?:\\.${number})?(?:-${identifiers})?(?:\\+${identifiers})?`;
const partialShape = new RegExp(
  `^v?(${number})(?:\\.(${number}))?(?:\\.(${number}))?(?:-(${identifiers}))?(?:\\+${identifiers})?$`,
);
const hyphenShape = new RegExp(`(?<=^|[\\s,|])(${partial})\\s{1,100}-\\s{1,100}(${partial})(?=$|[\\s,|])`, 'g');

/** `1.2 - 1.4` says `>=1.2 <=1.4`. */
const withoutHyphens = (text: string): string => text.replaceAll(hyphenShape, ' >=$1 <=$2 ');

const operators = ['!=', '>=', '=>', '<=', '=<', '~>', '=', '>', '<', '~', '^'];

function readGroup(text: string): Group | { readonly problem: string } {
  const comparators: Comparator[] = [];
  let takesPrereleases = false;
  const commas = text.split(',').map((part) => part.trim());
  if (commas.includes(''))
    return { problem: text.trim() === '' ? 'a part of it is empty' : 'a "," has nothing beside it' };
  const words = commas.flatMap((part) => part.split(/\s+/));
  for (let index = 0; index < words.length; index += 1) {
    const first = words[index] ?? '';
    const operator = operators.find((one) => first.startsWith(one)) ?? '';
    // `>= 1.2`: the operator stands alone.
    if (first === operator) index += 1;
    const version = first === operator ? (words[index] ?? '') : first.slice(operator.length);
    const match = partialShape.exec(version);
    if (!match) return { problem: `"${`${operator}${version}`.slice(0, 60)}" is no condition like ">=1.2"` };
    const comparator = comparatorOf(operator, match);
    if (!comparator) return { problem: `"${version.slice(0, 60)}" is no version` };
    comparators.push(comparator);
    takesPrereleases ||= match[4] !== undefined;
  }
  return { comparators, takesPrereleases };
}

function comparatorOf(operator: string, match: RegExpExecArray): Comparator | undefined {
  const [, major = '', minor, patch, prerelease] = match;
  const suffix = prerelease === undefined ? '' : `-${prerelease}`;
  const isAny = (part: string | undefined): boolean => part === undefined || /^[xX*]$/.test(part);
  const plain = (part: string | undefined): string => (part ?? '').replace(/^0+(?=\d)/, '');
  const name = isAny(major)
    ? '*'
    : isAny(minor)
      ? plain(major)
      : isAny(patch)
        ? `${plain(major)}.${plain(minor)}`
        : `${plain(major)}.${plain(minor)}.${plain(patch)}${suffix}`;
  const isInverse = operator === '!=';
  const known = isInverse ? '' : (otherSpellings.get(operator) ?? operator);
  // Where parts are left out, Flux begins at zero: 1.4.0-rc.1 is below ~1.4, also where the range takes pre-releases.
  const [one, two] = [isAny(major) ? '0' : plain(major), isAny(major) || isAny(minor) ? '0' : plain(minor)];
  const isWhole = !isAny(major) && !isAny(minor) && !isAny(patch);
  const least = isWhole ? name : `${one}.${two}.0${suffix}`;
  const bounds =
    known === '<' || known === '>='
      ? `${known}${least}`
      : /^[<>]/.test(known)
        ? known + name
        : `${known}${name} >=${least}`;
  try {
    return { range: new Range(bounds, { includePrerelease: true }), isInverse };
  } catch {
    return undefined;
  }
}

const otherSpellings: ReadonlyMap<string, string> = new Map([
  ['=>', '>='],
  ['=<', '<='],
  ['~>', '~'],
]);
