import { numberOf, at } from '../../lib/json.ts';
import type { ToldTrouble } from '../trouble/trouble.ts';
import type { Finding, Readiness } from '../types.ts';
import { type Asking, type Stage, warn } from './tick.ts';

/** New pods need about this long to say what is wrong with them. */
const patienceMs = 5_000;

/** Says that a primary or canary is not ready, and why where its pods tell. Flagger's words come first. */
export function* tellNotReady(
  stage: Stage,
  role: 'primary' | 'canary',
  readiness: Exclude<Readiness, { readonly kind: 'ready' }>,
): Asking<ToldTrouble | undefined> {
  const trouble = yield* askPods(stage, role, readiness.kind === 'stuck');
  warn(stage, trouble ? `${readiness.reason}: ${trouble.text}` : readiness.reason);
  return trouble;
}

/** What a release failed at that ends because a workload is not ready. */
export function notReadyFinding(
  role: 'primary' | 'canary',
  trouble: ToldTrouble | undefined,
  { reason, why }: Exclude<Readiness, { readonly kind: 'ready' }>,
): Finding {
  if (trouble) return { kind: 'pods', role, summary: trouble.summary, lines: trouble.lines };
  // A canary of which only a whole message is known is named by it.
  if (why === undefined && role === 'canary') return { kind: 'said', text: reason };
  return { kind: 'not-ready', role, why: why ?? reason };
}

function* askPods(stage: Stage, role: 'primary' | 'canary', isLast: boolean): Asking<ToldTrouble | undefined> {
  const { kind, seen } = stage;
  const workload = role === 'primary' ? seen.primary : kind.candidateOf(seen);
  // A Service's pods are somebody else's.
  if (!workload || kind.kind === 'Service') return undefined;
  if (!isLast) {
    const isObserved =
      (workload.metadata.generation ?? 0) <= (numberOf(at(workload, 'status', 'observedGeneration')) ?? 0);
    const movedMs = seen.nowMs - (kind.movedAtMs?.(workload) ?? 0);
    if (!isObserved || kind.scaling?.replicasOf(workload) === 0 || (movedMs >= 0 && movedMs < patienceMs))
      return undefined;
  }
  const answer = yield { kind: 'pods', role, isLast };
  if (answer.kind !== 'pods') return undefined;
  // One that runs may still be starting: only when time is over is that worth a word.
  return !isLast && answer.trouble?.cause === 'not-ready' ? undefined : answer.trouble;
}
