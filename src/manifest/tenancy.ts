import { nameOf } from './identity.ts';
import { fits } from './name-pattern.ts';
import type { Refusal } from './own-objects.ts';
import { groupOf, type KubeObject, refOf } from './types.ts';

/** Who may say what: a folder of the repository, and what may be written from it. */
export interface Tenant {
  readonly name: string;
  /** From the repository's root, without slashes around it; the empty string is all of it. */
  readonly folder: string;
  /** Names, or patterns with `*`. */
  readonly namespaces: readonly string[];
  /** `Deployment`, `Deployment.apps`, `*.example.com` or `*`. Absent: all kinds with namespaces but those of `notByDefault`. */
  readonly kinds?: readonly string[];
  /** Likewise, taken away from those. Absent: none. */
  readonly deniedKinds?: readonly string[];
  /** Namespaces whose MetricTemplates and AlertProviders its Canaries may use, beside its own. Absent: none. */
  readonly refersTo?: readonly string[];
  /** In whose name its objects are written and deleted. Absent: the agent's own. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
}

export interface Tenancy {
  readonly tenants: readonly Tenant[];
  /** In whose folder a file stands: of several the one that is nearest to the file. Undefined: in nobody's. */
  tenantOf(path: string): Tenant | undefined;
  /** The tenants that may write to a namespace. */
  tenantsOf(namespace: string): readonly Tenant[];
  /** Why an object is not applied from a file; undefined: it may be. */
  refusal(object: KubeObject, path: string): Refusal | undefined;
  /** Whether a Canary of a namespace may use what another one holds. */
  mayRefer(from: string, to: string): boolean;
}

/** Kinds with namespaces that give rights, or set bounds to those who have them: as with the role `edit` of Kubernetes. */
const notByDefault = [
  '*.rbac.authorization.k8s.io',
  'ResourceQuota.',
  'LimitRange.',
  'Endpoints.',
  'EndpointSlice.discovery.k8s.io',
];

export function createTenancy(tenants: readonly Tenant[]): Tenancy {
  const byFolder = new Map(tenants.map((tenant) => [tenant.folder, tenant]));
  const tenantOf = (path: string): Tenant | undefined => {
    for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) {
      const tenant = byFolder.get(folder);
      if (tenant) return tenant;
    }
    return byFolder.get('');
  };
  const folders = tenants.map(({ folder }) => folder || '.').join(', ');
  const tenantsOf = (namespace: string): readonly Tenant[] =>
    tenants.filter(({ namespaces }) => fitsAny(namespaces, namespace));
  return {
    tenants,
    tenantOf,
    tenantsOf,
    refusal(object, path) {
      const tenant = tenantOf(path);
      if (tenant) return refusedTo(tenant, object);
      const hint = `move it into the folder of one (${folders}), or add one with its folder to the settings`;
      return { message: `${nameOf(refOf(object))} stands in no tenant's folder`, hint };
    },
    mayRefer(from, to) {
      if (from === to) return true;
      // Who of them wrote the Canary cannot be told from the cluster: what only one of them may, it may not.
      const owners = tenantsOf(from);
      return (
        owners.length > 0 &&
        owners.every(({ namespaces, refersTo = [] }) => fitsAny(namespaces, to) || fitsAny(refersTo, to))
      );
    },
  };
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const fitsAny = (patterns: readonly string[], name: string): boolean => patterns.some((pattern) => fits(pattern, name));

function refusedTo({ name, namespaces, kinds, deniedKinds = [] }: Tenant, object: KubeObject): Refusal | undefined {
  const { apiVersion, kind, metadata } = object;
  const told = (): string => `${nameOf(refOf(object))}: tenant ${name} may not write`;
  const group = groupOf(apiVersion);
  const isIn = (list: readonly string[]): boolean => list.some((pattern) => fitsKind(pattern, kind, group));
  const hasNamespace = metadata.namespace !== undefined;
  // Who may write every kind to some namespaces is not meant to write what is in none.
  const isNamed = (list: readonly string[]): boolean =>
    isIn(namespaces.includes('*') ? list : list.filter((pattern) => !pattern.split('.', 1)[0]?.includes('*')));
  const isAllowed =
    kinds === undefined ? hasNamespace && !isIn(notByDefault) : hasNamespace ? isIn(kinds) : isNamed(kinds);
  if (!isAllowed && !hasNamespace)
    return { message: `${told()} objects without a namespace`, hint: `name ${kind} in its kinds where it may` };
  if (!isAllowed || isIn(deniedKinds)) {
    const shown = group === '' ? kind : `${kind}.${group}`;
    return { message: `${told()} objects of kind ${shown}`, hint: 'its kinds and denied-kinds in the settings say so' };
  }
  const isNamespace = kind === 'Namespace' && apiVersion === 'v1';
  const place = metadata.namespace ?? (isNamespace ? metadata.name : undefined);
  if (place === undefined || fitsAny(namespaces, place)) return undefined;
  return { message: `${told()} to namespace ${place}`, hint: `it may write to ${namespaces.join(', ')}` };
}

/** `Deployment` in any group, `Deployment.apps`, `Secret.` in the core group. */
function fitsKind(pattern: string, kind: string, group: string): boolean {
  const dot = pattern.indexOf('.');
  if (dot < 0) return fits(pattern, kind);
  return fits(pattern.slice(0, dot), kind) && fits(pattern.slice(dot + 1), group);
}
