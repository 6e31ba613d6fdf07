import { type RepositoryMemory, remembered, withDigest } from '../../images/memory.ts';
import type { Candidate } from '../../images/pick.ts';

/** What is known of a repository: its last whole list, and what was asked of single tags. Nobody changes one of these. */
export interface Known {
  readonly tags: readonly string[];
  readonly memory: RepositoryMemory;
  /** When the registry was asked for the list last, and answered; by the time of day. */
  readonly askedAtMs: number;
  /** Since when the list is this one. */
  readonly changedAtMs: number;
  readonly intervalMs: number;
  /** Absent: the registry gave none. */
  readonly etag?: string;
  /** Digests of tags that were asked for lately; null: the registry does not say. */
  readonly digests: ReadonlyMap<string, AskedDigest>;
  /** When images were made, by tag; null: nothing says it. */
  readonly createdMs: ReadonlyMap<string, number | null>;
  /** What a digest is for (`linux/amd64`); null: nothing says it. */
  readonly platforms: ReadonlyMap<string, readonly string[] | null>;
  /** The digest that a tag had when it was last written to Git. */
  readonly taken: ReadonlyMap<string, string>;
}

interface AskedDigest {
  readonly value: string | null;
  readonly atMs: number;
}

/** What was learnt of tags and digests last. */
const maxKept = 200;
/** A digest that is older is asked for again with the next list. */
const digestIsFreshMs = 60_000;

const fresh = (digests: Known['digests'] = new Map(), nowMs: number): Known['digests'] =>
  new Map([...digests].filter(([, { atMs }]) => Math.abs(nowMs - atMs) < digestIsFreshMs));

/** After a whole list. */
export function withList(
  former: Known | undefined,
  list: { readonly tags: readonly string[]; readonly etag?: string },
  times: { readonly nowMs: number; readonly intervalMs: number },
): Known {
  const { nowMs, intervalMs } = times;
  const { tags, etag } = list;
  const isChanged = !former || !isSame(former.tags, tags);
  const present = new Set(tags);
  return {
    tags,
    memory: remembered(former?.memory, tags, nowMs),
    askedAtMs: nowMs,
    changedAtMs: isChanged ? nowMs : former.changedAtMs,
    intervalMs,
    ...(etag === undefined ? {} : { etag }),
    digests: fresh(former?.digests, nowMs),
    createdMs: new Map([...(former?.createdMs ?? [])].filter(([tag]) => present.has(tag))),
    platforms: former?.platforms ?? new Map(),
    taken: former?.taken ?? new Map(),
  };
}

/** The list is as before. */
export const unchanged = (former: Known, times: { readonly nowMs: number; readonly intervalMs: number }): Known => ({
  ...former,
  memory:
    former.memory.shortSinceMs === undefined ? former.memory : remembered(former.memory, former.tags, times.nowMs),
  askedAtMs: times.nowMs,
  intervalMs: times.intervalMs,
  digests: fresh(former.digests, times.nowMs),
});

export function withTagDigest(known: Known, tag: string, digest: string | null, nowMs: number): Known {
  const digests = new Map(known.digests).set(tag, { value: digest, atMs: nowMs });
  return { ...known, digests, memory: digest === null ? known.memory : withDigest(known.memory, tag, digest, nowMs) };
}

export const withCreated = (known: Known, tag: string, ms: number | null): Known => ({
  ...known,
  createdMs: new Map(known.createdMs).set(tag, ms),
});

export const withPlatforms = (known: Known, digest: string, platforms: readonly string[] | null): Known => ({
  ...known,
  platforms: withLast(known.platforms, digest, platforms),
});

/** A tag was written to Git, and had this digest then. */
export const withTaken = (known: Known, tag: string, digest: string): Known => ({
  ...known,
  taken: withLast(known.taken, tag, digest),
});

function withLast<Value>(entries: ReadonlyMap<string, Value>, key: string, value: Value): ReadonlyMap<string, Value> {
  const others = [...entries].filter(([other]) => other !== key);
  return new Map([...others, [key, value] as const].slice(-maxKept));
}

export const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && (one.every((tag, at) => tag === other[at]) || isSameSet(one, other));

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  const tags = new Set(one);
  return other.every((tag) => tags.has(tag));
}

/** As `pick` takes them. */
export function candidatesOf({
  tags,
  digests,
  createdMs,
  platforms,
  memory: { firstSeenMs },
}: Known): readonly Candidate[] {
  return tags.map((tag) => {
    const [digest, made] = [digests.get(tag)?.value, createdMs.get(tag)];
    const withIts = digest ? `${tag}@${digest}` : tag;
    const name = Object.hasOwn(firstSeenMs, withIts) ? withIts : tag;
    const seenMs = Object.hasOwn(firstSeenMs, name) ? firstSeenMs[name] : undefined;
    const first = Object.hasOwn(firstSeenMs, tag) ? firstSeenMs[tag] : undefined;
    const fits = digest ? platforms.get(digest) : undefined;
    return {
      tag,
      ...(first !== undefined && seenMs !== undefined && first < seenMs ? { isMoved: true } : {}),
      ...(fits === undefined ? {} : { platforms: fits }),
      ...(digest === undefined ? {} : { digest }),
      ...(made === undefined ? {} : { createdMs: made }),
      ...(seenMs === undefined ? {} : { firstSeenMs: seenMs }),
    };
  });
}
