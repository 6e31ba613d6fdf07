import { afterAll, describe, expect, it } from 'vitest';
import { createTurns } from '../../src/lib/turns.ts';
import { sha256Hex } from '../../src/lib/hash.ts';
import { isManifestFile } from '../../src/manifest/load.ts';
import { ParsedFiles } from '../../src/manifest/parsed-files.ts';
import { type BuiltEdit, buildingEdit } from '../../src/release/branch-edit.ts';
import { createRender } from '../../src/release/trees.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import { withOthers } from '../../src/render/tree-files.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';

type Tree = Readonly<Record<string, string>>;

const flux = (name: string, spec: string): string =>
  `# ${name}, by the platform team
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: ${name}
  namespace: flux-system
spec:
  interval: 10m
  prune: true
  sourceRef: { kind: GitRepository, name: flux-system }
${spec.replaceAll(/^/gm, '  ')}
`;
const deployment = (image: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: shop }\nspec:\n  template:\n    spec:\n      containers:\n      - name: main\n        image: ${image}\n`;
const images = `images: # moved by releases
  - name: shop
    newName: ghcr.io/acme/shop
    newTag: "1.4.0" # of prod
  - { name: other, newTag: "7" }`;
const started: Tree = {
  'clusters/prod/flux-system/gotk-sync.yaml': flux('flux-system', 'path: ./clusters/prod'),
  'clusters/prod/apps.yaml': flux('apps', `path: ./apps/prod\ntargetNamespace: shop\n${images}`),
  'apps/base/kustomization.yaml': 'resources: [shop.yaml]\n',
  'apps/base/shop.yaml': deployment('shop:1.0.0'),
  'apps/prod/kustomization.yaml': 'resources: [../base]\n',
};

describe.skipIf(kustomizeProgram === undefined)('the tag of what a Kustomization of Flux renders', () => {
  const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
  afterAll(() => kustomize.close());

  /** As the agent would commit it, with all that is proven of it. */
  const moved = async (files: Tree, to: string, path = ''): Promise<BuiltEdit> => {
    const settings = { path, ledgerDir: '.releases', defaultNamespace: 'default' };
    const all = new Map(Object.entries(files).map(([at, text]) => [at, { oid: sha256Hex(text), text }] as const));
    const inside = withOthers(new Map([...all].filter(([at]) => isManifestFile(at, settings))), {
      find: (at) => Promise.resolve(all.get(at)),
      read: (oid) => Promise.resolve(Buffer.from([...all.values()].find((file) => file.oid === oid)?.text ?? '')),
      list: (folder) =>
        Promise.resolve(new Map([...all].filter(([at]) => folder === '' || at.startsWith(`${folder}/`)))),
    });
    const render = createRender(settings, new ParsedFiles(), { kustomize });
    const edit = {
      key: 'x',
      app: { namespace: 'shop', name: 'shop' },
      atMs: 0,
      // oxlint-disable-next-line require-yield
      *plan() {
        const object = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'shop' };
        const field = ['spec', 'template', 'spec', 'containers', 0, 'image'];
        return { kind: 'change' as const, fields: [{ object, field, value: to }], message: 'x' };
      },
    };
    const none = function* (): Generator<never, undefined> {
      yield* [];
      return undefined;
    };
    const tip = { ledger: none, text: none };
    return createTurns().run(
      buildingEdit(edit, { files: inside, render, tip, author: { name: 'Ada', email: 'ada@example.test' } }),
    );
  };
  const filesOf = (built: BuiltEdit): Record<string, string | null> | string =>
    built.kind === 'built' ? Object.fromEntries(built.files) : built.reason;

  it.each(['', 'clusters/prod'])('is written into its spec.images, where these say it: folder "%s"', async (path) => {
    const text = started['clusters/prod/apps.yaml'] ?? '';
    expect(filesOf(await moved(started, 'ghcr.io/acme/shop:1.4.1', path))).toEqual({
      'clusters/prod/apps.yaml': text.replace('newTag: "1.4.0" # of prod', 'newTag: "1.4.1" # of prod'),
    });
  });

  it('is written there with its digest', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const files = filesOf(await moved(started, `ghcr.io/acme/shop:1.4.1@${digest}`));
    expect(files).toMatchObject({ 'clusters/prod/apps.yaml': expect.stringContaining(`digest: ${digest}`) as string });
  });

  it('is written into the images of the folder where these say it', async () => {
    const own = 'resources: [../base]\nimages: [{ name: shop, newTag: 1.4.0 }] # of the folder\n';
    const files = {
      ...started,
      'clusters/prod/apps.yaml': flux('apps', 'path: ./apps/prod\ntargetNamespace: shop'),
      'apps/prod/kustomization.yaml': own,
    };
    expect(filesOf(await moved(files, 'shop:1.4.1'))).toEqual({
      'apps/prod/kustomization.yaml': own.replace('1.4.0', '1.4.1'),
    });
  });

  it('is written into the resource where no images say it', async () => {
    const files = { ...started, 'clusters/prod/apps.yaml': flux('apps', 'path: ./apps/prod\ntargetNamespace: shop') };
    expect(filesOf(await moved(files, 'shop:1.0.1'))).toEqual({ 'apps/base/shop.yaml': deployment('shop:1.0.1') });
  });

  it('is refused where another app would get it, too', async () => {
    const two = {
      ...started,
      'apps/base/shop.yaml': `${deployment('shop:1.0.0')}---\n${deployment('shop:1.0.0').replace('name: shop }', 'name: second }')}`,
    };
    expect(filesOf(await moved(two, 'ghcr.io/acme/shop:1.4.1'))).toMatch(
      /Deployment\/shop\/second would change as well/,
    );
  });

  it('is refused where it is filled in as a variable', async () => {
    const files = {
      ...started,
      'clusters/prod/apps.yaml': flux(
        'apps',
        'path: ./apps/prod\ntargetNamespace: shop\npostBuild: { substitute: { TAG: 1.4.0 } }',
      ),
      'apps/base/shop.yaml': deployment('shop:${TAG}'),
    };
    expect(filesOf(await moved(files, 'shop:1.4.1'))).toMatch(
      /its image is written as shop:\$\{TAG\}, with a variable that is filled in/,
    );
  });

  it('is refused where two files hold that Kustomization', async () => {
    const files = { ...started, 'clusters/prod/more/apps.yaml': started['clusters/prod/apps.yaml'] ?? '' };
    expect((await moved(files, 'ghcr.io/acme/shop:1.4.1')).kind).toBe('refused');
  });
});
