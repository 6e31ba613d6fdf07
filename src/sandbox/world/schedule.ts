import { quantity } from '../quantity.ts';
import type { StoredObject } from '../types.ts';
import type { Pod } from './kinds.ts';

/** Why no node takes a pod, in the scheduler's words; undefined where one does. A pod that names its node is not asked about. */
export function unschedulable(pod: Pod, nodes: readonly StoredObject[]): string | undefined {
  if (pod.spec.nodeName !== undefined) return undefined;
  const reasons = new Map<string, number>();
  for (const node of nodes) {
    const why = refusal(pod, node);
    if (why === undefined) return undefined;
    reasons.set(why, (reasons.get(why) ?? 0) + 1);
  }
  if (nodes.length === 0) return 'no nodes available to schedule pods';
  const told = [...reasons].map(([why, count]) => `${count} ${why}`).join(', ');
  const head = `0/${nodes.length} nodes are available`;
  return `${head}: ${told}. preemption: ${head}: ${nodes.length} Preemption is not helpful for scheduling.`;
}

function refusal({ metadata, spec }: Pod, node: StoredObject): string | undefined {
  // The controller of DaemonSets lets its pods run on nodes that are cordoned.
  const isDaemon = metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet') === true;
  const { unschedulable: isCordoned } = (node['spec'] ?? {}) as { readonly unschedulable?: unknown };
  if (isCordoned === true && !isDaemon) return 'node(s) were unschedulable';
  const labels = node.metadata.labels ?? {};
  const isChosen = Object.entries(spec.nodeSelector ?? {}).every(([label, value]) => labels[label] === value);
  if (!isChosen) return "node(s) didn't match Pod's node affinity/selector";
  const { allocatable = {} } = (node['status'] ?? {}) as { readonly allocatable?: Readonly<Record<string, unknown>> };
  // Only what no node could ever give: the embedded cluster takes more pods than a real one of its size would.
  for (const name of ['cpu', 'memory']) {
    const asked = spec.containers.reduce((sum, { resources }) => sum + (quantity(resources?.requests?.[name]) ?? 0), 0);
    if (asked > (quantity(allocatable[name]) ?? Number.POSITIVE_INFINITY)) return `Insufficient ${name}`;
  }
  return undefined;
}
