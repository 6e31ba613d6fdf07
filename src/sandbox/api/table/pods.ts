import type { Json } from '../json.ts';
import { asArray, asObject, asString, objectsIn } from '../json.ts';
import { ageOf } from './age.ts';
import type { Layout } from './columns.ts';
import { layout } from './columns.ts';

const statuses = (object: Json, field = 'containerStatuses'): readonly Json[] =>
  objectsIn(asObject(object.status)[field]);

/** The word in the STATUS column: the phase, or what holds a container back. */
function podStatus(pod: Json): string {
  const status = asObject(pod.status);
  let word = asString(status.reason) || asString(status.phase) || 'Unknown';
  let isRunning = false;
  for (const container of [...statuses(pod)].reverse()) {
    const state = asObject(container.state);
    const waiting = asString(asObject(state.waiting).reason);
    const terminated = asObject(state.terminated);
    if (waiting !== '') word = waiting;
    else if (asString(terminated.reason) !== '') word = asString(terminated.reason);
    else if (state.terminated !== undefined) word = `ExitCode:${String(terminated.exitCode as number)}`;
    else if (container.ready === true && state.running !== undefined) isRunning = true;
  }
  if (word === 'Completed' && isRunning) word = 'Running';
  if (asObject(pod.metadata).deletionTimestamp !== undefined) return 'Terminating';
  return word;
}

function restarts(pod: Json, nowMs: number): string {
  const total = statuses(pod).reduce((sum, container) => sum + Number(container.restartCount ?? 0), 0);
  const ended = statuses(pod)
    .map((container) => Date.parse(asString(asObject(asObject(container.lastState).terminated).finishedAt)))
    .filter((time) => !Number.isNaN(time));
  return total === 0 || ended.length === 0
    ? String(total)
    : `${total} (${ageOf(new Date(Math.max(...ended)).toISOString(), nowMs)} ago)`;
}

function gates(pod: Json): string {
  const wanted = objectsIn(asObject(pod.spec).readinessGates);
  if (wanted.length === 0) return '<none>';
  const conditions = objectsIn(asObject(pod.status).conditions);
  const met = wanted.filter((gate) =>
    conditions.some((condition) => condition.type === gate.conditionType && condition.status === 'True'),
  );
  return `${met.length}/${wanted.length}`;
}

export const podLayout: Layout = layout({
  Name: (pod) => pod.metadata.name,
  Ready: (pod) => {
    const ready = statuses(pod).filter((container) => container.ready === true).length;
    return `${ready}/${asArray(asObject(pod.spec).containers).length}`;
  },
  Status: podStatus,
  Restarts: restarts,
  Age: (pod, nowMs) => ageOf(pod.metadata.creationTimestamp, nowMs),
  '*IP': (pod) => asString(asObject(pod.status).podIP) || '<none>',
  '*Node': (pod) => asString(asObject(pod.spec).nodeName) || '<none>',
  '*Nominated Node': (pod) => asString(asObject(pod.status).nominatedNodeName) || '<none>',
  '*Readiness Gates': gates,
});
