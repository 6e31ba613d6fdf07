import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/lib/turns.ts';
import type { FieldGoal } from '../../src/render/renderer.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import type { Edit } from '../../src/render/renderer.ts';

const trees = createTreeRenderer({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' });

const shop = `# the shop
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 2 # enough
  template:
    spec:
      containers:
      - {name: shop, image: "shop:1"} # the image
`;
const config = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop, namespace: other}\ndata: {a: "1"}\n';
const files = new Map([
  ['shop.yaml', `${config}---\n${shop}`],
  [
    'list.yaml',
    `apiVersion: v1\nkind: List\nitems:\n- ${config.trim().replaceAll('\n', '\n  ').replace('other', 'listed')}\n`,
  ],
  ['app.json', '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json"}, "data": {"a": "1"}}\n'],
]);
const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name: 'shop' };
const configMap = (namespace: string, name = 'shop') => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name });

function edited(goal: Pick<FieldGoal, 'object' | 'field' | 'value'>): Edit {
  const { manifests } = atOnce(trees.render(files));
  return atOnce(trees.edit({ kind: 'field', tip: { files, manifests }, ...goal }));
}

describe('a field of an object', () => {
  it.each([
    [
      'an image',
      deployment,
      ['spec', 'template', 'spec', 'containers', 0, 'image'],
      'shop:2',
      'shop.yaml',
      'shop:1',
      'shop:2',
    ],
    ['a number', deployment, ['spec', 'replicas'], 5, 'shop.yaml', 'replicas: 2', 'replicas: 5'],
    ['an item of a List', configMap('listed'), ['data', 'a'], '2', 'list.yaml', '{a: "1"}', '{a: "2"}'],
    ['a file of JSON', configMap('test', 'json'), ['data', 'a'], '2', 'app.json', '"a": "1"', '"a": "2"'],
  ])('gets a value where it is written, and no other byte changes: %s', (_, object, field, value, path, old, now) => {
    const text = files.get(path) ?? '';
    expect(text.split(old)).toHaveLength(2);
    expect(edited({ object, field, value })).toEqual({
      kind: 'edited',
      files: new Map([[path, text.replace(old, now)]]),
    });
  });

  it('is made with the maps on its way, and goes again', () => {
    const field = ['metadata', 'annotations', 'a.b/c'];
    const made = edited({ object: deployment, field, value: 'x' });
    expect(made.kind === 'edited' && made.files.get('shop.yaml')).toContain('  annotations:\n    a.b/c: x\n');
    expect(edited({ object: deployment, field, value: undefined })).toEqual({ kind: 'edited', files: new Map() });
    const gone = edited({ object: deployment, field: ['spec', 'replicas'], value: undefined });
    expect(gone.kind === 'edited' && gone.files.get('shop.yaml')).not.toContain('replicas');
  });

  it('that has its value already changes nothing', () => {
    expect(edited({ object: deployment, field: ['spec', 'replicas'], value: 2 })).toEqual({
      kind: 'edited',
      files: new Map(),
    });
  });

  it.each([
    ['the object is not in Git', { ...deployment, name: 'other' }, ['spec'], 'Deployment test/other is not in Git'],
    [
      'a list has no such item',
      deployment,
      ['spec', 'template', 'spec', 'containers', 3, 'image'],
      'Deployment test/shop has no place for spec.template.spec.containers[3].image',
    ],
    ['a text is in the way', deployment, ['kind', 'x'], 'Deployment test/shop has no place for kind.x'],
    ['a map is taken for a list', deployment, ['spec', 0], 'Deployment test/shop has no place for spec[0]'],
  ])('is refused with a reason where %s', (_, object, field, reason) => {
    expect(edited({ object, field, value: 'x' })).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining(reason) as string,
    });
  });
});
