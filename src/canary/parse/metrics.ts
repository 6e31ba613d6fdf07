import { parseGoDuration } from '../../lib/duration.ts';
import type { FieldChecks } from './field-checks.ts';
import type { Json } from '../../lib/json.ts';
import type { MetricSpec, ThresholdRange } from '../types.ts';

const defaultInterval = '1m';

export function parseMetrics(
  value: unknown,
  field: string,
  namespace: string,
  check: FieldChecks,
): readonly MetricSpec[] {
  return check.list(value, field).map((metric, index) => parseMetric(metric, `${field}[${index}]`, namespace, check));
}

function parseMetric(metric: Json, field: string, namespace: string, check: FieldChecks): MetricSpec {
  const name = check.text(metric['name'], `${field}.name`);
  if (name === undefined) check.note(`${field}.name`, 'is required');
  const interval = check.text(metric['interval'], `${field}.interval`) ?? defaultInterval;
  if (parseGoDuration(interval) === undefined) {
    check.note(`${field}.interval`, `"${interval}" is no duration`, 'write a number and a unit, such as 30s or 1m');
  }
  // Go reads fractions, Prometheus does not.
  else if (interval.includes('.'))
    check.note(`${field}.interval`, `"${interval}" is no window for a query`, 'write whole numbers, such as 90s');
  const query = check.text(metric['query'], `${field}.query`);
  const ref = check.record(metric['templateRef'], `${field}.templateRef`);
  const templateName = check.text(ref['name'], `${field}.templateRef.name`);
  if (metric['templateRef'] && templateName === undefined) check.note(`${field}.templateRef.name`, 'is required');
  const variables = check.texts(metric['templateVariables'], `${field}.templateVariables`);
  return {
    name: name ?? '',
    interval,
    range: rangeOf(metric, name ?? '', field, check),
    ...(query === undefined ? {} : { query }),
    ...(templateName === undefined
      ? {}
      : {
          templateRef: {
            namespace: check.text(ref['namespace'], `${field}.templateRef.namespace`) ?? namespace,
            name: templateName,
          },
        }),
    ...(Object.keys(variables).length === 0 ? {} : { templateVariables: variables }),
  };
}

/** A scalar threshold is a minimum for the success rate and a maximum for everything else; absent it is 0, as in Flagger. */
function rangeOf(metric: Json, name: string, field: string, check: FieldChecks): ThresholdRange {
  const threshold = check.number(metric['threshold'], `${field}.threshold`) ?? 0;
  if (metric['thresholdRange'] === undefined || metric['thresholdRange'] === null) {
    return name === 'request-success-rate' ? { min: threshold } : { max: threshold };
  }
  const range = check.record(metric['thresholdRange'], `${field}.thresholdRange`);
  const min = check.number(range['min'], `${field}.thresholdRange.min`);
  const max = check.number(range['max'], `${field}.thresholdRange.max`);
  if (min !== undefined && max !== undefined && min > max) {
    check.note(`${field}.thresholdRange`, `min ${min} is above max ${max}: no value would pass`);
  }
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}
