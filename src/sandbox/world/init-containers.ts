import { type ContainerContext, type RunningContainer, runContainer } from './container.ts';
import type { Container, ContainerStatus } from './kinds.ts';

/** The init containers of a pod, one after the other. */
export interface InitContainers {
  /** Starts the next one where the one before has ended well. True: all have. */
  readonly advance: () => boolean;
  readonly statuses: () => readonly ContainerStatus[];
  readonly running: () => readonly RunningContainer[];
}

const isSidecar = ({ restartPolicy }: Container): boolean => restartPolicy === 'Always';

export function createInitContainers(context: ContainerContext, containers: readonly Container[]): InitContainers {
  const started: RunningContainer[] = [];
  const { restartPolicy = 'Always' } = context.pod.spec;
  const isDone = (container: Container, { state, started: isStarted }: ContainerStatus): boolean =>
    isSidecar(container) ? isStarted : 'terminated' in state && state.terminated.exitCode === 0;
  const start = (container: Container): RunningContainer =>
    runContainer(
      {
        ...context,
        fieldPath: `spec.initContainers{${container.name}}`,
        restartPolicy: isSidecar(container) ? 'Always' : restartPolicy === 'Always' ? 'OnFailure' : restartPolicy,
        endsAtOnce: !isSidecar(container),
      },
      container,
    );
  return {
    advance() {
      for (const [index, container] of containers.entries()) {
        const one = (started[index] ??= start(container));
        if (!isDone(container, one.status())) return false;
      }
      return true;
    },
    statuses: () =>
      containers.map((container, index) => {
        const status = started[index]?.status();
        if (!status) return waitingStatus(container, 'PodInitializing');
        return { ...status, ready: status.ready || isDone(container, status) };
      }),
    running: () => started,
  };
}

export function waitingStatus({ name, image = '' }: Container, reason: string): ContainerStatus {
  const state = { waiting: { reason } };
  return { name, state, lastState: {}, ready: false, restartCount: 0, image, imageID: '', started: false };
}
