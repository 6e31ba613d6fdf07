import type { Finding } from './parse/field-checks.ts';
import { at, type Json, listOf, numberOf, textOf } from '../lib/json.ts';

/** Providers by the beginning of their names. */
const meshes: readonly string[] = ['istio'];
const http: readonly string[] = ['istio', 'gatewayapi'];

/** What only some providers look at. An empty list: none that is supported. */
const usedBy: Readonly<Record<string, readonly string[]>> = {
  'spec.ingressRef': ['nginx', 'skipper', 'traefik'],
  'spec.routeRef': ['apisix'],
  'spec.upstreamRef': ['gloo'],
  'spec.service.gateways': meshes,
  'spec.service.gatewayRefs': ['gatewayapi'],
  'spec.service.hosts': [...http, 'linkerd', 'osm', 'smi'],
  'spec.service.delegation': meshes,
  'spec.service.trafficPolicy': meshes,
  'spec.service.match': [...http, 'contour'],
  'spec.service.rewrite': http,
  'spec.service.retries': ['istio', 'contour'],
  'spec.service.headers': http,
  'spec.service.mirror': ['gatewayapi'],
  'spec.service.corsPolicy': http,
  'spec.service.timeout': [...http, 'contour'],
  'spec.service.backendTimeout': ['gatewayapi'],
  'spec.service.meshName': [],
  'spec.service.backends': [],
  'spec.analysis.mirror': http,
  'spec.analysis.mirrorWeight': meshes,
};

/** Fields that exist, and do nothing in this Canary. `provider` is that of Canaries that name none; undefined: not known. */
export function unusedFields(
  spec: Json,
  analysis: Json,
  field: string,
  provider: string | undefined,
): readonly Finding[] {
  const used = textOf(spec['provider']) ?? provider;
  return [...byProvider(spec, analysis, field, used), ...byStrategy(analysis, field), ...byKind(spec, analysis, field)];
}

function byProvider(spec: Json, analysis: Json, field: string, provider: string | undefined): readonly Finding[] {
  if (provider === undefined) return [];
  return Object.entries(usedBy).flatMap(([path, users]) => {
    if (users.some((user) => provider.startsWith(user))) return [];
    const isOfAnalysis = path.startsWith('spec.analysis.');
    const value = isOfAnalysis ? analysis[path.slice('spec.analysis.'.length)] : at({ spec }, ...path.split('.'));
    if (isNothing(value)) return [];
    const shown = isOfAnalysis ? path.replace('spec.analysis', field) : path;
    const hint =
      users.length === 0 ? 'only providers that are not supported yet use it' : `only ${users.join(', ')} use it`;
    return [{ field: shown, message: `has no effect with provider ${provider}`, hint }];
  });
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

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false || value === 0) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
