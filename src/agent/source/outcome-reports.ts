import type { Revision } from '../../git/repo.ts';
import { messageOf } from '../../lib/errors.ts';
import { type AppKey, keyOf } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { Tell } from '../../outlets/tell.ts';
import type { Outcome } from '../../release/types.ts';
import type { OutcomeWriter } from '../../release/writer.ts';
import type { Bus } from '../bus.ts';
import type { Releases } from '../releases/releases.ts';
import type { SourceTelemetry } from '../source-telemetry.ts';

export interface OutcomeReportOptions {
  readonly source: string;
  readonly writer: OutcomeWriter;
  readonly releases: Pick<Releases, 'written' | 'blocked'>;
  readonly canaryOf: (app: AppKey) => KubeObject | undefined;
  readonly tell: Tell;
  readonly bus: Bus;
  readonly log: Logger;
  readonly telemetry: Pick<SourceTelemetry, 'outcomes' | 'outcomesPending' | 'outcomesBlocked'>;
  /** After each change of what is pending. */
  readonly onChange: () => void;
}

/** What becomes of outcomes on their way to Git, told to those whom it concerns: record, Canary, metrics, the sync. */
export function reportOutcomes(options: OutcomeReportOptions): void {
  const { source, writer, releases, canaryOf, tell, bus, log, telemetry, onChange } = options;
  const count = (outcome: Outcome, result: 'written' | 'needless' | 'blocked'): void => {
    telemetry.outcomes.inc({ verdict: outcome.verdict, result });
    const pending = writer.pending();
    telemetry.outcomesPending.set(pending.length);
    telemetry.outcomesBlocked.set(pending.filter(({ blocked }) => blocked !== undefined).length);
    onChange();
  };
  const warn = ({ app, releaseId }: Outcome, level: 'info' | 'error', message: string): void => {
    const canary = canaryOf(keyOf(app));
    if (canary) tell(canary, app, { type: 'Warning', level, message }, releaseId);
  };
  const noteSettled = (outcome: Outcome, revision: Revision): void => {
    releases.written(outcome, revision).then(
      () => bus.tell('outcome-landed', { source }),
      (error: unknown) => log.error({ reason: messageOf(error) }, 'a landed outcome could not be noted'),
    );
  };
  writer.onWritten((outcome, revision) => {
    count(outcome, 'written');
    noteSettled(outcome, revision);
  });
  writer.onNeedless((outcome, tip, reason) => {
    count(outcome, 'needless');
    if (outcome.verdict === 'promoted') warn(outcome, 'info', `${titleOf(outcome)} is not written to Git: ${reason}`);
    noteSettled(outcome, tip);
  });
  writer.onBlocked((outcome, reason) => {
    count(outcome, 'blocked');
    warn(outcome, 'error', `${titleOf(outcome)} cannot be written to Git: ${reason}`);
    releases
      .blocked(outcome, reason)
      .catch((error: unknown) => log.error({ reason: messageOf(error) }, 'a pending outcome could not be noted'));
  });
}

/** Outcomes that cannot be written at the moment, each with the reason, for people. */
export const blockedOutcomes = (writer: Pick<OutcomeWriter, 'pending'>): readonly string[] =>
  writer
    .pending()
    .flatMap(({ outcome, blocked }) => (blocked === undefined ? [] : [`${titleOf(outcome)}: ${blocked}`]));

const outcomeNames = {
  promoted: 'Promotion',
  'rolled-back': 'Rollback',
  adopted: 'First state',
  removed: 'Closing',
  withdrawn: 'Withdrawal',
} as const;

const titleOf = ({ verdict, app: { namespace, name } }: Outcome): string =>
  `${outcomeNames[verdict]} of ${name}.${namespace}`;
