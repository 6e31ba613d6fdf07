import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import type { LoadedTree } from '../../src/manifest/load.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

type Files = Readonly<Record<string, string | { readonly oid: string; readonly mode: string; readonly text: string }>>;

const turns = createTurns();
const config = (name: string, data = '{}'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: ${data}\n`;
const link = (text: string): { oid: string; mode: string; text: string } => ({ oid: text, mode: '120000', text });
const flux = (name: string, spec: string): string =>
  `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: ${name}, namespace: flux-system }\nspec: { prune: true, sourceRef: { kind: GitRepository, name: flux-system }, ${spec} }\n`;

describe.skipIf(kustomizeProgram === undefined)('a tree of kustomize that means harm', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kustomize-hostile-'));
  const limits = { timeMs: 10_000, memoryBytes: 384 * 1024 * 1024, outputBytes: 4 * 1024 * 1024 };
  const kustomize = createKustomize({ program: kustomizeProgram ?? '', folder, limits });
  const trees = createTreeRenderer({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' }, { kustomize });
  afterAll(async () => {
    await kustomize.close();
    rmSync(folder, { recursive: true });
  });
  const render = (files: Files): Promise<LoadedTree> => turns.run(trees.render(new Map(Object.entries(files))));

  const many = Array.from({ length: 90 }, (_, at) => config(`c${at}`)).join('---\n');
  const chain = Object.fromEntries(
    Array.from({ length: 400 }, (_, at) => [
      `a${at}/kustomization.yaml`,
      `resources: [../a${at + 1}]\nnamePrefix: x\n`,
    ]),
  );
  const cases: readonly (readonly [string, RegExp, Files])[] = [
    [
      'a patch that is a link out of the repository',
      /a\/p.yaml is a symbolic link/,
      {
        'a/kustomization.yaml': 'resources: [x.yaml]\npatches: [{ path: p.yaml }]\n',
        'a/x.yaml': config('x'),
        'a/p.yaml': link('/etc/passwd'),
      },
    ],
    [
      "a generator's file that is a link",
      /a\/env is a symbolic link/,
      { 'a/kustomization.yaml': 'secretGenerator: [{ name: x, envs: [env] }]\n', 'a/env': link('/proc/self/environ') },
    ],
    [
      'a patch out of the repository',
      /which is not in the repository/,
      {
        'a/kustomization.yaml': 'resources: [x.yaml]\npatches: [{ path: ../../../etc/passwd }]\n',
        'a/x.yaml': config('x'),
      },
    ],
    [
      'replacements of the machine',
      /which is not in the repository/,
      {
        'a/kustomization.yaml': 'resources: [x.yaml]\nreplacements: [{ path: /etc/passwd }]\n',
        'a/x.yaml': config('x'),
      },
    ],
    [
      'a component that is its own component',
      /a\/kustomization.yaml is a base of itself/,
      { 'a/kustomization.yaml': 'resources: [x.yaml]\ncomponents: [../a]\n', 'a/x.yaml': config('x') },
    ],
    [
      'bases in a ring',
      /is a base of itself/,
      {
        'a/kustomization.yaml': 'resources: [../b]\nnamespace: x\n',
        'b/kustomization.yaml': 'resources: [../c]\nnamespace: x\n',
        'c/kustomization.yaml': 'resources: [../a]\nnamespace: x\n',
      },
    ],
    [
      'a remote patch',
      /resources from elsewhere/,
      {
        'a/kustomization.yaml': 'resources: [x.yaml]\npatches: [{ path: "https://example.org/p.yaml" }]\n',
        'a/x.yaml': config('x'),
      },
    ],
    [
      'a remote component',
      /resources from elsewhere/,
      {
        'a/kustomization.yaml': 'resources: [x.yaml]\ncomponents: ["https://example.org/c?ref=v1"]\n',
        'a/x.yaml': config('x'),
      },
    ],
    [
      'a plug-in written into it',
      /plugins? .*disabled|unable to load/,
      {
        'a/kustomization.yaml':
          'resources: [x.yaml]\ntransformers:\n- |-\n  apiVersion: example.org/v1\n  kind: Run\n  metadata: { name: x, annotations: { config.kubernetes.io/function: "exec: { path: /bin/sh }" } }\n',
        'a/x.yaml': config('x'),
      },
    ],
    [
      'a chart in a built-in generator',
      /cannot render this|helm/,
      {
        'a/kustomization.yaml': 'resources: [x.yaml]\ngenerators: [g.yaml]\n',
        'a/g.yaml':
          'apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: { name: x }\nname: x\nrepo: https://example.org\n',
        'a/x.yaml': config('x'),
      },
    ],
    [
      'a patch that makes each of many objects large',
      /makes more than 4 MiB/,
      {
        'a/kustomization.yaml': 'resources: [x.yaml]\npatches:\n- target: { kind: ConfigMap }\n  path: p.yaml\n',
        'a/x.yaml': many,
        'a/p.yaml': `- { op: add, path: /data/x, value: ${'y'.repeat(60_000)} }\n`,
      },
    ],
    ['bases one in another without end', /a0\/kustomization.yaml|cannot render this|is no file/, chain],
    [
      'a Kustomization of Flux that makes others like itself',
      /too many others|cannot render|makes .* as well/,
      { 'c/f.yaml': flux('f', 'path: ./loop'), 'loop/f.yaml': flux('g', 'path: ./loop, namePrefix: a-') },
    ],
    [
      'variables that grow',
      /what is filled in is too much/,
      {
        'c/f.yaml': flux('f', `path: ./v, postBuild: { substitute: { A: ${'y'.repeat(100_000)} } }`),
        'v/x.yaml': config('x', `{ a: "${'${A}'.repeat(1_000)}" }`),
      },
    ],
    [
      'variables that multiply',
      /what is filled in is too much/,
      {
        'c/f.yaml': flux(
          'f',
          `path: ./v, postBuild: { substitute: { A: ${'y'.repeat(50_000)}, B: ${'z'.repeat(50_000)} } }`,
        ),
        'v/x.yaml': config('x', '{ a: "${A//y/${B}}" }'),
      },
    ],
  ];

  it.each(cases)(
    'is told once, and nothing else stops or is pruned: %s',
    { timeout: 60_000 },
    async (_, why, files) => {
      const began = performance.now();
      const tree = await render({
        ...files,
        'plain.yaml': config('plain'),
        'own/kustomization.yaml': 'namespace: own\nresources: [x.yaml]\n',
        'own/x.yaml': config('mine'),
      });
      const errors = tree.problems.filter(({ severity }) => severity === 'error');
      expect(errors.map(({ message }) => message).join('\n')).toMatch(why);
      expect(tree.manifests.map(({ object: { metadata } }) => `${metadata.namespace ?? ''} ${metadata.name}`)).toEqual(
        expect.arrayContaining(['own mine', 'test plain']),
      );
      // Whatever the cluster has of it is kept by the place that it came from.
      const isKept = [...tree.strays.keys()].some((path) => Object.keys(files).some((place) => path.startsWith(place)));
      expect(isKept).toBe(true);
      expect(JSON.stringify(tree.problems)).not.toMatch(/root:|HOME=/);
      expect(readdirSync(folder)).toEqual([]);
      expect(performance.now() - began).toBeLessThan(30_000);
    },
  );
});
