import { formatGoDuration, parseGoDuration } from '../lib/duration.ts';
import type { Finding } from './parse/field-checks.ts';
import { longestTimeoutMs, mostRetries } from './parse/webhooks.ts';
import { type Json, jsonOf, listOf, numberOf, textOf } from '../lib/json.ts';

/** Numbers of an analysis that count as others, and ranges that judge the wrong way round. `minIntervalMs`: undefined where it is not known. */
export function raisedValues(analysis: Json, field: string, minIntervalMs: number | undefined): readonly Finding[] {
  const findings: Finding[] = [];
  const written = textOf(analysis['interval']);
  const intervalMs = written === undefined ? undefined : parseGoDuration(written);
  if (intervalMs !== undefined && intervalMs <= 0)
    findings.push({ field: `${field}.interval`, message: `${written ?? ''} counts as 1m` });
  else if (intervalMs !== undefined && minIntervalMs !== undefined && intervalMs < minIntervalMs) {
    const least = formatGoDuration(minIntervalMs);
    findings.push({
      field: `${field}.interval`,
      message: `${written ?? ''} is shorter than the agent looks, and counts as ${least}`,
      hint: `write ${least}, or start the agent with a shorter --min-interval`,
    });
  }
  const threshold = numberOf(analysis['threshold']);
  if (threshold !== undefined && threshold < 1)
    findings.push({
      field: `${field}.threshold`,
      message: `${threshold} counts as 1: the first failed check rolls back`,
      hint: 'write 1 or more',
    });
  const consecutive = numberOf(analysis['consecutive']);
  if (consecutive !== undefined && consecutive >= Math.max(threshold ?? 1, 1))
    findings.push({
      field: `${field}.consecutive`,
      message: `${consecutive} has no effect: as many failed checks in all (threshold) roll back already`,
      hint: 'raise threshold, or lower consecutive',
    });
  const step = numberOf(analysis['stepWeight']) ?? 0;
  if (step > 100) findings.push({ field: `${field}.stepWeight`, message: `${step} counts as 100: there is one step` });
  listOf(analysis['webhooks']).forEach((hook, index) =>
    findings.push(...cappedHook(hook, `${field}.webhooks[${index}]`)),
  );
  listOf(analysis['metrics']).forEach((metric, index) =>
    findings.push(...wrongWay(metric, `${field}.metrics[${index}]`)),
  );
  return findings;
}

function cappedHook(hook: Json, field: string): readonly Finding[] {
  const [retries, timeout] = [numberOf(hook['retries']) ?? 0, textOf(hook['timeout']) ?? ''];
  const isLong = (parseGoDuration(timeout) ?? 0) > longestTimeoutMs;
  return [
    ...(retries > mostRetries ? [{ field: `${field}.retries`, message: `${retries} counts as ${mostRetries}` }] : []),
    ...(isLong
      ? [{ field: `${field}.timeout`, message: `${timeout} counts as ${formatGoDuration(longestTimeoutMs)}` }]
      : []),
  ];
}

function wrongWay(metric: Json, place: string): readonly Finding[] {
  const isAsked = metric['query'] !== undefined || metric['templateRef'] !== undefined;
  const isRange = metric['thresholdRange'] !== undefined && metric['thresholdRange'] !== null;
  const range = jsonOf(metric['thresholdRange']);
  const [min, max] = [numberOf(range['min']), numberOf(range['max'])];
  const field = `${place}.thresholdRange`;
  if (isRange && min === undefined && max === undefined)
    return [{ field, message: 'has neither min nor max: every value passes' }];
  if (isAsked) return [];
  const name = metric['name'];
  if (name === 'request-success-rate') {
    const least = isRange ? min : numberOf(metric['threshold']);
    if (isRange && min === undefined)
      return [
        {
          field,
          message: `has max only: a success rate passes the lower it is`,
          hint: 'write min, for example min: 99',
        },
      ];
    if (least !== undefined && least > 100)
      return [{ field: place, message: `no success rate is above 100%: none reaches ${least}` }];
    if (least !== undefined && least > 0 && least <= 1)
      return [
        {
          field: place,
          message: `is in percent: ${least} lets ${100 - least}% of the requests fail`,
          hint: 'write 99 for 99%',
        },
      ];
  }
  if (name === 'request-duration') {
    const most = isRange ? max : numberOf(metric['threshold']);
    if (isRange && max === undefined)
      return [
        {
          field,
          message: 'has min only: a request passes the longer it takes',
          hint: 'write max, for example max: 500',
        },
      ];
    if (most !== undefined && most > 0 && most < 1)
      return [
        { field: place, message: `is in milliseconds: ${most} is less than one`, hint: 'write 500 for half a second' },
      ];
  }
  return [];
}
