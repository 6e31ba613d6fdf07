import { type App, appsOf } from '../canary/app.ts';
import { parseCanary, warningsOf } from '../canary/parse.ts';
import type { CanarySpec } from '../canary/types.ts';
import { AgentError } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import { lineOf } from '../manifest/locate.ts';
import { type KubeObject, type Manifest, type Problem, refKey, refOf } from '../manifest/types.ts';
import { BUILTIN_METRICS, isBuiltin } from '../metrics/builtin-queries.ts';
import { metricTemplateProblems } from '../metrics/check-template.ts';
import { alertProviderProblems } from '../notifiers/check-provider.ts';
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
    if (object.kind === 'AlertProvider') tell(manifest, alertProviderProblems(object));
    if (object.kind !== 'Canary') continue;
    tell(manifest, namesOf(object, settings.provider));
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
      ...warningsOf(object, settings.provider).map((finding) => ({ ...finding, severity: 'warning' as const })),
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
  if (providerProblem(spec.provider) === undefined) {
    const strategy = strategyProblem(routerFor(spec.provider), spec);
    if (strategy !== undefined) findings.push({ field: 'spec.analysis', message: strategy });
  }
  if (spec.ingressRef && !known.has(refKey({ ...spec.ingressRef, namespace }))) {
    findings.push({
      field: 'spec.ingressRef.name',
      message: `there is no ${spec.ingressRef.kind} ${namespace}/${spec.ingressRef.name} in Git`,
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
    }
  });
  spec.analysis.alerts.forEach(({ provider }, index) => {
    const alertProvider = { apiVersion: 'flagger.app/v1beta1', kind: 'AlertProvider', ...provider };
    if (known.has(refKey(alertProvider))) return;
    findings.push({
      field: `spec.analysis.alerts[${index}].providerRef.name`,
      message: `there is no AlertProvider ${provider.namespace}/${provider.name} in Git`,
      hint: 'commit it, or correct the name',
      severity: 'warning',
    });
  });
  return findings;
}

/** What can be told of names even where the rest of the Canary cannot be understood. */
function namesOf(object: KubeObject, fallback: string): readonly Finding[] {
  const findings: Finding[] = [];
  const spec = recordOf(object['spec']);
  const provider = spec['provider'];
  const problem = providerProblem(typeof provider === 'string' && provider !== '' ? provider : fallback);
  if (problem !== undefined)
    findings.push({ field: 'spec.provider', message: problem.replace(/^spec\.provider: /, '') });
  const metrics = recordOf(spec['analysis'])['metrics'];
  (Array.isArray(metrics) ? metrics : []).forEach((entry: unknown, index) => {
    const { name, query, templateRef } = recordOf(entry);
    if (typeof name !== 'string' || query !== undefined || templateRef !== undefined || isBuiltin(name)) return;
    const close = nearest(name, BUILTIN_METRICS);
    findings.push({
      field: `spec.analysis.metrics[${index}].name`,
      message: `no metric is called "${name}"`,
      hint: `${close === undefined ? '' : `did you mean ${close}? `}use ${BUILTIN_METRICS.join(' or ')}, or give it a query or a templateRef`,
    });
  });
  return findings;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
