import type { Telemetry } from '../outlets/telemetry.ts';

interface Value {
  set(value: number): void;
}

/** The series of one source. */
export interface SourceTelemetry {
  readonly syncDuration: { observe(seconds: number): void };
  readonly syncFailures: Value;
  readonly syncFailing: Value;
  readonly pruneHeld: Value;
  readonly syncedAt: Value;
  readonly gitPolls: { inc(labels: { readonly result: string }): void };
  readonly outcomes: { inc(labels: { readonly verdict: string; readonly result: string }): void };
  readonly outcomesPending: Value;
  readonly outcomesBlocked: Value;
  readonly imageUpgrades: { inc(labels: { readonly result: string }): void };
  readonly imagePolicies: { set(labels: { readonly state: string }, value: number): void };
}

/** `source`: what its series are labelled with. Absent: they have no such label, as where there is one source. */
export function sourceTelemetry(telemetry: Telemetry, source?: string): SourceTelemetry {
  const own = source === undefined ? {} : { source };
  telemetry.syncDuration.zero(own);
  for (const gauge of [
    telemetry.syncFailures,
    telemetry.syncFailing,
    telemetry.pruneHeld,
    telemetry.syncedAt,
    telemetry.outcomesPending,
    telemetry.outcomesBlocked,
  ])
    gauge.set(own, 0);
  return {
    syncDuration: telemetry.syncDuration.labels(own),
    syncFailures: telemetry.syncFailures.labels(own),
    syncFailing: telemetry.syncFailing.labels(own),
    pruneHeld: telemetry.pruneHeld.labels(own),
    syncedAt: telemetry.syncedAt.labels(own),
    gitPolls: { inc: (labels) => telemetry.gitPolls.inc({ ...labels, ...own }) },
    outcomes: { inc: (labels) => telemetry.outcomes.inc({ ...labels, ...own }) },
    outcomesPending: telemetry.outcomesPending.labels(own),
    outcomesBlocked: telemetry.outcomesBlocked.labels(own),
    imageUpgrades: { inc: (labels) => telemetry.imageUpgrades.inc({ ...labels, ...own }) },
    imagePolicies: { set: (labels, value) => telemetry.imagePolicies.set({ ...labels, ...own }, value) },
  };
}
