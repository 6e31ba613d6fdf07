import type { KubeObject } from '../manifest/types.ts';
import { createFieldChecks, type FieldChecks, type Finding, throwFindings } from './field-checks.ts';
import { parseAnalysis } from './parse-analysis.ts';
import { parseService } from './parse-service.ts';
import type { CanarySpec } from './types.ts';

export { warningsOf } from './warnings.ts';

export interface CanaryDefaults {
  /** Router of Canaries that name none. */
  readonly provider: string;
  /** Shorter analysis intervals are raised to this. */
  readonly minIntervalMs: number;
}

const targetKinds = ['Deployment', 'DaemonSet', 'Service'] as const;

/**
 * Reads a Canary as users write it for Flagger. Throws AgentError CANARY_INVALID that names every problem at once;
 * `details.findings` has them one by one. Whether the provider exists is the routers' matter.
 */
export function parseCanary(object: KubeObject, defaults: CanaryDefaults): CanarySpec {
  const findings: Finding[] = [];
  const check = createFieldChecks(findings);
  const { name, namespace = 'default' } = object.metadata;
  const spec = check.record(object['spec'], 'spec');
  const provider = check.text(spec['provider'], 'spec.provider') ?? defaults.provider;
  const target = parseTarget(spec['targetRef'], check);
  refuseWhatComesLater(spec, check);
  // The API server never stores canaryAnalysis; files in Git may still have it.
  const analysisField =
    spec['analysis'] === undefined && spec['canaryAnalysis'] !== undefined ? 'canaryAnalysis' : 'analysis';
  const hasAnalysis = spec[analysisField] !== undefined && spec[analysisField] !== null;
  const skipAnalysis = check.flag(spec['skipAnalysis'], 'spec.skipAnalysis') || !hasAnalysis;
  const analysis = parseAnalysis(check.record(spec[analysisField], `spec.${analysisField}`), {
    check,
    field: `spec.${analysisField}`,
    namespace,
    isPlain: provider === 'kubernetes',
    isSkipped: skipAnalysis,
    minIntervalMs: defaults.minIntervalMs,
  });
  const service = parseService(spec['service'], target.name, check);
  const metricsServer = check.text(spec['metricsServer'], 'spec.metricsServer');
  const parsed: CanarySpec = {
    namespace,
    name,
    provider,
    ...(metricsServer === undefined ? {} : { metricsServer }),
    target: { ...target, namespace },
    targetKind: 'Deployment',
    ...parseIngressRef(spec['ingressRef'], namespace, check),
    service,
    analysis,
    progressDeadlineSeconds: check.whole(spec['progressDeadlineSeconds'], 'spec.progressDeadlineSeconds', 0) || 600,
    skipAnalysis,
    suspend: check.flag(spec['suspend'], 'spec.suspend'),
    revertOnDeletion: check.flag(spec['revertOnDeletion'], 'spec.revertOnDeletion'),
  };
  throwFindings(`canary ${name}.${namespace}`, findings);
  return parsed;
}

function parseTarget(value: unknown, check: FieldChecks): { apiVersion: string; kind: string; name: string } {
  const field = 'spec.targetRef';
  const ref = check.record(value, field);
  const kind = check.oneOf(ref['kind'], `${field}.kind`, targetKinds) ?? 'Deployment';
  if (kind !== 'Deployment') {
    check.note(`${field}.kind`, `${kind} targets are not supported in this release`, 'use a Deployment');
  }
  const name = check.text(ref['name'], `${field}.name`);
  if (name === undefined) check.note(`${field}.name`, 'is required', 'name the Deployment that is to be released');
  return { apiVersion: check.text(ref['apiVersion'], `${field}.apiVersion`) ?? 'apps/v1', kind, name: name ?? '' };
}

function refuseWhatComesLater(spec: Readonly<Record<string, unknown>>, check: FieldChecks): void {
  if (spec['autoscalerRef'] !== undefined && spec['autoscalerRef'] !== null) {
    const hint = 'remove autoscalerRef and the autoscaler, or leave this app to Flagger until then';
    check.note('spec.autoscalerRef', 'autoscalers are not supported in this release', hint);
  }
}

function parseIngressRef(value: unknown, namespace: string, check: FieldChecks): Pick<CanarySpec, 'ingressRef'> {
  if (value === undefined || value === null) return {};
  const field = 'spec.ingressRef';
  const ref = check.record(value, field);
  const name = check.text(ref['name'], `${field}.name`);
  if (name === undefined) {
    check.note(`${field}.name`, 'is required', 'name the Ingress');
    return {};
  }
  const apiVersion = check.text(ref['apiVersion'], `${field}.apiVersion`) ?? 'networking.k8s.io/v1';
  return { ingressRef: { apiVersion, kind: check.text(ref['kind'], `${field}.kind`) ?? 'Ingress', namespace, name } };
}
