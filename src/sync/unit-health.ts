import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { formatGoDuration } from '../lib/duration.ts';
import type { Logger } from '../lib/log.ts';
import type { UnitHealths } from '../manifest/needs.ts';
import { fileOfUnit, type Manifest, placesOf, type Problem, unitOf } from '../manifest/types.ts';
import { firstUnready, madeBy, type Unready } from './unready.ts';

/** Whether units that were changed become ready in the time that they have. */
export interface HealthOfUnits {
  /** Something of it is another one now: its time begins anew. */
  changed(manifest: Manifest): void;
  /**
   * Looks at all that were changed and are not ready yet. What is told of a unit whose time is over stands until it is ready. Throws
   * CLUSTER_UNREACHABLE.
   */
  look(
    manifests: readonly Manifest[],
    health: UnitHealths | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly problems: readonly Problem[]; readonly isOpen: boolean }>;
}

interface Watched {
  readonly sinceMs: number;
  readonly last: Unready | undefined;
  readonly told: Problem | undefined;
}

export function createUnitHealth({
  cluster,
  clock,
  log,
}: {
  readonly cluster: Pick<Cluster, 'get' | 'resource'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Logger, 'info'>;
}): HealthOfUnits {
  const watched = new Map<string, Watched>();
  return {
    changed({ origin }) {
      for (const unit of placesOf(unitOf(origin)))
        watched.set(unit, { sinceMs: clock.now(), last: undefined, told: undefined });
    },
    async look(manifests, health = new Map(), signal) {
      const problems: Problem[] = [];
      for (const [unit, { sinceMs, last, told }] of watched) {
        const asked = health.get(unit);
        if (!asked) {
          watched.delete(unit);
          continue;
        }
        const { checks, timeoutMs, name } = asked;
        const made = madeBy({ unit, checks }, manifests);
        const found = await firstUnready(cluster, { checks, made, all: manifests, first: last?.ref }, signal);
        if (!found) {
          if (told) log.info({ unit: name }, `${name} is ready by now`);
          watched.delete(unit);
          continue;
        }
        const isOver = clock.now() - sinceMs >= timeoutMs;
        const problem = told ?? (isOver ? lateness(unit, { name, timeoutMs, found, made }) : undefined);
        if (problem) problems.push(problem);
        watched.set(unit, { sinceMs, last: found, told: problem });
      }
      return { problems, isOpen: watched.size > 0 };
    },
  };
}

function lateness(
  unit: string,
  {
    name,
    timeoutMs,
    found,
    made,
  }: {
    readonly name: string;
    readonly timeoutMs: number;
    readonly found: Unready;
    readonly made: readonly Manifest[];
  },
): Problem {
  const path = fileOfUnit(unit);
  const line = made.find(({ origin }) => origin.path === path)?.origin.line ?? 1;
  const message = `${name} is not ready after ${formatGoDuration(timeoutMs)} (timeout): ${found.reason}`;
  return {
    severity: 'error',
    path,
    line,
    message,
    hint: 'what depends on it waits; it is looked at until it is ready',
  };
}
