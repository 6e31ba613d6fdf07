import { describe, expect, it } from 'vitest';
import { type LoadedTree, loadTree } from '../../src/manifest/load.ts';
import { fits } from '../../src/manifest/name-pattern.ts';
import { createTenancy, type Tenant } from '../../src/manifest/tenancy.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';

const teams: readonly Tenant[] = [
  { name: 'a', folder: 'tenants/a', namespaces: ['team-a', 'team-a-*', 'shared'] },
  { name: 'b', folder: 'tenants/b', namespaces: ['team-b', 'shared'] },
];
const admin: Tenant = { name: 'admin', folder: '', namespaces: ['*'], kinds: ['*'] };

function load(
  files: Readonly<Record<string, string>>,
  tenants: readonly Tenant[] = teams,
  placeOf: (key: string) => string | undefined = () => undefined,
): LoadedTree {
  const tree = new Map(Object.entries(files).map(([path, text]) => [path, { oid: text }]));
  const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default', placeOf };
  const all = { ...settings, tenancy: createTenancy(tenants) };
  return loadTree(tree, new Map(Object.entries(files)), undefined, all);
}
const applied = ({ manifests }: LoadedTree): string[] =>
  manifests.map(({ object, origin }) => `${origin.path} ${refKey(refOf(object))}`);
const told = ({ problems }: LoadedTree): string[] =>
  problems
    .filter(({ severity }) => severity === 'error')
    .map(({ path, line, message }) => `${path}:${line} ${message}`);
const config = (place: string, data = 'a: b'): string => {
  const [namespace = '', name = ''] = place.split('/');
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}}\ndata: {${data}}\n`;
};
const of = (apiVersion: string, kind: string, metadata: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {${metadata}}\n`;

describe('a tenant', () => {
  it('writes to its namespaces, also those of a pattern; what is meant for others is told once a file', () => {
    const tree = load({
      'tenants/a/own.yaml': `${config('team-a/x')}---\n${config('team-a-test/x')}`,
      'tenants/a/theirs.yaml': `${config('team-b/x')}---\n${config('team-b/w')}---\n${config('team-a/fine')}`,
      'tenants/a/system.yaml': `${config('kube-system/x')}---\n${config('team-ab/x')}`,
      'tenants/b/own.yaml': config('team-b/z'),
    });
    expect(applied(tree)).toEqual([
      'tenants/a/own.yaml v1/ConfigMap/team-a/x',
      'tenants/a/own.yaml v1/ConfigMap/team-a-test/x',
      'tenants/a/theirs.yaml v1/ConfigMap/team-a/fine',
      'tenants/b/own.yaml v1/ConfigMap/team-b/z',
    ]);
    expect(told(tree)).toEqual([
      'tenants/a/system.yaml:1 ConfigMap kube-system/x: tenant a may not write to namespace kube-system: it is not applied, nor is another object of this file',
      'tenants/a/theirs.yaml:1 ConfigMap team-b/x: tenant a may not write to namespace team-b: it is not applied, nor is another object of this file',
    ]);
  });

  it.each([
    [of('v1', 'Namespace', 'name: team-a, labels: {pod-security.kubernetes.io/enforce: privileged}')],
    [of('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'name: admin')],
    [of('rbac.authorization.k8s.io/v1', 'RoleBinding', 'name: admin, namespace: team-a')],
    [of('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'name: configmaps.x')],
    [of('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'name: all')],
    [of('v1', 'PersistentVolume', 'name: host, namespace: team-a')],
    [of('v1', 'ResourceQuota', 'name: mine, namespace: team-a')],
    [config('default/x')],
  ])('does not write %j, unless it is said', (text) => {
    const tree = load({ 'tenants/a/x.yaml': text });
    expect(applied(tree)).toEqual([]);
    expect(told(tree)).toHaveLength(1);
    expect(told(tree)[0]).toMatch(/^tenants\/a\/x\.yaml:1 .*tenant a may not write .*: it is not applied$/);
  });

  it('of some kinds writes no others, and what has no namespace only where it is named', () => {
    const [a] = teams as [Tenant];
    const of2 = (kinds: readonly string[], deniedKinds: readonly string[] = []): string[] =>
      applied(
        load(
          {
            'tenants/a/c.yaml': config('team-a/x'),
            'tenants/a/d.yaml': of('apps/v1', 'Deployment', 'name: x, namespace: team-a'),
            'tenants/a/n.yaml': of('v1', 'Namespace', 'name: team-a-new'),
            'tenants/a/o.yaml': of('v1', 'Namespace', 'name: team-b'),
            'tenants/a/r.yaml': of('rbac.authorization.k8s.io/v1', 'Role', 'name: x, namespace: team-a'),
            'tenants/a/s.yaml': of('rbac.authorization.k8s.io/v1', 'ClusterRole', 'name: x'),
          },
          [{ ...a, kinds, deniedKinds }],
        ),
      ).map((line) => line.split('/')[2]?.split(' ')[0] ?? '');
    expect(of2(['ConfigMap', 'Deployment.apps'])).toEqual(['c.yaml', 'd.yaml']);
    expect(of2(['ConfigMap.', 'Deployment.other'])).toEqual(['c.yaml']);
    expect(of2(['Namespace'])).toEqual(['n.yaml']);
    expect(of2(['*'])).toEqual(['c.yaml', 'd.yaml', 'r.yaml']);
    expect(of2(['*'], ['*.rbac.authorization.k8s.io', 'Deployment'])).toEqual(['c.yaml']);
  });

  it('has what is nearest to its folder; what is in nobody’s is refused, unless somebody has all of it', () => {
    const files = {
      'x.yaml': config('team-a/x'),
      'tenants/a/x.yaml': config('team-a/w'),
      'tenants/ab/x.yaml': config('team-a/z'),
      'tenants/a/sub/x.yaml': config('sub/x'),
    };
    const sub: Tenant = { name: 'sub', folder: 'tenants/a/sub', namespaces: ['sub'] };
    const tree = load(files, [...teams, sub]);
    expect(applied(tree).map((line) => line.split(' ')[0])).toEqual(['tenants/a/sub/x.yaml', 'tenants/a/x.yaml']);
    expect(told(tree)).toEqual([
      "tenants/ab/x.yaml:1 ConfigMap team-a/z stands in no tenant's folder: it is not applied",
      "x.yaml:1 ConfigMap team-a/x stands in no tenant's folder: it is not applied",
    ]);
    expect(applied(load(files, [...teams, sub, admin]))).toHaveLength(4);
  });

  it.each([
    ['name: "../../../bravo/configmaps/x", namespace: team-a'],
    ['name: "..", namespace: team-a'],
    ['name: x, namespace: "team-a-/../team-b"'],
    ['name: x, namespace: "team-a-%2F..%2Fteam-b"'],
    ['name: "team-b/x", namespace: team-a'],
  ])('finds no other path by a name: %s', (metadata) => {
    const tree = load({ 'tenants/a/x.yaml': of('v1', 'ConfigMap', metadata) });
    expect(applied(tree)).toEqual([]);
    expect(told(tree)).toHaveLength(1);
    expect(told(tree)[0]).toContain('is no name');
  });

  it('ignores no files but its own', () => {
    const tree = load({
      'tenants/a/.serinignore': 'x.yaml\n../b/\n/tenants/b\n**\n',
      'tenants/.sourceignore': 'b/\n',
      '.serinignore': '*\n',
      'tenants/a/x.yaml': config('team-a/x'),
      'tenants/b/x.yaml': config('team-b/x'),
    });
    expect(applied(tree)).toEqual(['tenants/b/x.yaml v1/ConfigMap/team-b/x']);
    expect(told(tree)).toEqual([]);
  });

  it.each([['../b'], ['../b/x.yaml'], ['../..'], ['../../tenants'], ['../b/../b']])(
    'holds no files but its own with a kustomization that names %s',
    (name) => {
      const tree = load({
        'tenants/a/kustomization.yaml': `resources: [${name}]\nnamePrefix: x\n`,
        'tenants/b/kustomization.yaml': 'resources: [x.yaml]\n',
        'tenants/b/x.yaml': config('team-b/x'),
      });
      expect(applied(tree)).toEqual(['tenants/b/x.yaml v1/ConfigMap/team-b/x']);
      expect(told(tree)[0]).toMatch(
        /^tenants\/a\/kustomization\.yaml:1 (?:kustomize would refuse this: |no kustomization is rendered without a program kustomize)/,
      );
    },
  );

  it('makes no kinds of others lose their namespace', () => {
    const definition = `${of('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'name: x')}spec: {group: example.com, scope: Cluster, names: {kind: Widget}}\n`;
    const tree = load({
      'tenants/a/crd.yaml': definition,
      'tenants/b/w.yaml': of('example.com/v1', 'Widget', 'name: w, namespace: team-b'),
    });
    expect(applied(tree)).toEqual(['tenants/b/w.yaml example.com/v1/Widget/team-b/w']);
  });

  it('takes nothing from another one that has it: not by a file that comes first, nor while the other cannot be read', () => {
    const held = (): string => 'tenants/b/x.yaml';
    const both = { 'tenants/a/a.yaml': config('shared/x', 'v: hijacked'), 'tenants/b/x.yaml': config('shared/x') };
    expect(applied(load(both, teams, held))).toEqual(['tenants/b/x.yaml v1/ConfigMap/shared/x']);
    expect(told(load(both, teams, held))).toEqual([
      'tenants/a/a.yaml:1 ConfigMap shared/x is defined a second time; the first is tenants/b/x.yaml:1',
    ]);
    const broken = load({ ...both, 'tenants/b/x.yaml': 'apiVersion: v1\nkind: [' }, teams, held);
    expect(applied(broken)).toEqual([]);
    expect(told(broken).join('\n')).toContain(
      'tenants/a/a.yaml:1 ConfigMap shared/x came from tenants/b/x.yaml, of another tenant',
    );
    // Gone from there, it is free.
    const { 'tenants/b/x.yaml': _gone, ...one } = both;
    expect(applied(load(one, teams, held))).toEqual(['tenants/a/a.yaml v1/ConfigMap/shared/x']);
  });

  it('keeps in the cluster what it says of its own objects, and of nobody else’s', () => {
    const tree = load({
      'tenants/a/x.yaml': config('team-b/x'),
      'tenants/a/bad.yaml': 'apiVersion: v1\nkind: [ # team-b x',
      'tenants/b/y.yaml': config('team-b/w'),
    });
    expect([...(tree.areas.get('a')?.elsewhere.keys() ?? [])]).toEqual(['/ConfigMap/team-b/x']);
    expect(tree.areas.get('a')?.unreadableText).toContain('team-b x');
    expect(tree.areas.get('b')).toMatchObject({ unreadableText: '', elsewhere: new Map() });
  });
});

describe('a Canary of a tenant', () => {
  it('uses what is in its own namespaces, or where it may look, and what all who share its namespace may use', () => {
    const [a, b] = teams as [Tenant, Tenant];
    const tenancy = createTenancy([{ ...a, refersTo: ['monitoring'] }, b]);
    const mayRefer = (from: string, to: string): boolean => tenancy.mayRefer(from, to);
    expect(mayRefer('team-a', 'team-a')).toBe(true);
    expect(mayRefer('team-a', 'team-a-test')).toBe(true);
    expect(mayRefer('team-a', 'monitoring')).toBe(true);
    expect(mayRefer('team-a', 'team-b')).toBe(false);
    expect(mayRefer('team-b', 'monitoring')).toBe(false);
    expect(mayRefer('shared', 'team-a')).toBe(false);
    expect(mayRefer('shared', 'shared')).toBe(true);
    expect(mayRefer('nobodys', 'team-a')).toBe(false);
  });
});

describe('a pattern of names', () => {
  it.each([
    ['team-a', 'team-a', true],
    ['team-a', 'team-ab', false],
    ['team-*', 'team-', true],
    ['*-a', 'team-a', true],
    ['t*m*a', 'team-a', true],
    ['a*a', 'a', false],
    ['*a*b*', 'ba', false],
    ['*', '', true],
    ['**', 'x', true],
    ['', 'x', false],
  ])('%s: %s', (pattern, name, expected) => {
    expect(fits(pattern, name)).toBe(expected);
  });

  it('is found in linear time', () => {
    const startedMs = performance.now();
    expect(fits(`${'*a'.repeat(60)}*b`, 'a'.repeat(50_000))).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(200);
  });
});
