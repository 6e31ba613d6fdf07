import { at, type Json, listOf, numberOf, textOf } from '../../lib/json.ts';
import { imageSummary, waitsForImage } from './image-failure.ts';
import { clipped, type LogSource, type PodTrouble } from './trouble.ts';

/** A container of a pod that is not ready, with what is told of it. */
export interface ContainerSeen {
  readonly pod: string;
  readonly name: string;
  readonly isInit: boolean;
  /** The pod has others beside it. */
  readonly isOneOfSeveral: boolean;
  readonly spec: Json;
  readonly status: Json;
  /** Events of the pod, oldest first. */
  readonly events: readonly PodEvent[];
}

export interface PodEvent {
  readonly reason: string;
  readonly message: string;
  /** `spec.containers{app}`; empty where it is about the whole pod. */
  readonly fieldPath: string;
}

/** Undefined: it is well, or only starting. */
export function containerTrouble(container: ContainerSeen): PodTrouble | undefined {
  const { status } = container;
  const waiting = at(status, 'state', 'waiting');
  const reason = textOf(at(waiting, 'reason')) ?? '';
  const message = textOf(at(waiting, 'message')) ?? '';
  if (waitsForImage(reason)) return imageTrouble(container, reason, message);
  if (reason === 'CreateContainerConfigError') return configTrouble(container, message);
  if (reason === 'CreateContainerError' || reason === 'RunContainerError') {
    return trouble(container, { cause: 'start', ...startSummary(message), said: `${reason}: ${message}` });
  }
  if (reason === 'CrashLoopBackOff') return endTrouble(container, at(status, 'lastState', 'terminated'), true);
  if (at(status, 'state', 'terminated') !== undefined) {
    const ended = at(status, 'state', 'terminated');
    // An init container that has done its work is to be there no more.
    if (container.isInit && numberOf(at(ended, 'exitCode')) === 0) return undefined;
    return endTrouble(container, ended, false);
  }
  if (at(status, 'state', 'running') !== undefined && status['ready'] !== true) return unreadyTrouble(container);
  return undefined;
}

function imageTrouble(container: ContainerSeen, reason: string, message: string): PodTrouble {
  const { spec, events } = container;
  // Older kubelets say only that they wait, and why in an event.
  const told = /Back-off pulling image "[^"]*"$/.test(message) || message === '';
  const event = told
    ? ofContainer(container, events).findLast((one) => one.message.startsWith('Failed to pull image'))
    : undefined;
  const why = event?.message ?? message;
  const image = textOf(spec['image']) ?? '';
  return trouble(container, {
    cause: 'image',
    summary: imageSummary(reason, why.replaceAll(image, '')),
    hasSubject: true,
    about: image,
    said: `image ${image}: ${reason}${why === '' ? '' : `: ${why}`}`,
  });
}

function configTrouble(container: ContainerSeen, message: string): PodTrouble {
  const missing = missingConfig(message);
  return trouble(container, {
    cause: 'config',
    summary: missing ?? clipped(message.replace(/^container (?=has )/, ''), 90),
    // The kubelet's own sentences are about the container, or begin with what they are about.
    hasSubject: missing !== undefined || /^(?:image|command|key|ConfigMap|Secret)\b/.test(message),
    said: `CreateContainerConfigError: ${message}`,
  });
}

/** `Secret x is missing`, from the kubelet's words; undefined where they say something else. */
export function missingConfig(message: string): string | undefined {
  const text = message.slice(0, 2_000);
  const key = /couldn't find key (\S+) in (ConfigMap|Secret) (?:[^\s/]+\/)?(\S+)/.exec(text);
  if (key) return `key ${key[1] ?? ''} of ${key[2] ?? ''} ${key[3] ?? ''} is missing`;
  const whole = /\b(configmap|secret) "([^"]+)" not found/i.exec(text);
  if (whole) return `${kindOf(whole[1])} ${whole[2] ?? ''} is missing`;
  const part = /\b(configmap|secret) references non-existent (?:config|secret) key: (\S+)/i.exec(text);
  return part ? `key ${part[2] ?? ''} of a mounted ${kindOf(part[1])} is missing` : undefined;
}

const kindOf = (word = ''): string => (word.toLowerCase() === 'secret' ? 'Secret' : 'ConfigMap');

function startSummary(message: string): Pick<Told, 'summary' | 'hasSubject'> {
  const text = message.slice(0, 2_000);
  if (/executable file not found|no such file or directory/.test(text)) return own('command is not in the image');
  if (/permission denied/.test(text)) return own('command cannot be run (permission denied)');
  if (/exec format error/.test(text)) return own('image is not made for this platform');
  return { summary: `cannot be started: ${clipped(text, 80)}` };
}

const own = (summary: string): Pick<Told, 'summary' | 'hasSubject'> => ({ summary, hasSubject: true });

function endTrouble(container: ContainerSeen, ended: unknown, isPrevious: boolean): PodTrouble {
  const { events, spec } = container;
  const reason = textOf(at(ended, 'reason')) ?? '';
  const said = textOf(at(ended, 'message'));
  const code = numberOf(at(ended, 'exitCode')) ?? 0;
  const log = logOf(container, isPrevious);
  const detail = `ended with exit code ${code}${reason === '' ? '' : ` (${reason})`}`;
  const output = said === undefined ? {} : { output: said };
  if (reason === 'OOMKilled') {
    const limit = textOf(at(spec, 'resources', 'limits', 'memory'));
    const of = limit === undefined ? '' : ` (limit ${limit})`;
    return trouble(container, {
      cause: 'out-of-memory',
      summary: `is out of memory${of}`,
      said: detail,
      log,
      ...output,
    });
  }
  if (reason === 'StartError' || reason === 'ContainerCannotRun')
    return trouble(container, { cause: 'start', ...startSummary(said ?? ''), said: `${detail}: ${said ?? ''}` });
  const killed = ofContainer(container, events).findLast((one) => one.reason === 'Killing');
  const probe = /failed (liveness|startup) probe/.exec(killed?.message ?? '')?.[1];
  if (probe !== undefined) return probeTrouble(container, probe, log);
  const summary = code === 0 ? 'ends instead of running (exit 0)' : `crashes (${exitText(code)})`;
  return trouble(container, { cause: 'crash', summary, said: detail, log, ...output });
}

const signals: Readonly<Record<number, string>> = {
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
};

function exitText(code: number): string {
  const signal = signals[code - 128];
  return `exit ${code}${signal === undefined ? '' : `, ${signal}`}`;
}

/** It runs and does not answer as it should, or has only just been started once more. */
function unreadyTrouble(container: ContainerSeen): PodTrouble | undefined {
  const { status, spec, events } = container;
  const probes = ofContainer(container, events).filter((one) => one.reason === 'Unhealthy');
  const last = probes.at(-1)?.message ?? '';
  const kind = /^(Readiness|Liveness|Startup) probe (?:failed|errored)/.exec(last)?.[1]?.toLowerCase();
  const before = at(status, 'lastState', 'terminated');
  if (before !== undefined && kind !== 'readiness') return endTrouble(container, before, true);
  if (kind !== undefined) return probeTrouble(container, kind, logOf(container, false));
  if (container.isInit && spec['restartPolicy'] !== 'Always')
    return trouble(container, {
      cause: 'not-ready',
      summary: 'is still running',
      said: 'runs',
      log: logOf(container, false),
    });
  const isProbed = ['readinessProbe', 'startupProbe'].some((probe) => spec[probe] !== undefined);
  if (!isProbed) return undefined;
  return trouble(container, {
    cause: 'not-ready',
    summary: 'is not ready',
    said: 'runs and is not ready',
    log: logOf(container, false),
  });
}

function probeTrouble(container: ContainerSeen, kind: string, log: LogSource): PodTrouble {
  const told = ofContainer(container, container.events).findLast(
    (one) => one.reason === 'Unhealthy' && one.message.toLowerCase().startsWith(`${kind} probe`),
  );
  const why = told?.message.replace(/^\w+ probe (?:failed|errored)[^:]*:\s*/, '') ?? '';
  const known = probeSummary(why);
  const summary = `${kind} probe fails${known === undefined ? '' : ` (${known})`}`;
  // Of what the kubelet does not say itself nobody knows what the app put into it.
  const output = known === undefined && why !== '' ? { output: why } : {};
  return trouble(container, {
    cause: 'probe',
    summary,
    hasSubject: true,
    said: `${kind} probe failed${known === undefined ? '' : `: ${why}`}`,
    log,
    ...output,
  });
}

function probeSummary(why: string): string | undefined {
  const text = why.slice(0, 2_000);
  const status = /^HTTP probe failed with statuscode: (\d{3})$/.exec(text)?.[1];
  if (status !== undefined) return `HTTP ${status}`;
  if (!/^(?:Get "|dial tcp|command |service unhealthy|timeout|failed to connect|rpc error)/.test(text))
    return undefined;
  if (/connection refused/.test(text)) return 'connection refused';
  if (/deadline exceeded|timeout|timed out/i.test(text)) return 'no answer in time';
  return undefined;
}

function logOf({ pod, name }: ContainerSeen, previous: boolean): LogSource {
  return { pod, container: name, previous };
}

/** Those of this container; events that name none may be of any. */
function ofContainer({ name, isInit }: ContainerSeen, events: readonly PodEvent[]): readonly PodEvent[] {
  const path = `spec.${isInit ? 'initContainers' : 'containers'}{${name}}`;
  return events.filter(({ fieldPath }) => fieldPath === path || fieldPath === '');
}

interface Told extends Pick<PodTrouble, 'cause' | 'summary' | 'about' | 'output' | 'log'> {
  readonly said: string;
  /** The summary begins with what it is about. Absent: it is about the container. */
  readonly hasSubject?: boolean;
}

/** The subject of the sentence is named where it is not clear from the app's name. */
function trouble(
  { pod, name, isInit, isOneOfSeveral }: ContainerSeen,
  { said, hasSubject, ...told }: Told,
): PodTrouble {
  const named = `${isInit ? 'init container' : 'container'} ${name}`;
  const mustName = isInit || isOneOfSeveral;
  const summary = hasSubject
    ? `${mustName ? `${named}: ` : ''}${told.summary}`
    : `${mustName ? named : 'container'} ${told.summary}`;
  return { ...told, summary, detail: `pod ${pod}, ${named}: ${clipped(said, 400)}` };
}

/** Containers of a pod in the order in which they start. */
export function containersOf(
  pod: string,
  spec: unknown,
  status: unknown,
  events: readonly PodEvent[],
): readonly ContainerSeen[] {
  const all = (['initContainers', 'containers'] as const).flatMap((field) => {
    const isInit = field === 'initContainers';
    const statuses = listOf(at(status, isInit ? 'initContainerStatuses' : 'containerStatuses'));
    return listOf(at(spec, field)).map((one) => ({
      one,
      isInit,
      of: statuses.find(({ name }) => name === one['name']) ?? {},
    }));
  });
  const isOneOfSeveral = all.filter(({ isInit }) => !isInit).length > 1;
  return all.map(({ one, isInit, of }) => ({
    pod,
    name: textOf(one['name']) ?? '',
    isInit,
    isOneOfSeveral,
    spec: one,
    status: of,
    events,
  }));
}
