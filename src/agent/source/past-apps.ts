import type { App } from '../../canary/app.ts';
import type { GitRepo, Revision } from '../../git/repo.ts';
import { AgentError } from '../../lib/errors.ts';
import { type AppKey, keyOf } from '../../lib/key.ts';
import { areaOf } from '../../manifest/load.ts';
import type { Tenancy } from '../../manifest/tenancy.ts';
import { createProve, type Prove } from '../releases/proof.ts';
import type { StableState } from '../releases/tracker.ts';
import type { Snapshot, Snapshots } from './snapshots.ts';

export interface PastAppsOptions {
  readonly repo: GitRepo;
  readonly snapshots: Pick<Snapshots, 'appsAt'>;
  readonly tenancy: Tenancy | undefined;
  /** False: outcomes are not written to Git. */
  readonly isWriting: boolean;
  /** What the ledger says of an app; undefined: nothing. */
  readonly stable: (key: AppKey) => StableState | undefined;
  readonly signal: AbortSignal;
}

/** Apps as earlier commits say them. */
export interface PastApps {
  /**
   * Of a commit whoever named it, a record or a ledger. Throws GIT_NOT_FOUND where it is not one of the branch: only what stands there is
   * ever applied. `now`: the apps of the tip; undefined: no tip was seen yet.
   */
  on(
    at: Revision,
    keys: readonly AppKey[],
    now: Pick<Snapshot, 'revision' | 'apps'> | undefined,
  ): Promise<readonly App[]>;
  /** What holds records against this commit. */
  proveBy(now: Pick<Snapshot, 'revision' | 'apps'>): Prove;
}

export function createPastApps({ repo, snapshots, tenancy, isWriting, stable, signal }: PastAppsOptions): PastApps {
  /** Each is looked for where its tenant has it now; everywhere only where it is not there. */
  const appsAt = async (at: Revision, keys: readonly AppKey[], now: readonly App[]): Promise<readonly App[]> => {
    const wanted = new Set(keys);
    const places = now.filter(({ id }) => wanted.has(keyOf(id))).map(({ canary }) => canary.origin.path);
    if (!tenancy || places.length < wanted.size) return snapshots.appsAt(at, signal);
    const found = await snapshots.appsAt(at, signal, new Set(places.map((path) => areaOf(path, { tenancy }))));
    const there = byKey(found);
    return keys.every((key) => there.has(key)) ? found : snapshots.appsAt(at, signal);
  };
  return {
    async on(at, keys, now) {
      if (now !== undefined && !(await repo.isAncestor(at, now.revision, signal)))
        throw new AgentError('GIT_NOT_FOUND', `commit ${at.slice(0, 12)} is not one of ${repo.branch}`, {
          details: { missing: 'commit' },
        });
      return appsAt(at, keys, now?.apps ?? []);
    },
    proveBy({ revision, apps }) {
      const read = new Map([[revision, byKey(apps)]]);
      const asked = new Set<string>();
      const appAt = async (key: AppKey, at: Revision): Promise<App | undefined> => {
        const known = read.get(at);
        if (at === revision || known?.has(key) || asked.has(`${at} ${key}`)) return known?.get(key);
        asked.add(`${at} ${key}`);
        const found = new Map([...(known ?? []), ...byKey(await appsAt(at, [key], apps))]);
        read.set(at, found);
        return found.get(key);
      };
      const isAncestor = (at: Revision): Promise<boolean> => repo.isAncestor(at, revision, signal);
      return createProve({ branch: repo.branch, tip: revision, appAt, isAncestor, stable, isWriting });
    },
  };
}

const byKey = (apps: readonly App[]): ReadonlyMap<AppKey, App> => new Map(apps.map((app) => [keyOf(app.id), app]));
