import { own } from '../lib/own.ts';
import { nearest } from '../lib/nearest.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Finding } from './parse/field-checks.ts';
import { jsonOf, type Json, listOf, numberOf, textOf } from '../lib/json.ts';
import { analysisFieldOf } from './analysis-field.ts';
import { raisedValues } from './raised-values.ts';
import { unusedFields } from './unused-fields.ts';

/** Fields that the definition of Canaries knows; the API server silently drops all others. */
const knownFields: Readonly<Record<string, readonly string[]>> = {
  spec: (
    'provider metricsServer targetRef autoscalerRef ingressRef ingressRefs routeRef upstreamRef service analysis canaryAnalysis ' +
    'progressDeadlineSeconds scaleDownDelay skipAnalysis revertOnDeletion suspend'
  ).split(' '),
  analysis: (
    'interval threshold consecutive iterations stepWeight stepWeights maxWeight stepWeightPromotion mirror mirrorWeight ' +
    'primaryReadyThreshold canaryReadyThreshold match metrics alerts webhooks sessionAffinity inconclusive'
  ).split(' '),
  service: (
    'name port portName targetPort appProtocol trafficDistribution portDiscovery headless timeout backendTimeout gateways ' +
    'gatewayRefs routeRef hosts delegation trafficPolicy match rewrite retries headers mirror corsPolicy meshName backends apex ' +
    'primary canary unmanagedMetadata'
  ).split(' '),
  metric: 'name interval threshold thresholdRange query templateRef templateVariables'.split(' '),
  webhook: 'name url type muteAlert timeout retries disableTLS metadata'.split(' '),
};

/**
 * What is allowed but most likely not meant, whatever moves the traffic. Made for a Canary that parses; `minIntervalMs` is the shortest interval
 * of the agent; undefined where it is not known.
 */
export function warningsOf(object: KubeObject, minIntervalMs?: number): readonly Finding[] {
  const spec = jsonOf(object['spec']);
  const name = analysisFieldOf(spec);
  const analysis = jsonOf(spec[name]);
  const field = `spec.${name}`;
  const metrics = listOf(analysis['metrics']);
  const budget = { left: maxUnknownFields };
  return [
    ...unknownFields(spec, 'spec', 'spec', budget),
    ...unknownFields(analysis, field, 'analysis', budget),
    ...unknownFields(jsonOf(spec['service']), 'spec.service', 'service', budget),
    ...metrics.flatMap((metric, index) => unknownFields(metric, `${field}.metrics[${index}]`, 'metric', budget)),
    ...listOf(analysis['webhooks']).flatMap((hook, index) =>
      unknownFields(hook, `${field}.webhooks[${index}]`, 'webhook', budget),
    ),
    ...(name === 'canaryAnalysis' ? [oldName] : []),
    ...weightWarnings(analysis, field),
    ...metrics.flatMap((metric, index) => metricWarnings(metric, `${field}.metrics[${index}]`)),
    ...raisedValues(analysis, field, minIntervalMs),
    ...judgeless(spec, analysis, field),
    ...plainWarnings(spec, analysis, field),
    ...unusedFields(spec, analysis, field),
  ];
}

const oldName: Finding = {
  field: 'spec.canaryAnalysis',
  message: 'is the old name of spec.analysis, which API servers drop',
  hint: 'rename it to analysis',
};

/** More are not told: for each it is looked for what may be meant. */
const maxUnknownFields = 50;

function unknownFields(value: Json, field: string, kind: string, budget: { left: number }): readonly Finding[] {
  const known = own(knownFields, kind) ?? [];
  const unknown = Object.keys(value).filter((name) => !known.includes(name));
  const told = unknown.slice(0, budget.left);
  budget.left -= told.length;
  return told.map((name) => {
    const near = nearest(name, known);
    const message = 'is no field of a Canary and has no effect';
    return { field: `${field}.${name}`, message, ...(near ? { hint: `did you mean "${near}"?` } : {}) };
  });
}

function weightWarnings(analysis: Json, field: string): readonly Finding[] {
  const step = numberOf(analysis['stepWeight']) ?? 0;
  const max = numberOf(analysis['maxWeight']) ?? 0;
  const findings: Finding[] = [];
  if (step > 0 && max > 0 && max % step !== 0) {
    const last = Math.min(Math.ceil(max / step) * step, 100);
    const message = `steps of ${step} go past maxWeight ${max}: the canary gets ${last}% before it is promoted`;
    findings.push({ field: `${field}.maxWeight`, message, hint: 'make it a multiple of stepWeight' });
  }
  if (max > 100) findings.push({ field: `${field}.maxWeight`, message: `${max} is more than 100 and counts as 100` });
  const weights = Array.isArray(analysis['stepWeights']) ? analysis['stepWeights'].map(Number) : [];
  if (weights.some((weight, index) => index > 0 && weight <= (weights[index - 1] ?? 0))) {
    findings.push({
      field: `${field}.stepWeights`,
      message: 'do not rise: weights that are not above the last one are left out',
    });
  }
  if (weights.length > 0 && max > 0) {
    findings.push({
      field: `${field}.maxWeight`,
      message: 'has no effect beside stepWeights: their last weight is the maximum',
    });
  }
  return findings;
}

function metricWarnings(metric: Json, field: string): readonly Finding[] {
  if (metric['threshold'] !== undefined || metric['thresholdRange'] !== undefined) return [];
  const every = metric['name'] === 'request-success-rate' ? 'every value passes' : 'every value above 0 fails';
  return [{ field, message: `has no threshold, which counts as 0: ${every}`, hint: 'give it a thresholdRange' }];
}

function judgeless(spec: Json, analysis: Json, field: string): readonly Finding[] {
  // Without any analysis it is refused.
  if (spec['skipAnalysis'] === true || (spec['analysis'] ?? spec['canaryAnalysis'] ?? undefined) === undefined)
    return [];
  const judges = listOf(analysis['webhooks']).filter(({ type }) =>
    ['', 'rollout', 'pre-rollout'].includes(textOf(type) ?? ''),
  );
  if (listOf(analysis['metrics']).length > 0 || judges.length > 0) return [];
  return [{ field, message: 'has neither metrics nor checks by webhook: every version that starts is promoted' }];
}

function plainWarnings(spec: Json, analysis: Json, field: string): readonly Finding[] {
  if (spec['provider'] !== 'kubernetes' || (numberOf(analysis['iterations']) ?? 0) > 0) return [];
  const message = 'traffic cannot be split with provider kubernetes: it becomes blue/green with 10 checks';
  return [{ field, message, hint: 'give it iterations' }];
}
