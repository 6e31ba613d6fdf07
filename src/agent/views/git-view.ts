import type { Workload } from '../../canary/overlap.ts';

/** What canaries want to know of Git beside their releases. */
export interface GitView {
  /** spec.replicas that Git asks of a target; undefined where it does not say. */
  desiredReplicas(namespace: string, target: string): number | undefined;
  /** Workloads of a namespace, as Git has them. */
  workloads(namespace: string): readonly Workload[];
}

/** All sources as one. Each adds what it says itself. */
export function createGitView(): GitView & { add(source: GitView): void } {
  const sources: GitView[] = [];
  return {
    add: (source) => void sources.push(source),
    desiredReplicas: (namespace, target) =>
      sources.map((one) => one.desiredReplicas(namespace, target)).find((count) => count !== undefined),
    workloads: (namespace) => sources.flatMap((one) => one.workloads(namespace)),
  };
}
