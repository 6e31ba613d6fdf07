import type { Clock } from '../../lib/clock.ts';
import type { Address, Backend, PodIdentity, RequestSeen, RunLog } from '../types.ts';
import { createBusyTime } from './busy-time.ts';
import { createContainerLog } from './container-log.ts';
import type { Happening } from './events.ts';
import { type Health, watchHealth } from './health.ts';
import type { FindImage } from './images/registry.ts';
import type { Program, Surroundings } from './images/image.ts';
import type { Container, ContainerState, ContainerStatus, ContainerTimes, Pod } from './kinds.ts';
import { quantity } from '../quantity.ts';
import { timestamp } from './objects.ts';
import { type ConfigData, expand, mountedFiles, readMounted, resolveEnvironment } from './pod-config.ts';
import { type PodServer, servePod } from './server.ts';

export interface ContainerContext {
  readonly pod: Pod;
  readonly identity: PodIdentity;
  readonly workload: string | undefined;
  readonly podIp: string;
  readonly clock: Clock;
  readonly podStartMs: number;
  readonly data: ConfigData;
  readonly findImage: FindImage;
  /** Whether the node has the image already; notes that it has it now. */
  readonly pulledBefore: (image: string) => boolean;
  readonly lookUp: (host: string, port: number) => Address | undefined;
  onRequest: ((seen: RequestSeen) => void) | undefined;
  readonly record: (happening: Happening) => void;
  /** Absent: as the pod's. */
  readonly restartPolicy?: string;
  /** `spec.initContainers{x}`; absent: it is one of the pod's containers proper. */
  readonly fieldPath?: string;
  /** What would run for ever, because the embedded cluster does not know the command, is taken for done. Absent: no. */
  readonly endsAtOnce?: boolean;
  /** The status is not what it was. */
  readonly changed: () => void;
}

/** A container that is kept running, whatever happens to it. */
export interface RunningContainer {
  readonly status: () => ContainerStatus;
  /** A ConfigMap or a Secret has changed: perhaps it can start now. */
  readonly retry: () => void;
  readonly backend: (port: number) => Backend | undefined;
  readonly log: (previous: boolean) => RunLog | undefined;
  /** What its program finds around itself, with the time that it has taken; undefined where it does not run. */
  readonly inside: () => Inside | undefined;
  readonly stop: (graceMs: number) => Promise<void>;
}

interface Inside {
  readonly surroundings: Surroundings;
  readonly files: Readonly<Record<string, string>>;
  readonly busy: () => number;
}

const unwell: Health = { started: false, ready: false };
const firstBackoffMs = 10_000;
const maxBackoffMs = 300_000;
const settleMs = 600_000;

export function runContainer(context: ContainerContext, container: Container): RunningContainer {
  const { pod, identity, clock, record, changed } = context;
  const { name, image = '' } = container;
  const fieldPath = context.fieldPath ?? `spec.containers{${name}}`;
  const tell = (reason: string, message: string, type: 'Normal' | 'Warning' = 'Normal'): void =>
    record({ type, reason, message, fieldPath });
  const containerId = (): string => `containerd://${pod.metadata.uid.replaceAll('-', '')}${name}${restarts}`;

  const log = createContainerLog(clock);
  const busy = createBusyTime(clock);
  let around: Surroundings | undefined;
  let state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  let last: ContainerTimes | undefined;
  let restarts = 0;
  let health: Health = unwell;
  let failures = 0;
  let pullFailures = 0;
  let startedMs = 0;
  let stopped = false;
  let server: PodServer | undefined;
  let program: Program | undefined;
  let wants: (() => void) | undefined;
  const ending = new Set<() => void>();

  const become = (next: ContainerState): void => {
    state = next;
    changed();
  };
  const soon = (ms: number, run: () => void): void => {
    const cancel = clock.after(ms, () => {
      ending.delete(cancel);
      if (!stopped) run();
    });
    ending.add(cancel);
  };

  const pull = (): void => {
    const found = context.findImage(image);
    if (!found) return pullFailed();
    pullFailures = 0;
    if (context.pulledBefore(image) && container.imagePullPolicy !== 'Always') {
      tell('Pulled', `Container image "${image}" already present on machine`);
    } else {
      tell('Pulling', `Pulling image "${image}"`);
      const took = `${Math.max(1, Math.round(context.podStartMs / 2))}ms`;
      tell(
        'Pulled',
        `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: 0 bytes.`,
      );
    }
    create();
  };
  const pullFailed = (): void => {
    const wait = Math.min(maxBackoffMs, firstBackoffMs * 2 ** pullFailures);
    pullFailures += 1;
    const { code, why } = pullFailure(image);
    const message = `rpc error: code = ${code} desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${why}`;
    tell('Pulling', `Pulling image "${image}"`);
    tell('Failed', `Failed to pull image "${image}": ${message}`, 'Warning');
    tell('Failed', 'Error: ErrImagePull', 'Warning');
    become({ waiting: { reason: 'ErrImagePull', message } });
    soon(1_000, () => {
      tell('BackOff', `Back-off pulling image "${image}"`);
      tell('Failed', 'Error: ImagePullBackOff', 'Warning');
      const text = `Back-off pulling image "${image}": ErrImagePull: ${message}`;
      become({ waiting: { reason: 'ImagePullBackOff', message: text } });
    });
    soon(wait, pull);
  };

  const create = (): void => {
    wants = undefined;
    const environment = resolveEnvironment(pod, context.podIp, container, context.data);
    if ('problem' in environment) {
      wants = create;
      const { problem } = environment;
      tell('Failed', `Error: ${problem}`, 'Warning');
      return become({ waiting: { reason: 'CreateContainerConfigError', message: problem } });
    }
    const found = context.findImage(image);
    if (!found) return pullFailed();
    const env = { HOSTNAME: identity.name, ...environment.env };
    const memoryLimit = quantity(container.resources?.limits?.['memory']);
    const surroundings: Surroundings = {
      pod: identity,
      tag: found.tag,
      runsToEnd: (pod.spec.restartPolicy ?? 'Always') !== 'Always',
      args: [...(container.command ?? []), ...(container.args ?? [])].map((arg) => expand(arg, env)),
      env,
      clock,
      readFile: (path) => readMounted(pod, container, context.data, path),
      log: log.write,
      lookUp: context.lookUp,
      ...(memoryLimit === undefined ? {} : { memoryLimit }),
    };
    around = surroundings;
    log.begin();
    tell('Created', `Created container: ${name}`);
    const started = found.image.start(surroundings);
    begin(context.endsAtOnce && started.kind !== 'exit' ? { kind: 'exit', code: 0, afterMs: 0 } : started);
  };

  const begin = (next: Program): void => {
    program = next;
    if (next.kind !== 'serve') {
      running();
      if (next.kind === 'exit') soon(next.afterMs, () => ended(next.code, next.reason));
      return;
    }
    const { workload, onRequest } = context;
    const answered = (request: { method: string; path: string }, status: number, durationMs: number): void =>
      onRequest?.({
        pod: identity,
        ...(workload === undefined ? {} : { workload }),
        method: request.method,
        path: request.path,
        status,
        durationMs,
      });
    const listening = servePod({
      clock,
      handle: (request) => next.handle(request),
      answered: (request, reply, durationMs, workMs) => {
        busy.add(workMs);
        if (reply.quiet !== true) answered(request, reply.status, durationMs);
      },
    });
    listening.then(
      (opened) => {
        if (stopped || program !== next) return void opened.close(0);
        server = opened;
        running();
      },
      (error: Error) => {
        log.write(`cannot listen: ${error.message}`);
        ended(1);
      },
    );
  };

  const running = (): void => {
    startedMs = clock.now();
    tell('Started', `Started container ${name}`);
    state = { running: { startedAt: timestamp(startedMs) } };
    const end = watchHealth({
      clock,
      container,
      podIp: context.podIp,
      listening: (port) => address(port)?.port,
      changed: (next) => {
        health = next;
        changed();
      },
      failed: (kind, failure) => tell('Unhealthy', `${kind} probe failed: ${failure}`, 'Warning'),
      hopeless: (kind) => {
        tell('Killing', `Container ${name} failed ${kind} probe, will be restarted`);
        ended(137);
      },
    });
    ending.add(end);
    changed();
  };

  const halt = (): Promise<void> => {
    for (const cancel of ending) cancel();
    ending.clear();
    if (program?.kind === 'serve') program.end?.();
    const closing = server;
    server = undefined;
    program = undefined;
    return closing?.close(0) ?? Promise.resolve();
  };
  const ended = (exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error'): void => {
    void halt();
    log.end();
    const now = clock.now();
    health = unwell;
    const times = { startedAt: timestamp(startedMs), finishedAt: timestamp(now), containerID: containerId() };
    const terminated = { exitCode, reason, ...times };
    become({ terminated });
    const policy = context.restartPolicy ?? pod.spec.restartPolicy ?? 'Always';
    if (policy === 'Never' || (policy === 'OnFailure' && exitCode === 0)) return;
    failures = now - startedMs > settleMs ? 1 : failures + 1;
    restartAfter(terminated, failures === 1 ? 0 : Math.min(maxBackoffMs, firstBackoffMs * 2 ** (failures - 2)));
  };
  const restartAfter = (terminated: ContainerTimes, waitMs: number): void => {
    const restart = (): void => {
      last = terminated;
      restarts += 1;
      pull();
    };
    if (waitMs === 0) return soon(context.podStartMs, restart);
    const where = `${identity.name}_${identity.namespace}(${pod.metadata.uid})`;
    soon(context.podStartMs, () => {
      last = terminated;
      tell('BackOff', `Back-off restarting failed container ${name} in pod ${where}`, 'Warning');
      const message = `back-off ${shortDuration(waitMs)} restarting failed container=${name} pod=${where}`;
      become({ waiting: { reason: 'CrashLoopBackOff', message } });
    });
    soon(waitMs, restart);
  };

  const address = (port: number): Address | undefined =>
    server && program?.kind === 'serve' && (program.ports === 'all' || program.ports.includes(port))
      ? { host: '127.0.0.1', port: server.port }
      : undefined;

  soon(context.podStartMs, pull);
  return {
    status: () => ({
      name,
      state,
      lastState: last ? { terminated: last } : {},
      ready: health.ready,
      restartCount: restarts,
      image,
      imageID: 'waiting' in state && !last ? '' : image,
      ...('waiting' in state && !last ? {} : { containerID: containerId() }),
      started: health.started,
    }),
    retry: () => wants?.(),
    backend: (port) => {
      const found = address(port);
      return found && { ...found, pod: identity };
    },
    // One that waits to be started again has only its last run, which is both.
    log: (previous) => (previous ? last && ('waiting' in state ? log.latest() : log.before()) : log.latest()),
    inside: () =>
      'running' in state && around !== undefined
        ? { surroundings: around, files: mountedFiles(pod, container, context.data), busy: busy.share }
        : undefined,
    async stop(graceMs) {
      stopped = true;
      const closing = server;
      server = undefined;
      const ended = halt();
      log.end();
      await closing?.close(graceMs);
      await ended;
    },
  };
}

/** Hosts under `.invalid` are nowhere; everything else that is not there is an unknown tag. */
function pullFailure(image: string): { readonly code: string; readonly why: string } {
  const host = image.split('/')[0] ?? '';
  const name = host.replace(/:\d+$/, '');
  if (!image.includes('/') || !name.endsWith('.invalid')) return { code: 'NotFound', why: `${image}: not found` };
  const url = `https://${host}/v2/${image.slice(host.length + 1).replace(/[:@].*$/, '')}/manifests/latest`;
  return { code: 'Unknown', why: `failed to do request: Head "${url}": dial tcp: lookup ${name}: no such host` };
}

function shortDuration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}
