import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { type BuiltEdit, buildingEdit } from '../../src/release/branch-edit.ts';
import { createRender } from '../../src/release/trees.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { canaryText, deploymentText } from './a-config-repo.ts';

type Tree = Readonly<Record<string, string>>;

const turns = createTurns();
const bare = (text: string): string => text.replace(/\n {2}namespace: test/, '');
const base: Tree = {
  'base/kustomization.yaml': 'resources: [shop.yaml, canary.yaml, cart.yaml]\n',
  'base/shop.yaml': bare(deploymentText({ name: 'shop', image: 'registry.test/shop:0.0.1' })),
  'base/canary.yaml': bare(canaryText({ name: 'shop' })),
  'base/cart.yaml': bare(deploymentText({ name: 'cart', image: 'registry.test/cart:0.0.1' })),
};
const overlay = (images: string): Tree => ({
  ...base,
  'prod/kustomization.yaml': `namespace: prod # of this cluster\nresources: [../base]\n${images}`,
});
const path = 'prod/kustomization.yaml';
const digest = `sha256:${'a'.repeat(64)}`;

describe.skipIf(kustomizeProgram === undefined)('an image that a kustomization gives', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  afterAll(() => kustomize.close());

  async function moved(files: Tree, value: string): Promise<BuiltEdit> {
    const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
    const render = createRender(settings, undefined, { kustomize });
    const edit = {
      key: 'it',
      app: { namespace: 'prod', name: 'shop' },
      atMs: 0,
      *plan() {
        yield;
        const object = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'prod', name: 'shop' };
        const field = ['spec', 'template', 'spec', 'containers', 0, 'image'];
        return { kind: 'change' as const, fields: [{ object, field, value }], message: 'move it\n' };
      },
    };
    const tip = {
      *ledger() {
        yield;
        return undefined;
      },
      *text() {
        yield;
        return undefined;
      },
    };
    const parts = { files: new Map(Object.entries(files)), render, tip, author: { name: 'a', email: 'b' } };
    return turns.run(buildingEdit(edit, parts));
  }
  const changed = (built: BuiltEdit): unknown => (built.kind === 'built' ? Object.fromEntries(built.files) : built);

  it('is moved in its entry, and all else of the file stays', async () => {
    const images = (tag: string): string =>
      `images:\n- name: registry.test/cart\n  newTag: "7"\n- name: registry.test/shop\n  newTag: ${tag} # moved by releases\n`;
    const built = await moved(overlay(images('1.0.0')), 'registry.test/shop:1.0.1');
    expect(changed(built)).toEqual({ [path]: overlay(images('1.0.1'))[path] });
  });

  it.each<[string, string, string, string]>([
    [
      'under another name',
      'images:\n- name: registry.test/shop\n  newName: mirror.test/shop\n  newTag: 1.0.0\n',
      'mirror.test/shop:1.0.1',
      'newTag: 1.0.1',
    ],
    [
      'as a number',
      'images:\n- {name: registry.test/shop, newTag: "1.9"}\n',
      'registry.test/shop:1.10',
      'newTag: "1.10"',
    ],
    [
      'with a digest until now',
      `images:\n- name: registry.test/shop\n  digest: ${digest}\n`,
      'registry.test/shop:1.0.1',
      'newTag: 1.0.1',
    ],
  ])('is moved in its entry: %s', async (_what, images, value, told) => {
    const built = await moved(overlay(images), value);
    expect(built.kind).toBe('built');
    const text = built.kind === 'built' ? built.files.get(path) : undefined;
    expect(text).toContain(told);
    expect(text).not.toContain(digest);
  });

  it('is moved where it is written, when no entry gives its tag', async () => {
    const built = await moved(
      overlay('images:\n- name: registry.test/cart\n  newTag: "7"\n'),
      'registry.test/shop:1.0.1',
    );
    expect(changed(built)).toEqual({
      'base/shop.yaml': (base['base/shop.yaml'] ?? '').replace('shop:0.0.1', 'shop:1.0.1'),
    });
  });

  it('is not moved where that would move another workload, or where it comes from elsewhere', async () => {
    const shared = { ...overlay('images:\n- name: registry.test/shop\n  newTag: 1.0.0\n') };
    shared['base/cart.yaml'] = (shared['base/cart.yaml'] ?? '').replace('registry.test/cart', 'registry.test/shop');
    const both = await moved(shared, 'registry.test/shop:1.0.1');
    expect(both).toMatchObject({ kind: 'refused', reason: expect.stringContaining('would change as well') as string });
    const patched = overlay(
      'patches:\n- patch: |-\n    - {op: replace, path: /spec/template/spec/containers/0/image, value: "registry.test/shop:1.0.0"}\n  target: {kind: Deployment, name: shop}\n',
    );
    const elsewhere = await moved(patched, 'registry.test/shop:1.0.1');
    expect(elsewhere.kind).toBe('refused');
  });
});
