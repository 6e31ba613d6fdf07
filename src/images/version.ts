import { compare, parse, type SemVer } from 'semver';

/** How a tag has to be written to be a version: `1.2` and `v1` count as 1.2.0 and 1.0.0 (Flux v1), or all three numbers are there (Flux v2). */
export type VersionForm = 'loose' | 'strict';

/** How pre-releases are ordered: as SemVer says (rc9 above rc10), or by the numbers in them (rc10 above rc9). */
export type PrereleaseOrder = 'semver' | 'natural';

const looseShape =
  /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;
/** As in both libraries. */
const maxLength = 256;

/** The version that a tag names; undefined: none. Numbers above 2^53 are none. */
export function readVersion(tag: string, form: VersionForm): SemVer | undefined {
  if (tag.length > maxLength) return undefined;
  const match = looseShape.exec(tag);
  if (!match) return undefined;
  const [, major = '', minor, patch, prerelease, build] = match;
  if (form === 'strict' && (patch === undefined || [major, minor, patch].some((number) => /^0\d/.test(number ?? ''))))
    return undefined;
  const numbers = [major, minor ?? '0', patch ?? '0'].map((number) => number.replace(/^0+(?=\d)/, ''));
  const text = `${numbers.join('.')}${prerelease === undefined ? '' : `-${prerelease}`}${build === undefined ? '' : `+${build}`}`;
  return parse(text) ?? undefined;
}

/** Below, equal to or above zero, as for `sort`. */
export function compareVersions(a: SemVer, b: SemVer, order: PrereleaseOrder): number {
  const main = a.compareMain(b);
  if (main !== 0 || order === 'semver' || a.prerelease.length === 0 || b.prerelease.length === 0) return compare(a, b);
  for (let index = 0; index < Math.max(a.prerelease.length, b.prerelease.length); index += 1) {
    const [one, other] = [a.prerelease[index], b.prerelease[index]];
    // As in SemVer: of two that begin alike the longer one is higher.
    if (one === undefined) return -1;
    if (other === undefined) return 1;
    const compared = compareNaturally(String(one), String(other));
    if (compared !== 0) return compared;
  }
  return 0;
}

/** Rows of digits count as numbers, whatever their length; all else as text. Linear. */
function compareNaturally(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const [one, other] = [left[index], right[index]];
    if (one === undefined) return -1;
    if (other === undefined) return 1;
    const areNumbers = /^\d/.test(one) && /^\d/.test(other);
    if (areNumbers && one.length !== other.length) return one.length - other.length;
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

const partsOf = (text: string): readonly string[] =>
  (text.match(/\d+|[^\d]+/g) ?? []).map((part) => part.replace(/^0+(?=\d)/, ''));

/** The newest first: versions, then all else by its name. */
export function newestFirst(tags: readonly string[]): readonly string[] {
  const versions = new Map(tags.map((tag) => [tag, readVersion(tag, 'loose')]));
  return tags.toSorted((a, b) => {
    const [one, other] = [versions.get(a), versions.get(b)];
    if (one && other) return compareVersions(other, one, 'semver') || (a < b ? 1 : -1);
    if (one || other) return one ? -1 : 1;
    return a < b ? 1 : -1;
  });
}
