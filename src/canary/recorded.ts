import { mayAllSame } from './secret-checksums.ts';
import type { CanaryStatus, Recorded } from './types.ts';

/** What a release judges. */
export interface JudgedState {
  readonly templateHash: string;
  readonly configs: Readonly<Record<string, string>>;
}

/** The release that was recorded last, as far as it is held against a status. */
export interface LastRelease {
  /** Absent: not known. */
  readonly judged?: JudgedState;
  /** Absent: it is under way. */
  readonly outcome?: {
    readonly verdict: string;
    readonly atMs: number;
    readonly state: JudgedState;
  };
}

/** This state is the one that a status names. */
export function isOf(
  { templateHash, configs }: JudgedState,
  { lastAppliedSpec, trackedConfigs = {} }: Pick<CanaryStatus, 'lastAppliedSpec' | 'trackedConfigs'>,
): boolean {
  return templateHash === lastAppliedSpec && mayAllSame(configs, trackedConfigs);
}

/**
 * What the record says of the release with this status. `isAnothers`: what runs belongs to a commit that has no release yet; asked only
 * where no release is under way. An outcome of the very release goes before it.
 */
export function recordedOf(
  last: LastRelease | undefined,
  status: CanaryStatus,
  isAnothers: () => boolean = () => false,
): Recorded | undefined {
  const { judged, outcome } = last ?? {};
  if (outcome?.verdict === 'rolled-back' && isOf(outcome.state, status)) return 'rejected';
  const isReplaced = last && !outcome ? judged !== undefined && !isOf(judged, status) : isAnothers();
  if (isReplaced) return 'replaced';
  if (outcome?.verdict !== 'promoted' || !isOf(outcome.state, status)) return undefined;
  // The same version may be promoted again later without a record of its own.
  return Date.parse(status.lastTransitionTime ?? '') > outcome.atMs ? undefined : 'promoted';
}
