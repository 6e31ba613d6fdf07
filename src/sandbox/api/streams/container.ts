import type { StoredObject } from '../../types.ts';
import { badRequest } from '../failure.ts';
import { asArray, asObject, asString, objectsIn } from '../json.ts';

/** The container that a request for a pod means. Throws as the API server does where that is not clear. */
export function containerOf(pod: StoredObject, asked: string): string {
  const spec = asObject(pod.spec);
  const names = objectsIn(asArray(spec.containers)).map(({ name }) => asString(name));
  const initial = objectsIn(asArray(spec.initContainers)).map(({ name }) => asString(name));
  const { name } = pod.metadata;
  if (asked !== '') {
    if (names.includes(asked) || initial.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only = ''] = names;
  if (names.length === 1) return only;
  const inits = initial.length === 0 ? '' : ` or one of the init containers: [${initial.join(' ')}]`;
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]${inits}`);
}

/** Why a container does not run yet, by the pod's status; undefined where it does, or has. */
export function waitingReason(pod: StoredObject, container: string): string | undefined {
  const statuses = objectsIn(asArray(asObject(pod.status).containerStatuses));
  const status = statuses.find(({ name }) => name === container);
  const waiting = asObject(asObject(status?.state).waiting);
  return status === undefined ? 'ContainerCreating' : asString(waiting.reason) || undefined;
}
