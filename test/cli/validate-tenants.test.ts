import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'serin-tenants-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
}

async function validate(...args: readonly string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  let out = '';
  let errors = '';
  const code = await runCommandLine({
    argv: ['validate', ...args],
    environment: {},
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    signal: new AbortController().signal,
  });
  const lines = out.trimEnd().split('\n').slice(0, -1);
  // In most of these trees nobody makes the namespaces.
  return { code, lines: lines.filter((line) => !line.includes('Git does not create the namespace')), errors };
}

/** Where the settings file and the checkout are. */
const at = (path = ''): string => join(dir, path);
const checked = async (path = 'repo'): Promise<string[]> =>
  (await validate('--config', at('settings.yaml'), at(path))).lines;

const object = (kind: string, place: string, more = '', apiVersion = 'v1'): string => {
  const [namespace, name = ''] = place.includes('/') ? place.split('/') : [undefined, place];
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name}${namespace === undefined ? '' : `, namespace: ${namespace}`} }\n${more}`;
};
const tenants = `tenants:
  - { name: team-a, folder: tenants/a, namespaces: [team-a, "team-a-*"], denied-kinds: [Secret], service-account: team-a/serin }
  - { name: team-b, folder: tenants/b, namespaces: [team-b], kinds: [ConfigMap, Canary.flagger.app] }
  - { name: admin, folder: ., namespaces: ["*"], kinds: ["*"] }
`;

describe('serin validate with the settings of the agent', () => {
  it('knows the limits that they set, and tells what is over one with its size', async () => {
    const text = (name: string, length: number): string =>
      object('ConfigMap', `a/${name}`, `data: { a: ${'x'.repeat(length)} }\n`);
    await write({
      'repo/large.yaml': text('large', 900_000),
      'repo/object.yaml': text('object', 300_000),
      'repo/small.yaml': text('small', 10),
      'settings.yaml': 'max-file-size: 0.5\nmax-object-size: 0.25\n',
    });
    expect((await validate(at('repo'))).lines).toEqual([]);
    const { code, lines } = await validate('--config', at('settings.yaml'), at('repo'));
    expect(code).toBe(3);
    expect(lines).toEqual([
      'large.yaml:1 error the file is too large to be read (0.9 MiB, more than the 0.5 MiB of --max-file-size) (divide it, name it in .serinignore, or raise --max-file-size)',
      'object.yaml:1 error ConfigMap object is too large (0.3 MiB as JSON, more than the 0.3 MiB of --max-object-size) (divide it)',
    ]);
    await write({ 'settings.yaml': 'max-tree-size: 1\n' });
    await write({ 'repo/object.yaml': text('object', 500_000), 'repo/more.yaml': text('more', 10) });
    expect((await validate('--config', at('settings.yaml'), at('repo'))).lines).toEqual([
      'large.yaml:1 error the file is left out: all manifests together have more than the 1 MiB of --max-tree-size (take files away, name them in .serinignore, or raise --max-tree-size and the memory of the pod with it)',
    ]);
    await write({ 'settings.yaml': 'max-file-size: 1MiB\n' });
    expect((await validate('--config', at('settings.yaml'), at('repo'))).errors).toContain(
      '--max-file-size (SERIN_MAX_FILE_SIZE): "1MiB" is no number of MiB',
    );
  });

  beforeEach(() => write({ 'settings.yaml': tenants, 'repo/.git/HEAD': 'ref: refs/heads/main\n' }));

  it('refuses with file and line what no tenant may say from its folder', async () => {
    await write({
      'repo/namespaces.yaml': [object('Namespace', 'team-a'), object('Namespace', 'team-b')].join('---\n'),
      'repo/tenants/a/own.yaml': object('ConfigMap', 'team-a/x'),
      'repo/tenants/a/other.yaml': `# a comment\n${object('ConfigMap', 'team-b/x')}`,
      'repo/tenants/a/secret.yaml': object('Secret', 'team-a/x'),
      'repo/tenants/a/role.yaml': object(
        'RoleBinding',
        'team-a/x',
        'roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit }\n',
        'rbac.authorization.k8s.io/v1',
      ),
      'repo/tenants/a/namespace.yaml': object('Namespace', 'team-b'),
      'repo/tenants/b/service.yaml': object('Service', 'team-b/x', 'spec: { ports: [ { port: 80 } ] }\n'),
      'repo/tenants/b/nowhere.yaml': object('ConfigMap', 'x'),
    });
    expect(await checked()).toEqual([
      'tenants/a/namespace.yaml:1 error Namespace team-b: tenant team-a may not write objects without a namespace: it is not applied (name Namespace in its kinds where it may)',
      'tenants/a/other.yaml:2 error ConfigMap team-b/x: tenant team-a may not write to namespace team-b: it is not applied (it may write to team-a, team-a-*)',
      'tenants/a/role.yaml:1 error RoleBinding team-a/x: tenant team-a may not write objects of kind RoleBinding.rbac.authorization.k8s.io: it is not applied (its kinds and denied-kinds in the settings say so)',
      'tenants/a/secret.yaml:1 error Secret team-a/x: tenant team-a may not write objects of kind Secret: it is not applied (its kinds and denied-kinds in the settings say so)',
      'tenants/b/nowhere.yaml:1 error ConfigMap default/x: tenant team-b may not write to namespace default: it is not applied (it may write to team-b)',
      'tenants/b/service.yaml:1 error Service team-b/x: tenant team-b may not write objects of kind Service: it is not applied (its kinds and denied-kinds in the settings say so)',
    ]);
  });

  it('knows kinds without a namespace by their definitions in Git', async () => {
    const spec =
      'spec: { group: acme.example, scope: Cluster, names: { kind: Policy, plural: policies }, versions: [ { name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } } ] }\n';
    await write({
      'repo/policies.yaml': object(
        'CustomResourceDefinition',
        'policies.acme.example',
        spec,
        'apiextensions.k8s.io/v1',
      ),
      'repo/tenants/a/policy.yaml': object('Policy', 'team-a/x', '', 'acme.example/v1'),
    });
    expect(await checked()).toEqual([
      'tenants/a/policy.yaml:1 error Policy x: tenant team-a may not write objects without a namespace: it is not applied (name Policy in its kinds where it may)',
    ]);
  });

  it.each([
    ['resource.k8s.io/v1', 'DeviceClass'],
    ['networking.k8s.io/v1', 'ServiceCIDR'],
    ['storage.k8s.io/v1', 'VolumeAttributesClass'],
    ['certificates.k8s.io/v1', 'ClusterTrustBundle'],
    ['admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicy'],
  ])('knows without a cluster that %s %s has no namespace, whatever is written', async (apiVersion, kind) => {
    await write({ 'repo/tenants/a/x.yaml': object(kind, 'team-a/x', '', apiVersion) });
    expect((await checked())[0]).toContain(`${kind} x: tenant team-a may not write objects without a namespace`);
  });

  it('refuses Canaries that use what their tenants may not refer to', async () => {
    const analysis = 'analysis: { interval: 1m, threshold: 1, iterations: 1, metrics: [ { name: m, templateRef: ';
    const canary = `spec: { targetRef: { apiVersion: apps/v1, kind: Deployment, name: x }, service: { port: 80 }, ${analysis}{ name: t, namespace: team-a }, thresholdRange: { max: 1 } } ] } }\n`;
    await write({ 'repo/tenants/b/x.yaml': object('Canary', 'team-b/x', canary, 'flagger.app/v1beta1') });
    const { code, lines } = await validate('--config', at('settings.yaml'), at('repo'));
    expect(code).toBe(3);
    expect(lines.join('\n')).toContain(
      "x.yaml:4 error Canary team-b/x spec.analysis.metrics[0].templateRef: can't access metric template t.team-a, the tenants of namespace team-b may not refer to namespace team-a",
    );
  });

  it('counts folders from the root of the checkout, whichever part of it is named', async () => {
    await write({
      'repo/tenants/a/x.yaml': object('ConfigMap', 'team-b/x'),
      'repo/tenants/b/y.yaml': object('ConfigMap', 'kube-system/y'),
    });
    const first = 'tenants/a/x.yaml:1 error ConfigMap team-b/x: tenant team-a may not write to namespace team-b';
    expect((await checked('repo/tenants/a'))[0]).toContain(first);
    expect((await checked('repo/tenants/a/x.yaml'))[0]).toContain(first);
    await symlink(at('repo/tenants/a'), at('link'));
    expect((await checked('link'))[0]).toContain(first);
    const both = await validate('--config', at('settings.yaml'), at('repo/tenants/b'), at('repo/tenants/a'));
    expect(both.lines.map((line) => line.split(' ')[0])).toEqual(['tenants/a/x.yaml:1', 'tenants/b/y.yaml:1']);
  });

  it('is told the root where there is no checkout, and does not guess', async () => {
    await rm(at('repo/.git'), { recursive: true });
    await write({ 'repo/tenants/a/x.yaml': object('ConfigMap', 'team-b/x') });
    const guessing = await validate('--config', at('settings.yaml'), at('repo/tenants/a'));
    expect(guessing.code).toBe(2);
    expect(guessing.errors).toContain("name the repository's root with --root");
    const named = ['--config', at('settings.yaml'), '--root', at('repo')];
    expect((await validate(...named, at('repo/tenants/a'))).lines[0]).toContain('tenants/a/x.yaml:1 error');
    const outside = await validate(...named, dir);
    expect(outside).toMatchObject({ code: 2, errors: expect.stringContaining('is not in') as string });
    const noFolder = await validate('--root', at('settings.yaml'), dir);
    expect(noFolder).toMatchObject({ code: 2, errors: expect.stringContaining('is no folder') as string });
  });

  it('reads only what is below git-path, and takes all other settings from the file, too', async () => {
    await write({
      'settings.yaml': 'git-path: apps\ndefault-namespace: shop\nmin-interval: 1s\nledger-dir: ledgers\n',
      'repo/apps/x.yaml': object('Secret', 'x', 'data: { a: "?" }\n'),
      'repo/apps/ledgers/shop/x.yaml': object('ConfigMap', 'ledger', 'data: 1\n'),
      'repo/other.yaml': object('ConfigMap', 'y', 'data: 1\n'),
    });
    expect(await checked()).toEqual([
      expect.stringContaining('apps/x.yaml:4 error Secret shop/x data["a"]: is not base64'),
    ]);
    expect((await checked('repo/other.yaml'))[0]).toBe(
      'other.yaml:1 warning it would not be applied from there (only what is below git-path, apps, is)',
    );
  });

  it("refuses the agent's own namespace and names, of which it warns where it does not know the settings", async () => {
    await write({
      'settings.yaml': 'agent-namespace: delivery\n',
      'repo/one.yaml': object('ConfigMap', 'delivery/x'),
      'repo/two.yaml': object('ConfigMap', 'serin/x'),
      'repo/three.yaml': object(
        'ClusterRole',
        'serin-more',
        'rules: [ { apiGroups: [""], resources: [secrets], verbs: ["*"] } ]\n',
        'rbac.authorization.k8s.io/v1',
      ),
    });
    const refused =
      "three.yaml:1 error ClusterRole serin-more has a name of the agent's own rights: it is not applied (give it another name, or set --sync-own-namespace where Git is to say what the agent itself is)";
    expect(await checked()).toEqual([
      "one.yaml:1 error ConfigMap delivery/x is in the agent's own namespace: it is not applied (put it into another namespace, or set --sync-own-namespace where Git is to say what the agent itself is)",
      refused,
    ]);
    const { code, lines } = await validate(at('repo'));
    expect(code).toBe(0);
    expect(lines.map((line) => line.split(' (')[0])).toEqual([
      "three.yaml:1 warning ClusterRole serin-more has a name of the agent's own rights: it is not applied",
      "two.yaml:1 warning ConfigMap serin/x is in the agent's own namespace: it is not applied",
    ]);
    await write({ 'settings.yaml': 'agent-namespace: delivery\nsync-own-namespace: true\n' });
    expect(await checked()).toEqual([]);
  });

  it('ends at once where the settings are wrong', async () => {
    await write({ 'settings.yaml': 'tenants:\n  - { name: a, folder: a, namespace: [a] }\n' });
    const wrong = await validate('--config', at('settings.yaml'), at('repo'));
    expect(wrong.code).toBe(2);
    expect(wrong.errors).toContain('"namespace" is no field of a tenant; did you mean namespaces?');
    const gone = await validate('--config', at('gone.yaml'), at('repo'));
    expect(gone).toMatchObject({ code: 2, errors: expect.stringContaining('gone.yaml') as string });
  });
});
