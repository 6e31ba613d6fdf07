import type { Clock } from '../../lib/clock.ts';
import type { Address, Backend, PodIdentity, PodInside, RequestSeen } from '../types.ts';
import { type ContainerContext, type RunningContainer, runContainer } from './container.ts';
import type { Recorder } from './events.ts';
import type { FindImage } from './images/registry.ts';
import { createInitContainers, type InitContainers, waitingStatus } from './init-containers.ts';
import type { Pod, PodStatus } from './kinds.ts';
import { controllerOf, type Objects, splitKey, timestamp } from './objects.ts';
import { insideOf } from './pod-inside.ts';
import { type ConfigData, missingVolume } from './pod-config.ts';
import { podStatus } from './pod-status.ts';
import { unschedulable } from './schedule.ts';

export const nodeName = 'sandbox';
export const nodeIp = '10.70.0.2';

export interface KubeletOptions {
  readonly objects: Objects;
  readonly clock: Clock;
  readonly podStartMs: number;
  readonly findImage: FindImage;
  readonly record: Recorder;
  readonly recordScheduled: Recorder;
  readonly lookUp: (host: string, port: number, from: string) => Address | undefined;
  onRequest: ((seen: RequestSeen) => void) | undefined;
  /** Asks for a pass over this pod. */
  readonly enqueue: (key: string) => void;
}

/** Binds pods to the one node there is and runs their containers. */
export interface Kubelet {
  readonly reconcile: (key: string) => void;
  /** A ConfigMap or Secret of the namespace has changed. */
  readonly configChanged: (namespace: string) => void;
  readonly backend: (namespace: string, name: string, port: number) => Backend | undefined;
  readonly podByIp: (ip: string) => PodIdentity | undefined;
  readonly pod: (namespace: string, name: string) => PodInside | undefined;
  readonly stop: () => Promise<void>;
}

/** The scheduler looks again at what it could not place. */
const scheduleAgainMs = 5_000;

interface Runtime {
  readonly pod: Pod;
  readonly identity: PodIdentity;
  readonly ip: string;
  readonly startedMs: number;
  /** Absent until its volumes are there. */
  context?: ContainerContext;
  inits?: InitContainers;
  containers: readonly RunningContainer[];
  /** Why no container was created yet. */
  blocked: string | undefined;
  ending: boolean;
}

export function createKubelet(options: KubeletOptions): Kubelet {
  const { objects, clock, podStartMs, findImage, record } = options;
  const runtimes = new Map<string, Runtime>();
  const images = new Set<string>();
  const leaving = new Set<Promise<unknown>>();
  const timers = new Set<() => void>();
  /** Pods that no node takes, and that are asked about again. */
  const held = new Set<string>();
  let addresses = 1;
  let stopped = false;

  const dataOf = (namespace: string): ConfigData => ({
    configMap: (name) => {
      const found = objects.get('ConfigMap', namespace, name);
      return found && { ...decoded(found.binaryData), ...found.data };
    },
    secret: (name) => {
      const found = objects.get('Secret', namespace, name);
      return found && decoded(found.data);
    },
  });

  const bind = (key: string, unbound: Pod): void => {
    const { namespace = '', name, labels = {} } = unbound.metadata;
    const why = unschedulable(unbound, objects.list('Node'));
    if (why !== undefined) return hold(key, unbound, why);
    const pod = objects.change<'Pod'>(unbound, (draft) => {
      draft.spec.nodeName ??= nodeName;
    });
    if (!pod) return;
    const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
    options.recordScheduled(pod, { reason: 'Scheduled', message });
    addresses += 1;
    const ip = `10.71.${(addresses >> 8) & 255}.${addresses & 255}`;
    const runtime: Runtime = {
      pod,
      identity: { namespace, name, labels: { ...labels } },
      ip,
      startedMs: clock.now(),
      containers: [],
      blocked: undefined,
      ending: false,
    };
    runtimes.set(key, runtime);
    launch(key, runtime);
    showStatus(runtime);
  };

  /** No node takes it: it is asked about again after a while. */
  const hold = (key: string, pod: Pod, message: string): void => {
    const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    if (before?.message !== message)
      options.recordScheduled(pod, { type: 'Warning', reason: 'FailedScheduling', message });
    objects.changeStatus<'Pod'>(pod, (draft) => {
      const since = before?.lastTransitionTime ?? timestamp(clock.now());
      const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
      draft.status = {
        ...draft.status,
        phase: 'Pending',
        conditions: [{ ...condition, lastProbeTime: null, lastTransitionTime: since }],
      };
    });
    if (held.has(key)) return;
    held.add(key);
    const cancel = clock.after(scheduleAgainMs, () => {
      timers.delete(cancel);
      held.delete(key);
      if (!stopped) options.enqueue(key);
    });
    timers.add(cancel);
  };

  const launch = (key: string, runtime: Runtime): void => {
    const { pod, identity, ip } = runtime;
    const before = runtime.blocked;
    runtime.blocked = missingVolume(pod, dataOf(identity.namespace));
    if (runtime.blocked !== undefined) {
      const failed = { type: 'Warning', reason: 'FailedMount', message: runtime.blocked } as const;
      if (runtime.blocked !== before) record(pod, failed);
      return;
    }
    const workload = workloadOf(objects, pod);
    const context: ContainerContext = {
      pod,
      identity,
      workload,
      podIp: ip,
      clock,
      podStartMs,
      data: dataOf(identity.namespace),
      findImage,
      pulledBefore: (image) => images.has(image) || !images.add(image),
      lookUp: (host, port) => options.lookUp(host, port, identity.namespace),
      onRequest: options.onRequest,
      record: (happening) => record(pod, happening),
      changed: () => options.enqueue(key),
    };
    runtime.context = context;
    runtime.inits = createInitContainers(context, pod.spec.initContainers ?? []);
    start(runtime);
  };

  /** Containers begin when all init containers have ended well. */
  const start = (runtime: Runtime): void => {
    const { pod, context, inits } = runtime;
    if (!context || !inits || runtime.containers.length > 0 || runtime.ending || !inits.advance()) return;
    runtime.containers = pod.spec.containers.map((container) => runContainer(context, container));
  };

  const showStatus = (runtime: Runtime): void => {
    start(runtime);
    const { pod, ip, startedMs, containers, blocked, inits } = runtime;
    const nowMs = clock.now();
    const wanted = pod.spec.initContainers ?? [];
    const initContainers = inits?.statuses() ?? wanted.map((container) => waitingStatus(container, 'PodInitializing'));
    const initialized = wanted.length === 0 || containers.length > 0;
    const reason = wanted.length === 0 ? 'ContainerCreating' : 'PodInitializing';
    const statuses =
      containers.length > 0
        ? containers.map((container) => container.status())
        : pod.spec.containers.map((container) => waitingStatus(container, reason));
    objects.changeStatus<'Pod'>(pod, (draft) => {
      const sandboxReady = blocked === undefined;
      const facts = { nowMs, startedMs, podIp: ip, hostIp: nodeIp, containers: statuses, initContainers };
      draft.status = { ...kept(draft.status), ...podStatus(draft, { ...facts, sandboxReady, initialized }) };
    });
  };

  /** Open requests end, new ones are still served for a moment: whoever routes learns of the deletion about now. */
  const end = (runtime: Runtime, gone: () => void): void => {
    if (runtime.ending) return;
    runtime.ending = true;
    const graceMs = (runtime.pod.spec.terminationGracePeriodSeconds ?? 30) * 1_000;
    for (const { name } of runtime.pod.spec.containers) {
      const fieldPath = `spec.containers{${name}}`;
      record(runtime.pod, { reason: 'Killing', message: `Stopping container ${name}`, fieldPath });
    }
    const cancel = clock.after(Math.min(podStartMs, graceMs), () => {
      timers.delete(cancel);
      const all = [...runtime.containers, ...(runtime.inits?.running() ?? [])];
      const stopping = Promise.all(all.map((container) => container.stop(Math.min(graceMs, 30_000))));
      leaving.add(stopping);
      void stopping.finally(() => {
        leaving.delete(stopping);
        if (!stopped) gone();
      });
    });
    timers.add(cancel);
  };

  return {
    reconcile(key) {
      const { namespace, name } = splitKey(key);
      const pod = objects.get('Pod', namespace, name);
      const runtime = runtimes.get(key);
      if (runtime && runtime.pod.metadata.uid !== pod?.metadata.uid) {
        runtimes.delete(key);
        end(runtime, () => undefined);
      }
      if (!pod) return;
      const current = runtimes.get(key);
      if (pod.metadata.deletionTimestamp) {
        if (!current) objects.removeNow(pod);
        else end(current, () => objects.removeNow(pod));
      } else if (!current) {
        if (pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed') bind(key, pod);
      } else showStatus(current);
    },
    configChanged(namespace) {
      for (const [key, runtime] of runtimes) {
        if (runtime.identity.namespace !== namespace || runtime.ending) continue;
        if (runtime.blocked === undefined)
          for (const one of [...runtime.containers, ...(runtime.inits?.running() ?? [])]) one.retry();
        else {
          launch(key, runtime);
          options.enqueue(key);
        }
      }
    },
    backend(namespace, name, port) {
      const containers = runtimes.get(`${namespace}/${name}`)?.containers ?? [];
      for (const container of containers) {
        const found = container.backend(port);
        if (found) return found;
      }
      return undefined;
    },
    podByIp: (ip) => [...runtimes.values()].find((runtime) => runtime.ip === ip)?.identity,
    pod: (namespace, name) => {
      const runtime = runtimes.get(`${namespace}/${name}`);
      return (
        runtime &&
        insideOf(
          runtime.pod,
          () => runtime.containers,
          () => runtime.inits?.running() ?? [],
        )
      );
    },
    async stop() {
      stopped = true;
      for (const cancel of timers) cancel();
      const all = [...runtimes.values()].flatMap(({ containers, inits }) => [
        ...containers,
        ...(inits?.running() ?? []),
      ]);
      await Promise.all([...all.map((container) => container.stop(0)), ...leaving]);
    },
  };
}

/** What others, such as kubectl or a test, may have written beside the kubelet's fields. */
function kept(status: PodStatus | undefined): PodStatus {
  const { podIP: _, podIPs: __, initContainerStatuses: ___, ...rest } = status ?? {};
  return rest;
}

function decoded(data: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  );
}

function workloadOf(objects: Objects, pod: Pod): string | undefined {
  const owner = controllerOf(pod);
  if (owner?.kind === 'DaemonSet') return owner.name;
  if (owner?.kind !== 'ReplicaSet') return undefined;
  const set = objects.get('ReplicaSet', pod.metadata.namespace, owner.name);
  return set && controllerOf(set)?.name;
}
