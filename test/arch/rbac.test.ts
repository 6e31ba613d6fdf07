import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { targets } from '../../src/canary/targets/registry.ts';
import { groupOf } from '../../src/manifest/types.ts';
import { routers } from '../../src/routers/registry.ts';
import type { Router } from '../../src/routers/router.ts';

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
  KeptnMetric: { resource: 'keptnmetrics.metrics.keptn.sh', verbs: ['get'] },
  // Read when a canary is about to get its first users.
  EndpointSlice: { resource: 'endpointslices.discovery.k8s.io', verbs: ['list'] },
  // Whose imagePullSecrets count for an image with a policy; and what Git says.
  ServiceAccount: { resource: 'serviceaccounts', verbs: ['get'] },
  // The agent's own, where nobody has made it; and what Git says. Never deleted.
  Namespace: { resource: 'namespaces', verbs: ['get', 'list', 'watch', 'create', 'patch'] },
};
/** Named by the code, but only as a reference from one object to another: never asked for. */
const onlyNamed = new Set(['Ledger', 'Gateway']);
/** Routing objects are watched, made and changed; deleted, where they may stand in Git. */
const routeVerbs = ['get', 'list', 'watch', 'create', 'patch'];
const routeKinds = Object.values<Router>(routers).flatMap(({ kinds, isClusterScoped = false }) =>
  kinds.map((kind) => ({ ...kind, isClusterScoped })),
);

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
  // Granted by manifests/external-metrics.yaml, which not everybody needs.
  externalMetric: [],
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
      .filter((path) => /\.tsx?$/.test(path))
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

describe('the rights of the service account', () => {
  it('cover every kind that the code names', () => {
    expect(sources.length).toBeGreaterThan(40);
    const routed = new Set(routeKinds.map(({ kind }) => kind));
    const named = new Set(
      sources.flatMap((text) => [...text.matchAll(/\bkind: '([A-Z]\w+)'/g)].map(([, kind = '']) => kind)),
    );
    const unknown = [...named].filter((kind) => !(kind in kindsInCode) && !onlyNamed.has(kind) && !routed.has(kind));
    expect(unknown).toEqual([]);
    expect(named.size).toBeGreaterThan(5);
    expect(Object.values(kindsInCode).flatMap(({ resource, verbs }) => missing(resource, verbs))).toEqual([]);
  });

  it.each(['manifests/rbac.yaml', 'manifests/namespaced/role.yaml'])(
    'in %s have the routes that the routers declare; `npx vitest run test/arch --update` writes them',
    async (path) => {
      const isOfCluster = path === 'manifests/rbac.yaml';
      const text = readFileSync(join(root, path), 'utf8');
      const [from, to] = ['  # Routes: written by a test from what the routers declare.\n', '  # End of routes.\n'];
      const [start, end] = [text.indexOf(from), text.indexOf(to)];
      expect(start).toBeGreaterThan(0);
      const now = `${text.slice(0, start + from.length)}${routeRules(isOfCluster)}${text.slice(end)}`;
      await expect(now).toMatchFileSnapshot(join(root, path));
    },
  );

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
    for (const { resource, verbs } of [
      'Canary/status',
      'Revision',
      'Event',
      'Pod',
      'Pod/log',
      'ReplicaSet',
      'KeptnMetric',
    ].flatMap((kind) => kindsInCode[kind] ?? []))
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
    const wanted = Object.values(kindsInCode).filter(({ resource }) => resource !== 'namespaces');
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

/** A rule for each group. What the rule of targets grants is not granted twice; a Role grants nothing of the whole cluster. */
function routeRules(isOfCluster: boolean): string {
  const targetRefs = Object.values(targets).map(({ ref }) => `${ref.apiVersion}/${ref.kind}`);
  const groups = new Map<string, { readonly plurals: Set<string>; readonly verbs: readonly string[] }>();
  for (const { apiVersion, kind, plural, isClusterScoped } of routeKinds) {
    if (targetRefs.includes(`${apiVersion}/${kind}`) || (isClusterScoped && !isOfCluster)) continue;
    const group = groupOf(apiVersion);
    const verbs = isClusterScoped ? routeVerbs : [...routeVerbs, 'delete'];
    const rule = groups.get(group) ?? { plurals: new Set(), verbs };
    rule.plurals.add(plural);
    groups.set(group, rule);
  }
  return [...groups]
    .map(
      ([group, { plurals, verbs }]) =>
        `  - apiGroups: [${group}]\n    resources: [${[...plurals].join(', ')}]\n    verbs: [${verbs.join(', ')}]\n`,
    )
    .join('');
}
