import type { GitRepo, Revision } from '../git/repo.ts';

/** What is asked of the server's tags is asked again after so long, also between races. A push finds out itself which tags are there. */
const refsAreFreshMs = 60_000;

/** What the server answered a moment ago: between races nothing is asked that the push itself finds out. */
export function rememberedRefs(
  repo: Pick<GitRepo, 'refs'>,
  elapsedMs: () => number,
): Pick<GitRepo, 'refs'> & { forget(): void } {
  const known = new Map<string, { readonly refs: ReadonlyMap<string, Revision>; readonly atMs: number }>();
  return {
    forget: () => known.clear(),
    async refs(prefixes, signal) {
      const key = JSON.stringify(prefixes);
      const before = known.get(key);
      if (before && elapsedMs() - before.atMs < refsAreFreshMs) return before.refs;
      const refs = await repo.refs(prefixes, signal);
      known.set(key, { refs, atMs: elapsedMs() });
      return refs;
    },
  };
}
