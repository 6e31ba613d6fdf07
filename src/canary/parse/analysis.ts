import type { FieldChecks } from './field-checks.ts';
import { parseInconclusive } from '../inconclusive.ts';
import type { Json } from '../../lib/json.ts';
import { parseSessionAffinity } from './affinity.ts';
import { parseAlerts } from './alerts.ts';
import { parseMetrics } from './metrics.ts';
import { parseWebhooks } from './webhooks.ts';
import type { AnalysisSpec, Strategy } from '../types.ts';

export interface AnalysisContext {
  readonly check: FieldChecks;
  /** `spec.analysis`, or the old name where that is used. */
  readonly field: string;
  readonly namespace: string;
  /** The plain `kubernetes` provider: no traffic can be split. */
  readonly isPlain: boolean;
  /** The analysis is not run, so it may be incomplete. */
  readonly isSkipped: boolean;
  readonly minIntervalMs: number;
}

const defaultIntervalMs = 60_000;
/** Checks of a blue/green release on the plain provider where the Canary asks for steps. */
const plainIterations = 10;

export function parseAnalysis(analysis: Json, context: AnalysisContext): AnalysisSpec {
  const { check, field, namespace, minIntervalMs } = context;
  const intervalMs = check.durationMs(analysis['interval'], `${field}.interval`) || defaultIntervalMs;
  const stepWeightPromotion = check.whole(analysis['stepWeightPromotion'], `${field}.stepWeightPromotion`, 0);
  const mirrorWeight = percentOf(analysis['mirrorWeight'], `${field}.mirrorWeight`, check);
  const consecutive = check.whole(analysis['consecutive'], `${field}.consecutive`, 1);
  const strategy = strategyOf(analysis, context);
  const inconclusive = parseInconclusive(analysis['inconclusive'], `${field}.inconclusive`, check);
  const affinity = parseSessionAffinity(analysis['sessionAffinity'], `${field}.sessionAffinity`, check);
  return {
    intervalMs: Math.max(intervalMs, minIntervalMs),
    threshold: Math.max(check.whole(analysis['threshold'], `${field}.threshold`, Number.MIN_SAFE_INTEGER) ?? 1, 1),
    ...(consecutive === undefined ? {} : { consecutive }),
    strategy,
    ...(stepWeightPromotion ? { stepWeightPromotion: Math.min(stepWeightPromotion, 100) } : {}),
    mirror: check.flag(analysis['mirror'], `${field}.mirror`) && !context.isPlain,
    ...(mirrorWeight === undefined ? {} : { mirrorWeight }),
    primaryReadyThreshold: percentOf(analysis['primaryReadyThreshold'], `${field}.primaryReadyThreshold`, check) ?? 100,
    canaryReadyThreshold: percentOf(analysis['canaryReadyThreshold'], `${field}.canaryReadyThreshold`, check) ?? 100,
    metrics: parseMetrics(analysis['metrics'], `${field}.metrics`, namespace, check),
    webhooks: parseWebhooks(analysis['webhooks'], `${field}.webhooks`, check),
    alerts: parseAlerts(analysis['alerts'], `${field}.alerts`, namespace, check),
    ...(inconclusive ? { inconclusive } : {}),
    // Only steps leave users a choice between two versions, and only where they are not told apart.
    ...(affinity && strategy.kind === 'canary' && !strategy.match ? { sessionAffinity: affinity } : {}),
  };
}

function percentOf(value: unknown, field: string, check: FieldChecks): number | undefined {
  const percent = check.whole(value, field, 0);
  if (percent !== undefined && percent > 100) check.note(field, `must be at most 100, not ${percent}`);
  return percent;
}

function strategyOf(analysis: Json, { check, field, isPlain, isSkipped }: AnalysisContext): Strategy {
  const iterations = check.whole(analysis['iterations'], `${field}.iterations`, 0) ?? 0;
  const match = check.list(analysis['match'], `${field}.match`);
  const stepWeight = check.whole(analysis['stepWeight'], `${field}.stepWeight`, 0) ?? 0;
  const stepWeights = weightsOf(analysis['stepWeights'], `${field}.stepWeights`, check);
  const maxWeight = check.whole(analysis['maxWeight'], `${field}.maxWeight`, 0) || 100;
  if (iterations > 0 && (stepWeight > 0 || stepWeights.length > 0)) {
    const hint = 'keep iterations for blue/green and A/B testing, or the steps for a canary';
    check.note(`${field}.iterations`, 'cannot be combined with stepWeight or stepWeights', hint);
  }
  if (isPlain) return { kind: 'blue-green', iterations: iterations || plainIterations };
  if (iterations > 0) {
    return match.length > 0 ? { kind: 'ab-testing', iterations, match } : { kind: 'blue-green', iterations };
  }
  const users = match.length > 0 ? { match } : {};
  if (stepWeight > 0) return { kind: 'canary', ...linearSteps(stepWeight, maxWeight), ...users };
  if (stepWeights.length > 0)
    return { kind: 'canary', steps: stepWeights, maxWeight: stepWeights.at(-1) ?? 100, ...users };
  // Flagger would stay in Progressing for ever.
  if (!isSkipped) check.note(field, 'says no way to release', 'give it stepWeight, stepWeights or iterations');
  return { kind: 'canary', steps: [100], maxWeight: 100 };
}

/** As Flagger steps: the last one may go beyond maxWeight, never beyond 100. */
function linearSteps(stepWeight: number, maxWeight: number): { steps: readonly number[]; maxWeight: number } {
  const max = Math.min(maxWeight, 100);
  const step = Math.min(stepWeight, 100);
  const steps = Array.from({ length: Math.ceil(max / step) }, (_, index) => Math.min((index + 1) * step, 100));
  return { steps, maxWeight: max };
}

/** Weights above 100 mean 100; the order is the author's. */
function weightsOf(value: unknown, field: string, check: FieldChecks): readonly number[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    check.note(field, 'must be a list of numbers', 'for example [5, 25, 60]');
    return [];
  }
  return value.map((item: unknown, index) => Math.min(check.whole(item, `${field}[${index}]`, 1) ?? 1, 100));
}
