import { canonicalJson } from '../../../src/lib/hash.ts';
import { sameJson } from '../../../src/lib/same-json.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import type { MemoryCluster, Written } from './memory-cluster.ts';

/** How the pods of an image are: some never answer, of others only the first half does, and at least one: those that do not are the first to go. */
type Health = 'good' | 'broken' | 'half';

interface Workload {
  template: string;
  image: string;
  /** When each pod of the present template was started. */
  started: number[];
  /** Pods of the template before that go on until others take their place. */
  old: number;
  isRecreated: boolean;
  /** When something of it last moved. */
  movedMs: number;
  cancel: () => void;
}

/** What makes pods of Deployments: they start one after the other, and some never answer. */
export interface Pods {
  written(written: Written): void;
  /** Pods of this Deployment answer no more, or again. */
  down(name: string, isDown: boolean): void;
  health(image: string, health: Health): void;
  readonly startMs: number;
  /** As its controller has told last, none where none are wanted: pods that answer, those of the template before included. */
  serving(name: string): number;
  /** Likewise: pods of the present template that answer, and how many are wanted. */
  fresh(name: string): { readonly up: number; readonly wanted: number };
}

export function createPods(cluster: MemoryCluster, clock: Clock, startMs: number): Pods {
  const workloads = new Map<string, Workload>();
  /** What their statuses say. */
  const told = new Map<string, { readonly available: number; readonly old: number }>();
  const downNames = new Set<string>();
  const healths = new Map<string, Health>();

  const upOf = (name: string, { started, image }: Workload): number => {
    if (downNames.has(name)) return 0;
    const health = healths.get(image) ?? 'good';
    const able = health === 'broken' ? 0 : health === 'half' ? Math.ceil(started.length / 2) : started.length;
    return started.slice(0, able).filter((atMs) => clock.now() >= atMs).length;
  };
  /** As with Kubernetes' own bounds: a quarter may be missing, and with `Recreate` all of them. */
  const oldOf = (name: string, one: Workload): number => {
    const wanted = one.started.length;
    const left = wanted - Math.floor(wanted / 4) - upOf(name, one);
    return downNames.has(name) || one.isRecreated ? 0 : Math.max(0, Math.min(one.old, left));
  };

  const show = (name: string): void => {
    const object = cluster.peek('Deployment', name);
    const one = workloads.get(name);
    if (!object || !one) return;
    one.cancel();
    const wanted = one.started.length;
    const up = upOf(name, one);
    const old = oldOf(name, one);
    one.old = downNames.has(name) ? one.old : old;
    const available = up + old;
    const deadlineMs = one.movedMs + 60_000;
    told.set(name, { available, old });
    const isLate = up < wanted && clock.now() >= deadlineMs;
    const before = object['status'] as
      | { availableReplicas?: number; conditions?: { lastUpdateTime?: string }[] }
      | undefined;
    const isMoved = before?.availableReplicas !== available;
    if (isMoved) one.movedMs = clock.now();
    const at = new Date(one.movedMs).toISOString();
    const status = {
      observedGeneration: object.metadata.generation,
      replicas: wanted + old,
      updatedReplicas: wanted,
      availableReplicas: available,
      conditions: [
        {
          type: 'Progressing',
          status: isLate ? 'False' : 'True',
          reason: isLate ? 'ProgressDeadlineExceeded' : 'ReplicaSetUpdated',
          lastUpdateTime: at,
        },
        {
          type: 'Available',
          status: available >= wanted ? 'True' : 'False',
          reason: available >= wanted ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
          lastUpdateTime: at,
          lastTransitionTime: at,
        },
      ],
    };
    const next = one.started.filter((atMs) => atMs > clock.now());
    const due = Math.min(...next, up < wanted && !isLate ? one.movedMs + 60_000 : Number.POSITIVE_INFINITY);
    one.cancel = Number.isFinite(due) ? clock.after(due - clock.now(), () => show(name)) : () => undefined;
    if (!sameJson(status, before)) cluster.put({ ...object, status }, 'deployment-controller');
  };

  return {
    startMs,
    written({ after, before, manager }) {
      const object = after ?? before;
      if (object?.kind !== 'Deployment' || manager === 'deployment-controller') return;
      const { name } = object.metadata;
      const known = workloads.get(name);
      if (!after) {
        known?.cancel();
        workloads.delete(name);
        told.delete(name);
        return;
      }
      const {
        replicas: wanted = 1,
        template,
        strategy,
      } = after['spec'] as {
        replicas?: number;
        strategy?: { type?: string };
        template: { spec: { containers: { image: string }[] } };
      };
      const text = canonicalJson(template);
      const pods = (count: number): number[] =>
        Array.from({ length: count }, (_, index) => clock.now() + startMs * (index + 1));
      if (!known || known.template !== text) {
        known?.cancel();
        const old = known ? Math.min(upOf(name, known) + oldOf(name, known), wanted) : 0;
        const image = template.spec.containers[0]?.image ?? '';
        workloads.set(name, {
          template: text,
          image,
          started: pods(wanted),
          old,
          isRecreated: strategy?.type === 'Recreate',
          movedMs: clock.now(),
          cancel: () => undefined,
        });
      } else if (known.started.length !== wanted) {
        known.started = [...known.started.slice(0, wanted), ...pods(Math.max(wanted - known.started.length, 0))];
        known.old = Math.min(known.old, wanted);
        known.movedMs = clock.now();
      }
      // Its controller comes after whoever wrote it.
      clock.after(0, () => show(name));
    },
    down(name, isDown) {
      if (isDown) downNames.add(name);
      else downNames.delete(name);
      show(name);
    },
    health(image, health) {
      healths.set(image, health);
      for (const [name, one] of workloads) if (one.image === image) show(name);
    },
    serving: (name) => (workloads.get(name)?.started.length === 0 ? 0 : (told.get(name)?.available ?? 0)),
    fresh(name) {
      const { available = 0, old = 0 } = told.get(name) ?? {};
      return { up: available - old, wanted: workloads.get(name)?.started.length ?? 0 };
    },
  };
}

export const imageOf = (object: KubeObject | undefined): string | undefined =>
  (object?.['spec'] as { template?: { spec?: { containers?: { image: string }[] } } } | undefined)?.template?.spec
    ?.containers?.[0]?.image;
