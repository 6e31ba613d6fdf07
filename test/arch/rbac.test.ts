import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { groupOf } from '../../src/manifest/types.ts';
import type { Router } from '../../src/routers/router.ts';
import { routers } from '../../src/routers/registry.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

/**
 * What the code asks of the API server, held against manifests/rbac.yaml. A kind that is new in the code fails here until it stands in
 * this table, and fails again until its rights are granted.
 */
const kindsInCode: Readonly<Record<string, { readonly resource: string; readonly verbs: readonly string[] }>> = {
  Canary: { resource: 'canaries.flagger.app', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  'Canary/status': { resource: 'canaries/status.flagger.app', verbs: ['patch'] },
  MetricTemplate: {
    resource: 'metrictemplates.flagger.app',
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  AlertProvider: {
    resource: 'alertproviders.flagger.app',
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  Deployment: { resource: 'deployments.apps', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  DaemonSet: { resource: 'daemonsets.apps', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  Knative: {
    resource: 'services.serving.knative.dev',
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  Revision: { resource: 'revisions.serving.knative.dev', verbs: ['list', 'watch'] },
  Service: { resource: 'services', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  ConfigMap: { resource: 'configmaps', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  Secret: { resource: 'secrets', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  HorizontalPodAutoscaler: {
    resource: 'horizontalpodautoscalers.autoscaling',
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  ScaledObject: {
    resource: 'scaledobjects.keda.sh',
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  Event: { resource: 'events', verbs: ['create', 'list', 'patch'] },
  // Read when pods do not become ready, to say why.
  Pod: { resource: 'pods', verbs: ['list'] },
  'Pod/log': { resource: 'pods/log', verbs: ['get'] },
  ReplicaSet: { resource: 'replicasets.apps', verbs: ['list'] },
  // Whose imagePullSecrets count for an image with a policy; and what Git says.
  ServiceAccount: { resource: 'serviceaccounts', verbs: ['get'] },
  // The agent's own, where nobody has made it; and what Git says. Never deleted.
  Namespace: { resource: 'namespaces', verbs: ['get', 'list', 'watch', 'create', 'patch'] },
};
/** Named by the code, but only as a reference from one object to another: never asked for. */
const onlyNamed = new Set(['Ledger', 'Gateway']);
/** Routing objects are watched, made and changed; their owner, the Canary, takes them along when it goes. */
const routeVerbs = ['get', 'list', 'watch', 'create', 'patch'];

/** What the methods of `Cluster` are on the wire. Server-side apply creates what is not there. */
const verbsOf: Readonly<Record<string, readonly string[]>> = {
  get: ['get'],
  list: ['list'],
  reflect: ['list', 'watch'],
  create: ['create'],
  apply: ['patch', 'create'],
  jsonPatch: ['patch'],
  mergePatch: ['patch'],
  remove: ['delete'],
  podLog: ['get'],
  // Granted for one service account of one tenant: manifests/tenants.
  as: [],
  // Discovery, open to everybody who is known.
  resource: [],
  version: [],
  // Asks for nothing.
  late: [],
};

const root = join(import.meta.dirname, '../..');
const sources = ['agent', 'checks', 'sync', 'canary', 'release', 'analysis', 'metrics', 'notifiers', 'routers'].flatMap(
  (folder) =>
    readdirSync(join(root, 'src', folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(join(root, 'src', folder, path), 'utf8')),
);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}
interface Document {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[];
}
const documentsIn = (path: string): readonly Document[] =>
  parseAllDocuments(readFileSync(join(root, path), 'utf8')).map((document) => document.toJS() as Document);
const documents = documentsIn('manifests/rbac.yaml');
const rules = documents.flatMap((document) => document.rules ?? []);
const ofNamespace = documentsIn('manifests/namespaced/role.yaml');

/** `canaries/status.flagger.app`: resource, subresource, group. */
function isGranted(verb: string, target: string, granted: readonly Rule[] = rules): boolean {
  const [path = '', ...rest] = target.split('.');
  const group = rest.join('.');
  return granted.some(
    ({ apiGroups, resources, verbs }) => apiGroups.includes(group) && resources.includes(path) && verbs.includes(verb),
  );
}
const missing = (target: string, verbs: readonly string[]): string[] =>
  verbs.filter((verb) => !isGranted(verb, target)).map((verb) => `${verb} ${target}`);

/** Ingress → ingresses, HTTPRoute → httproutes, HTTPProxy → httpproxies. */
const pluralOf = (kind: string): string =>
  kind.endsWith('y')
    ? `${kind.toLowerCase().slice(0, -1)}ies`
    : `${kind.toLowerCase()}${kind.endsWith('s') ? 'es' : 's'}`;

describe('the rights of the service account', () => {
  it('cover every kind that the code names', () => {
    expect(sources.length).toBeGreaterThan(40);
    const routed = new Set(routeRefs().map(({ kind }) => kind));
    const named = new Set(
      sources.flatMap((text) => [...text.matchAll(/\bkind: '([A-Z]\w+)'/g)].map(([, kind = '']) => kind)),
    );
    const unknown = [...named].filter((kind) => !(kind in kindsInCode) && !onlyNamed.has(kind) && !routed.has(kind));
    expect(unknown).toEqual([]);
    expect(named.size).toBeGreaterThan(5);
    expect(Object.values(kindsInCode).flatMap(({ resource, verbs }) => missing(resource, verbs))).toEqual([]);
  });

  it('cover the objects of every routing provider', () => {
    const refs = routeRefs();
    expect(new Set(refs.map(({ kind }) => kind))).toEqual(
      new Set([
        'ApisixRoute',
        'DestinationRule',
        'HTTPProxy',
        'HTTPRoute',
        'Ingress',
        'IngressRoute',
        'RouteTable',
        'Service',
        'TrafficRoute',
        'Upstream',
        'TraefikService',
        'TrafficSplit',
        'VirtualService',
      ]),
    );
    const lacking = refs.flatMap(({ apiVersion, kind }) =>
      missing([pluralOf(kind), groupOf(apiVersion)].filter(Boolean).join('.'), routeVerbs),
    );
    expect(lacking).toEqual([]);
  });

  it('cover every way in which the code asks, for what it watches and writes', () => {
    const contract = readFileSync(join(root, 'src/cluster/cluster.ts'), 'utf8');
    const body = /interface Cluster \{(.*?)\n\}/s.exec(contract)?.[1] ?? '';
    const methods = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name = '']) => name);
    expect(new Set(Object.keys(verbsOf))).toEqual(new Set(methods));
    const called = methods.filter((name) => sources.some((text) => text.includes(`cluster.${name}(`)));
    expect(called).toEqual(expect.arrayContaining(['get', 'reflect', 'apply', 'remove']));
    const verbs = called.flatMap((name) => verbsOf[name] ?? []);
    const used = new Set(Object.values(kindsInCode).flatMap((entry) => entry.verbs));
    expect(verbs.filter((verb) => !used.has(verb))).toEqual([]);
  });

  it('hold no wildcard, nothing of RBAC itself, and only verbs that are used', () => {
    const everything = rules.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs]);
    expect(everything).not.toContain('*');
    expect(rules.filter(({ apiGroups }) => apiGroups.includes('rbac.authorization.k8s.io'))).toEqual([]);
    const verbs = new Set(rules.flatMap((rule) => rule.verbs));
    // `update` of canaries/finalizers is what some clusters ask of who sets an owner reference that blocks deletion.
    expect([...verbs].sort()).toEqual(['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']);
    expect(rules.filter((rule) => rule.verbs.includes('update')).flatMap(({ resources }) => resources)).toEqual([
      'canaries/finalizers',
    ]);
  });

  it('go no further than the code where Git has no say', () => {
    const all = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
    for (const { resource, verbs } of ['Canary/status', 'Revision', 'Event', 'Pod', 'Pod/log', 'ReplicaSet'].flatMap(
      (kind) => kindsInCode[kind] ?? [],
    ))
      for (const granted of [rules, ofNamespace.flatMap((document) => document.rules ?? [])])
        expect(all.filter((verb) => isGranted(verb, resource, granted))).toEqual([...verbs].sort());
  });

  it('are bound to the service account of the agent, every role of them', () => {
    const bound = documents.filter(({ kind }) => kind === 'ClusterRoleBinding');
    for (const { subjects } of bound)
      expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'serin', namespace: 'serin' }]);
    const roles = documents.filter(
      ({ kind, metadata }) => kind === 'ClusterRole' && metadata.labels?.['serin.dev/aggregate-to-sync'] === undefined,
    );
    expect(roles.map(({ metadata }) => metadata.name).sort()).toEqual(
      bound.map(({ roleRef }) => roleRef?.name ?? '').sort(),
    );
    const pod = readFileSync(join(root, 'manifests/deployment.yaml'), 'utf8');
    expect(pod).toContain('serviceAccountName: serin');
  });
});

describe('the rights of an agent of one namespace [R86]', () => {
  const role = ofNamespace.find(({ kind }) => kind === 'Role');

  it('are a Role, bound in its namespace, and nothing of the cluster', () => {
    expect(ofNamespace.map(({ kind }) => kind).sort()).toEqual(['Role', 'RoleBinding']);
    const binding = ofNamespace.find(({ kind }) => kind === 'RoleBinding');
    expect(binding?.roleRef).toMatchObject({ kind: 'Role', name: role?.metadata.name });
    const folder = join(root, 'manifests/namespaced');
    const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(texts.filter((text) => /^kind: Cluster/m.test(text))).toEqual([]);
    expect(role?.rules?.flatMap(({ resources }) => resources)).not.toContain('namespaces');
    expect(role?.rules?.flatMap(({ apiGroups, verbs }) => [...apiGroups, ...verbs])).not.toContain('*');
  });

  it('cover all that the agent of a cluster may do to canaries, their objects and their routes', () => {
    const routes = routeRefs(true).map(({ apiVersion, kind }) =>
      [pluralOf(kind), groupOf(apiVersion)].filter(Boolean).join('.'),
    );
    const wanted = [
      ...Object.values(kindsInCode).filter(({ resource }) => resource !== 'namespaces'),
      ...routes.map((resource) => ({ resource, verbs: routeVerbs })),
    ];
    const lacking = wanted.flatMap(({ resource, verbs }) =>
      verbs.filter((verb) => !isGranted(verb, resource, role?.rules)).map((verb) => `${verb} ${resource}`),
    );
    expect(lacking).toEqual([]);
  });
});

describe('the rights to change Secrets of a whole cluster [R86]', () => {
  it('stand in a role of their own, which may be bound to some namespaces only', () => {
    const changing = documents.filter(
      ({ kind, rules: granted = [] }) =>
        kind === 'ClusterRole' && ['create', 'patch', 'delete'].some((verb) => isGranted(verb, 'secrets', granted)),
    );
    expect(changing.map(({ metadata }) => metadata.name)).toEqual(['serin-secrets']);
    expect(changing[0]?.rules?.flatMap(({ resources }) => resources)).toEqual(['secrets']);
  });

  it('are there in the namespace of the agent, for the records of releases, whatever is bound elsewhere', () => {
    const own = documents.filter(({ metadata }) => metadata.name === 'serin-own');
    expect(own.map(({ kind, metadata }) => [kind, metadata.namespace])).toEqual([
      ['Role', 'serin'],
      ['RoleBinding', 'serin'],
    ]);
    const granted = own[0]?.rules ?? [];
    expect(['get', 'list', 'create', 'patch', 'delete'].filter((verb) => !isGranted(verb, 'secrets', granted))).toEqual(
      [],
    );
    expect(own[1]).toMatchObject({ roleRef: { kind: 'Role', name: 'serin-own' } });
    expect(own[1]?.subjects).toEqual([{ kind: 'ServiceAccount', name: 'serin', namespace: 'serin' }]);
  });
});

/** `namespaced`: only objects that a Role can be given rights for. */
function routeRefs(namespaced = false): { apiVersion: string; kind: string }[] {
  const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'prod', name: 'shop' };
  const users = { ...ingressRef, apiVersion: 'traefik.io/v1alpha1', kind: 'IngressRoute' };
  const routeRef = { apiVersion: 'apisix.apache.org/v2', kind: 'ApisixRoute', namespace: 'prod', name: 'shop' };
  const asked = (Object.values(routers) as readonly Router[]).filter((one) => !namespaced || !one.isClusterScoped);
  return asked.flatMap((router) =>
    (router.name === 'traefik' ? [ingressRef, users] : [ingressRef]).flatMap((ref) =>
      router.refs(aRouteContext(aSpec({ provider: router.name, ingressRef: ref, routeRef }))),
    ),
  );
}
