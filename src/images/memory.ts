/** What is remembered of a repository between two listings. Small enough to be kept over a restart. */
export interface RepositoryMemory {
  /** When each tag was first in a list; with a digest behind an `@`, when the tag was first seen with that. */
  readonly firstSeenMs: Readonly<Record<string, number>>;
  /** How many tags a list has to have to be believed whole. */
  readonly count: number;
  /** Since when lists are much shorter than that. Absent: they are not. */
  readonly shortSinceMs?: number;
}

/** A list that stays short for so long was cleaned up by somebody. */
const believedAfterMs = 24 * 3_600_000;
const maxLoss = 0.2;
/** A list that is longer is cut off before it comes here. */
const maxRemembered = 40_000;

/**
 * What is known after a whole list; `former` absent: it is the first. A list that is suddenly much shorter changes nothing but the time since when
 * it is, and is believed after a day. Tags that left keep the time at which they were first seen, while there is room: one that comes back is not new.
 */
export function remembered(
  former: RepositoryMemory | undefined,
  tags: readonly string[],
  nowMs: number,
): RepositoryMemory {
  const count = new Set(tags).size;
  const known = former?.firstSeenMs ?? {};
  const firstSeenMs: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const tag of tags) firstSeenMs[tag] = Object.hasOwn(known, tag) ? (known[tag] ?? nowMs) : nowMs;
  let room = maxRemembered - count;
  for (const [tag, ms] of Object.entries(known)) {
    if (tag in firstSeenMs) continue;
    if (--room < 0) break;
    firstSeenMs[tag] = ms;
  }
  if (!former || count >= former.count * (1 - maxLoss)) return { firstSeenMs, count };
  const shortSinceMs = former.shortSinceMs ?? nowMs;
  // A clock that was set back says nothing of how long that is.
  if (nowMs - shortSinceMs >= believedAfterMs) return { firstSeenMs, count };
  return { firstSeenMs, count: former.count, shortSinceMs: Math.min(shortSinceMs, nowMs) };
}

/** With a tag's digest that was asked for; another one than before is seen for the first time. */
export function withDigest(memory: RepositoryMemory, tag: string, digest: string, nowMs: number): RepositoryMemory {
  const key = `${tag}@${digest}`;
  if (Object.hasOwn(memory.firstSeenMs, key)) return memory;
  const isFirst = !Object.keys(memory.firstSeenMs).some((one) => one.startsWith(`${tag}@`));
  // The first digest that is seen of a tag is as old as the tag.
  const sinceMs = isFirst ? (memory.firstSeenMs[tag] ?? nowMs) : nowMs;
  return { ...memory, firstSeenMs: { ...memory.firstSeenMs, [key]: sinceMs } };
}
