import type { FieldChecks } from './field-checks.ts';
import type { AlertSeverity, AlertSpec } from '../types.ts';

const severities: readonly AlertSeverity[] = ['info', 'warn', 'error'];

/** Without a severity an alert is told everything, as Flagger's schema says (and Flagger does not do: its R61). */
export function parseAlerts(
  value: unknown,
  field: string,
  namespace: string,
  check: FieldChecks,
): readonly AlertSpec[] {
  return check.list(value, field).map((alert, index) => {
    const at = `${field}[${index}]`;
    const name = check.text(alert['name'], `${at}.name`);
    if (name === undefined) check.note(`${at}.name`, 'is required');
    const ref = check.record(alert['providerRef'], `${at}.providerRef`);
    const provider = check.text(ref['name'], `${at}.providerRef.name`);
    if (provider === undefined) check.note(`${at}.providerRef.name`, 'is required', 'name the AlertProvider');
    return {
      name: name ?? '',
      provider: {
        namespace: check.text(ref['namespace'], `${at}.providerRef.namespace`) ?? namespace,
        name: provider ?? '',
      },
      severity: check.oneOf(alert['severity'], `${at}.severity`, severities) ?? 'info',
    };
  });
}
