import type { Revision } from '../../git/repo.ts';
import type { Clock } from '../../lib/clock.ts';
import { type AppKey } from '../../lib/key.ts';
import type { ObjectRef } from '../../manifest/types.ts';

/** What is wanted of an app: its content at the tip, and the revision at which it is held instead. */
export interface Wanted {
  readonly content: string;
  /** Undefined: the tip is applied. */
  readonly held: Revision | undefined;
}

/** An app after a sync. */
export interface Synced extends Wanted {
  /** The versions that this sync gave to judged objects. */
  readonly versions: readonly ObjectVersion[];
  /** Which of its judged objects could not be applied, and why. Undefined: all of them stand. */
  readonly refused: string | undefined;
}

export interface ObjectVersion {
  readonly ref: ObjectRef;
  readonly version: string;
}

/**
 * Which apps stand in the cluster as Git wants them, by key. A sync applies the objects of a commit one after the other; of an app of which
 * only a part is applied nothing is judged.
 */
export interface AppliedApps {
  /**
   * A sync begins: until it ends none of those that differ from what stands is whole. `isUnread`: of which it is not known yet what is wanted, so
   * what stands is. Absent: of none.
   */
  begin(wanted: ReadonlyMap<AppKey, Wanted>, isUnread?: (key: AppKey) => boolean): void;
  end(synced: ReadonlyMap<AppKey, Synced>): void;
  /** Nothing is applied, so nothing of Git is waited for. */
  suspend(): void;
  readonly isSuspended: boolean;
  /** Whether all of it stands, and the views have it. */
  isApplied(key: AppKey, wanted: Wanted): boolean;
  /** Apps that were asked for while they were not applied, and not since, or that stand as something else now; forgets them. */
  takeAwaited(): readonly AppKey[];
  /** As `isApplied`, whatever the views have. */
  stands(key: AppKey, wanted: Wanted): boolean;
  /** Undefined: nothing of it was refused. */
  refusal(key: AppKey): string | undefined;
}

/** A view that does not get a change, because somebody has deleted the object meanwhile, is not waited for any longer. */
const viewPatienceMs = 10_000;

interface Standing extends Wanted {
  readonly versions: ReadonlyMap<string, ObjectVersion>;
  readonly atMs: number;
}

export interface AppliedAppsOptions {
  readonly clock: Clock;
  /** Whether the views that canaries look at have this version of an object, or a later one. */
  readonly hasSeen: (ref: ObjectRef, version: string) => boolean;
}

export function createAppliedApps({ clock, hasSeen }: AppliedAppsOptions): AppliedApps {
  const standing = new Map<AppKey, Standing>();
  const refusals = new Map<AppKey, string>();
  const awaited = new Set<AppKey>();
  const known = new Set<AppKey>();
  let isSuspended = false;
  const isSame = (a: Wanted | undefined, b: Wanted): boolean => a?.content === b.content && a.held === b.held;
  const nameOf = ({ apiVersion, kind, name }: ObjectRef): string => `${apiVersion}/${kind}/${name}`;

  const isSeen = ({ versions, atMs }: Standing): boolean =>
    clock.now() - atMs >= viewPatienceMs || [...versions.values()].every(({ ref, version }) => hasSeen(ref, version));

  return {
    begin(wanted, isUnread = () => false) {
      isSuspended = false;
      for (const key of standing.keys()) {
        const now = wanted.get(key);
        if (!now && isUnread(key)) continue;
        if (!now || !isSame(standing.get(key), now)) standing.delete(key);
      }
    },
    end(synced) {
      refusals.clear();
      for (const [key, { content, held, versions, refused }] of synced) {
        if (refused !== undefined) {
          refusals.set(key, refused);
          standing.delete(key);
          continue;
        }
        const before = standing.get(key);
        if (before && versions.length === 0) continue;
        // Also where nothing had to be applied for it: no watch tells of that.
        if (!before && known.has(key)) awaited.add(key);
        known.add(key);
        const all = new Map([...(before?.versions ?? []), ...versions.map((one) => [nameOf(one.ref), one] as const)]);
        standing.set(key, { content, held, versions: all, atMs: clock.now() });
      }
    },
    suspend() {
      isSuspended = true;
    },
    get isSuspended() {
      return isSuspended;
    },
    stands: (key, wanted) => isSame(standing.get(key), wanted),
    isApplied(key, wanted) {
      const now = standing.get(key);
      const isKnown = now !== undefined && isSame(now, wanted) && isSeen(now);
      if (isKnown) awaited.delete(key);
      else awaited.add(key);
      return isKnown;
    },
    takeAwaited() {
      const keys = [...awaited];
      awaited.clear();
      return keys;
    },
    refusal: (key) => refusals.get(key),
  };
}
