import { findApps } from '../../canary/app.ts';
import { createTurns } from '../../lib/turns.ts';
import type { Claims } from './claims.ts';
import type { Snapshot } from './snapshots.ts';

export interface OwnPartOptions {
  readonly source: string;
  readonly claims: Claims;
  /** Why another source does not answer; undefined: it does. */
  readonly troubleOf: (source: string) => string | undefined;
  readonly defaultNamespace: string;
}

/** What of a commit is this source's, where others may have some of its objects already. */
export interface OwnPart {
  within(whole: Snapshot, lookedAtMs: number): Promise<Snapshot>;
  /** Nothing is deleted before all others have looked at Git since: it may stand in one of them. Undefined: they have. */
  pruneWaitsFor(sinceMs: number): { readonly held: string | undefined } | undefined;
}

export function createOwnPart({ source, claims, troubleOf, defaultNamespace }: OwnPartOptions): OwnPart {
  const turns = createTurns();
  let last: { readonly whole: Snapshot; readonly own: Snapshot } | undefined;
  return {
    async within(whole, lookedAtMs) {
      const { loaded } = whole;
      const { manifests, refused } = claims.take(source, loaded.manifests, lookedAtMs);
      if (refused.length === 0) return whole;
      const before = last?.whole.loaded === loaded ? last.own : undefined;
      if (before && isEach(before.loaded.manifests, manifests))
        return { ...whole, loaded: before.loaded, apps: before.apps };
      const apps = await turns.run(findApps(manifests, defaultNamespace, last?.own.apps));
      const own = { ...whole, loaded: { ...loaded, manifests, problems: [...loaded.problems, ...refused] }, apps };
      last = { whole, own };
      return own;
    },
    pruneWaitsFor(sinceMs) {
      const late = claims.behind(source, sinceMs);
      if (late === undefined) return undefined;
      const trouble = troubleOf(late);
      if (trouble === undefined) return { held: undefined };
      const why = `what is gone from Git may stand in the source ${late} by now, which cannot be read`;
      return { held: `nothing is deleted: ${why} (${trouble.split('\n', 1)[0] ?? ''})` };
    },
  };
}

const isEach = <Item>(one: readonly Item[], other: readonly Item[]): boolean =>
  one.length === other.length && one.every((item, at) => item === other[at]);
