import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import type { LoadedTree } from '../../src/manifest/load.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import type { LiveConfigs } from '../../src/render/live-configs.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { dockerRegistryPath, startDockerRegistry } from '../helpers/docker-registry.ts';
import { helmProgram, type Tree } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

const turns = createTurns();
const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default' };
const told = ({ problems }: LoadedTree): string[] => problems.map(({ path, message }) => `${path}: ${message}`);
const keysOf = ({ manifests }: LoadedTree): string[] => manifests.map(({ object }) => refKey(refOf(object))).toSorted();

describe.skipIf(helmProgram === undefined)('a chart of an index', () => {
  const folder = mkdtempSync(join(tmpdir(), 'helm-remote-'));
  const scratch = join(folder, 'scratch');
  const helm = createHelm({ program: helmProgram ?? '', folder: scratch, fetchesCharts: true });
  const trees = createTreeRenderer(settings, { helm });
  let server: Server;
  let url = '';
  const asked: string[] = [];
  let isDown = false;

  const run = (...args: readonly string[]): string =>
    execFileSync(helmProgram ?? '', args, {
      cwd: folder,
      encoding: 'utf8',
      env: { HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder },
    });
  const publish = (version: string): void => {
    for (const [path, text] of Object.entries({
      'Chart.yaml': `apiVersion: v2\nname: web\nversion: ${version}\n`,
      'values.yaml': 'colour: blue\n',
      'templates/config.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ .Release.Name }} }\ndata: { version: "{{ .Chart.Version }}", colour: "{{ .Values.colour }}" }\n',
    })) {
      mkdirSync(dirname(join(folder, 'web', path)), { recursive: true });
      writeFileSync(join(folder, 'web', path), text);
    }
    run('package', 'web', '--destination', 'index');
    run('repo', 'index', 'index', '--url', url);
  };
  beforeAll(async () => {
    mkdirSync(scratch);
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      try {
        if (isDown) throw new Error('down');
        response.end(readFileSync(join(folder, 'index', (request.url ?? '').slice(1))));
      } catch {
        response.writeHead(isDown ? 503 : 404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const version of ['1.0.0', '1.1.0', '2.0.0']) publish(version);
  });
  afterAll(async () => {
    await helm.close();
    server.close();
    rmSync(folder, { recursive: true });
  });

  const release = (version: string, more = ''): Tree => ({
    'source.yaml': `apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: { name: charts, namespace: test }\nspec: { url: "${url}"${more} }\n`,
    'r.yaml': `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec:\n  chart: { spec: { chart: web, version: "${version}", sourceRef: { kind: HelmRepository, name: charts } } }\n  values: { colour: red }\n`,
    'plain.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: plain, namespace: test }\n',
  });
  const render = (files: Tree, with_ = trees): Promise<LoadedTree> =>
    turns.run(with_.render(new Map(Object.entries(files))));
  const versionIn = ({ manifests }: LoadedTree): unknown => {
    const object = manifests.find(({ object: { metadata } }) => metadata.name === 'web')?.object;
    return (object?.['data'] as { version?: string } | undefined)?.version;
  };

  it('is fetched at the version, or the newest of a range, and once', async () => {
    const first = await render(release('1.0.0'));
    expect(told(first)).toEqual([]);
    // Where it comes from is a description, too.
    expect(keysOf(first)).toEqual(['v1/ConfigMap/test/plain', 'v1/ConfigMap/test/web']);
    expect(first.manifests.find(({ object }) => object.metadata.name === 'web')?.object['data']).toEqual({
      version: '1.0.0',
      colour: 'red',
    });
    expect([versionIn(await render(release('1.x'))), versionIn(await render(release('>=1.0.0')))]).toEqual([
      '1.1.0',
      '2.0.0',
    ]);
    const before = asked.length;
    await render(release('1.0.0'));
    await render(release('1.x'));
    expect(asked.length).toBe(before);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it.skipIf(kustomizeProgram === undefined)('is fetched for a kustomization, which cannot do so itself', async () => {
    const program = helmProgram ?? '';
    const kustomize = createKustomize({ program: kustomizeProgram ?? '', folder: scratch, helm: { program } });
    const kustomized = createTreeRenderer(settings, { kustomize, helm });
    const files = (version: string, more = ''): Tree => ({
      'app/kustomization.yaml': `helmCharts:\n- { name: web, version: "${version}", repo: "${url}", releaseName: web, namespace: test, valuesInline: { colour: red }${more} }\n`,
    });
    const found = await render(files('1.0.0'), kustomized);
    expect(told(found)).toEqual([]);
    expect(found.manifests.map(({ object }) => object['data'])).toEqual([{ version: '1.0.0', colour: 'red' }]);
    expect(versionIn(await render(files('1.x'), kustomized))).toBe('1.1.0');
    // Its own values, by the way that kustomize takes when it has fetched it.
    const own = await render(files('2.0.0', ', valuesFile: charts/web-2.0.0/web/values.yaml'), kustomized);
    expect([told(own), versionIn(own)]).toEqual([[], '2.0.0']);
    expect(told(await render(files('9.0.0'), kustomized))).toEqual([
      expect.stringMatching(
        /^app\/kustomization.yaml: kustomize is not rendered here \(its chart web cannot be fetched/,
      ),
    ]);
    await kustomize.close();
  });

  it.skipIf(dockerRegistryPath === undefined)('is fetched from a registry', async () => {
    const dir = join(folder, 'registry');
    mkdirSync(dir);
    const registry = await startDockerRegistry({ dir });
    try {
      for (const version of ['1.0.0', '1.1.0'])
        run('push', `index/web-${version}.tgz`, `oci://${registry.registry}/charts`, '--plain-http');
      const files = (version: string): Tree => ({
        ...release(version),
        'source.yaml': (release(version, ', type: oci')['source.yaml'] ?? '').replace(
          url,
          `oci://${registry.registry}/charts`,
        ),
      });
      expect(told(await render(files('1.0.0')))).toEqual([]);
      expect([versionIn(await render(files('1.0.0'))), versionIn(await render(files('1.x')))]).toEqual([
        '1.0.0',
        '1.1.0',
      ]);
      const named = (ref: string): Tree => ({
        'source.yaml': `apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: { name: web, namespace: test }\nspec: { url: "oci://${registry.registry}/charts/web", ref: { ${ref} } }\n`,
        'r.yaml':
          'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec:\n  chartRef: { kind: OCIRepository, name: web }\n',
      });
      const pinned = await render(named('tag: 1.0.0'));
      expect([told(pinned), keysOf(pinned), versionIn(pinned)]).toEqual([[], ['v1/ConfigMap/test/web'], '1.0.0']);
      expect(versionIn(await render(named('semver: 1.x')))).toBe('1.1.0');
      expect(told(await render(named('semver: 1.x, semverFilter: x')))[0]).toMatch(
        /spec.ref.semverFilter is not followed/,
      );
      expect(told(await render(named('digest: "sha256:1"')))[0]).toMatch(/names a digest, which is not followed/);
    } finally {
      await registry.stop();
    }
  });

  it('is what a HelmChart names', async () => {
    const chart = `apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmChart\nmetadata: { name: web, namespace: test }\nspec: { chart: web, version: 1.0.0, suspend: true, sourceRef: { kind: HelmRepository, name: charts } }\n`;
    const text =
      'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec: { chartRef: { kind: HelmChart, name: web } }\n';
    const tree = await render({ ...release('1.0.0'), 'chart.yaml': chart, 'r.yaml': text });
    expect(told(tree)).toEqual([expect.stringMatching(/^chart.yaml: .*spec.suspend has no effect/)]);
    expect(versionIn(tree)).toBe('1.0.0');
    expect(keysOf(tree)).toEqual(['v1/ConfigMap/test/plain', 'v1/ConfigMap/test/web']);
    expect(told(await render({ ...release('1.0.0'), 'r.yaml': text }))[0]).toMatch(
      /the HelmChart test\/web of its chart is not in Git/,
    );
  });

  describe('with a password', () => {
    const password = 'open-sesame-7';
    const secret = (data: Readonly<Record<string, string>>): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'login', namespace: 'test' },
        stringData: data,
      });
    const login = { username: 'reader', password };
    let guarded: Server;
    let stranger: Server;
    const told_: string[] = [];
    const addressOf = (one: Server): string => `http://127.0.0.1:${(one.address() as AddressInfo).port}`;
    beforeAll(async () => {
      stranger = createServer((request, response) => {
        told_.push(request.headers.authorization ?? 'nothing');
        response.end(readFileSync(join(folder, 'index', (request.url ?? '').slice(1))));
      });
      await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
      guarded = createServer((request, response) => {
        const right = `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`;
        const path = (request.url ?? '').replace('/private', '');
        if (request.headers.authorization !== right)
          return void response.writeHead(401).end(`who is ${request.headers.authorization}?`);
        const content = readFileSync(join(folder, 'index', path.slice(1)), 'utf8');
        if (!path.endsWith('index.yaml')) return void response.end(readFileSync(join(folder, 'index', path.slice(1))));
        response.end(content.replaceAll(url, `${addressOf(guarded)}/private`));
      });
      await new Promise<void>((resolve) => guarded.listen(0, '127.0.0.1', resolve));
    });
    afterAll(() => {
      guarded.close();
      stranger.close();
    });
    const files = (data: Readonly<Record<string, string>>, version = '1.0.0'): Tree => ({
      ...release(version),
      'source.yaml': (release(version, ', secretRef: { name: login }')['source.yaml'] ?? '').replace(
        url,
        `${addressOf(guarded)}/private`,
      ),
      'login.json': secret(data),
    });
    const another = (): ReturnType<typeof createHelm> =>
      createHelm({ program: helmProgram ?? '', folder: scratch, fetchesCharts: true });

    it('is fetched, by whoever has it, and nobody is told of it', async () => {
      const tree = await render(files(login));
      expect(told(tree)).toEqual([]);
      expect(versionIn(tree)).toBe('1.0.0');
      const host = addressOf(guarded).replace('http://', '');
      const docker = JSON.stringify({
        auths: { [host]: { auth: Buffer.from(`reader:${password}`).toString('base64') } },
      });
      expect(versionIn(await render(files({ '.dockerconfigjson': docker }, '1.1.0')))).toBe('1.1.0');
      // What one fetched with it another one does not get without.
      const wrong = await render(files({ ...login, password: 'close-sesame-8' }));
      expect(versionIn(wrong)).toBeUndefined();
      expect(told(wrong).join()).toMatch(
        /its chart web cannot be fetched \(the index of http:.* cannot be read: look at its URL, and at the credentials/,
      );
      for (const word of [password, 'close-sesame', Buffer.from('reader:close-sesame-8').toString('base64')])
        expect(JSON.stringify(wrong.problems)).not.toContain(word);
      expect(readdirSync(scratch)).toEqual([]);
    });

    it.skipIf(dockerRegistryPath === undefined)('is fetched from a registry', async () => {
      const dir = join(folder, 'guarded-registry');
      mkdirSync(dir);
      const signIn = {
        username: 'ana',
        password: 'secret-of-the-test',
        htpasswd: 'ana:$2a$04$abcdefghijklmnopqrstuualT.46tz0jeToGy/GIZyBarqV2mMWdi',
      };
      const registry = await startDockerRegistry({ dir, signIn });
      try {
        run('registry', 'login', registry.registry, '--username', 'ana', '--password', signIn.password, '--plain-http');
        run('push', 'index/web-1.0.0.tgz', `oci://${registry.registry}/charts`, '--plain-http');
        const of = (data: Readonly<Record<string, string>>): Tree => ({
          ...files(data),
          'source.yaml': (
            release('1.0.0', ', type: oci, insecure: true, secretRef: { name: login }')['source.yaml'] ?? ''
          ).replace(url, `oci://${registry.registry}/charts`),
        });
        const auth = Buffer.from(`ana:${signIn.password}`).toString('base64');
        const docker = { '.dockerconfigjson': JSON.stringify({ auths: { [registry.registry]: { auth } } }) };
        expect(told(await render(of(docker)))).toEqual([]);
        expect(versionIn(await render(of(docker)))).toBe('1.0.0');
        const named = (data: Readonly<Record<string, string>>): Tree => ({
          ...of(data),
          'source.yaml': `apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: { name: web, namespace: test }\nspec: { url: "oci://${registry.registry}/charts/web", ref: { semver: 1.x }, insecure: true, secretRef: { name: login } }\n`,
          'r.yaml':
            'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec:\n  chartRef: { kind: OCIRepository, name: web }\n',
        });
        const byName = await render(named(docker));
        expect([told(byName), versionIn(byName)]).toEqual([[], '1.0.0']);
        for (const [make, why] of [
          [of, /cannot be fetched/],
          [named, /cannot be fetched/],
        ] as const) {
          const wrong = await render(make({ username: 'ana', password: 'close-sesame-8' }));
          expect(versionIn(wrong)).toBeUndefined();
          expect(told(wrong).join()).toMatch(why);
          expect(JSON.stringify(wrong.problems)).not.toContain('close-sesame');
        }
      } finally {
        await registry.stop();
      }
    });

    it("is fetched for a release of Helm's operator with the Secret that it names", async () => {
      const operated = (data: Readonly<Record<string, string>>, name = 'login'): Tree => ({
        'login.json': secret(data),
        'r.yaml': `apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec:\n  releaseName: web\n  chart: { repository: "${addressOf(guarded)}/private", name: web, version: 1.0.0, chartPullSecret: { name: ${name} } }\n`,
      });
      const tree = await render(operated(login));
      expect([told(tree), versionIn(tree)]).toEqual([[], '1.0.0']);
      expect(told(await render(operated(login, 'other'))).join()).toMatch(
        /chartPullSecret names the Secret test\/other, which is not in Git/,
      );
      expect(versionIn(await render(operated({ ...login, password: 'close-sesame-8' })))).toBeUndefined();
    });

    it('goes to no other server, wherever an index leads', async () => {
      const helm_ = another();
      const index = readFileSync(join(folder, 'index/index.yaml'), 'utf8');
      guarded.removeAllListeners('request');
      guarded.on('request', (_, response) => {
        response.end(index.replaceAll(url, addressOf(stranger)));
      });
      await render(files(login), createTreeRenderer(settings, { helm: helm_ }));
      expect(told_).toEqual(['nothing']);
      await helm_.close();
    });

    it('is fetched where the cluster has the password, and not by another tenant', async () => {
      const live: LiveConfigs = { read: () => Promise.resolve(JSON.parse(secret(login)) as KubeObject) };
      const helm_ = another();
      const { 'login.json': _login, ...rest } = files(login);
      const tree = await render(rest, createTreeRenderer(settings, { helm: helm_, live }));
      // The server of the test before says another index now.
      expect(told(tree)).toEqual([]);
      const tenancy = createTenancy([{ name: 'a', folder: '', namespaces: ['elsewhere'] }]);
      const refused = await render(rest, createTreeRenderer({ ...settings, tenancy }, { helm: helm_, live }));
      expect(versionIn(refused)).toBeUndefined();
      await helm_.close();
    });
  });

  it('is fetched for HelmReleases of Flux 1 by its URL', async () => {
    const text = `apiVersion: flux.weave.works/v1beta1\nkind: HelmRelease\nmetadata: { name: web, namespace: test }\nspec:\n  releaseName: web\n  chart: { repository: "${url}", name: web, version: 1.0.0 }\n`;
    expect(versionIn(await render({ 'r.yaml': text }))).toBe('1.0.0');
  });

  it('is asked of nobody without a setting', async () => {
    const closed = createHelm({ program: helmProgram ?? '' });
    const before = asked.length;
    const tree = await render(release('1.0.0'), createTreeRenderer(settings, { helm: closed }));
    expect(told(tree)).toEqual([
      expect.stringMatching(/^r.yaml: .*its chart web is fetched only with --remote-charts/),
    ]);
    expect(keysOf(tree)).toContain('v1/ConfigMap/test/plain');
    expect(asked.length).toBe(before);
    await closed.close();
  });

  it.each<readonly [string, () => Tree, RegExp]>([
    ['there is no such version', () => release('3.x'), /its chart web cannot be fetched \(.*3\.x/],
    [
      'its password is nowhere',
      () => release('1.0.0', ', secretRef: { name: x }'),
      /secretRef names the Secret test\/x, which is not in Git, and no cluster is asked here/,
    ],
    [
      'its password is for another server',
      () => ({
        ...release('1.0.0', ', secretRef: { name: x }'),
        'x.yaml':
          'apiVersion: v1\nkind: Secret\nmetadata: { name: x, namespace: test }\nstringData: { .dockerconfigjson: \'{"auths":{"ghcr.io":{"username":"u","password":"p"}}}\' }\n',
      }),
      /the Secret of its secretRef holds nothing for 127/,
    ],
    [
      'its password would go where everybody can read it',
      () => ({
        ...release('1.0.0'),
        'source.yaml': (release('1.0.0', ', secretRef: { name: x }')['source.yaml'] ?? '').replace(
          url,
          'http://charts.example.com',
        ),
        'x.yaml':
          'apiVersion: v1\nkind: Secret\nmetadata: { name: x, namespace: test }\nstringData: { username: u, password: p }\n',
      }),
      /its URL is plain HTTP/,
    ],
    [
      'its registry is spoken to in the open',
      () => ({
        ...release('1.0.0'),
        'source.yaml': (release('1.0.0', ', type: oci, insecure: true')['source.yaml'] ?? '').replace(
          url,
          'oci://charts.example.com/x',
        ),
      }),
      /insecure, which is followed of registries within the cluster only/,
    ],
    [
      'a cloud is to give its password',
      () => release('1.0.0', ', provider: aws'),
      /has a provider, which is not followed/,
    ],
    ['its password is to go everywhere', () => release('1.0.0', ', passCredentials: true'), /passCredentials/],
    [
      'its index is not in Git',
      () => ({ ...release('1.0.0'), 'source.yaml': '' }),
      /HelmRepository test\/charts of its chart is not in Git/,
    ],
    [
      'its index is a file',
      () => ({
        ...release('1.0.0'),
        'source.yaml': (release('1.0.0')['source.yaml'] ?? '').replace(url, 'file:///etc'),
      }),
      /comes from no URL that can be asked/,
    ],
    ['its version is an argument', () => release('--debug'), /the version "--debug" of its chart is none/],
    [
      'its name leads elsewhere',
      () => ({
        ...release('1.0.0'),
        'r.yaml': (release('1.0.0')['r.yaml'] ?? '').replace('chart: web', 'chart: ../web'),
      }),
      /its chart is named "..\/web"/,
    ],
  ])('is held back with a reason where %s', async (_, files, reason) => {
    const tree = await render(files());
    expect(told(tree).filter((text) => text.startsWith('r.yaml'))).toEqual([expect.stringMatching(reason)]);
    expect(versionIn(tree)).toBeUndefined();
    expect(tree.strays.has('r.yaml#HelmRelease/test/web')).toBe(true);
    expect(keysOf(tree)).toContain('v1/ConfigMap/test/plain');
  });

  it('goes on as it was while its server does not answer', async () => {
    isDown = true;
    try {
      expect(versionIn(await render(release('1.0.0')))).toBe('1.0.0');
      expect(told(await render(release('1.1.0')))).toContainEqual(
        expect.stringMatching(/its chart web cannot be fetched/),
      );
    } finally {
      isDown = false;
    }
  });
});
