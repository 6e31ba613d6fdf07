import { createTurns } from '../lib/turns.ts';
import { parseCommit } from './objects.ts';
import { ingestPack } from './pack-ingest.ts';
import { asRevision, type Revision } from './repo.ts';

/** Parents of commits, as far as they were read. */
export type Parents = ReadonlyMap<Revision, readonly Revision[]>;

export interface AncestrySource {
  /** From the mirror; undefined: the commit is not here. */
  local(commit: Revision): Promise<readonly Revision[] | undefined>;
  /** More of the history before a commit, so many commits deep. Undefined: the server gives none. */
  load(from: Revision, depth: number, signal: AbortSignal): Promise<Parents | undefined>;
}

/** How deep the server is asked for history, one after the other. */
const depths: readonly number[] = [64, 1_024, 16_384, 262_144];
/** Commits that are remembered; more, and it begins anew. */
const maxRemembered = 500_000;

interface Walk {
  readonly from: Revision;
  readonly reached: Set<Revision>;
  /** Reached, and their parents not looked at yet. */
  readonly next: Revision[];
  /** Those whose parents are not known. */
  open: Revision[];
}

/** Who comes before whom. The mirror has trees of few commits; of the others only their parents are read, when somebody asks. */
export class Ancestry {
  readonly #source: AncestrySource;
  readonly #known = new Map<Revision, readonly Revision[]>();
  readonly #turns = createTurns();
  #walk: Walk | undefined;

  constructor(source: AncestrySource) {
    this.#source = source;
  }

  /** Whether `candidate` is `from` or one of the commits before it. Undefined: as much history as that is not to be had. */
  async has(candidate: Revision, from: Revision, signal: AbortSignal): Promise<boolean | undefined> {
    return this.hasAny(new Set([candidate]), from, signal);
  }

  /** Likewise for any of several commits. */
  async hasAny(candidates: ReadonlySet<Revision>, from: Revision, signal: AbortSignal): Promise<boolean | undefined> {
    if (candidates.has(from)) return true;
    if (this.#known.size > maxRemembered) this.#known.clear();
    for (const depth of [0, ...depths]) {
      if (depth > 0) {
        const more = await this.#source.load(from, depth, signal);
        if (!more) return undefined;
        for (const [commit, parents] of more) this.#known.set(commit, parents);
        this.#walk = undefined;
      }
      const walk = await this.#reach(candidates, from);
      if (isMet(walk, candidates)) return true;
      if (walk.open.length === 0) return false;
    }
    return undefined;
  }

  async #reach(candidates: ReadonlySet<Revision>, from: Revision): Promise<Walk> {
    const walk = this.#walk?.from === from ? this.#walk : { from, reached: new Set([from]), next: [from], open: [] };
    this.#walk = walk;
    let isFound = isMet(walk, candidates);
    while (!isFound) {
      const commit = walk.next.pop();
      if (commit === undefined) break;
      const parents = this.#known.get(commit) ?? (await this.#source.local(commit));
      if (parents) this.#known.set(commit, parents);
      else walk.open.push(commit);
      for (const parent of parents ?? []) {
        if (walk.reached.has(parent)) continue;
        walk.reached.add(parent);
        isFound ||= candidates.has(parent);
        walk.next.push(parent);
      }
      await this.#turns.breathe();
    }
    return walk;
  }
}

const isMet = ({ reached }: Walk, candidates: ReadonlySet<Revision>): boolean =>
  [...candidates].some((candidate) => reached.has(candidate));

/** The parents of the commits in a pack. GIT_PROTOCOL when anything is wrong with it. */
export async function parentsIn(pack: Buffer): Promise<Parents> {
  const found = new Map<Revision, readonly Revision[]>();
  const note = (oid: string, content: Buffer): void => {
    found.set(asRevision(oid), parseCommit(asRevision(oid), content).parents);
  };
  await ingestPack(pack, () => undefined, note);
  return found;
}
