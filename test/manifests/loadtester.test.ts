import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { helmProgram } from '../helpers/helm.ts';

const root = join(import.meta.dirname, '../..');
const chart = join(root, 'manifests/charts/loadtester');

interface Made {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly rules?: unknown;
}
const readFolder = (): readonly Made[] => {
  const folder = join(root, 'manifests/loadtester');
  const { resources } = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as { resources: string[] };
  return resources.map((path) => parse(readFileSync(join(folder, path), 'utf8')) as Made);
};
const render = (values: Readonly<Record<string, unknown>> = {}): readonly Made[] => {
  const set = Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`]);
  const text = execFileSync(helmProgram ?? '', ['template', 'flagger-loadtester', chart, '-n', 'test', ...set], {
    encoding: 'utf8',
  });
  return parseAllDocuments(text).map((document) => document.toJS() as Made);
};
const only = (made: readonly Made[], kind: string): Made => {
  const [found, ...more] = made.filter((one) => one.kind === kind);
  if (!found || more.length > 0) throw new Error(`there is not one ${kind}`);
  return found;
};
const argsOf = (made: readonly Made[]): string[] =>
  (only(made, 'Deployment').spec as { template: { spec: { containers: { args: string[] }[] } } }).template.spec
    .containers[0]?.args ?? [];

describe('the manifests of the load tester', () => {
  it('answer at the address of Flagger’s', () => {
    const service = only(readFolder(), 'Service');
    expect(service).toMatchObject({ metadata: { name: 'flagger-loadtester' }, spec: { ports: [{ port: 80 }] } });
    expect(only(readFolder(), 'Deployment')).toMatchObject({
      spec: { selector: { matchLabels: service.spec['selector'] } },
    });
    expect(argsOf(readFolder())).toEqual(['loadtester', '--port=8080', '--timeout=1h']);
  });
});

describe.skipIf(!helmProgram)('the chart of the load tester (npm run tools builds helm)', () => {
  it('has no fault that Helm knows of', () => {
    execFileSync(helmProgram ?? '', ['lint', '--strict', chart], { encoding: 'utf8' });
  });

  it('makes what the manifests make', () => {
    const made = render();
    for (const kind of ['Service', 'NetworkPolicy'])
      expect(only(made, kind)).toMatchObject({ metadata: { name: 'flagger-loadtester' } });
    const podOf = (all: readonly Made[]) => {
      const { spec } = only(all, 'Deployment').spec['template'] as { spec: { containers: Record<string, unknown>[] } };
      const { args: _args, imagePullPolicy: _policy, ...container } = spec.containers[0] ?? {};
      return { ...spec, containers: [container] };
    };
    expect(podOf(made)).toEqual(podOf(readFolder()));
    const egress = only(readFolder(), 'NetworkPolicy').spec['egress'];
    expect(only(made, 'NetworkPolicy').spec['egress']).toEqual(egress);
  });

  it('gives the values of Flagger’s chart to the program', () => {
    const made = render({
      'cmd.timeout': '5m',
      'cmd.namespaceRegexp': 'test|team-.*',
      'cmd.allowShell': ['helm', 'kubectl'],
      'rbac.create': true,
      'rbac.rules': [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
      networkPolicy: { enabled: false },
    });
    expect(argsOf(made)).toEqual(
      expect.arrayContaining(['--timeout=5m', '--namespace-regexp=test|team-.*', '--allow-shell=helm,kubectl']),
    );
    expect(only(made, 'Role').rules).toHaveLength(1);
    expect(made.some(({ kind }) => kind === 'NetworkPolicy')).toBe(false);
  });
});
