import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'serin-validate-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const demo = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, '../../fixtures/demo', name), 'utf8');

const validate = (...flags: readonly string[]): ReturnType<typeof run> => run(dir, ...flags);

async function run(...args: readonly string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  let out = '';
  let errors = '';
  const code = await runCommandLine({
    argv: ['validate', ...args],
    environment: {},
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    signal: new AbortController().signal,
  });
  return { code, lines: out.trimEnd().split('\n'), errors };
}

describe('serin validate', () => {
  it('finds nothing wrong with the configuration of the demo', async () => {
    for (const name of ['namespace.yaml', 'quotes.yaml', 'canary.yaml'])
      await writeFile(join(dir, name), await demo(name));
    expect(await validate()).toEqual({ code: 0, lines: ['5 objects in 3 files: 0 errors, 0 warnings'], errors: '' });
  });

  it('says of files that hold no text, no object or hooks what the sync says', async () => {
    const config = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, namespace: default }\n';
    await writeFile(
      join(dir, 'lfs.yaml'),
      `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 1\n`,
    );
    await writeFile(join(dir, 'wide.yaml'), Buffer.from(`\uFEFF${config}`, 'utf16le'));
    await writeFile(join(dir, 'latin.yaml'), Buffer.from(`${config}# Größe\n`, 'latin1'));
    await writeFile(join(dir, 'variable.yaml'), `${config}data: { a: "\${A:=secret}" }\n`);
    await writeFile(
      join(dir, 'hook.yaml'),
      config.replace('name: a,', 'name: b, annotations: { helm.sh/hook: test },'),
    );
    const { code, lines } = await validate();
    expect(code).toBe(3);
    expect(lines.map((line) => line.split(/ \(|: /)[0])).toEqual([
      'hook.yaml:1 warning ConfigMap default/b is a hook of Helm',
      'latin.yaml:4 error the file is not UTF-8',
      'lfs.yaml:1 error the file holds a pointer of Git LFS',
      'variable.yaml:4 error ConfigMap a',
      'wide.yaml:1 error the file is UTF-16, not UTF-8',
      '1 object in 5 files',
    ]);
    expect(lines.join('\n')).not.toContain('secret');
  });

  it('names every mistake with file and line, and what to do', async () => {
    const canary = await demo('canary.yaml');
    await writeFile(join(dir, 'quotes.yaml'), await demo('quotes.yaml'));
    await writeFile(
      join(dir, 'canary.yaml'),
      canary
        .replace('gatewayapi:v1', 'gatewayapy:v1')
        .replace('request-duration', 'request-durration')
        .replace('stepWeight: 20', 'stepWeight: 0'),
    );
    await writeFile(join(dir, 'broken.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n data: {a: 1\n');
    const { code, lines } = await validate();
    expect(code).toBe(3);
    const text = lines.join('\n');
    expect(text).toMatch(/^broken\.yaml:\d+ error not readable as YAML/m);
    expect(text).toMatch(/^canary\.yaml:7 error .*spec\.provider: .*gatewayapy:v1.*gatewayapi:v1/m);
    expect(text).toMatch(
      /^canary\.yaml:\d+ error .*no metric is called "request-durration" \(did you mean request-duration\?/m,
    );
    expect(text).toMatch(/^canary\.yaml:\d+ error .*spec\.analysis/m);
    expect(lines.at(-1)).toMatch(/^\d+ objects in 3 files: 4 errors/);
  });

  it('warns of a Canary whose target is not in Git, and of an object that is there twice', async () => {
    await writeFile(join(dir, 'canary.yaml'), await demo('canary.yaml'));
    await writeFile(join(dir, 'twice.yaml'), await demo('canary.yaml'));
    const { code, lines } = await validate('--json');
    const problems = lines.map((line) => JSON.parse(line) as { severity: string; path: string; message: string });
    expect(code).toBe(3);
    const warnings = problems.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
    expect(warnings.join('\n')).toContain('there is no Deployment quotes/quotesbackend in Git');
    expect(problems.find(({ severity }) => severity === 'error')).toMatchObject({
      path: 'twice.yaml',
      message: expect.stringContaining('defined a second time') as string,
    });
  });

  it("refuses two Canaries that would take each other's target or Services", async () => {
    const canary = await demo('canary.yaml');
    const others = [
      canary.replace('name: quotesbackend', 'name: same-target').replace(/^ {4}port:/m, '    name: another\n    port:'),
      canary.replace('name: quotesbackend', 'name: same-services').replace(/(targetRef:[^]*?name: )\S+/, '$1another'),
    ];
    await writeFile(join(dir, 'canary.yaml'), [canary, ...others].join('---\n'));
    await writeFile(join(dir, 'quotes.yaml'), await demo('quotes.yaml'));
    const { code, lines } = await validate();
    expect(code).toBe(3);
    const errors = lines.filter((line) => line.includes(' error ')).map((line) => line.replace(/:\d+/g, ':N'));
    expect(errors).toEqual([
      'canary.yaml:N error Canary quotes/same-target spec.targetRef: the same target belongs to the Canary at canary.yaml:N (one target, one Canary)',
      'canary.yaml:N error Canary quotes/same-services spec.service.name: the Services of this name belong to the Canary at canary.yaml:N (choose another name)',
    ]);
  });

  it('warns of a provider that its makers have ended, and of none that is kept', async () => {
    const canary = await demo('canary.yaml');
    await writeFile(join(dir, 'quotes.yaml'), await demo('quotes.yaml'));
    const mesh = (provider: string): string =>
      canary
        .replace(/provider: \S+/, `provider: ${provider}`)
        .replace(/^ {4}port:/m, '    meshName: global\n    port:');
    for (const provider of ['appmesh', 'appmesh:v1beta1', 'appmesh:v1beta2']) {
      await writeFile(join(dir, 'canary.yaml'), mesh(provider));
      const { code, lines } = await validate();
      expect(code).toBe(0);
      expect(lines.join('\n')).toMatch(
        /canary\.yaml:\d+ warning Canary quotes\/quotesbackend spec\.provider: AWS ended App Mesh on 30 September 2026 \(/,
      );
    }
    await writeFile(join(dir, 'canary.yaml'), mesh('linkerd'));
    expect((await validate()).lines.join('\n')).not.toContain('spec.provider:');
  });

  it('finds the route that leads to an app of Gateway API, and wants to be told which of several', async () => {
    const canary = (await demo('canary.yaml'))
      .replace(/provider: \S+/, 'provider: gatewayapi')
      .replace(/^ {4}(hosts|gatewayRefs):.*\n(?: {6}.*\n)*/gm, '');
    const route = (name: string, more = ''): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: quotes }
spec:
  rules:
    - backendRefs: [{ name: quotesbackend, port: 80 }]${more}
`;
    const told = async (...routes: readonly string[]): Promise<string[]> => {
      await writeFile(join(dir, 'canary.yaml'), [canary, ...routes].join('---\n'));
      return (await validate()).lines.filter((line) => /spec\.service|GatewayRefs/.test(line));
    };
    await writeFile(join(dir, 'quotes.yaml'), await demo('quotes.yaml'));
    expect(await told(route('edge'))).toEqual([]);
    expect(await told()).toEqual([
      expect.stringContaining('GatewayRefs must be specified when using Gateway API as a provider.'),
    ]);
    expect(await told(route('edge'), route('inner'))).toEqual([
      expect.stringContaining(
        'spec.service.routeRef: is missing, and several routes lead to the app: HTTPRoute edge, HTTPRoute inner (name the one by which users come in)',
      ),
    ]);
    expect(await told(route('edge', '\n      retry: { attempts: 2 }'))).toEqual([
      expect.stringMatching(
        /warning Canary quotes\/quotesbackend spec\.service\.routeRef: HTTPRoute edge tries requests again \(spec\.rules\[0\]\)/,
      ),
    ]);
  });

  it('takes files one by one, and several folders, and reads the same file once', async () => {
    await mkdir(join(dir, 'a'));
    await writeFile(join(dir, 'a', 'quotes.yaml'), await demo('quotes.yaml'));
    await writeFile(join(dir, 'namespace.txt'), await demo('namespace.yaml'));
    await writeFile(
      join(dir, 'wrong.yaml'),
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { a: 1 }\n',
    );
    const file = join(dir, 'wrong.yaml');
    expect(await run(file)).toMatchObject({
      code: 3,
      lines: [
        `${file}:4 error ConfigMap default/a data["a"]: must be text (put the value in quotes)`,
        '1 object in 1 file: 1 error, 0 warnings',
      ],
    });
    const folder = join(dir, 'a');
    const { code, lines } = await run(folder, join(dir, 'namespace.txt'), join(folder, 'quotes.yaml'), `${folder}/`);
    expect({ code, lines }).toEqual({ code: 0, lines: ['4 objects in 2 files: 0 errors, 0 warnings'] });
    expect((await run(file, join(dir, 'gone.yaml'))).code).toBe(2);
  });

  it('says that there is nothing in a folder', async () => {
    await writeFile(join(dir, 'README.md'), '# nothing');
    expect(await validate()).toMatchObject({
      code: 0,
      lines: [
        `${dir}:1 warning there is no YAML or JSON file in it that would be applied`,
        '0 objects in 0 files: 0 errors, 1 warning',
      ],
    });
  });

  it('follows no link, and is not stopped by folders, pipes and files that it may not read', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'serin-outside-'));
    await writeFile(join(outside, 'secret.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: outside }\n');
    await symlink(join(outside, 'secret.yaml'), join(dir, 'link.yaml'));
    await symlink(outside, join(dir, 'folder.yaml'));
    await symlink('nowhere', join(dir, 'broken.yaml'));
    await symlink('.', join(dir, 'loop'));
    await mkdir(join(dir, 'x.yaml'));
    await writeFile(join(dir, 'x.yaml', 'in.yml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: inside }\n');
    execFileSync('mkfifo', [join(dir, 'pipe.yaml')]);
    const { code, lines } = await validate();
    await rm(outside, { recursive: true });
    const text = lines.join('\n');
    expect(code).toBe(0);
    for (const name of ['link', 'folder', 'broken'])
      expect(text).toMatch(new RegExp(`^${name}\\.yaml:1 warning a symbolic link to .* is not followed`, 'm'));
    expect(text).toMatch(/^pipe\.yaml:1 warning is no file, and is passed over$/m);
    expect(lines.at(-1)).toBe('1 object in 4 files: 0 errors, 4 warnings');
  });

  it('is not stopped where nobody reads the rest of what it says', async () => {
    const many = Array.from(
      { length: 3_000 },
      (_, at) =>
        `apiVersion: v1\nkind: Pod\nmetadata: { name: p${at} }\nspec: { containers: [ { name: a, image: b, foo: ${at} } ] }\n`,
    );
    await writeFile(join(dir, 'many.yaml'), many.join('---\n'));
    const main = join(import.meta.dirname, '../../dist/main.js');
    const { stdout, stderr, status } = spawnSync(
      'bash',
      [
        '-c',
        `set -o pipefail; "$0" "$1" validate "$2" | head -n 1; exit \${PIPESTATUS[0]}`,
        process.execPath,
        main,
        dir,
      ],
      { encoding: 'utf8' },
    );
    expect(stdout).toMatch(/^many\.yaml:4 error Pod default\/p0 spec\.containers\[0\]\.foo: is no field/);
    expect({ stderr, status }).toEqual({ stderr: '', status: 3 });
  });

  it('says what our definitions refuse, and those in the tree', async () => {
    const definition =
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: { name: widgets.acme.example }\nspec: { group: acme.example, scope: Namespaced, names: { kind: Widget, plural: widgets }, versions: [ { name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object, properties: { spec: { type: object, required: [size, colour], properties: { size: { type: integer, default: 1 }, colour: { enum: [red, blue], type: string } } } } } } } ] }\n';
    const widget = (name: string, version: string, spec: string): string =>
      `apiVersion: acme.example/${version}\nkind: Widget\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
    await writeFile(
      join(dir, 'a.yaml'),
      [
        definition,
        widget('good', 'v1', '{ colour: red }'),
        widget('bad', 'v1', '{ colour: green }'),
        widget('old', 'v1beta1', '{}'),
      ].join('---\n'),
    );
    await writeFile(
      join(dir, 'b.yaml'),
      'apiVersion: flagger.app/v1beta1\nkind: AlertProvider\nmetadata: { name: both }\nspec: { type: slack, address: "https://a.b/topsecret", secretRef: { name: a } }\n---\napiVersion: other.example/v1\nkind: Gadget\nmetadata: { name: g }\n',
    );
    const { lines } = await validate();
    expect(lines.map((line) => line.replace(/:\d+ /, ' '))).toEqual([
      'a.yaml error Widget default/bad spec.colour: its definition refuses it: Unsupported value: "green": supported values: "red", "blue"',
      'a.yaml error Widget default/old apiVersion: no present Kubernetes serves Widget as acme.example/v1beta1 (write acme.example/v1)',
      'b.yaml error AlertProvider default/both spec.secretRef: is there beside spec.address, and the definition takes only one of them: keep the one that is meant',
      'b.yaml warning Gadget default/g kind: no CustomResourceDefinition of Gadget (other.example/v1) is in Git, and we do not know it (the cluster has to have the definition, and the agent the right to apply the kind)',
      '6 objects in 2 files: 3 errors, 1 warning',
    ]);
  });

  it('says what a Canary would lead to nobody, and what it counts as something else [R90]', async () => {
    const canary = (analysis: string): string =>
      `apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: a, namespace: default }\nspec:\n  provider: nginx\n  targetRef: { apiVersion: apps/v1, kind: Deployment, name: a }\n  ingressRef: { apiVersion: networking.k8s.io/v1, kind: Ingress, name: a }\n  service: { port: 80, targetPort: htttp }\n${analysis}`;
    const app =
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a, namespace: default }\nspec: { selector: { matchLabels: { app: a } }, template: { metadata: { labels: { app: a } }, spec: { containers: [ { name: a, image: "x:1", ports: [ { name: web, containerPort: 8080 } ] } ] } } }\n';
    const ingress = (service: string, port: number): string =>
      `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: a, namespace: default }\nspec: { rules: [ { http: { paths: [ { path: /, pathType: Prefix, backend: { service: { name: ${service}, port: { number: ${port} } } } } ] } } ] }\n`;
    await writeFile(join(dir, 'a.yaml'), [app, ingress('a', 9898), canary('')].join('---\n'));
    const said = async (): Promise<string[]> => (await validate()).lines.map((line) => line.replace(/^\S+ /, ''));
    expect(await said()).toEqual([
      'warning Ingress default/a spec.rules[0].http.paths[0].backend.service.port: the Service a has no port 9898 (it has 80)',
      'error Canary default/a spec.analysis: is missing (write one, or skipAnalysis: true where every version that starts is to be promoted)',
      'error Canary default/a spec.service.targetPort: no container of Deployment a has a port called htttp (there is web)',
      'objects in 1 file: 2 errors, 1 warning',
    ]);
    const odd =
      '  analysis: { interval: 500ms, threshold: 0, stepWeight: 10, metrics: [ { name: request-success-rate, thresholdRange: { max: 1 } }, { name: request-duration, thresholdRange: { min: 500 } }, { name: request-success-rate, thresholdRange: { min: 0.99 } } ] }\n';
    await writeFile(join(dir, 'a.yaml'), [app, ingress('b', 80), canary(odd).replace('htttp', 'web')].join('---\n'));
    const found = (await said()).join('\n');
    expect(found).toMatch(/error Canary default\/a spec: Ingress a\.default has no path with the backend a/);
    expect(found).toMatch(/warning .*interval: 500ms is shorter than the agent looks, and counts as 10s/);
    expect(found).toMatch(/warning .*threshold: 0 counts as 1/);
    expect(found).toMatch(
      /warning .*metrics\[0\]\.thresholdRange: has max only: a success rate passes the lower it is/,
    );
    expect(found).toMatch(/warning .*metrics\[1\]\.thresholdRange: has min only: a request passes the longer it takes/);
    expect(found).toMatch(/warning .*metrics\[2\]: is in percent: 0\.99/);
    expect((await validate('--min-interval', '500ms')).lines.join('\n')).not.toContain('500ms');
  });

  it('names Gateways that are not in Git', async () => {
    for (const name of ['namespace.yaml', 'quotes.yaml']) await writeFile(join(dir, name), await demo(name));
    const canary = (await demo('canary.yaml')).replace('- name: public', '- name: pubic');
    await writeFile(join(dir, 'canary.yaml'), canary);
    expect((await validate()).lines[0]).toMatch(
      /^canary\.yaml:\d+ warning Canary quotes\/quotesbackend spec\.service\.gatewayRefs\[0\]: there is no Gateway quotes\/pubic in Git/,
    );
    await writeFile(join(dir, 'canary.yaml'), canary.replace(/ {4}gatewayRefs:[^]*?(?= {2}analysis:)/, ''));
    expect((await validate()).code).toBe(3);
  });

  it('says clearly that a folder is not there', async () => {
    await rm(dir, { recursive: true });
    const { code, errors } = await validate();
    expect(code).toBe(2);
    expect(errors).toMatch(/^serin: .* cannot be read/);
  });

  it('looks at AlertProviders, and at what refers to them, without showing an address', async () => {
    const provider = (name: string, spec: string): string =>
      `apiVersion: flagger.app/v1beta1\nkind: AlertProvider\nmetadata: { name: ${name}, namespace: quotes }\nspec: ${spec}\n`;
    await writeFile(
      join(dir, 'alerts.yaml'),
      [
        provider('good', '{ type: slack, secretRef: { name: url } }'),
        provider('hook', '{ type: webhook, address: "https://hooks.example.org/x" }'),
        provider('teams', '{ type: msteams, address: "https://hooks.example.org/topsecret" }'),
        provider('odd', '{ type: slack, address: topsecret }'),
        provider('nothing', '{ type: pager, address: "https://hooks.example.org/topsecret" }'),
      ].join('---\n'),
    );
    const canary = await demo('canary.yaml');
    const alerts =
      '  analysis:\n    alerts:\n      - { name: a, providerRef: { name: good } }\n      - { name: b, providerRef: { name: gone } }';
    await writeFile(join(dir, 'canary.yaml'), canary.replace('  analysis:', alerts));
    for (const name of ['namespace.yaml', 'quotes.yaml']) await writeFile(join(dir, name), await demo(name));
    const { lines } = await validate();
    const text = lines.join('\n');
    expect(text).not.toContain('topsecret');
    expect(text).not.toContain('quotes/teams');
    expect(text).toMatch(/error AlertProvider quotes\/odd spec\.address: is no http or https URL/);
    expect(text).toMatch(/error AlertProvider quotes\/nothing spec\.type: notifier pager is not supported/);
    expect(text).toMatch(
      /warning Canary .*spec\.analysis\.alerts\[1\]\.providerRef\.name: there is no AlertProvider quotes\/gone/,
    );
    expect(lines.at(-1)).toMatch(/2 errors, 1 warning$/);
  });
});
