import type { GitRepo, Revision } from '../git/repo.ts';
import { AgentError } from '../lib/errors.ts';
import type { Turns } from '../lib/turns.ts';
import { appIn, type Render } from './rendered.ts';
import type { TreeReader } from './trees.ts';
import type { AppId, Outcome } from './types.ts';

export interface PushedDeps {
  readonly repo: Pick<GitRepo, 'has' | 'fetch' | 'commit' | 'diff'>;
  readonly reader: Pick<TreeReader, 'read'>;
  readonly render: Render;
  readonly turns: Turns;
  /** The folder that is synced; empty for all. */
  readonly path: string;
  readonly ledgerDir: string;
}

interface Range {
  /** The commit before; not one of them. */
  readonly from: Revision;
  readonly until: Revision;
}

/** Finds who pushed what an app became: what was judged is the tip of what was fetched, and that may be another app's commit. */
export interface PushedCommits {
  /** The commits of a range that changed the app's content, oldest first. Empty: not known, so that nobody is to be named. */
  of(app: AppId, range: Range, signal: AbortSignal): Promise<readonly Revision[]>;
  /** The commit that took the app out of Git, at `until` or shortly before, as far as history is here. Undefined: not known. */
  removal(app: AppId, until: Revision, signal: AbortSignal): Promise<Revision | undefined>;
}

/** A push of more commits is not looked through. */
const mostCommits = 100;
/** So many of them are asked for where they are not here, */
const mostAsked = 12;
/** and so many, the latest, are read as trees. */
const mostTrees = 12;

/** Superseded pushes that are looked up. */
const mostSuperseded = 10;

/** Who is told of an outcome: the commits that people pushed, where the outcome names the tips at which the agent found them. */
export interface Attribution {
  /** That brought what was judged, oldest first. Empty: not known. */
  readonly pushed: readonly Revision[];
  /** By release id, as in the outcome. */
  readonly supersededAt: Readonly<Record<string, Revision>>;
  readonly takenBackAt?: Revision;
  /** All of them that are known to have changed the app: nobody else is to be named. */
  readonly named: readonly Revision[];
}

export async function attributionOf(
  commits: PushedCommits,
  { app, base, state, supersedes, supersededAt = {}, takenBackAt }: Outcome,
  signal: AbortSignal,
): Promise<Attribution> {
  const named: Revision[] = [];
  const lastOf = async (range: Range): Promise<Revision> => {
    const by = (await commits.of(app, range, signal)).at(-1);
    if (by !== undefined) named.push(by);
    return by ?? range.until;
  };
  let from = base;
  const earlier: Record<string, Revision> = {};
  for (const [index, id] of supersedes.entries()) {
    const until = supersededAt[id];
    if (until === undefined) continue;
    earlier[id] = supersedes.length - index > mostSuperseded ? until : await lastOf({ from, until });
    from = until;
  }
  const pushed = await commits.of(app, { from, until: state.revision }, signal);
  named.push(...pushed);
  const back = takenBackAt && (await lastOf({ from: state.revision, until: takenBackAt }));
  return { pushed, supersededAt: earlier, ...(back ? { takenBackAt: back } : {}), named };
}

interface Step {
  readonly before: Revision;
  readonly at: Revision;
}

export function createPushedCommits({ repo, reader, render, turns, path, ledgerDir }: PushedDeps): PushedCommits {
  const ledgers = [path, ledgerDir].filter((part) => part !== '').join('/');
  /** A thousand releases may begin with one push. */
  const known = new Map<string, Promise<readonly Step[]>>();

  /** Commits of the range that touch more than ledgers, oldest first. */
  const stepsOf = async ({ from, until }: Range, signal: AbortSignal): Promise<readonly Step[]> => {
    const steps: Step[] = [];
    let asked = 0;
    const isHere = async (at: Revision): Promise<boolean> => {
      if (await repo.has(at)) return true;
      if (++asked > mostAsked) return false;
      await repo.fetch(at, signal);
      return true;
    };
    let at = until;
    for (let seen = 0; seen < mostCommits; seen += 1) {
      if (at === from) return steps.toReversed();
      if (!(await isHere(at))) break;
      const [before] = (await repo.commit(at)).parents;
      if (before === undefined || !(await isHere(before))) break;
      const changes = await repo.diff(before, at, path);
      if (changes.some((change) => !change.path.startsWith(`${ledgers}/`))) steps.push({ before, at });
      at = before;
    }
    return [];
  };
  const contentAt = async (app: AppId, at: Revision, signal: AbortSignal): Promise<string | undefined> =>
    appIn(await turns.run(render.inTurns(await reader.read(at, signal))), app)?.content;

  const removalOf = async (app: AppId, until: Revision, signal: AbortSignal): Promise<Revision | undefined> => {
    let at = until;
    for (let seen = 0; seen < mostTrees && (await repo.has(at)); seen += 1) {
      const [before] = (await repo.commit(at)).parents;
      if (before === undefined || !(await repo.has(before))) return undefined;
      if ((await contentAt(app, at, signal)) !== undefined) return undefined;
      if ((await contentAt(app, before, signal)) !== undefined) return at;
      at = before;
    }
    return undefined;
  };

  return {
    async removal(app, until, signal) {
      try {
        return await removalOf(app, until, signal);
      } catch (error) {
        if (!(error instanceof AgentError) || signal.aborted) throw error;
        return undefined;
      }
    },
    async of(app, range, signal) {
      try {
        const key = `${range.from} ${range.until}`;
        const steps = await (known.get(key) ?? remembered(known, key, stepsOf(range, signal)));
        if (steps.length <= 1) return steps.map(({ at }) => at);
        const changed: Revision[] = [];
        for (const { before, at } of steps.slice(-mostTrees)) {
          if ((await contentAt(app, before, signal)) !== (await contentAt(app, at, signal))) changed.push(at);
          await turns.breathe();
        }
        return changed;
      } catch (error) {
        // It only says who; what happened is to be told all the same.
        if (!(error instanceof AgentError) || signal.aborted) throw error;
        return [];
      }
    },
  };
}

function remembered<Value>(map: Map<string, Value>, key: string, value: Value): Value {
  map.set(key, value);
  return value;
}
