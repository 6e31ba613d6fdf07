import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { standInFor } from '../../src/render/sops-stand-in.ts';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { encrypted, otherAgeKey, sopsProgram } from '../helpers/sops.ts';

const tools = [kustomizeProgram, helmProgram, sopsProgram];

describe.skipIf(tools.includes(undefined))('serin validate without the keys of what is encrypted', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'serin-keyless-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const write = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), text);
    }
  };
  const validate = async (...flags: readonly string[]): Promise<{ code: number; lines: string[] }> => {
    let out = '';
    const programs = ['--kustomize', tools[0] ?? '', '--helm', tools[1] ?? '', '--sops', tools[2] ?? ''];
    const code = await runCommandLine({
      argv: ['validate', dir, '--root', dir, ...programs, ...flags],
      environment: {},
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (out += text) },
      signal: new AbortController().signal,
    });
    return { code, lines: out.trimEnd().split('\n') };
  };
  const errorsIn = ({ lines }: { lines: string[] }): string[] => lines.filter((line) => /^\S+ error /.test(line));

  const secret = (name: string, more = ''): string =>
    `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name}, namespace: default }\n${more}`;
  const deployment = (replicas: string): string =>
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: shop }\nspec:\n  replicas: ${replicas}\n  selector: { matchLabels: { app: shop } }\n  template: { metadata: { labels: { app: shop } }, spec: { containers: [{ name: c, image: "x:1" }] } }\n`;
  const repository = (replicas = '2', port = '80'): Readonly<Record<string, string>> => ({
    'login.yaml': encrypted(
      secret('login', 'type: kubernetes.io/dockerconfigjson\ndata: { .dockerconfigjson: e30= }\n'),
    ),
    'wholly.yaml': encrypted(secret('wholly', 'stringData: { a: b }\n'), 'yaml', { wholly: true }),
    'app/kustomization.yaml':
      'namespace: default\nresources: [shop.yaml, token.yaml]\nsecretGenerator: [{ name: made, envs: [made.env], files: [blob, more.json] }]\n',
    'app/shop.yaml': deployment(replicas),
    'app/token.yaml': encrypted(secret('token', 'stringData: { word: x }\n')),
    'app/made.env': encrypted('A=b\n', 'dotenv'),
    'app/blob': encrypted('anything', 'binary'),
    'app/more.json': encrypted('{"a": "b", "n": 5}', 'json'),
    'chart/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'chart/templates/all.yaml': `apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: {{ .Values.port | int }}, name: "${port}" }] }\n---\n${secret('web', 'stringData: { password: {{ .Values.password | quote }} }\n')}`,
    'chart/secret.yaml': encrypted('password: abc\nport: 80\nflag: true\n', 'yaml', { wholly: true }),
    'release.yaml':
      'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: default }\nspec:\n  chart: { spec: { chart: ./chart, valuesFiles: [chart/secret.yaml], sourceRef: { kind: GitRepository, name: x } } }\n',
  });

  it('looks at all the rest, and says once what it did not look at', async () => {
    await write(repository('2', 'http'));
    const { code, lines } = await validate();
    expect([code, lines]).toEqual([
      0,
      [
        'app/blob:1 warning the file is encrypted with SOPS, and so are 6 others: without a key what is encrypted is not looked at, but all else (name a key with --sops-age-key-file, or make it an error with --require-keys)',
        '6 objects in 10 files: 0 errors, 1 warning',
      ],
    ]);
    expect(errorsIn(await validate('--require-keys')).length).toBeGreaterThan(4);
    expect((await validate('--require-keys')).code).toBe(3);
  });

  it('finds what is wrong beside what is encrypted, in the same kustomization and the same chart', async () => {
    await write(repository('two', '-'));
    const found = await validate();
    expect([found.code, errorsIn(found)]).toEqual([
      3,
      [
        'app/shop.yaml:5 error Deployment default/shop spec.replicas: "two" is no number of pods (write a whole number)',
        expect.stringMatching(/^release.yaml:1 error Service default\/web spec.ports\[0\].name: /),
      ],
    ]);
  });

  it('holds against a key that is named what that key cannot open', async () => {
    await write({ 'login.yaml': repository()['login.yaml'] ?? '', 'key.txt': `${otherAgeKey.identity}\n` });
    const found = await validate('--sops-age-key-file', join(dir, 'key.txt'));
    expect([found.code, errorsIn(found)]).toEqual([3, [expect.stringMatching(/none of the keys that are known/)]]);
  });

  it('blames no file for what a stand-in cannot do, and no chart for values that only the cluster has', async () => {
    const asking = (name: string, more: string): string =>
      `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: ${name}, namespace: default }\nspec:\n  chart: { spec: { chart: ./chart, sourceRef: { kind: GitRepository, name: x } } }\n${more}`;
    await write({
      ...repository(),
      'chart/templates/strict.yaml': '{{ if ne .Values.password "abc" }}{{ fail "not the one" }}{{ end }}',
      'asking.yaml': `${asking('live', '  valuesFrom: [{ kind: Secret, name: only-there }]\n')}---\n${asking('after', '  dependsOn: [{ name: live }]\n  values: { password: abc, port: 1 }\n')}---\n${asking('wrong', '  values: { password: other }\n')}`,
      'flux.yaml':
        'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: app, namespace: default }\nspec: { path: ./nothing, prune: true, sourceRef: { kind: GitRepository, name: flux-system }, postBuild: { substituteFrom: [{ kind: ConfigMap, name: settings }] } }\n',
      'nothing/config.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: n, namespace: default }\ndata: { a: "${a}" }\n',
    });
    const found = await validate();
    expect(
      found.lines.filter((line) => /release|asking|flux/.test(line)).map((line) => line.split(/: | \(/)[0]),
    ).toEqual([
      'asking.yaml:1 warning HelmRelease default/live is not rendered',
      'asking.yaml:8 warning HelmRelease default/after is not rendered',
      expect.stringMatching(/^asking.yaml:\d+ error HelmRelease default\/wrong is not rendered/),
      'flux.yaml:1 warning Kustomization default/app is not rendered',
      'release.yaml:1 warning HelmRelease default/web is not rendered',
    ]);
  });

  it('takes a long file of things that look encrypted with linear work', () => {
    const began = performance.now();
    for (const text of ['ENC[AES256_GCM,', '"ENC[AES256_GCM,data:', ',type:', 'sops:\n'])
      standInFor('yaml', Buffer.from(text.repeat(100_000)));
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});
