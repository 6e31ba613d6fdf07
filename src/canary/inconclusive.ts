import type { FieldChecks } from './parse/field-checks.ts';
import type { InconclusiveAction, InconclusivePolicy } from './types.ts';

/** Silence from a provider that answers counts as failed, as in Flagger; one that does not answer proves nothing. */
export const defaultInconclusive: InconclusivePolicy = { noTraffic: 'fail', noSeries: 'fail', unreachable: 'hold' };

const actions: readonly InconclusiveAction[] = ['fail', 'hold', 'pass'];
/** What nobody could look at must never count as good. */
const actionsUnreachable: readonly InconclusivePolicy['unreachable'][] = ['fail', 'hold'];

/** `spec.analysis.inconclusive`: only what it says. Undefined where it is absent. */
export function parseInconclusive(
  value: unknown,
  field: string,
  check: FieldChecks,
): Partial<InconclusivePolicy> | undefined {
  if (value === undefined || value === null) return undefined;
  const raw = check.record(value, field);
  const noTraffic = check.oneOf(raw['noTraffic'], `${field}.noTraffic`, actions);
  const noSeries = check.oneOf(raw['noSeries'], `${field}.noSeries`, actions);
  const unreachable = check.oneOf(raw['unreachable'], `${field}.unreachable`, actionsUnreachable);
  return {
    ...(noTraffic === undefined ? {} : { noTraffic }),
    ...(noSeries === undefined ? {} : { noSeries }),
    ...(unreachable === undefined ? {} : { unreachable }),
  };
}
