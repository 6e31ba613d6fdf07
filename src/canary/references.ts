import type { FieldChecks } from './field-checks.ts';
import { type Json, jsonOf, textOf } from './json.ts';
import type { AnalysisSpec } from './types.ts';

const blocked = 'cross-namespace references are blocked';

/** With Flagger's `-no-cross-namespace-refs` a Canary speaks only of what its own namespace holds. Flagger's words. */
export function refuseOtherNamespaces(
  spec: Json,
  analysis: AnalysisSpec,
  { namespace, check, field }: { readonly namespace: string; readonly check: FieldChecks; readonly field: string },
): void {
  const isOther = (other: string): boolean => other !== namespace;
  const upstream = jsonOf(spec['upstreamRef']);
  const upstreamNamespace = textOf(upstream['namespace']) || namespace;
  if (isOther(upstreamNamespace)) {
    const where = `${textOf(upstream['name']) ?? ''}.${upstreamNamespace}`;
    check.note('spec.upstreamRef.namespace', `can't access gloo upstream ${where}, ${blocked}`);
  }
  analysis.metrics.forEach(({ templateRef }, index) => {
    if (!templateRef || !isOther(templateRef.namespace)) return;
    const where = `${templateRef.name}.${templateRef.namespace}`;
    check.note(`${field}.metrics[${index}].templateRef`, `can't access metric template ${where}, ${blocked}`);
  });
  analysis.alerts.forEach(({ provider }, index) => {
    if (!isOther(provider.namespace)) return;
    const where = `${provider.name}.${provider.namespace}`;
    check.note(`${field}.alerts[${index}].providerRef`, `can't access alert provider ${where}, ${blocked}`);
  });
}
