import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/lib/turns.ts';
import { proofOf } from '../../src/release/proof.ts';
import type { EditGoal } from '../../src/render/renderer.ts';
import { editedFiles } from '../../src/render/tree-files.ts';
import { exactText, fileBytes } from '../../src/render/file-bytes.ts';
import type { Files } from '../../src/render/tree-files.ts';
import { revertApp } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { canaryText, configText, deploymentText, joined } from './a-config-repo.ts';

/** Files as people have them; kubectl reads each of them. The app is `shop`. */

const render = createRender({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' });
const app = { namespace: 'test', name: 'shop' };
const canary: readonly [string, string] = ['canary.yaml', canaryText({ name: 'shop' })];
const file = (text: string, path = 'shop.yaml'): Files => new Map([canary, [path, text]]);

function revert(base: Files, judged: Files, tip: Files): Files {
  const result = revertApp({ app, base, judged, tip, render });
  if (result.kind !== 'edited') throw new Error(JSON.stringify(result));
  return editedFiles(tip, result.files);
}
/** The file after the revert. */
const reverted = (base: string, judged: string, tip: string): string | undefined =>
  revert(file(base), file(judged), file(tip)).get('shop.yaml');

const one = deploymentText({ name: 'shop', image: 'shop:1.0.0' });
const two = deploymentText({ name: 'shop', image: 'shop:2.0.0' });
/** With something that a later commit put beside the changed line, so that no merge of texts helps. */
const later = (text: string): string => text.replace(/^( *image: \S+).*$/m, '$1 # later');
const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: shop, namespace: test}\n';
/** A Deployment with further lines in its spec and its container. */
const withLines = (text: string, spec: string, container = ''): string =>
  text.replace('spec:\n', `spec:\n${spec}`).replace(/^( *image: .*\n)/m, `$1${container}`);

describe('a document that cannot be read', () => {
  it.each([
    [
      'a key that is written twice',
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cart}\nspec:\n  env: []\n  env: []\n',
    ],
    ['an alias that leads nowhere', 'kind: Ingress\nhost: *.example.com\n'],
    ['a template', 'apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}-a\n'],
    ['a merge conflict', 'apiVersion: v1\n<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n'],
    ['a tab', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: a\n'],
  ])('keeps its bytes and costs no other document: %s', (_, broken) => {
    for (const parts of [(text: string) => joined(text, broken), (text: string) => joined(broken, text)])
      expect(reverted(parts(one), parts(two), parts(later(two)))).toBe(parts(later(one)));
  });

  it('is given back where the release made it unreadable, and never written beside it', () => {
    const settings = configText({ name: 'shop', config: { colour: 'blue' } });
    const user = { name: 'shop', config: {}, configName: 'shop-config' };
    const tree = (image: string, data: string): string => joined(deploymentText({ ...user, image }), data);
    const broken = settings.replace('data:', 'data: {}\ndata:');
    const [base, judged] = [tree('shop:1', settings), tree('shop:2', broken)];
    expect(reverted(base, judged, later(judged))).toBe(later(base));
    const touched = judged.replace('# settings', '# touched');
    expect(revertApp({ app, base: file(base), judged: file(judged), tip: file(touched), render })).toMatchObject({
      kind: 'conflict',
      reason: expect.stringContaining('cannot be read any more') as string,
    });
  });
});

describe('anchors and aliases', () => {
  it('that the release wrote go with it', () => {
    const [base, judged] = [
      withLines(one, '', '        resources:\n          limits: {memory: 1Gi}\n'),
      withLines(two, '', '        resources:\n          requests: &r {memory: 2Gi}\n          limits: *r\n'),
    ];
    expect(reverted(base, judged, judged)).toBe(base);
    const tip = later(judged).replace('limits: *r', 'limits: *r # later');
    expect(reverted(base, judged, tip)).toBe(later(base));
  });

  it('that stay keep what they stand for', () => {
    const text = (cpu: string, image: string): string =>
      withLines(
        deploymentText({ name: 'shop', image }),
        '',
        `        resources:\n          requests: &r {cpu: ${cpu}}\n          limits: *r\n`,
      );
    const tip = later(text('2', 'shop:2')).replace('limits: *r', 'limits: *r # later');
    expect(reverted(text('1', 'shop:1'), text('2', 'shop:2'), tip)).toBe(
      later(text('1', 'shop:1')).replace('limits: *r', 'limits: *r # later'),
    );
  });
});

describe('an object', () => {
  it('is written once where the release changed its apiVersion', () => {
    const judged = two.replace('apps/v1', 'apps/v1beta2');
    expect(reverted(one, judged, judged)).toBe(one);
    expect(reverted(one, judged, later(judged))).toBe(later(one));
    expect(reverted(joined(service, one), joined(service, judged), joined(later(judged), service))).toBe(
      joined(later(one), service),
    );
  });

  it('whose API group changed is left to people', () => {
    const base = one.replace('apps/v1', 'extensions/v1beta1');
    const result = revertApp({ app, base: file(base), judged: file(two), tip: file(two), render });
    expect(result).toMatchObject({ kind: 'conflict' });
  });

  it('is edited in its file where a copy of it stands in another one', () => {
    const copy = { 'copy.yaml': two };
    const tree = (text: string): Files => new Map([...file(text, 'a.yaml'), ...Object.entries(copy)]);
    const after = revert(tree(one), tree(two), tree(later(two)));
    expect(after.get('a.yaml')).toBe(later(one));
    expect(after.get('copy.yaml')).toBe(two);
  });
});

describe('a scalar', () => {
  it.each([
    ['paused: yes', 'paused: no'],
    ['paused: on', 'paused: false'],
    ['paused: ~', 'paused: true'],
    ['mode: 0644', 'mode: 0400'],
    ['mode: 0o17', 'mode: 0b11'],
    ['size: 1_000', 'size: 2_000'],
    ['size: 1.50', 'size: 2'],
    ['size: 1e3', 'size: 5'],
    ['at: 12:30:45', 'at: 12:31'],
    ['at: 2001-01-01', 'at: 2002-02-02'],
    ['empty:', 'empty: full'],
    ['text: "yes"', 'text: "no"'],
    ["text: '012'", 'text: x'],
    ['text: "a\\u2028b\\u0085c"', 'text: plain'],
    ['big: 12345678901234567890', 'big: 1'],
  ])('comes back as it was written: %s', (before, after) => {
    const container = (line: string): string => `        ${line}\n`;
    const [base, judged] = [withLines(one, '', container(before)), withLines(two, '', container(after))];
    expect(reverted(base, judged, judged.replace(after, `${after} # later`))).toMatch(
      new RegExp(`^ +${before.replaceAll(/[\\.*+?]/g, '\\$&')} # later$`, 'm'),
    );
    expect(reverted(base, judged, judged)).toBe(base);
  });

  it('with a character that YAML takes for a line end is written as an escape', () => {
    const text = (value: string, note: string): string =>
      `{"apiVersion":"v1","kind":"List","items":[${JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shop-config', namespace: 'test' }, data: { a: value } })}]} # ${note}\n`;
    const tree = (value: string, image: string, note: string): Files =>
      new Map([
        ...file(deploymentText({ name: 'shop', image, config: {}, configName: 'shop-config' })),
        ['data.yaml', text(value, note)],
      ]);
    const after = revert(tree('a\u2028b', 'shop:1', 'x'), tree('c', 'shop:2', 'x'), tree('c', 'shop:2', 'y'));
    expect(after.get('data.yaml')).toContain('# y');
    expect(
      revertApp({ app, base: tree('a\u2028b', 'shop:1', 'x'), judged: tree('c', 'shop:2', 'x'), tip: after, render }),
    ).toEqual({
      kind: 'nothing',
    });
  });
});

describe('comments', () => {
  const licence = '# LICENCE\n# of many lines\n';

  it('at the head of a file stay there when its documents change places', () => {
    const base = licence + joined(service, one);
    const judged = licence + joined(two, service);
    expect(reverted(base, judged, judged)).toBe(base);
    expect(reverted(base, judged, later(judged))).toBe(licence + joined(later(one), service));
    // Also where texts can be merged, because what came later stands apart.
    const apart = (text: string): string => text.replace('# shop runs often', '# apart');
    expect(reverted(base, judged, apart(judged))).toBe(licence + joined(apart(one), service));
    const other = licence + joined(one, service);
    expect(reverted(other, licence + joined(service, two), licence + joined(service, apart(two)))).toBe(
      licence + joined(service, apart(one)),
    );
    const swapped = licence + joined(service, two);
    expect(reverted(other, swapped, later(swapped))).toBe(licence + joined(service, later(one)));
  });

  it('at the head of a file are written once when its first document comes back or goes', () => {
    const settings = configText({ name: 'shop', config: { colour: 'blue' } }).replace('# settings\n', '');
    const user = { name: 'shop', config: {}, configName: 'shop-config' };
    const base = licence + joined(settings, deploymentText({ ...user, image: 'shop:1' }));
    const judged = licence + deploymentText({ ...user, image: 'shop:2' });
    expect(reverted(base, judged, later(judged))).toBe(
      licence + joined(settings, later(deploymentText({ ...user, image: 'shop:1' }))),
    );
    const more = licence + joined(settings, deploymentText({ ...user, image: 'shop:2' }));
    const less = licence + deploymentText({ name: 'shop', image: 'shop:1' });
    expect(reverted(less, more, more)).toBe(less);
    expect(reverted(less, more, later(more))).toBe(
      `${licence}---\n${later(deploymentText({ name: 'shop', image: 'shop:1' }))}`,
    );
  });

  const marked = (text: string, name: string): string =>
    text
      .replace('name: shopd', `name: ${name} # main`)
      .replace(/# the image of shop/, `# {"$imagepolicy": "flux-system:${name}"}`)
      .replace('      containers:\n', `      containers:\n      # the one of ${name}\n`);

  it('come back with an entry that the release renamed', () => {
    const [base, judged] = [marked(one, 'old'), marked(two, 'new')];
    expect(reverted(base, judged, judged)).toBe(base);
    const moved = revert(file(base), file(judged), file(judged, 'moved/shop.yaml'));
    expect([...moved.keys()]).toEqual(['canary.yaml', 'moved/shop.yaml']);
    expect(moved.get('moved/shop.yaml')).toBe(base);
    const tip = judged.replace(/^( *image: )/m, '        # inside\n$1');
    expect(reverted(base, judged, tip)).toBe(base.replace(/^( *image: )/m, '        # inside\n$1'));
  });

  it('come back with an entry that the release took out', () => {
    const env =
      '        env:\n        # colour of the banner\n        - name: COLOUR # shown\n          value: blue\n        - name: SIZE\n          value: "1"\n';
    const less = '        env:\n        - name: SIZE\n          value: "1"\n';
    const [base, judged] = [withLines(one, '', env), withLines(two, '', less)];
    expect(reverted(base, judged, later(judged).replace('- name: SIZE', '- name: SIZE # later'))).toBe(
      later(base).replace('- name: SIZE', '- name: SIZE # later'),
    );
    expect(reverted(judged, base, later(base).replace('- name: SIZE', '- name: SIZE # later'))).toBe(
      later(judged).replace('- name: SIZE', '- name: SIZE # later'),
    );
  });
});

describe('a file', () => {
  it.each([
    ['single quotes', "        text: 'a\n        b'\n"],
    ['double quotes', '        text: "a\nb"\n'],
    ['brackets', '        args: [\n        "a",\nb\n]\n'],
  ])('with text in %s that goes on at its key is read as kubectl does', (_, lines) => {
    const [base, judged] = [withLines(one, '', lines), withLines(two, '', lines)];
    expect(reverted(base, judged, later(judged))).toBe(later(base));
    expect(reverted(base, withLines(two, ''), later(withLines(two, '')))).toBe(later(base));
  });

  it('keeps bytes that are no UTF-8 in a document of somebody else', () => {
    const latin1 = (text: string): string => exactText(Buffer.from(text, 'latin1'));
    const parts = (text: string): string => latin1(joined(service.replace('kind', '# caf\xe9 \xff\nkind'), text));
    const after = reverted(parts(one), parts(two), parts(later(two))) ?? '';
    expect(Buffer.from(fileBytes(after)).equals(Buffer.from(fileBytes(parts(later(one)))))).toBe(true);
    expect(Buffer.from(fileBytes(after)).includes(0xe9)).toBe(true);
  });

  it.each([
    ['emoji and letters', 'gr\u00fc\u00df \u{1F600} \ufeff'],
    ['halves of pairs that are cut off', Buffer.from([0xf0, 0x9f, 0x98])],
    ['overlong and surrogate forms', Buffer.from([0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf8, 0x41, 0xff])],
  ])('has the same bytes after it was read as text: %s', (_, content) => {
    const bytes = Buffer.from(content);
    expect(Buffer.from(fileBytes(exactText(bytes))).equals(bytes)).toBe(true);
  });
});

it('a file that was turned into JSON since stays JSON', () => {
  const resources = '        resources: {limits: {cpu: 1, memory: 1Gi}} # why\n';
  const [base, judged] = [withLines(one, '', resources), withLines(two, '', '')];
  const json = (image: string, more: object): string =>
    JSON.stringify(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'shop', namespace: 'test' },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: 'shop' } },
          template: {
            metadata: { labels: { app: 'shop' } },
            spec: { containers: [{ name: 'shopd', image, ...more }] },
          },
        },
      },
      null,
      2,
    );
  const after = revert(file(base), file(judged), file(json('shop:2.0.0', {}), 'shop.json')).get('shop.json') ?? '';
  expect(JSON.parse(after)).toEqual(
    JSON.parse(json('shop:1.0.0', { resources: { limits: { cpu: 1, memory: '1Gi' } } })),
  );
  expect(after.split('\n').slice(0, 20)).toEqual(json('shop:2.0.0', {}).split('\n').slice(0, 20));
});

it('a warning may come back with the text that it is about', () => {
  const text = (image: string, value: string): string =>
    deploymentText({ name: 'shop', image, env: { A: value } }).replace('shop runs often', 'x');
  const [base, judged] = [text('shop:1', '$${A}'), text('shop:2', 'b')];
  expect(reverted(base, judged, later(judged))).toBe(later(base));
});

it('a proof finds what would be written twice or become unreadable', () => {
  const before = render(file(one)).apps[0];
  if (!before) throw new Error('unreachable: the app is there');
  const proven = (text: string): unknown =>
    atOnce(
      proofOf({
        app,
        before,
        tip: render(file(joined(two, service))),
        tipFiles: file(joined(two, service)),
        files: new Map([['shop.yaml', text]]),
        keys: new Set(['apps/Deployment/test/shop']),
        render,
      }),
    );
  expect(proven(joined(one, service))).toBeUndefined();
  expect(proven(joined(one, service, one))).toMatchObject({
    reason: expect.stringContaining('Deployment test/shop is defined a second time') as string,
  });
  expect(proven(joined(one, service, 'apiVersion: v1\nkind: [\n'))).toMatchObject({
    reason: expect.stringContaining('not readable') as string,
  });
  expect(proven(one)).toMatchObject({ reason: expect.stringContaining('Service') as string });
  expect(proven(joined(two, service))).toMatchObject({ reason: 'the app would not get its stable content back' });
});

it('what breaks the reader of a file is a refused revert with a reason', () => {
  const failing = Object.assign(() => render(new Map()), {
    // eslint-disable-next-line require-yield
    *inTurns(): Generator<void, never> {
      throw new RangeError('Maximum call stack size exceeded');
    },
    edit: (goal: EditGoal) => render.edit(goal),
  });
  expect(revertApp({ app, base: file(one), judged: file(two), tip: file(two), render: failing })).toMatchObject({
    kind: 'conflict',
    reason: 'its files could not be worked on (Maximum call stack size exceeded)',
  });
});

describe('a list of objects', () => {
  const item = (name: string, value: string): string =>
    `- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: ${name}\n    namespace: test\n  data:\n    # why\n    colour: ${value} # hue\n`;
  const list = (...items: readonly string[]): string => `apiVersion: v1\nkind: List\nitems:\n${items.join('')}`;
  const tree = (image: string, items: string): Files =>
    new Map([...file(deploymentText({ name: 'shop', image, config: {}, configName: 'mine' })), ['list.yaml', items]]);

  it('of one kind, whose items do not name it, is edited like any other', () => {
    const typed = (value: string): string =>
      `apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: other, namespace: test}\n  data: {a: b}\n- metadata: {name: mine, namespace: test}\n  data: {colour: ${value}} # hue\n`;
    expect(
      revert(tree('shop:1', typed('a')), tree('shop:2', typed('b')), tree('shop:2', typed('b'))).get('list.yaml'),
    ).toBe(typed('a'));
  });

  it('gets back the item that the release took out, and gives away the one that it put in', () => {
    const full = list(item('first', 'a'), item('mine', 'b'), item('last', 'c'));
    const less = list(item('first', 'a'), item('last', 'x'));
    expect(revert(tree('shop:1', full), tree('shop:2', less), tree('shop:2', less)).get('list.yaml')).toBe(
      list(item('first', 'a'), item('mine', 'b'), item('last', 'x')),
    );
    expect(revert(tree('shop:1', less), tree('shop:2', full), tree('shop:2', full)).get('list.yaml')).toBe(
      list(item('first', 'a'), item('last', 'c')),
    );
  });
});

it('the time of a revert grows with its file, whatever is in it', () => {
  const variables = (value: string): string =>
    Array.from({ length: 20 }, (_, at) => `        - name: V${at}\n          value: "${value}${at}"\n`).join('');
  const big = (keys: number): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big, namespace: test}\ndata:\n${Array.from({ length: keys }, (_, at) => `  key${at}: value ${at}\n`).join('')}`;
  const text = (source: string, value: string, keys: number): string =>
    joined(withLines(source, '', `        env:\n${variables(value)}`), big(keys));
  const secondsFor = (keys: number): number => {
    const [base, judged] = [text(one, 'a', keys), text(two, 'b', keys)];
    const tip = judged.replaceAll('value: "b', 'value:  "b');
    const began = process.cpuUsage();
    const fresh = createRender({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' });
    const result = revertApp({ app, base: file(base), judged: file(judged), tip: file(tip), render: fresh });
    const { user } = process.cpuUsage(began);
    expect(result.kind).toBe('edited');
    return user / 1e6;
  };
  secondsFor(200);
  // 12 s once. Ten times as many keys take ten times as long; a hundred times would be quadratic.
  const few = Math.max(0.03, Math.min(secondsFor(500), secondsFor(500)));
  expect(few).toBeLessThan(1);
  expect(secondsFor(5000)).toBeLessThan(few * 40);
});
