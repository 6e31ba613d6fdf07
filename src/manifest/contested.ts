import { isDeepStrictEqual } from 'node:util';
import { hintsOf } from './hints.ts';
import { identityKey, identityOf, nameOf } from './identity.ts';
import { type Manifest, type Origin, type Problem, refOf, isOfPlace } from './types.ts';

export interface Uncontested {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** Every definition of what is applied from none of them. */
  readonly contested: readonly Manifest[];
}

export interface Claimants {
  /** The unit from which an object, by identityKey, was applied last; undefined: not known. */
  readonly placeOf: (key: string) => string | undefined;
  /** The area of a file. */
  readonly areaOf: (path: string) => string;
}

/**
 * Without the objects that a renderer makes and that a file or another renderer defines differently: which one is meant cannot be known, and
 * the unit of the inventory may be the same for both. What another tenant has applied is contested by nobody. Two files alone, and two
 * definitions that say the same, are left to `leavingOutDuplicates`. Yields again and again.
 */
export function* leavingOutContested(all: readonly Manifest[], claimants: Claimants): Generator<void, Uncontested> {
  if (all.every(({ origin }) => origin.renderer === 'plain')) return { manifests: all, problems: [], contested: [] };
  const first = new Map<string, Manifest>();
  const several = new Map<string, Manifest[]>();
  for (const [at, manifest] of all.entries()) {
    if (at % 512 === 511) yield;
    const key = identityOf(manifest.object);
    const known = first.get(key);
    if (known === undefined) {
      first.set(key, manifest);
      continue;
    }
    const definitions = several.get(key) ?? [known];
    definitions.push(manifest);
    several.set(key, definitions);
  }
  const contested = new Set<Manifest>();
  const told = new Map<string, Contest>();
  for (const [key, definitions] of several) {
    yield;
    const makers = contestOf(key, definitions, claimants);
    if (!makers) continue;
    for (const manifest of definitions) contested.add(manifest);
    const words = makers.map(({ origin }) => shownMaker(origin));
    const contest = told.get(words.join('\n')) ?? { makers, words, objects: 0 };
    told.set(words.join('\n'), { ...contest, objects: contest.objects + 1 });
  }
  if (contested.size === 0) return { manifests: all, problems: [], contested: [] };
  return {
    manifests: all.filter((manifest) => !contested.has(manifest)),
    problems: [...told.values()].map(problemOf),
    contested: [...contested],
  };
}

/** Objects that the same makers define. */
interface Contest {
  /** The first object, once for each of its makers. */
  readonly makers: readonly Manifest[];
  readonly words: readonly string[];
  readonly objects: number;
}

/** One definition for each of those who make an object differently. Undefined: it can be known which one counts. */
function contestOf(
  key: string,
  definitions: readonly Manifest[],
  { placeOf, areaOf }: Claimants,
): readonly Manifest[] | undefined {
  const place = placeOf(key);
  const holder = definitions.find(({ origin }) => isOfPlace(origin, place));
  const area = holder && areaOf(holder.origin.path);
  const byMaker = new Map<string, Manifest>();
  const meant: Manifest[] = [];
  for (const manifest of definitions) {
    if (area !== undefined && areaOf(manifest.origin.path) !== area) continue;
    // As the definitions of a chart, which give way to whatever is there.
    if (hintsOf(manifest.object).onlyIfAbsent) continue;
    meant.push(manifest);
    const maker = makerOf(manifest.origin);
    if (!byMaker.has(maker)) byMaker.set(maker, manifest);
  }
  if (byMaker.size < 2) return undefined;
  const [one, ...others] = meant;
  if (others.every(({ object }) => isDeepStrictEqual(object, one?.object))) return undefined;
  return [...byMaker.values()];
}

/** Files are one maker: which of two counts is another question. */
function makerOf(origin: Origin): string {
  if (origin.renderer === 'plain') return 'plain';
  if (origin.renderer === 'kustomize') return `kustomize ${origin.unit}`;
  // Of two HelmReleases of one name each makes its own.
  return `helm ${identityKey(origin.release)} ${origin.path}:${origin.line}`;
}

function shownMaker(origin: Origin): string {
  const place = `${origin.path}:${origin.line}`;
  if (origin.renderer === 'plain') return place;
  return origin.renderer === 'helm'
    ? `the chart of ${nameOf(origin.release)} (${place})`
    : `${place} (rendered for ${origin.unit})`;
}

function problemOf({ makers: [first, second, ...more], words: [one, other], objects }: Contest): Problem {
  if (!first || !second) throw new Error('a contest has two makers');
  const name = nameOf(refOf(first.object));
  const others = objects === 1 ? '' : ` and ${objects - 1} other${objects === 2 ? '' : 's'}`;
  const [are, them] = objects === 1 ? ['is', 'it is'] : ['are', 'they are'];
  const rest = more.length === 0 ? '' : ` and ${more.length} more`;
  const none = more.length === 0 ? 'neither' : 'none of them';
  const { path, line } = second.origin;
  return {
    severity: 'error',
    path,
    line,
    message: `${name}${others} ${are} defined by ${one} and by ${other}${rest}: ${them} applied from ${none}`,
    hint: 'keep one definition; until then the cluster keeps what it has',
  };
}
