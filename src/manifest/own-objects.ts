import { nameOf } from './identity.ts';
import { groupOf, type KubeObject, refOf } from './types.ts';

/** What belongs to the agent itself and is never taken from Git. */
export interface OwnObjects {
  /** Namespaces of the agent: of its pod, of what it keeps. */
  readonly namespaces: readonly string[];
  /** Apps live in them too, as where an agent looks after its own namespace: only what has the agent's names is its own. */
  readonly isShared: boolean;
}

/** Why an object is not applied, and what to do. */
export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

const setting = 'set --sync-own-namespace where Git is to say what the agent itself is';
/** What this label adds to is what the agent may do. */
const aggregationLabel = 'serin.dev/aggregate-to-sync';

const isOwnName = (name: string): boolean => name === 'serin' || name.startsWith('serin-');

/** Undefined: it is none of the agent's own. */
export function ownRefusal(object: KubeObject, own: OwnObjects): Refusal | undefined {
  const { apiVersion, kind, metadata } = object;
  const { name, namespace } = metadata;
  if (namespace !== undefined && own.namespaces.includes(namespace)) {
    if (own.isShared && !isOwnName(name)) return actsOnAgent(object) ?? givesRights(object, own);
    const hint = own.isShared ? `give it another name, or ${setting}` : `put it into another namespace, or ${setting}`;
    return {
      message: `${nameOf(refOf(object))} is in the agent's own namespace${own.isShared ? ' and has its name' : ''}`,
      hint,
    };
  }
  if (kind === 'Namespace' && apiVersion === 'v1' && own.namespaces.includes(name))
    return { message: `${nameOf(refOf(object))} is the agent's own`, hint: setting };
  const isRole = groupOf(apiVersion) === 'rbac.authorization.k8s.io';
  if (isRole && namespace === undefined && isOwnName(name))
    return {
      message: `${nameOf(refOf(object))} has a name of the agent's own rights`,
      hint: `give it another name, or ${setting}`,
    };
  return givesRights(object, own);
}

/** By which fields of `spec` an object scales, or takes over, another one of its namespace. */
const actingOn: ReadonlyMap<string, readonly (readonly string[])[]> = new Map([
  [
    'Canary',
    [
      ['targetRef', 'name'],
      ['service', 'name'],
      ['autoscalerRef', 'name'],
      ['ingressRef', 'name'],
      ['ingressRefs', 'name'],
      ['service', 'routeRef', 'name'],
      ['routeRef', 'name'],
    ],
  ],
  ['HorizontalPodAutoscaler', [['scaleTargetRef', 'name']]],
  ['ScaledObject', [['scaleTargetRef', 'name']]],
]);

function actsOnAgent(object: KubeObject): Refusal | undefined {
  for (const path of actingOn.get(object.kind) ?? []) {
    const name = textsAt(object['spec'], path).find(isOwnName);
    if (name !== undefined)
      return { message: `${nameOf(refOf(object))} acts on ${name}, which is the agent's own`, hint: setting };
  }
  return undefined;
}

/** Also of each item of a list on the way. */
function textsAt(value: unknown, path: readonly string[]): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => (Array.isArray(item) ? [] : textsAt(item, path)));
  const [field, ...rest] = path;
  if (field === undefined) return typeof value === 'string' ? [value] : [];
  return typeof value === 'object' && value !== null ? textsAt((value as Record<string, unknown>)[field], rest) : [];
}

function givesRights(object: KubeObject, { namespaces }: OwnObjects): Refusal | undefined {
  if (groupOf(object.apiVersion) !== 'rbac.authorization.k8s.io') return undefined;
  const { labels } = object.metadata;
  const isAdded = typeof labels === 'object' && labels !== null && Object.hasOwn(labels, aggregationLabel);
  const subjects: unknown = object['subjects'];
  const isBound = Array.isArray(subjects) && subjects.some((subject) => isAgent(subject, namespaces));
  if (!isAdded && !isBound) return undefined;
  return { message: `${nameOf(refOf(object))} changes what the agent itself may do`, hint: setting };
}

function isAgent(subject: unknown, namespaces: readonly string[]): boolean {
  if (typeof subject !== 'object' || subject === null) return false;
  const { kind, name, namespace } = subject as Readonly<Record<string, unknown>>;
  if (kind === 'ServiceAccount') return typeof namespace === 'string' && namespaces.includes(namespace);
  if (typeof name !== 'string') return false;
  return namespaces.some((own) =>
    kind === 'User' ? name.startsWith(`system:serviceaccount:${own}:`) : name === `system:serviceaccounts:${own}`,
  );
}
