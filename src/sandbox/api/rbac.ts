import { asObject, objectsIn } from './json.ts';
import type { Json } from './json.ts';
import type { ApiStore } from './store.ts';

/** Who asks, as a TokenReview tells it. */
export interface ReviewedUser {
  readonly username: string;
  readonly groups: readonly string[];
}

/** What is asked for. An empty namespace is all of them. */
export interface AskedAccess {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `canaries/status`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

const rbac = 'rbac.authorization.k8s.io/v1';

/** Whether roles and their bindings grant it; undefined: they do not, else which binding does. */
export function grantedBy(store: ApiStore, user: ReviewedUser, asked: AskedAccess): string | undefined {
  if (user.groups.includes('system:masters')) return 'group system:masters';
  const bindings = [
    ...store.list(rbac, 'ClusterRoleBinding'),
    ...(asked.namespace === '' ? [] : store.list(rbac, 'RoleBinding', asked.namespace)),
  ];
  for (const binding of bindings) {
    const { kind, name } = asObject(binding['roleRef']);
    const namespace = binding.metadata.namespace;
    const isBound = objectsIn(binding['subjects']).some((subject) => isSubject(subject, namespace, user));
    if (!isBound || typeof name !== 'string') continue;
    const role =
      kind === 'ClusterRole'
        ? store.get(rbac, 'ClusterRole', undefined, name)
        : store.get(rbac, 'Role', namespace, name);
    if (objectsIn(role?.['rules']).some((rule) => covers(rule, asked)))
      return `${binding.kind} "${binding.metadata.name}" of ${String(kind)} "${name}"`;
  }
  return undefined;
}

function isSubject(subject: Json, ownNamespace: string | undefined, { username, groups }: ReviewedUser): boolean {
  const { kind, name, namespace = ownNamespace } = subject;
  if (typeof name !== 'string') return false;
  if (kind === 'User') return name === username;
  if (kind === 'Group') return groups.includes(name);
  return kind === 'ServiceAccount' && username === `system:serviceaccount:${String(namespace)}:${name}`;
}

function covers(rule: Json, { verb, group, resource, name }: AskedAccess): boolean {
  const has = (field: string, value: string): boolean => {
    const all: unknown = rule[field];
    return Array.isArray(all) && (all.includes('*') || all.includes(value));
  };
  const names: unknown = rule['resourceNames'];
  const isNamed = !Array.isArray(names) || names.length === 0 || names.includes(name);
  return has('verbs', verb) && has('apiGroups', group) && has('resources', resource) && isNamed;
}
