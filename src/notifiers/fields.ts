import { at, listOf, numberOf } from '../lib/json.ts';
import type { CanarySpec } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { AlertField } from './notifier.ts';

/** What Flagger adds to an alert, in its order. The steps are shown as they are written, not as they work out. */
export function alertFields(
  { target, analysis, progressDeadlineSeconds, namespace }: CanarySpec,
  canary: KubeObject,
  { clusterName, withDetails }: { readonly clusterName: string; readonly withDetails: boolean },
): readonly AlertField[] {
  const cluster = clusterName === '' ? [] : [{ name: 'Cluster', value: clusterName }];
  if (!withDetails) return cluster;
  const routing = routingOf(at(canary, 'spec', 'analysis') ?? at(canary, 'spec', 'canaryAnalysis'));
  return [
    ...cluster,
    { name: 'Target', value: `${target.kind}/${target.name}.${namespace}` },
    { name: 'Failed checks threshold', value: String(analysis.threshold) },
    ...(analysis.consecutive === undefined
      ? []
      : [{ name: 'Failed checks in a row', value: String(analysis.consecutive) }]),
    { name: 'Progress deadline', value: `${progressDeadlineSeconds}s` },
    ...(routing === undefined ? [] : [{ name: 'Traffic routing', value: routing }]),
  ];
}

function routingOf(analysis: unknown): string | undefined {
  const max = numberOf(at(analysis, 'maxWeight')) ?? 0;
  if ((numberOf(at(analysis, 'iterations')) ?? 0) > 0) {
    return listOf(at(analysis, 'match')).length > 0 ? 'A/B Testing' : 'Blue/Green';
  }
  const step = numberOf(at(analysis, 'stepWeight')) ?? 0;
  if (step > 0) return `Weight step: ${step} max: ${max}`;
  const steps: unknown = at(analysis, 'stepWeights');
  return Array.isArray(steps) && steps.length > 0 ? `Weight steps: ${steps.join(',')} max: ${max}` : undefined;
}
