import { describe, expect, it } from 'vitest';
import { editedFiles } from '../../src/render/tree-files.ts';
import type { Files } from '../../src/render/tree-files.ts';
import { revertApp, type RevertInput } from '../../src/release/revert.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import { createRender } from '../../src/release/trees.ts';
import { appTree, canaryText, configText, deploymentText, joined, oneFile, withFiles } from './a-config-repo.ts';

const render = createRender({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' });
const app = { namespace: 'test', name: 'shop' };

function revert(base: Files, judged: Files, tip: Files, extra: Partial<RevertInput> = {}): Map<string, string> {
  const result = revertApp({ app, base, judged, tip, render, ...extra });
  if (result.kind !== 'edited') throw new Error(JSON.stringify(result));
  return new Map(editedFiles(tip, result.files));
}
const kindOf = (base: Files, judged: Files, tip: Files): string => revertApp({ app, base, judged, tip, render }).kind;

const one = { name: 'shop', config: { colour: 'blue' } };
const two = { ...one, image: 'shop:2.0.0' };

describe('taking a release back', () => {
  it('gives the file its bytes back where nobody touched it since', () => {
    expect(revert(appTree(one), appTree(two), appTree(two))).toEqual(appTree(one));
  });

  it('keeps what another app changed in the same commit', () => {
    const other = { name: 'cart', image: 'cart:1.0.0' };
    const newer = { ...other, image: 'cart:2.0.0', replicas: 7 };
    expect(revert(appTree(one, other), appTree(two, newer), appTree(two, newer))).toEqual(appTree(one, newer));
    expect(revert(oneFile(one, other), oneFile(two, newer), oneFile(two, newer))).toEqual(oneFile(one, newer));
  });

  it.each(['another', 'shop-too', 'a'])(
    'is not held up by a second Canary %s of the same target, which is refused',
    (name) => {
      const second = { 'second.yaml': canaryText({ name: 'shop' }).replace('name: shop', `name: ${name}`) };
      const [base, tip] = [withFiles(appTree(one), second), withFiles(appTree(two), second)];
      expect(revert(base, tip, tip)).toEqual(base);
      // It came with the release.
      expect(revert(appTree(one), tip, tip)).toEqual(base);
    },
  );

  it('is not held up by what another tenant has that cannot be read', () => {
    const plain = { name: 'shop' };
    const broken = { 'other/broken.yaml': `apiVersion: v1\nkind: [\n# ${'x '.repeat(300 * 1024)}` };
    const [base, judged] = [withFiles(appTree(plain), broken), withFiles(appTree(two), broken)];
    // Anything may stand in it where nobody says whose it is.
    expect(kindOf(base, judged, judged)).toBe('conflict');
    const tenancy = createTenancy([
      { name: 'shop', folder: 'shop', namespaces: ['test'] },
      { name: 'other', folder: 'other', namespaces: ['other'] },
    ]);
    const guarded = createRender({ path: '', ledgerDir: '.releases', defaultNamespace: 'test', tenancy });
    expect(revert(base, judged, judged, { render: guarded })).toEqual(base);
  });

  it.each<readonly [string, string, string]>([
    ['conflict markers', 'shop/deployment.yaml', '<<<<<<< HEAD\nkind: Deployment\n'],
    ['a pointer of Git LFS', 'shop/deployment.yaml', 'version https://git-lfs.github.com/spec/v1\noid sha256:1\n'],
    ['conflict markers instead of its Canary', 'shop/canary.yaml', '<<<<<<< HEAD\nkind: Canary\n'],
    ['what is encrypted', 'shop/config.yaml', 'age-encryption.org/v1\n-> X25519 a\n'],
  ])('waits while a file of it holds %s', (_, path, text) => {
    const config = { config: { mode: 'calm' } };
    const [base, judged] = [appTree({ ...one, ...config }), appTree({ ...two, ...config })];
    const tip = withFiles(judged, { [path]: text });
    const result = revertApp({ app, base, judged, tip, render });
    expect(result).toMatchObject({ kind: 'conflict', isUnread: true });
    expect(result).toMatchObject({ reason: expect.stringContaining(`it cannot be read now: ${path} `) as string });
    // What can be read may say enough.
    const newer = appTree({ ...one, ...config, image: 'shop:3.0.0' });
    const isTarget = path === 'shop/deployment.yaml';
    expect(kindOf(base, judged, withFiles(newer, { [path]: text }))).toBe(isTarget ? 'conflict' : 'superseded');
    expect(kindOf(base, judged, newer)).toBe('superseded');
  });

  it('waits while an ignore file names it', () => {
    const tip = withFiles(appTree(two), { '.serinignore': 'shop/\n' });
    expect(revertApp({ app, base: appTree(one), judged: appTree(two), tip, render })).toMatchObject({
      kind: 'conflict',
      reason: expect.stringMatching(/^it cannot be read now: shop\/\w+.yaml is named by an ignore file$/) as string,
    });
  });

  it('keeps what later commits changed in the same file', () => {
    const tip = withFiles(appTree(two), {
      'shop/deployment.yaml': deploymentText({ ...two, replicas: 5 }).replace('kind:', '# later\nkind:'),
    });
    const wanted = deploymentText({ ...one, replicas: 5 }).replace('kind:', '# later\nkind:');
    expect(revert(appTree(one), appTree(two), tip).get('shop/deployment.yaml')).toBe(wanted);
  });

  it('keeps what a later commit changed once more of what the release had changed', () => {
    const base = withFiles(appTree(one), { 'shop/deployment.yaml': deploymentText({ ...one, replicas: 2 }) });
    const judged = withFiles(appTree(two), { 'shop/deployment.yaml': deploymentText({ ...two, replicas: 4 }) });
    const tip = withFiles(judged, { 'shop/deployment.yaml': deploymentText({ ...two, replicas: 7 }) });
    const text = revert(base, judged, tip).get('shop/deployment.yaml');
    expect(text).toBe(deploymentText({ ...one, replicas: 7 }));
    // Where nobody touched it since it goes back with the rest.
    expect(revert(base, judged, judged).get('shop/deployment.yaml')).toBe(deploymentText({ ...one, replicas: 2 }));
  });

  it('edits single values where neighbouring lines changed since', () => {
    const judged = withFiles(appTree(one), {
      'shop/deployment.yaml': deploymentText({ ...two, replicas: 4 }),
    });
    const tip = withFiles(judged, {
      'shop/deployment.yaml': deploymentText({ ...two, replicas: 4 })
        .replace('# the image of shop', '# do not touch')
        .replace('  replicas: 4', '  paused: false\n  replicas: 4'),
    });
    const text = revert(appTree(one), judged, tip).get('shop/deployment.yaml');
    expect(text).toBe(
      deploymentText(one)
        .replace('# the image of shop', '# do not touch')
        .replace('  replicas: 2', '  paused: false\n  replicas: 2'),
    );
  });

  it('takes a container away that the release put in, and a variable, and brings back what it took', () => {
    const base = appTree({ ...one, env: { A: '1', B: '2' } });
    const judged = appTree({ ...two, sidecar: 'envoy:1', env: { A: '1', C: '3' } });
    const noted = (text: string): string =>
      text.replace(/ {8}image: shop:2.0.0.*\n/, (line) => `${line}        workingDir: /tmp\n`);
    const tip = withFiles(judged, { 'shop/deployment.yaml': noted(judged.get('shop/deployment.yaml') ?? '') });
    // The content moved on, so it is a newer one.
    expect(kindOf(base, judged, tip)).toBe('superseded');
    expect(revert(base, judged, judged)).toEqual(base);
    const replicas = withFiles(judged, {
      'shop/deployment.yaml': (judged.get('shop/deployment.yaml') ?? '').replace(
        'containers:',
        'containers: # all of them',
      ),
    });
    expect(revert(base, judged, replicas).get('shop/deployment.yaml')).toBe(
      deploymentText({ ...one, env: { A: '1', B: '2' } }).replace('containers:', 'containers: # all of them'),
    );
  });

  it('keeps line ends and a missing last one', () => {
    const windows = (files: Map<string, string>): Map<string, string> =>
      new Map([...files].map(([path, text]) => [path, `\uFEFF${text.trimEnd().replaceAll('\n', '\r\n')}`]));
    const tip = withFiles(windows(oneFile(two)), {});
    tip.set('all.yaml', (tip.get('all.yaml') ?? '').replace('replicas: 2', 'replicas: 3'));
    const wanted = (windows(oneFile(one)).get('all.yaml') ?? '').replace('replicas: 2', 'replicas: 3');
    expect(revert(windows(oneFile(one)), windows(oneFile(two)), tip).get('all.yaml')).toBe(wanted);
  });

  it('leaves the Canary as the release made it', () => {
    const judged = oneFile(two);
    judged.set('all.yaml', (judged.get('all.yaml') ?? '').replace('threshold: 5', 'threshold: 1'));
    const wanted = (oneFile(one).get('all.yaml') ?? '').replace('threshold: 5', 'threshold: 1');
    expect(revert(oneFile(one), judged, judged).get('all.yaml')).toBe(wanted);
  });
});

describe('ConfigMaps of a release', () => {
  const red = { ...one, config: { colour: 'red' } };

  it('go back like images', () => {
    expect(revert(appTree(one), appTree(red), appTree(red))).toEqual(appTree(one));
  });

  it('go when the release added them', () => {
    const plain = { name: 'shop' };
    expect(revert(appTree(plain), appTree(two), appTree(two))).toEqual(appTree(plain));
    expect(revert(oneFile(plain), oneFile(two), oneFile(two))).toEqual(oneFile(plain));
  });

  it('stay when somebody else uses them', () => {
    const plain = { name: 'shop' };
    const user = {
      'job.yaml': joined(
        'apiVersion: batch/v1\nkind: Job\nmetadata: {name: load, namespace: test}\nspec: {template: {spec: {containers: [{name: a, envFrom: [{configMapRef: {name: shop-config}}]}]}}}\n',
      ),
    };
    const result = revert(appTree(plain), appTree(two), withFiles(appTree(two), user));
    expect(result.get('shop/config.yaml')).toBe(configText(one));
    expect(result.get('shop/deployment.yaml')).toBe(deploymentText(plain));
  });

  it('come back when the release deleted them', () => {
    const plain = { name: 'shop', image: 'shop:2.0.0' };
    expect(revert(appTree(one), appTree(plain), appTree(plain))).toEqual(appTree(one));
    expect(
      revert(oneFile(one, { name: 'cart' }), oneFile(plain, { name: 'cart' }), oneFile(plain, { name: 'cart' })),
    ).toEqual(oneFile(one, { name: 'cart' }));
  });

  it('are edited where they stand now when a file was moved', () => {
    const base = appTree(one);
    const judged = withFiles(appTree(red), { 'shop/config.yaml': null, 'settings.yaml': configText(red) });
    const result = revert(base, judged, judged);
    expect(result.get('settings.yaml')).toBe(configText(one));
    expect(result.has('shop/config.yaml')).toBe(false);
  });

  it('that another app runs with by now are not changed under it', () => {
    const shared = (colour: string): Map<string, string> =>
      withFiles(appTree({ ...one, config: { colour } }), {
        'cart.yaml': joined(
          deploymentText({ name: 'cart', config: {}, configName: 'shop-config' }),
          canaryText({ name: 'cart' }),
        ),
      });
    const result = revertApp({ app, base: shared('blue'), judged: shared('red'), tip: shared('red'), render });
    expect(result).toMatchObject({ kind: 'conflict', reason: expect.stringContaining('test/cart') as string });
    const cart = render(shared('blue')).apps.find(({ id }) => id.name === 'cart');
    const stableContent = (): string => cart?.content ?? '';
    expect(revert(shared('blue'), shared('red'), shared('red'), { stableContent })).toEqual(shared('blue'));
  });

  it('in a List are edited in their place', () => {
    const list = (colour: string, other: string): string =>
      `apiVersion: v1\nkind: List\nitems:\n${[
        ['shop-config', colour],
        ['other', other],
      ]
        .map(
          ([name, value]) =>
            `- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: ${name}\n  data:\n    colour: ${value} # hue\n`,
        )
        .join('')}`;
    const tree = (text: string): Map<string, string> => withFiles(appTree(one), { 'shop/config.yaml': text });
    const result = revert(tree(list('blue', 'a')), tree(list('red', 'b')), tree(list('red', 'b')));
    expect(result.get('shop/config.yaml')).toBe(list('blue', 'b'));
  });

  it('in JSON are edited by value', () => {
    const json = (colour: string): string =>
      JSON.stringify(
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shop-config', namespace: 'test' }, data: { colour } },
        null,
        2,
      );
    const tree = (colour: string, extra = ''): Map<string, string> =>
      withFiles(appTree(one), { 'shop/config.yaml': null, 'shop/config.json': json(colour) + extra });
    expect(revert(tree('blue'), tree('red'), tree('red', '\n')).get('shop/config.json')).toBe(`${json('blue')}\n`);
  });
});

describe('what is not taken back', () => {
  it('is nothing where a person was faster', () => {
    expect(kindOf(appTree(one), appTree(two), appTree(one))).toBe('nothing');
  });

  it('is what a newer change of the same app replaced', () => {
    expect(kindOf(appTree(one), appTree(two), appTree({ ...one, image: 'shop:3.0.0' }))).toBe('superseded');
    expect(kindOf(appTree(one), appTree(two), new Map())).toBe('superseded');
  });

  it('is a release without anything before it', () => {
    expect(revertApp({ app, base: new Map(), judged: appTree(two), tip: appTree(two), render })).toMatchObject({
      kind: 'conflict',
    });
  });

  it('is text that cannot be edited without touching more', () => {
    const folded = (value: string, note: string): Map<string, string> =>
      withFiles(appTree(one), {
        'shop/config.yaml': `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: shop-config, namespace: test}, data: {colour: &c ${value}}} # ${note}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: other}, data: {colour: *c}}\n`,
      });
    expect(
      revertApp({ app, base: folded('blue', 'a'), judged: folded('red', 'b'), tip: folded('red', 'c'), render }),
    ).toMatchObject({
      kind: 'conflict',
      paths: ['shop/config.yaml'],
    });
  });
});
