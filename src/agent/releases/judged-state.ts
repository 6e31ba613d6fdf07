import type { Changes } from '../../canary/changes.ts';
import { mayAllSame } from '../../canary/secret-checksums.ts';
import { keep } from '../../release/outbox.ts';
import type { AppId, AppState, Outcome, RecordedOutcome, ReleaseRecord } from '../../release/types.ts';

/** What a release judges, as its record and the status of its Canary name it. */
export type Judged = Pick<AppState, 'templateHash' | 'configs'>;

export function isSameState(a: Judged | undefined, b: Judged): boolean {
  return a?.templateHash === b.templateHash && mayAllSame(a.configs, b.configs);
}

/** The record of a release that begins after another one. `changes`: what a person would say has changed; undefined: not known. */
export function followed(
  before: ReleaseRecord | undefined,
  release: Omit<ReleaseRecord, 'supersedes'>,
  changes: Changes | undefined,
): ReleaseRecord {
  const isReplaced = before !== undefined && before.outcome === undefined;
  return {
    ...release,
    supersedes: isReplaced ? [...before.supersedes, before.id] : [],
    ...(isReplaced ? { supersededAt: { ...before.supersededAt, [before.id]: before.revision } } : {}),
    ...(changes ? { changes: changes.names, ...(changes.isOfConfigs ? {} : { changesTemplate: true as const }) } : {}),
    ...(before ? keep(before) : {}),
  };
}

/** The release with its outcome, whose evidence that has. Undefined where another agent has ended it, or has begun another one. */
export function ended(record: ReleaseRecord, outcome: RecordedOutcome) {
  return (now: ReleaseRecord | undefined): ReleaseRecord | undefined => {
    if (now && (now.id !== record.id || now.outcome)) return undefined;
    const { evidence: _told, ...release } = now ?? record;
    return { ...release, outcome };
  };
}

/** As it is handed over to whom writes to Git. Undefined: it has not ended. */
export function outcomeOf(app: AppId, release: ReleaseRecord): Outcome | undefined {
  const { id, base, startedAtMs, supersedes, supersededAt, changes, changesTemplate, proven, outcome } = release;
  if (!outcome) return undefined;
  const { verdict, atMs, state, evidence, failedCheck, strategy, takenBackAt } = outcome;
  return {
    app,
    releaseId: id,
    verdict,
    atMs,
    startedAtMs,
    state,
    base,
    evidence,
    supersedes,
    ...(failedCheck ? { failedCheck } : {}),
    ...(supersededAt ? { supersededAt } : {}),
    ...(changes ? { changes } : {}),
    ...(changesTemplate ? { changesTemplate } : {}),
    ...(strategy ? { strategy } : {}),
    ...(proven && strategy === 'none' && verdict === 'promoted' ? { proven } : {}),
    ...(takenBackAt ? { takenBackAt } : {}),
  };
}
