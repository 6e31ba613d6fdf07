import { type Place, priorities, type Priority } from './priority.ts';

/** A request that is not begun yet. */
export interface Waiting extends Place {
  /** Since when its flow waits, in milliseconds: all that a look at a canary writes has waited since that look was due. */
  readonly sinceMs: number;
}

/** What is under way. */
export interface Room {
  /** How many more may be begun now. */
  readonly free: number;
  readonly limit: number;
  readonly events: number;
  /** Of a namespace. */
  readonly held: (namespace: string) => number;
}

/** Each flow's requests in the order in which they came; a flow without any is not there. */
export type Line = ReadonlyMap<string, readonly Waiting[]>;

/** Every so many requests the one that has waited longest goes first, whatever it is. */
const openTurn = 4;
/** Likewise an event. */
const eventTurn = 16;
/** A namespace whose requests are slow, as behind an admission webhook, leaves others room: it holds at most so many for each free one. */
const heldForEachFree = 3;
/** Events take at most this share of what may be under way. */
const eventShare = 0.25;

interface Candidate {
  readonly first: Waiting;
  readonly rank: number;
  readonly sinceMs: number;
}

/** Looked up for everything that waits, each time that something is begun. */
const rankOf = Object.fromEntries(priorities.map((priority, rank) => [priority, rank])) as Record<Priority, number>;
const eventRank = rankOf.event;

/**
 * The request to begin as the `turn`th of all. By priority; of equals the flow that has waited longest, so that lateness is spread over all
 * canaries; never one before an older one of its own flow. Undefined: none, or none that may be begun yet.
 */
export function nextOf(line: Line, turn: number, room: Room): Waiting | undefined {
  if (room.free < 1) return undefined;
  let best: Candidate | undefined;
  let longest: Candidate | undefined;
  let event: Candidate | undefined;
  for (const requests of line.values()) {
    const candidate = candidateOf(requests);
    if (!candidate || !mayBegin(candidate, room)) continue;
    if (candidate.rank === eventRank) {
      if (!event || candidate.sinceMs < event.sinceMs) event = candidate;
      continue;
    }
    if (!best || candidate.rank < best.rank || (candidate.rank === best.rank && candidate.sinceMs < best.sinceMs))
      best = candidate;
    if (!longest || candidate.sinceMs < longest.sinceMs) longest = candidate;
  }
  if (turn % eventTurn === eventTurn - 1 && event) return event.first;
  const chosen = turn % openTurn === openTurn - 1 ? longest : best;
  return (chosen ?? event)?.first;
}

/** What waits behind something less urgent of its flow lends it its own urgency. */
function candidateOf(requests: readonly Waiting[]): Candidate | undefined {
  const [first] = requests;
  if (!first) return undefined;
  let rank = rankOf[first.priority];
  let { sinceMs } = first;
  for (let at = 1; at < requests.length; at += 1) {
    const waiting = requests[at];
    if (!waiting) continue;
    rank = Math.min(rank, rankOf[waiting.priority]);
    sinceMs = Math.min(sinceMs, waiting.sinceMs);
  }
  return { first, rank, sinceMs };
}

function mayBegin({ first: { namespace }, rank }: Candidate, room: Room): boolean {
  if (rank === eventRank && room.events >= Math.max(1, Math.floor(room.limit * eventShare))) return false;
  return namespace === '' || room.held(namespace) < heldForEachFree * room.free;
}
