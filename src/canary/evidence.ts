import type { Evidence, FailedCheck } from './types.ts';

/** Why a release is about to be rolled back: the last check of its evidence that failed. */
export function lastFailedCheckOf(evidence: readonly Evidence[]): FailedCheck | undefined {
  const failed = evidence
    .flatMap(({ checks }) => checks)
    .findLast(({ passed, inconclusive }) => !passed && inconclusive !== 'hold');
  return failed && { name: failed.name, reason: failed.text };
}
