import type { Phase } from './types.ts';

/** A release is judged. */
export function isUnderAnalysis(phase: Phase): boolean {
  return phase === 'Progressing' || phase === 'WaitingPromotion';
}
