import type { Condition, ContainerStatus, Pod, PodStatus } from './kinds.ts';
import { timestamp } from './objects.ts';

/** Status of a pod from the states of its containers, as the kubelet writes it. Pure. */
export interface PodFacts {
  readonly nowMs: number;
  readonly startedMs: number;
  readonly podIp: string;
  readonly hostIp: string;
  readonly containers: readonly ContainerStatus[];
  readonly initContainers: readonly ContainerStatus[];
  /** False while volumes are still missing. */
  readonly sandboxReady: boolean;
  /** Whether all init containers have ended well. */
  readonly initialized: boolean;
}

export function podStatus(pod: Pod, facts: PodFacts): PodStatus {
  const { nowMs, startedMs, podIp, hostIp, containers, initContainers, sandboxReady, initialized } = facts;
  const phase = phaseOf(pod, containers);
  const unready = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const ended = phase === 'Succeeded';
  const why = ended
    ? { reason: 'PodCompleted' }
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const ready = unready.length === 0 && phase === 'Running';
  const notReady = { status: 'False', ...why };
  const said: Condition[] = [
    { type: 'PodReadyToStartContainers', status: sandboxReady && !ended ? 'True' : 'False' },
    initialized
      ? { type: 'Initialized', status: 'True', ...(ended ? { reason: 'PodCompleted' } : {}) }
      : { type: 'Initialized', status: 'False', reason: 'ContainersNotInitialized' },
    { type: 'Ready', ...(ready ? { status: 'True' } : notReady) },
    { type: 'ContainersReady', ...(ready ? { status: 'True' } : notReady) },
    { type: 'PodScheduled', status: 'True' },
  ];
  return {
    phase,
    conditions: said.map((condition) => dated(pod, condition, nowMs)),
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    ...(sandboxReady ? { podIP: podIp, podIPs: [{ ip: podIp }] } : {}),
    startTime: timestamp(startedMs),
    ...(initContainers.length > 0 ? { initContainerStatuses: [...initContainers] } : {}),
    containerStatuses: [...containers],
    qosClass: qosClass(pod),
  };
}

function dated(pod: Pod, { type, status, ...why }: Condition, nowMs: number): Condition {
  const before = pod.status?.conditions?.find((condition) => condition.type === type);
  const since = before?.status === status ? before.lastTransitionTime : undefined;
  return { type, status, lastProbeTime: null, lastTransitionTime: since ?? timestamp(nowMs), ...why };
}

function phaseOf(pod: Pod, containers: readonly ContainerStatus[]): string {
  const waiting = containers.some(({ state, lastState }) => 'waiting' in state && !lastState.terminated);
  if (waiting) return 'Pending';
  if (containers.some(({ state }) => 'running' in state)) return 'Running';
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (policy === 'Always') return 'Running';
  const codes = containers.map(({ state, lastState }) =>
    'terminated' in state ? state.terminated.exitCode : lastState.terminated?.exitCode,
  );
  if (codes.every((code) => code === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function qosClass(pod: Pod): string {
  const resources = pod.spec.containers.map((container) => container.resources ?? {});
  const none = resources.every(
    ({ limits = {}, requests = {} }) => Object.keys({ ...limits, ...requests }).length === 0,
  );
  if (none) return 'BestEffort';
  const guaranteed = resources.every(({ limits = {}, requests = limits }) =>
    ['cpu', 'memory'].every((name) => limits[name] !== undefined && limits[name] === requests[name]),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
