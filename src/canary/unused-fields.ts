import type { Finding } from './parse/field-checks.ts';
import { at, type Json, listOf, numberOf, textOf } from '../lib/json.ts';

/** Fields that exist, and do nothing in a Canary that releases or scales this way. */
export function unusedFields(spec: Json, analysis: Json, field: string): readonly Finding[] {
  return [...byStrategy(analysis, field), ...byKind(spec, analysis, field)];
}

/** Fields of one way to release in a Canary that goes another. */
function byStrategy(analysis: Json, field: string): readonly Finding[] {
  const isStepped = (numberOf(analysis['iterations']) ?? 0) === 0;
  const idle = isStepped ? [] : ['maxWeight', 'stepWeightPromotion', 'sessionAffinity'];
  return idle
    .filter((name) => !isNothing(analysis[name]))
    .map((name) => ({
      field: `${field}.${name}`,
      message: isStepped ? 'has no effect without iterations' : 'has no effect with iterations',
    }));
}

function byKind(spec: Json, analysis: Json, field: string): readonly Finding[] {
  const findings: Finding[] = [];
  const scaler = at(spec, 'autoscalerRef');
  if (at(scaler, 'kind') === 'HorizontalPodAutoscaler' && !isNothing(at(scaler, 'primaryScalerQueries')))
    findings.push({
      field: 'spec.autoscalerRef.primaryScalerQueries',
      message: 'has no effect with a HorizontalPodAutoscaler',
    });
  listOf(analysis['metrics']).forEach((metric, index) => {
    const isAsked = metric['query'] !== undefined || metric['templateRef'] !== undefined;
    if (!isAsked && !isNothing(metric['templateVariables']))
      findings.push({
        field: `${field}.metrics[${index}].templateVariables`,
        message: 'has no effect without a query or a templateRef',
      });
    if (metric['threshold'] !== undefined && !isNothing(metric['thresholdRange']))
      findings.push({ field: `${field}.metrics[${index}].threshold`, message: 'has no effect beside thresholdRange' });
  });
  listOf(analysis['webhooks']).forEach((hook, index) => {
    if (hook['muteAlert'] !== true || textOf(hook['type'])?.startsWith('confirm-')) return;
    findings.push({
      field: `${field}.webhooks[${index}].muteAlert`,
      message: 'has no effect: only confirm-* hooks raise alerts',
    });
  });
  return findings;
}

/** Not written, or with the value of what is not. */
export function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false || value === 0) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
