import { describe, expect, it } from 'vitest';
import { parseManifests } from '../../src/manifest/parse.ts';

const deployment = (container: string, more = ''): string =>
  `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
${more}spec:
  template:
    spec:
      containers:
        - name: web
          ${container}
`;
const config = (data: string, kind = 'ConfigMap', field = 'data'): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: { name: web }\n${field}:\n  ${data}\n`;
const resource = (apiVersion: string, kind: string, spec: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: web }\nspec: ${spec}\n`;

describe('what nobody fills in', () => {
  it.each([
    ['an image', deployment('image: "web:${TAG}"'), 10, '${TAG}', 'spec.template.spec.containers[0].image'],
    ['a default', deployment('image: web:${TAG:=1.0.0}'), 10, '${TAG}', 'containers[0].image'],
    ['another default', deployment('image: web:${TAG:-1.0.0}'), 10, '${TAG}', 'containers[0].image'],
    ['a part of a variable', deployment('image: web:${TAG:0:7}'), 10, '${TAG}', 'containers[0].image'],
    [
      'a value of the environment',
      deployment('env: [{ name: A, value: "http://${HOST}/" }]'),
      10,
      '${HOST}',
      'env[0].value',
    ],
    ['an argument without a shell', deployment('args: ["--domain=${DOMAIN}"]'), 10, '${DOMAIN}', 'args[0]'],
    ['a name', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${APP}-config\n', 4, '${APP}', 'metadata.name'],
    [
      'a namespace',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, namespace: "${NS}" }\n',
      3,
      '${NS}',
      'metadata.namespace',
    ],
    ['a label', deployment('image: a', '  labels:\n    "${TEAM}": x\n'), 6, '${TEAM}', 'metadata.labels'],
    [
      'an annotation',
      deployment('image: a', '  annotations:\n    role: "arn:aws:iam::${ACCOUNT}:role/x"\n'),
      6,
      '${ACCOUNT}',
      'annotations.role',
    ],
    [
      'a host',
      resource('networking.k8s.io/v1', 'Ingress', '{ rules: [{ host: "x.${DOMAIN}" }] }'),
      4,
      '${DOMAIN}',
      'spec.rules[0].host',
    ],
    [
      'a rule',
      resource('traefik.io/v1alpha1', 'IngressRoute', '{ routes: [{ match: "Host(`${DOMAIN}`)" }] }'),
      4,
      '${DOMAIN}',
      'match',
    ],
    [
      'values of a chart',
      resource('helm.toolkit.fluxcd.io/v2', 'HelmRelease', '{ values: { ingress: { host: "${H}" } } }'),
      4,
      '${H}',
      'host',
    ],
    ['a whole value of a ConfigMap', config('DB_HOST: ${DB_HOST}'), 5, '${DB_HOST}', 'data.DB_HOST'],
    ['a password', config('pin: "${PIN:=hunter2}"', 'Secret', 'stringData'), 5, '${PIN}', 'stringData.pin'],
    ['a template of an image', deployment('image: "{{ .Values.image }}:1"'), 10, 'a template', 'containers[0].image'],
  ])('%s is an error with file and line, and the object is not applied', (_what, text, line, what, field) => {
    const { manifests, problems, unreadableText } = parseManifests('apps/web.yaml', text);
    expect(manifests).toEqual([]);
    expect(problems).toMatchObject([{ severity: 'error', path: 'apps/web.yaml', line }]);
    expect(problems[0]?.message).toContain(`${field} holds ${what}`);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
    expect(unreadableText).toBe(text);
  });

  it.each([
    ['a script in a ConfigMap', config('run.sh: |\n    #!/bin/sh\n    echo "${HOME:-/root}" ${1} ${#x}')],
    ['a file in a ConfigMap', config('nginx.conf: |\n    log_format x ${host};\n    a b;')],
    ['a part of a value', config('URL: "jdbc:postgresql://${DB_HOST}:5432/db"')],
    ['a dashboard in one line', config(`d.json: '{"datasource": "\${DS_PROMETHEUS}", "x": 1}'`)],
    ['base64 of a Secret', config('a: JHtYfQ==', 'Secret')],
    ['a command of a shell', deployment('command: [/bin/sh, -c, "exec app --host=${HOSTNAME}"]')],
    ['arguments of a shell', deployment('command: [bash]\n          args: [-ec, "echo ${A}"]')],
    ['a probe of a shell', deployment('livenessProbe: { exec: { command: [sh, -c, "test ${A}"] } }')],
    ['a command of several lines', deployment('args:\n            - |\n              a=${B}\n              c')],
    ["Kubernetes' own references", deployment('args: ["--host=$(HOST)"]')],
    ['placeholders of others', deployment('env: [{ name: A, value: "${env:X} ${a.b} ${1} $X ${{ x }} ${}" }]')],
    [
      'groups of a regular expression',
      resource('traefik.io/v1alpha1', 'Middleware', '{ redirectRegex: { replacement: "https://${host}/${1}" } }'),
    ],
    [
      'what a load tester runs',
      resource('flagger.app/v1beta1', 'Canary', '{ analysis: { webhooks: [{ metadata: { cmd: "hey ${URL}" } }] } }'),
    ],
    [
      'kinds with variables of their own',
      resource('opentelemetry.io/v1beta1', 'OpenTelemetryCollector', '{ config: { endpoint: "${MY_POD_IP}:4317" } }'),
    ],
    [
      'an object that says so',
      deployment('image: web:${TAG}', '  annotations: { kustomize.toolkit.fluxcd.io/substitute: disabled }\n'),
    ],
    [
      'templates of alerts',
      resource(
        'monitoring.coreos.com/v1',
        'PrometheusRule',
        '{ annotations: { summary: "{{ $labels.pod }} is down" } }',
      ),
    ],
    ['a workflow', resource('argoproj.io/v1alpha1', 'Workflow', '{ image: "{{inputs.parameters.image}}" }')],
  ])('is not %s', (_what, text) => {
    const { manifests, problems } = parseManifests('apps/web.yaml', text);
    expect(problems).toEqual([]);
    expect(manifests).toHaveLength(1);
  });

  it('is not what is escaped for Flux: that is told, because it is applied as it stands', () => {
    const { manifests, problems } = parseManifests('a.yaml', config('run.sh: |\n    echo $${HOME}\n    x'));
    expect(manifests).toHaveLength(1);
    expect(problems).toMatchObject([{ severity: 'warning', line: 6, message: expect.stringContaining('$${HOME}') }]);
  });

  it('costs its object, and no other of its file', () => {
    const text = `${deployment('image: "web:${TAG}"')}---\n${config('a: b')}`;
    const { manifests } = parseManifests('a.yaml', text);
    expect(manifests.map(({ object }) => object.kind)).toEqual(['ConfigMap']);
  });

  it('is found in linear time, also in JSON', () => {
    const many = '${a-'.repeat(100_000);
    const startedMs = performance.now();
    expect(
      parseManifests('a.json', JSON.stringify({ apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, many })).problems,
    ).toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    const json = JSON.stringify({ apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, a: '${B}' }, null, 1);
    expect(parseManifests('a.json', json).problems).toMatchObject([{ severity: 'error', line: 7 }]);
  });
});
