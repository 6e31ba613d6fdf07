import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { type Revert, reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { helmProgram, podinfoRepository, type Tree } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

const turns = createTurns();
const frontend = 'releases/test/frontend.yaml';
const backend = 'releases/test/backend.yaml';
const values = 'charts/podinfo/values.yaml';
const template = 'charts/podinfo/templates/deployment.yaml';
const app = { namespace: 'test', name: 'frontend' };

type Changes = readonly (readonly [string, string])[];
const changed = (files: Tree, path: string, ...changes: Changes): Tree => {
  let text = files[path] ?? '';
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  return { ...files, [path]: text };
};
/** Without the other app, so that what the chart says is of one. */
const alone = Object.fromEntries(Object.entries(podinfoRepository).filter(([path]) => path !== backend));

describe.skipIf(helmProgram === undefined)('a release of a chart', () => {
  const helm = createHelm({ program: helmProgram ?? '' });
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
  const render = createRender(settings, undefined, { helm, kustomize });
  afterAll(async () => {
    await helm.close();
    await kustomize.close();
  });
  const revert = (before: Tree, judged: Tree, tip: Tree = judged, of = app): Promise<Revert> => {
    const [base, tried, now] = [before, judged, tip].map((files) => new Map(Object.entries(files)));
    return turns.run(reverting({ app: of, base: base as never, judged: tried as never, tip: now as never, render }));
  };
  const edited = async (before: Tree, judged: Tree, tip?: Tree): Promise<Tree> => {
    const result = await revert(before, judged, tip);
    expect(result).toMatchObject({ kind: 'edited' });
    return Object.fromEntries(result.kind === 'edited' ? result.files : []) as Tree;
  };
  const json = changed({ ...podinfoRepository, [frontend]: '' }, 'namespaces/test.yaml', ['name: test', 'name: test']);
  const asJson = {
    ...json,
    'releases/test/frontend.json': `${JSON.stringify(
      {
        apiVersion: 'helm.toolkit.fluxcd.io/v2',
        kind: 'HelmRelease',
        metadata: { name: 'frontend', namespace: 'test' },
        spec: {
          interval: '5m',
          chart: { spec: { chart: 'charts/podinfo', sourceRef: { kind: 'GitRepository', name: 'this' } } },
          values: { image: { tag: '3.1.0' }, canary: { enabled: true } },
        },
      },
      undefined,
      2,
    )}\n`,
  };

  const releases: readonly (readonly [string, Tree, string, Changes])[] = [
    ['a tag', podinfoRepository, frontend, [['tag: 3.1.0', 'tag: 3.1.2']]],
    [
      'a message that a ConfigMap gets',
      podinfoRepository,
      frontend,
      [
        ['message: hello from', 'message: "bye, from'],
        ['frontend\n    canary', 'frontend"\n    canary'],
      ],
    ],
    [
      'a value that was a default before',
      podinfoRepository,
      frontend,
      [['tag: 3.1.0', 'tag: 3.1.0\n      pullPolicy: Always # to be sure']],
    ],
    [
      'a map that was not there before',
      podinfoRepository,
      frontend,
      [['    canary:', '    resources:\n      limits: { memory: 64Mi }\n    canary:']],
    ],
    ['a value that went', podinfoRepository, frontend, [['    backend: http://backend.test:9898/echo\n', '']]],
    [
      'several values',
      podinfoRepository,
      frontend,
      [
        ['tag: 3.1.0', 'tag: "3.1.2"'],
        ['/echo', '/'],
        ['hello', 'hi'],
      ],
    ],
    [
      "the chart's own values",
      alone,
      values,
      [
        ['tag: 3.1.0', 'tag: 3.1.2'],
        ['pullPolicy: IfNotPresent', 'pullPolicy: Always'],
      ],
    ],
    ["the chart's templates", alone, template, [['periodSeconds: 1', 'periodSeconds: 2']]],
    ['JSON', asJson, 'releases/test/frontend.json', [['"tag": "3.1.0"', '"tag": "3.1.2"']]],
  ];

  it.each(releases)(
    'is taken back where it was written, and nothing else changes: %s',
    async (_, before, path, changes) => {
      const judged = changed(before, path, ...changes);
      expect(await edited(before, judged)).toEqual({ [path]: before[path] });
    },
  );

  it.each(releases.filter(([, , path]) => path === frontend))(
    'leaves what else was changed in the same commit and later: %s',
    async (_, before, path, changes) => {
      // How the app is judged, its size, another app, and comments are not the release's.
      const others = (files: Tree): Tree =>
        changed(
          changed(
            files,
            frontend,
            ['      enabled: true', '      enabled: true\n      threshold: 5'],
            ['  values:', '  values:\n    hpa: { maxReplicas: 7 }'],
          ),
          backend,
          ['tag: 3.1.0', 'tag: 3.1.1'],
        );
      const later = (files: Tree): Tree => changed(files, frontend, ['# moved by releases', '# moved by people']);
      const judged = others(changed(before, path, ...changes));
      const tip = later(judged);
      const result = { ...tip, ...(await edited(before, judged, tip)) };
      expect(result).toEqual(later(others(before)));
    },
  );

  it('is taken back in a file that holds several HelmReleases', async () => {
    const both = (files: Tree): Tree => ({
      ...alone,
      [frontend]: `${files[frontend] ?? ''}---\n${files[backend] ?? ''}`,
    });
    const before = both(podinfoRepository);
    const judged = both(changed(changed(podinfoRepository, frontend, ['3.1.0', '3.1.2']), backend, ['3.1.0', '3.1.1']));
    expect(await edited(before, judged)).toEqual({
      [frontend]: both(changed(podinfoRepository, backend, ['3.1.0', '3.1.1']))[frontend],
    });
  });

  it('is taken back in the ConfigMap that its values come from, and not where another app has them, too', async () => {
    const from = (files: Tree, path: string): Tree =>
      changed(
        files,
        path,
        ['  values:', '  valuesFrom:\n  - configMapKeyRef: { name: shared }\n  values:'],
        ['      tag: 3.1.0\n', ''],
      );
    const shared = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shared\n  namespace: test\ndata:\n  other: a\n  values.yaml: |\n    # of all\n    image: { tag: 3.1.0 }\n`;
    const before = from({ ...podinfoRepository, 'shared.yaml': shared }, frontend);
    const judged = changed(before, 'shared.yaml', ['3.1.0', '3.1.2']);
    expect(await edited(before, judged)).toEqual({ 'shared.yaml': shared });
    // What others changed in it in the same commit would go with it.
    const more = changed(judged, 'shared.yaml', ['other: a', 'other: b']);
    expect(await revert(before, judged, more)).toMatchObject({ kind: 'conflict' });
    const both = from(before, backend);
    expect(await revert(both, changed(both, 'shared.yaml', ['3.1.0', '3.1.2']))).toMatchObject({
      kind: 'conflict',
      reason: expect.stringContaining('backend') as string,
    });
  });

  it('is left to a person where its chart moved another app as well', async () => {
    const judged = changed(podinfoRepository, template, ['periodSeconds: 1', 'periodSeconds: 2']);
    expect(await revert(podinfoRepository, judged)).toMatchObject({
      kind: 'conflict',
      reason: expect.stringMatching(/backend would change as well/) as string,
      paths: [template],
    });
  });

  it('is not taken back once its values say something newer', async () => {
    const judged = changed(podinfoRepository, frontend, ['tag: 3.1.0', 'tag: 3.1.2']);
    const tip = changed(judged, frontend, ['tag: 3.1.2', 'tag: 3.1.3']);
    expect(await revert(podinfoRepository, judged, tip)).toEqual({ kind: 'superseded' });
  });

  it('waits while its HelmRelease is suspended, also where its Canary stands beside it', async () => {
    const judged = changed(podinfoRepository, frontend, ['tag: 3.1.0', 'tag: 3.1.2']);
    const suspended = (files: Tree): Tree => changed(files, frontend, ['spec:\n', 'spec:\n  suspend: true\n']);
    const waits = {
      kind: 'conflict',
      reason: `it cannot be read now: ${frontend} holds a HelmRelease that is suspended`,
      isUnread: true,
    };
    expect(await revert(podinfoRepository, judged, suspended(judged))).toMatchObject(waits);

    const beside = (files: Tree): Tree => ({
      ...changed(files, frontend, ['enabled: true', 'enabled: false']),
      'canary.yaml':
        'apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: frontend, namespace: test }\nspec:\n  targetRef: { apiVersion: apps/v1, kind: Deployment, name: frontend }\n',
    });
    const [before, tried] = [beside(podinfoRepository), beside(judged)];
    expect(await revert(before, tried)).toMatchObject({ kind: 'edited' });
    expect(await revert(before, tried, suspended(tried))).toMatchObject(waits);
  });

  it.skipIf(kustomizeProgram === undefined)('is taken back in the base that an overlay patches', async () => {
    const overlaid = (files: Tree): Tree => {
      const { [frontend]: release = '', ...others } = files;
      return {
        ...Object.fromEntries(Object.entries(others).filter(([path]) => path !== backend)),
        'base/kustomization.yaml': 'resources: [frontend.yaml]\n',
        'base/frontend.yaml': release,
        'prod/kustomization.yaml':
          'namespace: test\nresources: [../base]\npatches:\n- target: { kind: HelmRelease }\n  patch: |\n    - { op: add, path: /spec/values/replicas, value: 3 }\n',
      };
    };
    const before = overlaid(podinfoRepository);
    const judged = overlaid(changed(podinfoRepository, frontend, ['tag: 3.1.0', 'tag: 3.1.2']));
    expect(await edited(before, judged)).toEqual({ 'base/frontend.yaml': podinfoRepository[frontend] });
  });
});
