import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { openCluster } from '../../src/cluster/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { ageKey, encrypted, sopsProgram } from '../helpers/sops.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';

type Tree = Readonly<Record<string, string>>;

let dir: string;
let program: string;
beforeEach(async () => {
  dir = await tempDir();
  program = kustomizeProgram ?? 'none';
  await mkdir(join(dir, '.git'));
});
afterEach(() => removeDir(dir));

const write = async (files: Tree): Promise<void> => {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
};

async function serin(...argv: readonly string[]): Promise<{ code: number; out: string; errors: string[] }> {
  const [out, errors]: [string[], string[]] = [[], []];
  const code = await runCommandLine({
    argv: [...argv, '--kustomize', program],
    environment: {},
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => errors.push(text) },
    signal: new AbortController().signal,
  });
  return { code, out: out.join(''), errors: errors.join('').split('\n').filter(Boolean) };
}
const documents = (text: string): { kind: string; metadata: Record<string, unknown> }[] =>
  parseAllDocuments(text).map((document) => document.toJS() as { kind: string; metadata: Record<string, unknown> });

const deployment = (image = 'shop:1'): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: shop }\nspec:\n  selector: { matchLabels: { app: shop } }\n  template:\n    metadata: { labels: { app: shop } }\n    spec:\n      containers:\n      - { name: shop, image: "${image}" }\n`;
const shop: Tree = {
  'base/kustomization.yaml': 'resources: [shop.yaml]\nconfigMapGenerator: [{ name: shop, literals: [a=b] }]\n',
  'base/shop.yaml': deployment(),
  'prod/kustomization.yaml':
    'namespace: prod\nresources: [../base, namespace.yaml]\nimages: [{ name: shop, newTag: "2" }]\n',
  'prod/namespace.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: prod }\n',
  'plain/ignored.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: plain, annotations: { serin.dev/ignore: "true" } }\n',
};

describe.skipIf(kustomizeProgram === undefined)('serin render', () => {
  it('prints what would be applied, in the order of application, and nothing else', async () => {
    await write(shop);
    const { code, out, errors } = await serin('render', join(dir, 'prod'));
    expect({ code, errors }).toEqual({ code: 0, errors: [] });
    expect(documents(out).map(({ kind, metadata }) => [kind, metadata['namespace']])).toEqual([
      ['Namespace', undefined],
      ['ConfigMap', 'prod'],
      ['Deployment', 'prod'],
    ]);
    expect(out).toContain('image: shop:2');
    expect(out).not.toContain('config.kubernetes.io/origin');
  });

  it.skipIf(sopsProgram === undefined)(
    'prints of a Secret that is encrypted which keys it has, with the key that decrypts it',
    async () => {
      const text =
        'apiVersion: v1\nkind: Secret\nmetadata: { name: login }\nstringData: { password: hunter2-hunter2 }\n';
      await write({ 'login.yaml': encrypted(text), 'key.txt': ageKey.identity });
      const flags = ['--sops', sopsProgram ?? ''];
      const { code, out, errors } = await serin('render', dir, ...flags, '--sops-age-key-file', join(dir, 'key.txt'));
      expect({ code, errors }).toEqual({ code: 0, errors: [] });
      expect(documents(out)).toMatchObject([{ kind: 'Secret', stringData: { password: '***' } }]);
      expect(await serin('render', dir, '--json', ...flags)).toMatchObject({
        code: 3,
        out: '',
        errors: [
          expect.stringMatching(
            /login.yaml:1 error the file is encrypted with SOPS, and cannot be decrypted: no key is known/,
          ),
        ],
      });
    },
  );

  it('runs a program that is named from where the command is run', async () => {
    await write(shop);
    program = relative(process.cwd(), program);
    expect(await serin('render', join(dir, 'prod'))).toMatchObject({ code: 0, errors: [] });
  });

  it('tells with --json where each object comes from', async () => {
    await write(shop);
    const { out } = await serin('render', join(dir, 'prod'), '--json');
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { object: { kind: string }; origin: unknown });
    expect(lines.find(({ object }) => object.kind === 'Deployment')?.origin).toEqual({
      renderer: 'kustomize',
      path: 'base/shop.yaml',
      line: 1,
      document: 0,
      unit: 'prod/kustomization.yaml',
    });
  });

  it('renders a part of the folder that the agent follows, by its settings', async () => {
    await write({ ...shop, 'other/x.yaml': 'apiVersion: v1\nkind: Service\nmetadata: { name: x }\n' });
    await writeFile(join(dir, 'settings.yaml'), 'default-namespace: here\n');
    const { out } = await serin('render', join(dir, 'other/x.yaml'), '--config', join(dir, 'settings.yaml'));
    expect(documents(out).map(({ metadata }) => metadata)).toEqual([{ name: 'x', namespace: 'here' }]);
    const whole = await serin('render', dir, '--config', join(dir, 'settings.yaml'));
    expect(documents(whole.out).map(({ kind }) => kind)).toContain('Service');
  });

  it('renders what a Kustomization of Flux describes, named by its file', async () => {
    const flux =
      'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: shop, namespace: flux-system }\nspec:\n  path: ./prod\n  prune: true\n  sourceRef: { kind: GitRepository, name: flux-system }\n';
    await write({
      ...shop,
      'cluster/shop.yaml': flux,
      'cluster/other.yaml': (shop['prod/namespace.yaml'] ?? '').replace('prod', 'other'),
    });
    const { code, out } = await serin('render', join(dir, 'cluster/shop.yaml'), '--git-path', 'cluster');
    expect(code).toBe(0);
    expect(
      documents(out).map(({ kind, metadata }) => `${kind} ${String(metadata['namespace'] ?? metadata['name'])}`),
    ).toEqual(['Namespace prod', 'ConfigMap prod', 'Deployment prod']);
  });

  const application = (name: string, path: string, more = ''): string =>
    `apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: ${name}, namespace: argocd }\nspec:\n  destination: { server: https://kubernetes.default.svc, namespace: ${name} }\n  syncPolicy: { automated: { prune: true } }\n  source: { repoURL: "https://github.com/acme/fleet", path: ${path}${more} }\n`;
  it.each(['argocd/shop.yaml', 'plain/b.yaml', 'argocd'])(
    'renders what an Application of Argo CD describes: %s',
    async (place) => {
      await write({
        'argocd/shop.yaml': application('shop', 'plain'),
        'plain/b.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: b }\n',
      });
      const { code, out, errors } = await serin('render', join(dir, place), '--git-path', 'argocd', '--json');
      expect({ code, errors }).toEqual({ code: 0, errors: [] });
      expect(
        out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).toEqual([
        {
          object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b', namespace: 'shop' } },
          origin: {
            renderer: 'kustomize',
            path: 'plain/b.yaml',
            line: 1,
            document: 0,
            unit: 'argocd/shop.yaml#Application/argocd/shop',
          },
        },
      ]);
    },
  );

  it('says at the file what of an Application is wrong, and prints the others', async () => {
    await write({
      'argocd/shop.yaml': application('shop', 'plain', ', plugin: { name: x }'),
      'argocd/web.yaml': application('web', 'web'),
      'argocd/lost.yaml': application('lost', 'lost'),
      'plain/b.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: b }\n',
      'web/c.yaml': 'apiVersion: v1\nkind: Service\nmetadata: { name: c }\nspec: { ports: 3 }\n',
    });
    const { code, out, errors } = await serin('render', join(dir, 'argocd'), '--git-path', 'argocd');
    expect([code, ofProd(out)]).toEqual([3, ['Service c']]);
    expect(errors.map((line) => line.split(' ')[0])).toEqual(['argocd/lost.yaml:1', 'argocd/shop.yaml:1']);
    const validated = await serin('validate', join(dir, 'argocd'), '--git-path', 'argocd');
    expect(validated.code).toBe(3);
    expect(`${validated.out}${validated.errors.join('\n')}`).toMatch(/web\/c\.yaml:4 .*spec\.ports/);
  });

  const flux = (name: string, path: string): string =>
    `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: ${name}, namespace: flux-system }\nspec:\n  path: ./${path}\n  prune: true\n  sourceRef: { kind: GitRepository, name: flux-system }\n`;
  const cluster: Tree = {
    ...shop,
    'base/kustomization.yaml': 'resources: [shop.yaml]\n',
    'clusters/prod/flux-system/gotk-sync.yaml': flux('flux-system', 'clusters/prod'),
    'clusters/prod/flux-system/kustomization.yaml': 'resources: [gotk-sync.yaml]\n',
    'clusters/prod/apps.yaml': flux('apps', 'prod'),
    'clusters/prod/infra.yaml': flux('infra', 'infra'),
    'infra/namespace.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: infra }\n',
    'prod/kustomization.yaml':
      'namespace: prod\nresources: [../base]\npatches: [{ path: patches/replicas.yaml, target: { kind: Deployment } }]\n',
    'prod/patches/replicas.yaml': '- { op: add, path: /spec/replicas, value: 3 }\n',
    'other/unused.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: unused }\n',
  };
  const ofProd = (out: string): string[] =>
    documents(out).map(({ kind, metadata }) => `${kind} ${String(metadata['name'])}`);

  it.each<readonly [string, string, readonly string[]]>([
    ['an overlay of a base elsewhere', 'prod', ['Deployment shop']],
    ['the file of the overlay', 'prod/kustomization.yaml', ['Deployment shop']],
    ['its base', 'base', ['Deployment shop']],
    ['a folder of patches', 'prod/patches', ['Deployment shop']],
    ['a folder without a kustomization', 'infra', ['Namespace infra']],
    ['the file of a Kustomization that another one brings', 'clusters/prod/apps.yaml', ['Deployment shop']],
    ['the root', 'clusters/prod', ['Namespace infra', 'Deployment shop']],
  ])('prints what Flux makes of %s', async (_, place, expected) => {
    await write(cluster);
    const { code, out, errors } = await serin('render', join(dir, place), '--git-path', 'clusters/prod');
    expect({ code, errors }).toEqual({ code: 0, errors: [] });
    expect(ofProd(out).toSorted()).toEqual([...expected].toSorted());
  });

  it.each(['other', 'other/unused.yaml'])('says of a place that brings nothing that it does: %s', async (place) => {
    await write(cluster);
    const { code, out, errors } = await serin('render', join(dir, place), '--git-path', 'clusters/prod');
    expect([code, out]).toEqual([3, '']);
    expect(errors.join()).toMatch(
      new RegExp(`^${place}:1 error no object comes of this .*nothing that is followed reads it.*clusters/prod`),
    );
    // Whoever reads it may only be broken.
    await write({ 'infra/namespace.yaml': 'kind: [\n' });
    const broken = await serin('render', join(dir, place), '--git-path', 'clusters/prod');
    expect(broken.errors.join('\n')).toMatch(
      new RegExp(`^${place}:1 error no object comes of this .* other errors`, 'm'),
    );
    const empty = await serin('render', join(dir, 'plain'));
    expect(empty.code).toBe(3);
    expect(empty.errors.join()).toMatch(
      /^plain:1 error no object comes of this folder: nothing in it would be applied/,
    );
  });

  it('names the source file and not what it renders to, and prints the rest', async () => {
    await write({
      ...shop,
      'base/shop.yaml': `# of the shop\n${deployment('${IMAGE}')}`,
      'broken/kustomization.yaml': 'namespace: x\nresources: [none.yaml]\n',
    });
    const { code, out, errors } = await serin('render', dir);
    expect(code).toBe(3);
    expect(errors).toEqual([
      expect.stringMatching(/^base\/shop.yaml:11 error Deployment shop: .*\$\{IMAGE\}/),
      expect.stringMatching(/^broken\/kustomization.yaml:1 error .*broken\/none.yaml is no file/),
    ]);
    expect(documents(out).map(({ kind }) => kind)).toEqual(['Namespace', 'ConfigMap']);
  });

  it('reads nothing outside of the repository, and follows no link', async () => {
    await write({ ...shop, 'prod/kustomization.yaml': 'namespace: prod\nresources: [../away]\n' });
    await symlink('/etc', join(dir, 'away'));
    const { code, out, errors } = await serin('render', join(dir, 'prod'));
    expect([code, out]).toEqual([3, '']);
    expect(errors.join()).toMatch(/away is a symbolic link/);
    const outside = await serin('render', join(dir, 'prod'), '--root', join(dir, 'base'));
    expect([outside.code, outside.out]).toEqual([2, '']);
  });

  it('says what is missing where there is no kustomize, and renders what needs none', async () => {
    program = '/none/kustomize';
    await write({ ...shop, 'plain.yaml': 'apiVersion: v1\nkind: Service\nmetadata: { name: x }\n' });
    const { code, out, errors } = await serin('render', dir);
    expect(code).toBe(3);
    expect(errors.join()).toMatch(
      /prod\/kustomization.yaml:1 error kustomize is not rendered here \(there is no program kustomize of version 5/,
    );
    expect(documents(out).map(({ kind }) => kind)).toEqual(['Service']);
  });
});

describe.skipIf(kustomizeProgram === undefined)('serin validate', () => {
  it('renders kustomizations and looks at what they make', async () => {
    const canary = `apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: shop }\nspec:\n  provider: istoi\n  targetRef: { apiVersion: apps/v1, kind: Deployment, name: shop }\n  service: { port: 80 }\n  analysis: { interval: 1m, threshold: 5, stepWeight: 10 }\n`;
    await write({
      ...shop,
      'base/kustomization.yaml': 'resources: [shop.yaml, canary.yaml]\n',
      'base/canary.yaml': canary,
    });
    const { code, out } = await serin('validate', join(dir, 'prod'));
    expect(code).toBe(3);
    expect(out).toMatch(/^base\/canary.yaml:5 error Canary prod\/shop spec.provider: /m);
    expect(out).not.toContain('not rendered');
    await write({ 'base/canary.yaml': canary.replace('istoi', 'kubernetes') });
    const fine = await serin('validate', join(dir, 'prod'));
    expect(fine.out.trim().split('\n').at(-1)).toMatch(/^3 objects in .*: 0 errors/);
    expect(fine.code).toBe(0);
  });

  it('chooses one of several environments with --git-path, and says of a path that it is not a part of it', async () => {
    await write({ ...shop, 'staging/kustomization.yaml': 'namespace: prod\nresources: [../base]\n' });
    const both = await serin('validate', dir);
    expect(both.code).toBe(3);
    expect(both.out).toContain('has to be chosen with --git-path');
    expect(both.out).not.toContain('rendered yet');
    for (const place of ['', 'prod', 'base', 'base/shop.yaml']) {
      const one = await serin('validate', join(dir, place), '--git-path', 'prod');
      expect(one.out.trim()).toMatch(/^3 objects in \d files: 0 errors, 0 warnings$/);
      expect(one.code).toBe(0);
    }
    const apart = await serin('validate', join(dir, 'staging'), '--git-path', 'prod');
    expect(apart.code).toBe(3);
    expect(apart.out).toMatch(/^staging:1 error no object comes of this folder: nothing that is followed reads it/m);
  });

  it('tells with --git-path only what concerns the place, and how much there is elsewhere', async () => {
    const broken = (name: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { a: 1 }\n`;
    await write({
      'apps/fine.yaml': broken('fine').replace('a: 1', 'a: b'),
      'apps/other.yaml': broken('other'),
      'apps/more.yaml': broken('more'),
      'apps/twice.yaml': broken('twice').replace('a: 1', 'a: b'),
      'apps/twice-too.yaml': broken('twice').replace('a: 1', 'a: c'),
      'apps/prod/kustomization.yaml': 'namePrefix: x-\nresources: [../../base, none.yaml]\n',
      'apps/staging/kustomization.yaml': 'namePrefix: y-\nresources: [../../base]\n',
      'apps/empty/README.md': 'nothing\n',
      'base/kustomization.yaml': 'resources: [base.yaml]\n',
      'base/base.yaml': broken('base').replace('a: 1', 'a: b'),
    });
    const places = async (place: string): Promise<readonly string[]> => {
      const { out } = await serin('validate', join(dir, place), '--git-path', 'apps');
      return out
        .split('\n')
        .flatMap((line) => /^(.*?):\d+ \w+ |^(\d+ problems? elsewhere)/.exec(line)?.slice(1).join('') ?? []);
    };
    const rest = (count: number): string => `${count} problem${count === 1 ? '' : 's'} elsewhere`;
    expect(await places('apps/fine.yaml')).toEqual([rest(4)]);
    expect(await places('apps/other.yaml')).toEqual(['apps/other.yaml', rest(3)]);
    // It is told at the other one.
    expect(await places('apps/twice-too.yaml')).toEqual(['apps/twice.yaml', rest(3)]);
    // Of two overlays one is not rendered.
    for (const place of ['base', 'base/base.yaml'])
      expect(await places(place)).toEqual(['apps/prod/kustomization.yaml', rest(3)]);
    expect(await places('apps/staging')).toEqual([rest(4)]);
    expect(await places('apps/prod')).toEqual(['apps/prod/kustomization.yaml', rest(3)]);
    // Nothing comes of it, so anything may be why.
    expect(await places('apps/empty')).toHaveLength(5);
    expect(await places('apps')).toHaveLength(4);
    const { errors } = await serin('render', join(dir, 'apps/fine.yaml'), '--git-path', 'apps');
    expect(errors).toEqual([]);
  });
});

describe.skipIf(kustomizeProgram === undefined)('serin diff', () => {
  it('says by a dry run what would be made and changed, and changes nothing', async () => {
    const sandbox = await startSandbox();
    try {
      await writeFile(join(dir, 'kubeconfig'), sandbox.kubeconfig);
      await write(shop);
      const post = (path: string, body: unknown): Promise<Response> =>
        fetch(`${sandbox.apiUrl}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
      await post('/api/v1/namespaces', { metadata: { name: 'prod' } });
      const live = documents((await serin('render', join(dir, 'base'))).out)[1] as object;
      await post('/apis/apps/v1/namespaces/prod/deployments', {
        ...live,
        metadata: { name: 'shop', namespace: 'prod' },
      });
      const diff = (...more: readonly string[]): ReturnType<typeof serin> =>
        serin('diff', join(dir, 'prod'), '--kubeconfig', join(dir, 'kubeconfig'), ...more);
      const { code, out, errors } = await diff();
      expect({ code, errors }).toEqual({ code: 0, errors: [] });
      expect(out.split('\n')).toEqual([
        expect.stringMatching(/^\+ ConfigMap prod\/shop-/),
        '~ Deployment prod/shop',
        '    spec.template.spec.containers[0].image: "shop:1" -> "shop:2"',
        '1 to create, 1 to change, 1 as they are',
        '',
      ]);
      expect((await diff('--json')).out).toContain('"from":"shop:1","to":"shop:2"');
      expect(sandbox.store.get('apps/v1', 'Deployment', 'prod', 'shop')).toMatchObject({
        spec: { template: { spec: { containers: [{ image: 'shop:1' }] } } },
      });
    } finally {
      await sandbox.stop();
    }
  });

  it('says what the server refuses, with file and line, and what comes with its namespace', async () => {
    const sandbox = await startSandbox();
    try {
      await writeFile(join(dir, 'kubeconfig'), sandbox.kubeconfig);
      await write({
        ...shop,
        'wrong/wrong.yaml':
          'apiVersion: v1\nkind: Service\nmetadata: { name: x, namespace: none }\nspec: { ports: [{ port: 80 }] }\n',
      });
      const { code, out, errors } = await serin('diff', dir, '--kubeconfig', join(dir, 'kubeconfig'));
      expect(code).toBe(3);
      expect(errors).toEqual([
        expect.stringMatching(/^wrong\/wrong.yaml:1 error Service none\/x: .*namespaces "none" not found/),
      ]);
      expect(out).toContain('3 to create, 0 to change, 0 as they are');
      expect(sandbox.store.get('v1', 'Namespace', undefined, 'prod')).toBeUndefined();
    } finally {
      await sandbox.stop();
    }
  });

  it.skipIf(helmProgram === undefined)(
    'follows Applications of Argo CD, from all of them down to one value',
    async () => {
      const application = (name: string, source: string, namespace = name): string =>
        `apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: ${name}, namespace: argocd }\nspec:\n  project: default\n  source: { repoURL: "https://git.example.test/fleet.git", targetRevision: HEAD, ${source} }\n  destination: { server: "https://kubernetes.default.svc", namespace: ${namespace} }\n  syncPolicy: { automated: { prune: true }, syncOptions: [CreateNamespace=true] }\n`;
      const fleet = (tag = '1', colour = 'red'): Tree => ({
        'bootstrap/root.yaml': application('root', 'path: apps', 'argocd'),
        'apps/shop.yaml': application('shop', `path: prod, kustomize: { images: ["shop=shop:${tag}"] }`),
        'apps/web.yaml': application('web', `path: web, helm: { parameters: [{ name: colour, value: ${colour} }] }`),
        'apps/both.yaml': `apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: { name: both, namespace: argocd }\nspec:\n  generators: [{ list: { elements: [{ name: one }, { name: two }] } }]\n  template:\n    metadata: { name: "{{ name }}" }\n    spec: { source: { repoURL: "https://git.example.test/fleet.git", path: plain }, destination: { name: in-cluster, namespace: "{{ name }}" }, syncPolicy: { automated: {}, syncOptions: [CreateNamespace=true] } }\n`,
        'prod/kustomization.yaml': 'resources: [shop.yaml]\n',
        'prod/shop.yaml': deployment(),
        'plain/config.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: plain }\ndata: { a: b }\n',
        'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
        'web/templates/config.yaml':
          'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ .Release.Name }} }\ndata: { colour: {{ .Values.colour }} }\n',
      });
      const sandbox = await startSandbox();
      try {
        await writeFile(join(dir, 'kubeconfig'), sandbox.kubeconfig);
        await write(fleet());
        const diff = async (...more: readonly string[]): Promise<string[]> => {
          const flags = ['--kubeconfig', join(dir, 'kubeconfig'), '--helm', helmProgram ?? ''];
          const { code, out, errors } = await serin('diff', ...more, ...flags);
          expect({ code, errors }).toEqual({ code: 0, errors: [] });
          return out.trimEnd().split('\n');
        };
        expect((await diff(dir)).toSorted()).toEqual([
          '+ ConfigMap one/plain',
          '+ ConfigMap two/plain',
          '+ ConfigMap web/web',
          '+ Deployment shop/shop',
          '+ Namespace argocd',
          '+ Namespace one',
          '+ Namespace shop',
          '+ Namespace two',
          '+ Namespace web',
          '9 to create, 0 to change, 0 as they are',
        ]);
        // What the agent would have applied by now; a namespace that it only makes is nobody's any more.
        const cluster = await openCluster(
          { kind: 'text', text: sandbox.kubeconfig },
          { clock: systemClock, log: silentLogger },
        );
        const { out } = await serin('render', dir, '--helm', helmProgram ?? '');
        for (const object of documents(out))
          await cluster.apply(
            object as unknown as KubeObject,
            { manager: 'serin', force: true },
            new AbortController().signal,
          );
        await cluster.close();
        expect(await diff(dir)).toEqual(['0 to create, 0 to change, 4 as they are']);
        await write(fleet('2', 'blue'));
        const shopLines = [
          '~ Deployment shop/shop',
          '    spec.template.spec.containers[0].image: "shop:1" -> "shop:2"',
        ];
        const webLines = ['~ ConfigMap web/web', '    data.colour: "red" -> "blue"'];
        expect(await diff(dir)).toEqual([...webLines, ...shopLines, '0 to create, 2 to change, 2 as they are']);
        // An Application stands for what is made of it, and so does a part of what it names.
        for (const [place, lines] of [
          ['apps/web.yaml', webLines],
          ['web/templates', webLines],
          ['prod', shopLines],
        ] as const)
          expect(await diff('--git-path', '', join(dir, place))).toEqual([
            ...lines,
            '0 to create, 1 to change, 0 as they are',
          ]);
        expect(await diff('--git-path', '', join(dir, 'plain/config.yaml'))).toEqual([
          '0 to create, 0 to change, 2 as they are',
        ]);
      } finally {
        await sandbox.stop();
      }
    },
  );
});
