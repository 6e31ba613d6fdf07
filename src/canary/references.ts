import type { FieldChecks } from './parse/field-checks.ts';
import { type Json, jsonOf, textOf } from '../lib/json.ts';
import type { AnalysisSpec } from './types.ts';

/** Whether what stands in one namespace may name what stands in another. */
export interface NamespaceBounds {
  mayRefer(from: string, to: string): boolean;
}

export interface ReferenceBounds {
  readonly noCrossNamespaceRefs?: boolean;
  readonly tenancy?: NamespaceBounds;
}

/** Why a namespace may not name what another one holds; undefined: it may. The first are Flagger's words. */
export function referenceProblem(
  from: string,
  to: string,
  { noCrossNamespaceRefs, tenancy }: ReferenceBounds,
): string | undefined {
  if (from === to) return undefined;
  if (noCrossNamespaceRefs) return 'cross-namespace references are blocked';
  if (!tenancy || tenancy.mayRefer(from, to)) return undefined;
  return `the tenants of namespace ${from} may not refer to namespace ${to} (namespaces and refers-to in the settings)`;
}

/** With Flagger's `-no-cross-namespace-refs` a Canary speaks only of what its own namespace holds; with tenants of what they may. */
export function refuseOtherNamespaces(
  spec: Json,
  analysis: AnalysisSpec,
  {
    namespace,
    check,
    field,
    bounds,
  }: {
    readonly namespace: string;
    readonly check: FieldChecks;
    readonly field: string;
    readonly bounds: ReferenceBounds;
  },
): void {
  const problemWith = (other: string): string | undefined => referenceProblem(namespace, other, bounds);
  const upstream = jsonOf(spec['upstreamRef']);
  const upstreamNamespace = textOf(upstream['namespace']) || namespace;
  const blocked = problemWith(upstreamNamespace);
  if (blocked !== undefined) {
    const where = `${textOf(upstream['name']) ?? ''}.${upstreamNamespace}`;
    check.note('spec.upstreamRef.namespace', `can't access gloo upstream ${where}, ${blocked}`);
  }
  analysis.metrics.forEach(({ templateRef }, index) => {
    const blocked = templateRef && problemWith(templateRef.namespace);
    if (!templateRef || blocked === undefined) return;
    const where = `${templateRef.name}.${templateRef.namespace}`;
    check.note(`${field}.metrics[${index}].templateRef`, `can't access metric template ${where}, ${blocked}`);
  });
  analysis.alerts.forEach(({ provider }, index) => {
    const blocked = problemWith(provider.namespace);
    if (blocked === undefined) return;
    const where = `${provider.name}.${provider.namespace}`;
    check.note(`${field}.alerts[${index}].providerRef`, `can't access alert provider ${where}, ${blocked}`);
  });
}
