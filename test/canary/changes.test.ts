import { describe, expect, it } from 'vitest';
import { appsOf } from '../../src/canary/app.ts';
import { changesBetween } from '../../src/canary/changes.ts';
import { loadTree } from '../../src/manifest/load.ts';

const canary = (kind = 'Deployment', apiVersion = 'apps/v1'): string =>
  `apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: web, namespace: test }\nspec: { targetRef: { apiVersion: ${apiVersion}, kind: ${kind}, name: web } }\n`;
const target = (container: string, more = '', metadata = '{ labels: { app: web } }'): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: test }\nspec:\n  template:\n    metadata: ${metadata}\n    spec:\n      containers:\n        - { name: app, image: "app:1", ${container} }\n${more}`;
const config = (data: string, kind = 'ConfigMap', name = 'settings'): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: test }\ndata: ${data}\n`;
const refers = 'envFrom: [{ configMapRef: { name: settings } }, { secretRef: { name: db } }]';

function changes(before: readonly string[], after: readonly string[], of = canary()): readonly string[] {
  const [old, now] = [before, after].map((documents) => {
    const files = new Map([['a.yaml', [of, ...documents].join('---\n')]]);
    const blobs = new Map([['a.yaml', { oid: [...documents].join() }]]);
    const loaded = loadTree(blobs, files, new Map(), { path: '', ledgerDir: '.releases', defaultNamespace: 'test' });
    expect(loaded.problems).toEqual([]);
    return appsOf(loaded.manifests, 'test')[0];
  });
  if (!old || !now) throw new Error('no app');
  return changesBetween(old, now).names;
}

describe('what a release changes', () => {
  it.each([
    ['a variable', 'env: [{ name: LEVEL, value: "1" }]', 'env: [{ name: LEVEL, value: s3cret }]', ['env LEVEL']],
    [
      'variables that come and go',
      'env: [{ name: A, value: "1" }, { name: B, value: "1" }]',
      'env: [{ name: B, value: "1" }, { name: C, value: "1" }]',
      ['env C', 'env A'],
    ],
    ['arguments', 'args: [a]', 'args: [b]', ['args']],
    [
      'limits and a probe',
      'resources: {}',
      'resources: { limits: { cpu: "1" } }, readinessProbe: {}',
      ['resources', 'readinessProbe'],
    ],
    ['nothing but the image', 'env: []', 'env: []', []],
  ])('is told by name: %s', (_, before, after, found) => {
    expect(changes([target(before)], [target(after).replace('app:1', 'app:2')])).toEqual(found);
  });

  it('names the container where there are several, and what stands outside of containers', () => {
    const two = '        - { name: proxy, image: "proxy:1", env: [{ name: A, value: X }] }\n';
    expect(changes([target('args: [a]', two)], [target('args: [b]', two.replace('X', 'Y'))])).toEqual([
      'args of app',
      'env A of proxy',
    ]);
    expect(changes([target('args: [a]')], [target('args: [a]', two)])).toEqual(['container proxy added']);
    const other = target(
      'args: [a]',
      '      volumes: [{ name: tmp, emptyDir: {} }]\n',
      '{ labels: { app: web, team: a }, annotations: { x: y } }',
    );
    expect(changes([target('args: [a]')], [other])).toEqual(['volumes', 'label team', 'annotation x']);
  });

  it('names keys of ConfigMaps and Secrets, never values', () => {
    const before = [target(refers), config('{ a: one, b: two }'), config('{ password: b25l }', 'Secret', 'db')];
    const after = [
      target(refers),
      config('{ a: one, b: three, c: four }'),
      config('{ password: dHdv }', 'Secret', 'db'),
    ];
    const found = changes(before, after);
    expect(found).toEqual(['ConfigMap settings (b, c)', 'Secret db (password)']);
    expect(changes(before, before)).toEqual([]);
    expect(changes([target(refers)], [target(refers), config('{}')])).toEqual(['ConfigMap settings added']);
  });

  it('of a Service is where it leads', () => {
    const service = (version: string): string =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: test }\nspec: { selector: { app: ${version} }, ports: [{ port: 80 }] }\n`;
    expect(changes([service('v1')], [service('v2')], canary('Service', 'v1'))).toEqual(['spec.selector']);
  });

  it('is bounded', () => {
    const env = (value: string): string =>
      `env: [${Array.from({ length: 90 }, (_, index) => `{ name: V${index}, value: ${value} }`).join(', ')}]`;
    const found = changes([target(env('a'))], [target(env('b'))]);
    expect(found).toHaveLength(21);
    expect(found.at(-1)).toBe('70 more');
  });
});
