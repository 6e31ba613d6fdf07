import type { KubeObject } from '../../../src/manifest/types.ts';

/** Pods and what belongs to them as an API server gives them, with what matters here. */

export type Status = Readonly<Record<string, unknown>>;

export const deployment: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'test', uid: 'd' },
  spec: {},
};

export interface PodInput {
  readonly name?: string;
  readonly containers?: readonly Status[];
  readonly initContainers?: readonly Status[];
  readonly containerStatuses?: readonly Status[];
  readonly initContainerStatuses?: readonly Status[];
  readonly status?: Status;
  readonly ready?: boolean;
  readonly createdAt?: string;
  readonly isGoing?: boolean;
}

export function pod({
  name = 'web-1',
  containers = [{ name: 'app', image: 'example.org/app:2' }],
  initContainers,
  containerStatuses,
  initContainerStatuses,
  status = {},
  ready = false,
  createdAt = '2026-03-01T10:00:00Z',
  isGoing = false,
}: PodInput): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'test',
      creationTimestamp: createdAt,
      ...(isGoing ? { deletionTimestamp: '2026-03-01T10:01:00Z' } : {}),
    },
    spec: { containers, ...(initContainers ? { initContainers } : {}) },
    status: {
      phase: 'Pending',
      conditions: [
        { type: 'PodScheduled', status: 'True' },
        { type: 'Ready', status: ready ? 'True' : 'False' },
      ],
      ...(containerStatuses ? { containerStatuses } : {}),
      ...(initContainerStatuses ? { initContainerStatuses } : {}),
      ...status,
    },
  };
}

export const waiting = (reason: string, message = '', more: Status = {}): Status => ({
  name: 'app',
  ready: false,
  restartCount: 0,
  state: { waiting: { reason, message } },
  lastState: {},
  ...more,
});

export const ended = (exitCode: number, reason = 'Error', message?: string): Status => ({
  exitCode,
  reason,
  ...(message === undefined ? {} : { message }),
});

export const looping = (terminated: Status, name = 'app'): Status => ({
  ...waiting('CrashLoopBackOff', 'back-off 40s restarting failed container=app pod=web-1_test(1)'),
  name,
  restartCount: 3,
  lastState: { terminated },
});

export const running = (more: Status = {}): Status => ({
  name: 'app',
  ready: false,
  restartCount: 0,
  state: { running: { startedAt: '2026-03-01T10:00:00Z' } },
  lastState: {},
  ...more,
});

export function event(reason: string, message: string, fieldPath = '', at = '2026-03-01T10:00:10Z'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${reason}-${at}`, namespace: 'test' },
    involvedObject: { kind: 'Pod', name: 'web-1', ...(fieldPath === '' ? {} : { fieldPath }) },
    reason,
    message,
    lastTimestamp: at,
  };
}

export const refusedSet = (message: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web-abc', namespace: 'test' },
  status: { conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }] },
});
