import type { Phase } from './types.ts';

/** A release is judged. */
export function isUnderAnalysis(phase: Phase): boolean {
  return phase === 'Progressing' || phase === 'WaitingPromotion';
}

/** A release is judged, or its outcome is being carried out. */
export function isUnderWay(phase: Phase): boolean {
  return isUnderAnalysis(phase) || phase === 'Promoting' || phase === 'Finalising';
}

/** No release is under way, and none waits for an approval. */
export function isAtRest(phase: Phase): boolean {
  return !isInitialized(phase) || phase === 'Initialized' || phase === 'Succeeded' || phase === 'Failed';
}

/** There has been a primary. */
export function isInitialized(phase: Phase): boolean {
  return phase !== '' && phase !== 'Initializing';
}
