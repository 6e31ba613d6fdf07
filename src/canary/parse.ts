import { own } from '../lib/own.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { parseAutoscaler } from './parse/autoscaler.ts';
import { parseIngressRef, parseIngressRefs } from './parse/entrances.ts';
import { createFieldChecks, type FieldChecks, type Finding, throwFindings } from './parse/field-checks.ts';
import { parseAnalysis } from './parse/analysis.ts';
import { analysisFieldOf } from './analysis-field.ts';
import { type NamespaceBounds, refuseOtherNamespaces } from './references.ts';
import { parseService } from './parse/service.ts';
import { checkTarget, parseTarget } from './parse/target.ts';
import type { CanarySpec } from './types.ts';

export { warningsOf } from './warnings.ts';

export interface CanaryDefaults {
  /** Router of Canaries that name none. */
  readonly provider: string;
  /** Shorter analysis intervals are raised to this. */
  readonly minIntervalMs: number;
  /** Objects of other namespaces may not be named. Absent: they may. */
  readonly noCrossNamespaceRefs?: boolean;
  /** What a namespace of a tenant may name of others. Absent: there are no tenants. */
  readonly tenancy?: NamespaceBounds;
}

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
  const named = parseTarget(spec['targetRef'], namespace, check);
  const { target, targetKind } = named;
  const autoscaler = parseAutoscaler(spec['autoscalerRef'], namespace, check);
  const analysisField = analysisFieldOf(spec);
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
  // One that is being deleted only gives back what it took.
  if (object.metadata.deletionTimestamp === undefined)
    refuseOtherNamespaces(spec, analysis, { namespace, check, field: `spec.${analysisField}`, bounds: defaults });
  const service = parseService(spec['service'], named, check);
  checkTarget(named, { provider, service }, (spec['autoscalerRef'] ?? undefined) !== undefined, check);
  const metricsServer = check.text(spec['metricsServer'], 'spec.metricsServer');
  const { routeRef, ...upstream } = parseOtherRefs(spec, namespace, check);
  const around = { namespace, provider, check };
  const scaleDownDelayMs = check.durationMs(spec['scaleDownDelay'], 'spec.scaleDownDelay');
  const parsed: CanarySpec = {
    namespace,
    name,
    provider,
    ...(metricsServer === undefined ? {} : { metricsServer }),
    target,
    targetKind,
    ...autoscaler,
    ...upstream,
    ...parseIngressRefs(
      spec['ingressRefs'],
      { ...parseIngressRef(spec['ingressRef'], around), ...(routeRef ? { routeRef } : {}) },
      around,
    ),
    ...meshOf(object),
    service,
    analysis,
    progressDeadlineSeconds: check.whole(spec['progressDeadlineSeconds'], 'spec.progressDeadlineSeconds', 0) || 600,
    ...(scaleDownDelayMs ? { scaleDownDelayMs } : {}),
    skipAnalysis,
    suspend: check.flag(spec['suspend'], 'spec.suspend'),
    revertOnDeletion: check.flag(spec['revertOnDeletion'], 'spec.revertOnDeletion'),
  };
  throwFindings(`canary ${name}.${namespace}`, findings);
  return parsed;
}

/** The objects that only some providers look at. */
function parseOtherRefs(
  spec: Readonly<Record<string, unknown>>,
  namespace: string,
  check: FieldChecks,
): Pick<CanarySpec, 'routeRef' | 'upstreamRef'> {
  const parsed = (name: 'routeRef' | 'upstreamRef', apiVersion: string, kind: string): ObjectRef | undefined => {
    if (spec[name] === undefined || spec[name] === null) return undefined;
    const field = `spec.${name}`;
    const ref = check.record(spec[name], field);
    const named = check.text(ref['name'], `${field}.name`);
    if (named === undefined) {
      check.note(`${field}.name`, 'is required', `name the ${kind}`);
      return undefined;
    }
    check.oneOf(ref['kind'], `${field}.kind`, [kind]);
    const inside = name === 'upstreamRef' ? check.text(ref['namespace'], `${field}.namespace`) : undefined;
    return { apiVersion, kind, namespace: inside ?? namespace, name: named };
  };
  const routeRef = parsed('routeRef', 'apisix.apache.org/v2', 'ApisixRoute');
  const upstreamRef = parsed('upstreamRef', 'gloo.solo.io/v1', 'Upstream');
  return { ...(routeRef ? { routeRef } : {}), ...(upstreamRef ? { upstreamRef } : {}) };
}

function meshOf({ metadata }: KubeObject): Pick<CanarySpec, 'mesh'> {
  const mesh = own(metadata.annotations ?? {}, 'kuma.io/mesh');
  return mesh === undefined || mesh === '' ? {} : { mesh };
}
