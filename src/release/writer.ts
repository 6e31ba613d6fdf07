import type { Revision } from '../git/repo.ts';
import type { Outcome } from './types.ts';
// placeholder
export function createOutcomeWriter(deps: { log: { info(f: object, m: string): void }; [k: string]: unknown }) {
  return { submit(o: Outcome) { deps.log.info({ o }, `would write ${o.verdict}`); }, pending: (): readonly unknown[] => [], run: async (_s: AbortSignal): Promise<void> => undefined, onWritten(_l: (o: Outcome, r: Revision) => void) {}, onBlocked(_l: (o: Outcome, reason: string) => void) {} };
}
