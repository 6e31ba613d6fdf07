import { analysisOf } from '../canary/analysis-state.ts';
import { isUnderAnalysis } from '../canary/phase.ts';
import { parseStatus } from '../canary/status.ts';
import { nextWeight } from '../canary/strategy.ts';
import type { CanarySpec, CanaryStatus } from '../canary/types.ts';
import { formatGoDuration } from '../lib/duration.ts';
import { checksOf } from './checks.ts';
import { awaitedGate, lastWarning, specOf, statusOf } from './status.ts';
import type { AppFacts, AppStatus, Explanation, Move } from './types.ts';

/** Events that are shown, the latest. */
const mostEvents = 20;

/** Why an app is where it is, what would move it, and what each check said. */
export function explain(facts: AppFacts, nowMs: number): Explanation {
  const status = statusOf(facts, nowMs);
  const spec = specOf(facts);
  const looks = [...(facts.record?.outcome?.evidence ?? facts.record?.evidence ?? []), ...(facts.evidence ?? [])];
  const events = (facts.events ?? []).toSorted((a, b) => a.atMs - b.atMs).slice(-mostEvents);
  const canary = parseStatus(facts.canary);
  return {
    status,
    why: whyOf(status, facts),
    moves: typeof spec === 'string' ? [] : movesOf(status, canary, spec),
    checks: typeof spec === 'string' ? [] : checksOf(spec, looks),
    looks,
    events,
    unknown: facts.record
      ? []
      : [
          "its release has no record that you may read (a Secret of the agent's namespace): checks are told by events only",
        ],
    ...(typeof spec === 'string' ? {} : { spec }),
  };
}

function whyOf(status: AppStatus, facts: AppFacts): readonly string[] {
  const { release, failed, failedChecks, needsPerson } = status;
  const warning = lastWarning(facts);
  return [
    status.line,
    ...(failed && !needsPerson && release?.outcome?.commit === undefined && release?.outcome !== undefined
      ? ['its outcome is not in Git yet']
      : []),
    ...(failedChecks.count > 0
      ? [
          `${failedChecks.count} of ${failedChecks.threshold} checks failed; at ${failedChecks.threshold} it is rolled back`,
        ]
      : []),
    ...(warning !== undefined && !status.line.includes(warning) ? [`last warning: ${warning}`] : []),
  ];
}

function movesOf(status: AppStatus, canary: CanaryStatus, spec: CanarySpec): readonly Move[] {
  const { analysis } = spec;
  const { held, waits } = status;
  const isJudged = isUnderAnalysis(canary.phase);
  const at = waits?.untilMs === undefined ? {} : { untilMs: waits.untilMs };
  const gate = awaitedGate(canary, spec);
  const moves: Move[] = [];
  if (held?.cause === 'suspended')
    return [{ if: 'spec.suspend is taken away', outcome: 'it goes on from where it is', act: 'set' }];
  if (held?.cause === 'person')
    moves.push({ if: 'somebody resumes it', outcome: 'it goes on from where it is', act: 'resume' });
  else if (gate !== undefined)
    moves.push({
      if: `${gate} is approved`,
      outcome: gate === 'confirm-rollout' ? 'its analysis begins' : nextOf(canary, spec),
      act: 'approve',
    });
  else if (held)
    moves.push({
      if: held.cause === 'unknown' ? 'checks find something out again' : 'the primary can get it',
      outcome: held.cause === 'unknown' ? 'its analysis goes on' : 'it is promoted',
    });
  else if (isJudged) moves.push({ if: 'all checks pass at the next look', outcome: nextOf(canary, spec), ...at });
  if (held && held.cause !== 'person')
    moves.push({ if: 'nothing of that happens', outcome: 'it is rolled back', ...at });
  if (isJudged) {
    const inARow = analysis.consecutive ?? Infinity;
    const left = Math.max(
      Math.min(analysis.threshold - canary.failedChecks, inARow - (analysisOf(canary).consecutive ?? 0)),
      0,
    );
    const every = formatGoDuration(analysis.intervalMs);
    moves.push({
      if: `${left} more ${left === 1 ? 'check fails' : 'checks fail'} (one look each ${every})`,
      outcome: 'it is rolled back',
    });
    moves.push({ if: 'somebody promotes it', outcome: 'the rest of its analysis is skipped', act: 'promote' });
  }
  if (isJudged || canary.phase === 'Waiting')
    moves.push({ if: 'somebody aborts it', outcome: 'it is rolled back', act: 'abort' });
  if (status.group === 'failed') {
    moves.push({ if: 'another version is pushed', outcome: 'that one is judged' });
    moves.push({ if: 'somebody retries it', outcome: 'the version that failed is judged once more', act: 'retry' });
  }
  return moves;
}

function nextOf(canary: CanaryStatus, { analysis, skipAnalysis }: CanarySpec): string {
  const { strategy } = analysis;
  if (skipAnalysis) return 'it is promoted';
  if (strategy.kind !== 'canary') {
    if (canary.iterations >= strategy.iterations) return 'it is promoted';
    return `round ${canary.iterations + 1} of ${strategy.iterations} begins`;
  }
  if (canary.canaryWeight >= strategy.maxWeight) return 'it is promoted';
  return `${nextWeight(strategy, canary.canaryWeight)}% of users get the new version`;
}
