import type { CanarySpec, TrafficSplit } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import { analysisMatches, filtersOf, mirrorsTo, serviceMatches } from './gatewayapi-rules.ts';
import {
  apexMetadata,
  canaryName,
  invalid,
  jsonOf,
  listOf,
  metadataOf,
  primaryName,
  splitOf,
  weightOf,
  type Json,
} from './objects.ts';
import type { Router } from './router.ts';

const GROUP = 'gateway.networking.k8s.io';
const OWNED = ['matches', 'filters', 'timeouts', 'backendRefs'];

/**
 * Gateway API: one HTTPRoute named after the apex service. https://gateway-api.sigs.k8s.io/
 * Timeouts and CORS exist in v1 only. A controller that has not yet accepted the newest generation still routes by the old one.
 */
export function gatewayapi(version: 'v1' | 'v1beta1'): Router {
  const apiVersion = `${GROUP}/${version}`;
  const kind = 'HTTPRoute';
  return {
    name: `gatewayapi:${version}`,
    supports: { weights: true, mirror: true, headers: true },
    refs: ({ spec }) => [{ apiVersion, kind, namespace: spec.namespace, name: spec.service.name }],
    render(context, split, [live]) {
      const { spec } = context;
      const { hostnames: _, ...standing } = jsonOf(live?.['spec']);
      const hosts = spec.service.raw['hosts'];
      return [
        {
          ...live,
          apiVersion,
          kind,
          metadata: metadataOf(context, spec.service.name, live, apexMetadata(context)),
          spec: {
            ...standing,
            parentRefs: parentRefs(spec),
            ...(Array.isArray(hosts) && hosts.length > 0 ? { hostnames: hosts } : {}),
            rules: rules(spec, split, version, listOf(standing['rules'])),
          },
        },
      ];
    },
    read({ spec }, [live]) {
      const rules = listOf(jsonOf(live?.['spec'])['rules']);
      const canary = canaryName(spec);
      const rule = rules.findLast((each) => {
        const names = listOf(each['backendRefs']).map((backend) => backend['name']);
        return names.includes(canary) && names.includes(primaryName(spec));
      });
      const backends = listOf(rule?.['backendRefs']);
      return splitOf(
        weightOf(backends, 'name', primaryName(spec), 1),
        weightOf(backends, 'name', canary, 1),
        rules.some((each) => mirrorsTo(each, canary)),
      );
    },
    trouble: ({ spec }, [live]) => (live ? notAccepted(spec, live) : undefined),
  };
}

function parentRefs(spec: CanarySpec): readonly Json[] {
  const refs = listOf(spec.service.raw['gatewayRefs']);
  if (refs.length === 0) throw invalid(spec, 'GatewayRefs must be specified when using Gateway API as a provider.');
  return refs.map((ref) => ({ group: GROUP, kind: 'Gateway', ...ref }));
}

function rules(
  spec: CanarySpec,
  split: TrafficSplit,
  version: 'v1' | 'v1beta1',
  live: readonly Json[],
): readonly Json[] {
  const { strategy } = spec.analysis;
  const cors = version === 'v1';
  const timeouts = version === 'v1' ? timeoutsOf(spec) : {};
  const both = [
    { name: primaryName(spec), weight: 100 - split.canaryWeight },
    { name: canaryName(spec), weight: split.canaryWeight },
  ];
  const rule = (at: number, matches: readonly Json[], filters: readonly Json[], backends: typeof both): Json => {
    const standing = Object.entries(live[at] ?? {}).filter(([field]) => !OWNED.includes(field));
    const oldBackends = listOf(live[at]?.['backendRefs']);
    return {
      ...Object.fromEntries(standing),
      matches,
      ...(filters.length > 0 ? { filters } : {}),
      ...(Object.keys(timeouts).length > 0 ? { timeouts } : {}),
      backendRefs: backends.map(({ name, weight }) => ({
        ...oldBackends.find((backend) => backend['name'] === name),
        group: '',
        kind: 'Service',
        name,
        port: spec.service.port,
        weight,
      })),
    };
  };
  const filters = filtersOf(spec, { mirror: split.mirror, cors });
  if (strategy.kind !== 'ab-testing') return [rule(0, serviceMatches(spec), filters, both)];
  return [
    rule(0, analysisMatches(spec, strategy.match), filters, both),
    rule(1, serviceMatches(spec), filtersOf(spec, { mirror: false, cors }), [{ name: primaryName(spec), weight: 100 }]),
  ];
}

function timeoutsOf(spec: CanarySpec): Json {
  const { timeout, backendTimeout } = spec.service.raw;
  return {
    ...(typeof timeout === 'string' && timeout !== '' ? { request: timeout } : {}),
    ...(typeof backendTimeout === 'string' && backendTimeout !== '' ? { backendRequest: backendTimeout } : {}),
  };
}

/** A parent that says nothing is not waited for: not every controller writes a status. */
function notAccepted(spec: CanarySpec, live: KubeObject): string | undefined {
  const generation = live.metadata.generation ?? 0;
  for (const parent of listOf(jsonOf(live['status'])['parents'])) {
    const ref = jsonOf(parent['parentRef']);
    if (!listOf(spec.service.raw['gatewayRefs']).some((wanted) => isSameParent(spec, wanted, ref))) continue;
    const accepted = listOf(parent['conditions']).find((condition) => condition['type'] === 'Accepted');
    if (!accepted) continue;
    const who = `HTTPRoute ${live.metadata.name}.${spec.namespace}`;
    const gateway = `${text(ref['kind']) || 'Gateway'} ${text(ref['name'])}`;
    if (accepted['status'] !== 'True') {
      return `${who} is not accepted by ${gateway}: ${text(accepted['reason'])} ${text(accepted['message'])}`.trim();
    }
    const observed = accepted['observedGeneration'];
    if (typeof observed === 'number' && observed < generation) return `${who} is not yet taken over by ${gateway}`;
  }
  return undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isSameParent(spec: CanarySpec, wanted: Json, actual: Json): boolean {
  const full = (ref: Json): unknown[] => [
    ref['group'] ?? GROUP,
    ref['kind'] ?? 'Gateway',
    ref['namespace'] ?? spec.namespace,
    ref['name'],
    ref['sectionName'] ?? '',
    ref['port'] ?? 0,
  ];
  const actualParts = full(actual);
  return full(wanted).every((part, at) => part === actualParts[at]);
}
