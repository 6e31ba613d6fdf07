import type { Json } from '../json.ts';
import type { Registry } from '../registry.ts';
import type { Resource } from '../resource.ts';
import { apiVersionOf } from '../resource.ts';
import { type Review, reviews } from './reviews.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const subVerbs = ['get', 'patch', 'update'];

/** What metrics-server adds: how much pods and nodes use now. */
const usageGroup = 'metrics.k8s.io';
const usageVersion = 'v1beta1';
const usages = [
  { plural: 'nodes', singular: 'node', kind: 'NodeMetrics', namespaced: false },
  { plural: 'pods', singular: 'pod', kind: 'PodMetrics', namespaced: true },
];
export const usageRoot = `/apis/${usageGroup}/${usageVersion}`;

const reviewGroups = [...new Set(reviews.map(({ group }) => group))];
const reviewsOf = (group: string): readonly Review[] => reviews.filter((one) => one.group === group);

const verbsOf = (resource: Resource): readonly string[] =>
  resource.storage === '/namespaces' ? verbs.filter((verb) => verb !== 'deletecollection') : verbs;

/** Newest version first, as clients prefer it: v2 before v1 before v1beta1. */
function byPreference(a: string, b: string): number {
  const rank = (version: string): readonly number[] => {
    const [, major = '0', stage, minor = '0'] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version) ?? [];
    return [stage === undefined ? 2 : stage === 'beta' ? 1 : 0, Number(major), Number(minor)];
  };
  const [left, right] = [rank(a), rank(b)];
  const place = left.findIndex((value, index) => value !== right[index]);
  return place < 0 ? 0 : (right[place] ?? 0) - (left[place] ?? 0);
}

interface Group {
  readonly name: string;
  readonly versions: ReadonlyMap<string, readonly Resource[]>;
}

function groupsOf(registry: Registry): readonly Group[] {
  const names = [...new Set([...registry.all().map((resource) => resource.group), ...reviewGroups, usageGroup])];
  return names.map((name) => {
    const own = registry.all().filter((resource) => resource.group === name);
    const only = reviewGroups.includes(name) ? 'v1' : name === usageGroup ? usageVersion : undefined;
    const versions = only !== undefined ? [only] : [...new Set(own.map((resource) => resource.version))];
    versions.sort(byPreference);
    return {
      name,
      versions: new Map(versions.map((version) => [version, own.filter((resource) => resource.version === version)])),
    };
  });
}

function legacyResources(resources: readonly Resource[]): Json[] {
  return resources.flatMap((resource) => {
    const { plural, singular, namespaced, kind, shortNames, categories } = resource;
    const main: Json = {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs: verbsOf(resource),
      ...(shortNames.length > 0 ? { shortNames } : {}),
      ...(categories.length > 0 ? { categories } : {}),
    };
    const sub = (name: string, more: Json = {}): Json => ({
      name: `${plural}/${name}`,
      singularName: '',
      namespaced,
      kind,
      verbs: subVerbs,
      ...more,
    });
    return [
      main,
      ...(resource.status ? [sub('status')] : []),
      ...(resource.scale ? [sub('scale', { group: 'autoscaling', version: 'v1', kind: 'Scale' })] : []),
      ...(resource.storage === '/pods'
        ? [
            sub('log', { verbs: ['get'] }),
            sub('exec', { kind: 'PodExecOptions', verbs: ['create', 'get'] }),
            sub('portforward', { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] }),
          ]
        : []),
    ];
  });
}

/** `/api`, `/apis`, `/apis/GROUP`, `/api/v1`, `/apis/GROUP/VERSION`; undefined when there is nothing of that name. */
export function legacyDiscovery(path: string, registry: Registry): Json | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const groups = groupsOf(registry);
  if (parts[0] === 'api' && parts.length === 1)
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (parts[0] === 'apis' && parts.length === 1) {
    const named = groups.filter((group) => group.name !== '').map(apiGroup);
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: named };
  }
  if (parts[0] === 'apis' && parts.length === 2) {
    const group = groups.find((one) => one.name === parts[1] && one.name !== '');
    return group && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) };
  }
  const [name, version] = parts[0] === 'api' ? ['', parts[1]] : [parts[1], parts[2]];
  if (parts.length !== (parts[0] === 'api' ? 2 : 3)) return undefined;
  const resources = groups.find((group) => group.name === name)?.versions.get(version ?? '');
  if (!resources) return undefined;
  return {
    kind: 'APIResourceList',
    ...(name === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: name === '' ? version : `${name}/${version}`,
    resources: reviewGroups.includes(name ?? '')
      ? reviewsOf(name ?? '').map(({ plural, singular, kind }) => ({
          name: plural,
          singularName: singular,
          namespaced: false,
          kind,
          verbs: ['create'],
        }))
      : name === usageGroup
        ? usages.map(({ plural, singular, ...rest }) => ({
            name: plural,
            singularName: singular,
            ...rest,
            verbs: ['get', 'list'],
          }))
        : legacyResources(resources),
  };
}

function apiGroup(group: Group): Json {
  const versions = [...group.versions.keys()].map((version) => ({ groupVersion: `${group.name}/${version}`, version }));
  return { name: group.name, versions, preferredVersion: versions[0] };
}

function aggregatedResource(resource: Resource): Json {
  const { group, version, kind, plural, singular, namespaced, shortNames, categories } = resource;
  const responseKind = { group, version, kind };
  const sub = (subresource: string, more: Json = {}): Json => ({ subresource, responseKind, verbs: subVerbs, ...more });
  const subresources = [
    ...(resource.status ? [sub('status')] : []),
    ...(resource.scale ? [sub('scale', { responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' } })] : []),
    ...(resource.storage === '/pods'
      ? [
          sub('log', { verbs: ['get'] }),
          sub('exec', { responseKind: { group, version, kind: 'PodExecOptions' }, verbs: ['create', 'get'] }),
          sub('portforward', {
            responseKind: { group, version, kind: 'PodPortForwardOptions' },
            verbs: ['create', 'get'],
          }),
        ]
      : []),
  ];
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: verbsOf(resource),
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

/** apidiscovery.k8s.io/v2 for `/api` (the core group) or `/apis` (all others). */
export function aggregatedDiscovery(core: boolean, registry: Registry): Json {
  const reviewsIn = (group: string): readonly Json[] =>
    reviewsOf(group).map(({ plural, singular, kind, version }) => ({
      resource: plural,
      responseKind: { group, version, kind },
      scope: 'Cluster',
      singularResource: singular,
      verbs: ['create'],
    }));
  const usage = usages.map(({ plural, singular, kind, namespaced }) => ({
    resource: plural,
    responseKind: { group: usageGroup, version: usageVersion, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: ['get', 'list'],
  }));
  const items = groupsOf(registry)
    .filter((group) => (group.name === '') === core)
    .map((group) => ({
      metadata: { name: group.name, creationTimestamp: null },
      versions: [...group.versions].map(([version, resources]) => ({
        version,
        resources: reviewGroups.includes(group.name)
          ? reviewsIn(group.name)
          : group.name === usageGroup
            ? usage
            : resources.map(aggregatedResource),
        freshness: 'Current',
      })),
    }));
  return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items };
}

export const aggregatedType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

export const apiVersions = (registry: Registry): readonly string[] => [
  ...new Set([...registry.all().map(apiVersionOf), ...reviewGroups.map((group) => `${group}/v1`)]),
];
