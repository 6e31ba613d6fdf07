import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { createHelm } from '../../src/render/helm.ts';
import type { Edit } from '../../src/render/renderer.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { helmProgram, podinfoRepository, type Tree } from '../helpers/helm.ts';

const turns = createTurns();
const path = 'releases/test/frontend.yaml';
const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name: 'frontend' };
const release = { apiVersion: 'flux.weave.works/v1beta1', kind: 'HelmRelease', namespace: 'test', name: 'frontend' };
const image = ['spec', 'template', 'spec', 'containers', 0, 'image'];

describe.skipIf(helmProgram === undefined)('a field of what a chart makes', () => {
  const helm = createHelm({ program: helmProgram ?? '' });
  const trees = createTreeRenderer({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' }, { helm });
  afterAll(() => helm.close());
  const set = async (
    tree: Tree,
    value: string,
    { object = deployment, field = image }: { object?: typeof deployment; field?: readonly (string | number)[] } = {},
  ): Promise<Edit> => {
    const files = new Map(Object.entries(tree));
    const { manifests } = await turns.run(trees.render(files));
    return turns.run(trees.edit({ kind: 'field', tip: { files, manifests }, object, field, value }));
  };
  const changed = (...changes: readonly (readonly [string, string])[]): Tree => {
    let text = podinfoRepository[path] ?? '';
    for (const [from, to] of changes) {
      expect(text).toContain(from);
      text = text.replace(from, to);
    }
    return { ...podinfoRepository, [path]: text };
  };
  const edited = (text: string | undefined): unknown => ({ kind: 'edited', files: new Map([[path, text]]) });

  it.each<readonly [string, Tree, string, readonly [string, string]]>([
    ['a tag beside its repository', podinfoRepository, 'registry.test/podinfo:3.1.1', ['tag: 3.1.0', 'tag: 3.1.1']],
    [
      'a tag in quotes, with a comment',
      changed(['tag: 3.1.0', "tag: '3.1.0' # ours"]),
      'registry.test/podinfo:3.1.1',
      ["'3.1.0' #", "'3.1.1' #"],
    ],
    [
      'a tag that another value has, too',
      changed(['message: hello', 'message: 3.1.0\n    greeting: hello']),
      'registry.test/podinfo:3.1.1',
      ['tag: 3.1.0', 'tag: 3.1.1'],
    ],
    [
      'a tag that only the chart says',
      changed(['      tag: 3.1.0\n', '']),
      'registry.test/podinfo:3.1.1',
      ['registry.test/podinfo\n', 'registry.test/podinfo\n      tag: 3.1.1\n'],
    ],
  ])('is changed by the value that alone sets it: %s', async (_, tree, value, [from, to]) => {
    expect(await set(tree, value)).toEqual(edited(tree[path]?.replace(from, to)));
  });

  it('is changed by a value that holds the whole image', async () => {
    const template = 'charts/podinfo/templates/deployment.yaml';
    const tree: Tree = {
      ...changed([
        '      repository: registry.test/podinfo\n      tag: 3.1.0\n',
        '      whole: "registry.test/podinfo:3.1.0"\n',
      ]),
      [template]: (podinfoRepository[template] ?? '').replace(
        '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"',
        '{{ .Values.image.whole | default "other:1" }}',
      ),
    };
    expect(await set(tree, 'registry.test/podinfo:3.1.1')).toEqual(edited(tree[path]?.replace(':3.1.0"', ':3.1.1"')));
  });

  it('is refused where no value sets it alone', async () => {
    const refused = {
      kind: 'refused',
      reason: expect.stringContaining('no value of HelmRelease test/frontend') as string,
      paths: [path],
    };
    expect(await set(podinfoRepository, 'elsewhere.test/podinfo:3.1.1')).toEqual(refused);
    const twice = 'charts/podinfo/templates/configmap.yaml';
    const tree = {
      ...podinfoRepository,
      [twice]: `${podinfoRepository[twice] ?? ''}  TAG: "{{ .Values.image.tag }}"\n`,
    };
    expect(await set(tree, 'registry.test/podinfo:3.1.1')).toEqual(refused);
  });

  it('is changed in the HelmRelease by name', async () => {
    const field = ['spec', 'values', 'image', 'tag'];
    expect(await set(podinfoRepository, '3.1.1', { object: release, field })).toEqual(
      edited(podinfoRepository[path]?.replace('tag: 3.1.0', 'tag: 3.1.1')),
    );
  });
});
