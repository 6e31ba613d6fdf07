import type { CanarySpec } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import { jsonOf } from '../lib/json.ts';
import { listOf, type Json } from './objects.ts';

export const GROUP = 'gateway.networking.k8s.io';

/** A parent that says nothing is not waited for: not every controller writes a status. */
export function notAccepted(
  spec: CanarySpec,
  live: KubeObject,
  parents: readonly Json[] = listOf(spec.service.raw['gatewayRefs']),
): string | undefined {
  const generation = live.metadata.generation ?? 0;
  for (const parent of listOf(jsonOf(live['status'])['parents'])) {
    const ref = jsonOf(parent['parentRef']);
    if (!parents.some((wanted) => isSameParent(spec, wanted, ref))) continue;
    const conditions = listOf(parent['conditions']);
    const accepted = conditions.find((condition) => condition['type'] === 'Accepted');
    if (!accepted) continue;
    const who = `${live.kind} ${live.metadata.name}.${spec.namespace}`;
    const gateway = `${text(ref['kind']) || 'Gateway'} ${text(ref['name'])}`;
    if (accepted['status'] !== 'True') {
      return `${who} is not accepted by ${gateway}: ${text(accepted['reason'])} ${text(accepted['message'])}`.trim();
    }
    const resolved = conditions.find((condition) => condition['type'] === 'ResolvedRefs');
    if (resolved?.['status'] === 'False' && (resolved['observedGeneration'] ?? generation) === generation) {
      const why = `${text(resolved['reason'])} ${text(resolved['message'])}`.trim();
      return `${who}: ${gateway} does not find what it leads to: ${why}`;
    }
    const partly = conditions.find(({ type, status }) => type === 'PartiallyInvalid' && status === 'True');
    if (partly && (partly['observedGeneration'] ?? generation) === generation) {
      const why = `${text(partly['reason'])} ${text(partly['message'])}`.trim();
      return `${who} is taken by ${gateway} in part only: ${why}`;
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
