import { type App, appsOf } from '../canary/app.ts';
import { parseCanary, warningsOf } from '../canary/parse.ts';
import type { CanarySpec } from '../canary/types.ts';
import { AgentError } from '../lib/errors.ts';
import { lineOf } from '../manifest/locate.ts';
import { type Manifest, type Problem, refKey, refOf } from '../manifest/types.ts';
import { isBuiltin } from '../metrics/builtin-queries.ts';
import { metricTemplateProblems } from '../metrics/check-template.ts';
import { providerProblem, routerFor } from '../routers/registry.ts';
import { strategyProblem } from '../routers/reconcile.ts';

export interface CheckSettings {
  readonly provider: string;
  readonly minIntervalMs: number;
  readonly defaultNamespace: string;
}

/** One thing wrong with a field of an object. */
interface Finding {
  readonly field: string;
  readonly message: string;
  readonly hint?: string;
  readonly severity?: 'error' | 'warning';
}

/** Everything that can be told of Canaries and MetricTemplates without a cluster. `textOf` gives a file's text, for lines. */
export function checkManifests(
  manifests: readonly Manifest[],
  settings: CheckSettings,
  textOf: (path: string) => string | undefined,
): readonly Problem[] {
  const known = new Set(manifests.map(({ object }) => refKey(refOf(object))));
  const problems: Problem[] = [];
  const tell = (manifest: Manifest, findings: readonly Finding[]): void => {
    const { path, document, line } = manifest.source;
    const { kind, metadata } = manifest.object;
    const text = findings.length === 0 ? undefined : textOf(path);
    for (const { field, message, hint, severity } of findings) {
      problems.push({
        severity: severity ?? 'error',
        path,
        line: (text === undefined ? undefined : lineOf(text, document, field)) ?? line,
        message: `${kind} ${metadata.namespace ?? ''}/${metadata.name} ${field}: ${message}`,
        ...(hint === undefined ? {} : { hint }),
      });
    }
  };
  const apps = new Map(
    appsOf(manifests, settings.defaultNamespace).map((app) => [refKey(refOf(app.canary.object)), app]),
  );
  const targets = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const { object } = manifest;
    if (!object.apiVersion.startsWith('flagger.app/')) continue;
    if (object.kind === 'MetricTemplate') tell(manifest, metricTemplateProblems(object));
    if (object.kind !== 'Canary') continue;
    let spec: CanarySpec;
    try {
      spec = parseCanary(object, settings);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const findings = error.details['findings'] as readonly Finding[] | undefined;
      tell(manifest, findings ?? [{ field: 'spec', message: error.message }]);
      continue;
    }
    tell(manifest, [
      ...warningsOf(object).map((finding) => ({ ...finding, severity: 'warning' as const })),
      ...referencesOf(spec, apps.get(refKey(refOf(object))), known),
    ]);
    const targetKey = refKey(spec.target);
    const other = targets.get(targetKey);
    if (other)
      tell(manifest, [
        {
          field: 'spec.targetRef',
          message: `the same target belongs to the Canary at ${other.source.path}:${other.source.line}`,
          hint: 'one target, one Canary',
        },
      ]);
    targets.set(targetKey, manifest);
  }
  return problems;
}

function referencesOf(spec: CanarySpec, app: App | undefined, known: ReadonlySet<string>): readonly Finding[] {
  const findings: Finding[] = [];
  const { namespace, target } = spec;
  if (app?.target === undefined) {
    findings.push({
      field: 'spec.targetRef.name',
      message: `there is no ${target.kind} ${namespace}/${target.name} in Git`,
      hint: 'commit it, or correct the name',
      severity: 'warning',
    });
  }
  const provider = providerProblem(spec.provider);
  if (provider !== undefined) findings.push({ field: 'spec.provider', message: provider });
  else {
    const strategy = strategyProblem(routerFor(spec.provider), spec);
    if (strategy !== undefined) findings.push({ field: 'spec.analysis', message: strategy });
  }
  if (spec.ingressRef && !known.has(refKey({ ...spec.ingressRef, namespace }))) {
    findings.push({
      field: 'spec.ingressRef.name',
      message: `there is no Ingress ${namespace}/${spec.ingressRef.name} in Git`,
      severity: 'warning',
    });
  }
  spec.analysis.metrics.forEach((metric, index) => {
    const field = `spec.analysis.metrics[${index}]`;
    if (metric.templateRef) {
      const ref = { apiVersion: 'flagger.app/v1beta1', kind: 'MetricTemplate', ...metric.templateRef };
      if (!known.has(refKey(ref))) {
        findings.push({
          field: `${field}.templateRef.name`,
          message: `there is no MetricTemplate ${ref.namespace}/${ref.name} in Git`,
          hint: 'commit it, or correct the name',
          severity: 'warning',
        });
      }
    } else if (metric.query === undefined && !isBuiltin(metric.name)) {
      findings.push({
        field: `${field}.name`,
        message: `no metric is called "${metric.name}"`,
        hint: 'use request-success-rate or request-duration, or give it a query or a templateRef',
      });
    }
  });
  return findings;
}
