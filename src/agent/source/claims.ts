import { identityOf, nameOf } from '../../manifest/identity.ts';
import { type Manifest, type Problem, refOf } from '../../manifest/types.ts';

/**
 * Which source has which object, where there are several. Whoever applied it first keeps it; another one that says it, too, is refused it with
 * file and line, until the first one lets it go: then nothing is deleted, it is handed over.
 */
export interface Claims {
  /** What a source has applied before, by identityKey; each source is opened before the first of them looks at Git. */
  open(source: string, keys: Iterable<string>): void;
  /** The source that has an object; undefined: none. */
  ownerOf(key: string): string | undefined;
  /** Claims all that is free for a source. Of what another one has comes a problem. The same array where nothing is refused. */
  take(
    source: string,
    manifests: readonly Manifest[],
    lookedAtMs: number,
  ): { readonly manifests: readonly Manifest[]; readonly refused: readonly Problem[] };
  /** Whether another source says an object, too. */
  isWantedElsewhere(source: string, key: string): boolean;
  /** A source has, after a sync that came to its end, only these. Others that wait for the rest are woken. */
  settle(source: string, keys: Iterable<string>): void;
  /**
   * A source that did not look at Git since: what is gone from one may have moved there. Those are woken, and the one that asks once they have
   * looked. Undefined: all have.
   */
  behind(source: string, sinceMs: number): string | undefined;
}

export function createClaims(sources: readonly string[], wake: (source: string) => void): Claims {
  const held = new Map(sources.map((name) => [name, new Set<string>()]));
  const wanted = new Map(sources.map((name) => [name, new Set<string>()]));
  const lookedAtMs = new Map<string, number>();
  const waiting = new Set<string>();
  const ownerOf = (key: string): string | undefined => sources.find((name) => held.get(name)?.has(key));
  return {
    open(source, keys) {
      const own = held.get(source);
      // An object may stand in two inventories where an agent ended while it was handed over.
      for (const key of keys) if (ownerOf(key) === undefined) own?.add(key);
    },
    ownerOf,
    take(source, manifests, atMs) {
      const own = held.get(source) ?? new Set<string>();
      const refused: Problem[] = [];
      const others = new Set<string>();
      const left = manifests.filter((manifest) => {
        const key = identityOf(manifest.object);
        if (own.has(key)) return true;
        const owner = ownerOf(key);
        if (owner === undefined) {
          own.add(key);
          return true;
        }
        others.add(key);
        refused.push(refusal(manifest, owner));
        return false;
      });
      wanted.set(source, others);
      lookedAtMs.set(source, atMs);
      for (const name of waiting) {
        if (name === source) continue;
        waiting.delete(name);
        wake(name);
      }
      return { manifests: refused.length === 0 ? manifests : left, refused };
    },
    isWantedElsewhere: (source, key) =>
      sources.some((name) => name !== source && (wanted.get(name)?.has(key) || held.get(name)?.has(key))),
    settle(source, keys) {
      const before = held.get(source) ?? new Set<string>();
      const now = new Set(keys);
      held.set(source, now);
      for (const [name, keysWanted] of wanted) {
        if (name !== source && [...keysWanted].some((key) => before.has(key) && !now.has(key))) wake(name);
      }
    },
    behind(source, sinceMs) {
      const late = sources.filter((name) => name !== source && (lookedAtMs.get(name) ?? -Infinity) < sinceMs);
      if (late.length > 0) waiting.add(source);
      for (const name of late) wake(name);
      return late[0];
    },
  };
}

function refusal({ object, origin }: Manifest, owner: string): Problem {
  return {
    severity: 'error',
    path: origin.path,
    line: origin.line,
    message: `${nameOf(refOf(object))} is not applied: the source ${owner} has it`,
    hint: `take it out of one of them; once ${owner} does not say it any more, it is taken over from there as it is`,
  };
}
