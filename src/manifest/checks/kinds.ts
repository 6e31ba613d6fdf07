import { nearest } from '../../lib/nearest.ts';
import { groupOf, type Manifest } from '../types.ts';
import type { KnownFields } from './fields.ts';
import type { Finding, ObjectCheck } from './finding.ts';
import { foreignKind, wellKnownGroups } from './foreign-kinds.ts';

/** Kinds in versions that are served no more, or that nobody has heard of. */
export function createKindCheck(manifests: readonly Manifest[], known: KnownFields): ObjectCheck {
  const served = servedBy(known);
  const defined = definedIn(manifests);
  return ({ apiVersion, kind }) => {
    const group = groupOf(apiVersion);
    const own = defined.get(`${group}/${kind}`);
    if (own) return own.includes(apiVersion) ? [] : [wrongVersion(apiVersion, kind, own)];
    const foreign = foreignKind(group, kind);
    if (foreign) return [foreign];
    // The group of old Ingresses, Deployments and DaemonSets.
    const moved = group === 'extensions' ? served.everywhere.get(kind) : undefined;
    const kinds = served.byGroup.get(group);
    const versions = kinds?.get(kind) ?? moved;
    if (versions) return versions.includes(apiVersion) ? [] : [wrongVersion(apiVersion, kind, versions)];
    const elsewhere = served.everywhere.get(kind)?.[0];
    // Definitions of others have groups with a dot.
    if (elsewhere !== undefined && (kinds !== undefined || !group.includes('.')))
      return [wrongGroup(apiVersion, kind, elsewhere)];
    if (kinds) return [unknownKind(apiVersion, kind, [...kinds.keys()])];
    if (wellKnownGroups.some((name) => group === name || group.endsWith(`.${name}`))) return [];
    return [undefinedKind(apiVersion, kind, served.everywhere)];
  };
}

/** Versions by kind, newest first, by group. */
type Versions = ReadonlyMap<string, readonly string[]>;

interface Served {
  readonly byGroup: ReadonlyMap<string, Versions>;
  readonly everywhere: Versions;
}

const flagger = ['Canary', 'MetricTemplate', 'AlertProvider'].map((kind) => `flagger.app/v1beta1/${kind}`);

function servedBy(known: KnownFields): Served {
  const byGroup = new Map<string, Map<string, readonly string[]>>();
  const everywhere = new Map<string, readonly string[]>();
  for (const key of [...Object.keys(known.kinds), ...flagger]) {
    const at = key.lastIndexOf('/');
    const [apiVersion, kind] = [key.slice(0, at), key.slice(at + 1)];
    const kinds = byGroup.get(groupOf(apiVersion)) ?? new Map<string, readonly string[]>();
    const versions = [...(kinds.get(kind) ?? []), apiVersion].sort(byAge);
    byGroup.set(groupOf(apiVersion), kinds.set(kind, versions));
    everywhere.set(kind, versions);
  }
  return { byGroup, everywhere };
}

/** v2, v1, v1beta1, v1alpha1. */
function byAge(one: string, other: string): number {
  const rank = (apiVersion: string): string => {
    const [, major = '0', stage = 'z', minor = '0'] = /v(\d+)(alpha|beta)?(\d*)$/.exec(apiVersion) ?? [];
    return `${stage === 'z' ? 2 : stage === 'beta' ? 1 : 0}${major.padStart(3, '0')}${minor.padStart(3, '0')}`;
  };
  return rank(one) < rank(other) ? 1 : -1;
}

/** Versions of kinds that definitions in the same tree declare, by `group/Kind`. */
function definedIn(manifests: readonly Manifest[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const { object } of manifests) {
    if (object.kind !== 'CustomResourceDefinition') continue;
    const { group, names, versions } = (object['spec'] ?? {}) as {
      group?: string;
      names?: { kind?: string } | null;
      versions?: unknown;
    };
    if (typeof group !== 'string' || typeof names?.kind !== 'string' || !Array.isArray(versions)) continue;
    const served = (versions as readonly ({ name?: unknown } | null)[]).map((one) => `${group}/${String(one?.name)}`);
    found.set(`${group}/${names.kind}`, served);
  }
  return found;
}

function wrongVersion(apiVersion: string, kind: string, versions: readonly string[]): Finding {
  const message = `no present Kubernetes serves ${kind} as ${apiVersion}`;
  return { field: 'apiVersion', message, hint: `write ${versions[0] ?? ''}` };
}

function wrongGroup(apiVersion: string, kind: string, elsewhere: string): Finding {
  return { field: 'apiVersion', message: `${apiVersion} has no kind ${kind}`, hint: `write ${elsewhere}` };
}

function unknownKind(apiVersion: string, kind: string, kinds: readonly string[]): Finding {
  const meant = nearest(kind, kinds);
  return {
    field: 'kind',
    message: `${apiVersion} has no kind ${kind} that we know`,
    hint: meant === undefined ? 'correct apiVersion or kind' : `is ${meant} meant?`,
    severity: meant === undefined ? 'warning' : 'error',
  };
}

function undefinedKind(apiVersion: string, kind: string, everywhere: Versions): Finding {
  const builtIn = everywhere.get(kind)?.[0];
  return {
    field: 'kind',
    message: `no CustomResourceDefinition of ${kind} (${apiVersion}) is in Git, and we do not know it`,
    hint:
      builtIn === undefined
        ? 'the cluster has to have the definition, and the agent the right to apply the kind'
        : `is ${builtIn} meant? Else the cluster has to have the definition, and the agent the right to apply the kind`,
    severity: 'warning',
  };
}
