import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, ObjectRef, Problem } from '../../src/manifest/types.ts';
import type { Desired } from '../../src/sync/syncer.ts';
import { desired, never, startStage, type SyncStage } from './a-cluster.ts';
import { named } from './a-manifest.ts';

const config = (name: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: kept }\ndata: { a: b }\n`;
const path = 'apps/settings.yaml';
/** In other files, so that no guard against mass deletion is what keeps things. */
const others = {
  'ns.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: kept }\n',
  ...Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [`others/${name}.yaml`, config(name)])),
};
type Content = string | Uint8Array;
const bytes = (text: string, encoding: BufferEncoding): Buffer => Buffer.from(text, encoding);

/** What it becomes, the line that is told, and what is told. */
const becomes: readonly (readonly [string, Content, number, RegExp])[] = [
  [
    'a pointer of Git LFS',
    `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 9\n`,
    1,
    /LFS/,
  ],
  ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), bytes(config('x'), 'utf16le')]), 1, /UTF-16/],
  ['UTF-16 without a mark', bytes(config('x'), 'utf16le'), 1, /UTF-16/],
  ['Latin-1', bytes(`${config('x')}# Größe\n`, 'latin1'), 5, /UTF-8/],
  ['NULs', `${config('x')}\0`, 5, /NUL/],
  ['git-crypt', Buffer.concat([bytes('\0GITCRYPT\0', 'latin1'), Buffer.from([200, 1, 2])]), 1, /git-crypt/],
  ['an Ansible vault', '$ANSIBLE_VAULT;1.1;AES256\n3834\n6131\n', 1, /ansible-vault/],
  ['an age file', '-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n', 1, /age/],
  ['a PGP message', '-----BEGIN PGP MESSAGE-----\n\nhQ==\n-----END PGP MESSAGE-----\n', 1, /PGP/],
  ['a whole SOPS file', '{"data": "ENC[AES256_GCM,data:x]", "sops": {"mac": "ENC[x]"}}\n', 1, /SOPS/],
  ['a sentence', '# moved\n\nsee the wiki\n', 3, /only text/],
  ['a number', '42\n', 1, /only text/],
  ['a null', '---\nnull\n', 2, /only text/],
  ['values', 'image: { tag: 1.0.0 }\n', 1, /no object/],
  ['a list', '- a\n- b\n', 1, /a list/],
  ['an empty map', '{}\n', 1, /no object/],
  ['a kubeconfig', 'apiVersion: v1\nkind: Config\nclusters: []\n', 1, /Config/],
  ['a List without items', 'apiVersion: v1\nkind: List\nitems: []\n', 1, /without items/],
  ['a List cut short', 'apiVersion: v1\nkind: List\nitems:\n', 1, /List/],
  ['a List of things without kind', 'apiVersion: v1\nkind: List\nitems:\n  - metadata: { name: x }\n', 4, /item 1/],
  ['a List of text', 'apiVersion: v1\nkind: List\nitems: [x]\n', 3, /item 1/],
  ['a template', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n', 4, /not readable/],
  ['an error page', '<!DOCTYPE html>\n<html><title>404: Not Found</title></html>\n', 1, /no YAML any more/],
  ['a template of a name', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ app }}" }\n', 1, /is no name/],
  ['a shell variable as a name', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: $APP }\n', 1, /is no name/],
  ['a template of an engine', '{% if x %}\napiVersion: v1\n{% endif %}\n', 1, /not readable/],
  ['a merge conflict', `<<<<<<< HEAD\n${config('x')}=======\n>>>>>>> b\n`, 1, /not readable/],
  [
    'a variable of Flux',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "${NAME}", namespace: kept }\n',
    3,
    /\$\{NAME\}/,
  ],
  ['an object and text', `${config('y')}---\nsee the wiki\n`, 6, /only text/],
];
const nameOf = (what: string): string => what.toLowerCase().replace(/\W/g, '-');
const pathOf = (what: string): string => `apps/${nameOf(what)}.yaml`;

describe('a file that held an object and holds none any more', () => {
  let stage: SyncStage;
  let agents = 0;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage.close());

  const ref = (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kept', name });
  const live = (name: string): Promise<KubeObject | undefined> => stage.cluster.get(ref(name), never);
  let all: Promise<{ readonly pruned: readonly string[]; readonly told: readonly Problem[] }> | undefined;
  /** All of them at once, with an agent that was started anew in between. More stays than would be too much for the guard. */
  const becomeAll = async () => {
    const settings = { namespace: 'agent-all' };
    const rest = {
      ...others,
      ...Object.fromEntries(becomes.map((_row, n) => [`more/${n}.yaml`, config(`more-${n}`)])),
    };
    const before = Object.fromEntries(becomes.map(([what]) => [pathOf(what), config(nameOf(what))]));
    const after = Object.fromEntries(becomes.map(([what, content]) => [pathOf(what), content]));
    await stage.syncer(settings).sync(desired({ ...rest, ...before }), never);
    const now = desired({ ...rest, ...after });
    const { pruned, warnings } = await stage.syncer(settings).sync(now, never);
    return { pruned: pruned.map(named), told: [...warnings, ...now.problems] };
  };
  /** Applies a file with a ConfigMap, then what came of it, with an agent that was started anew in between. */
  const become = async (name: string, after: Readonly<Record<string, Content>>, extra: Partial<Desired> = {}) => {
    const settings = { namespace: `agent-${(agents += 1)}` };
    await stage.syncer(settings).sync(desired({ ...others, [path]: config(name) }), never);
    const result = await stage.syncer(settings).sync(desired({ ...others, ...after }, extra), never);
    return { ...result, pruned: result.pruned.map(named) };
  };

  it.each(becomes)('%s: what it held stays, and is told with file and line', async (what, _content, line, text) => {
    const { pruned, told } = await (all ??= becomeAll());
    expect(pruned).toEqual([]);
    expect(await live(nameOf(what))).toBeDefined();
    const here = told.filter(({ path: at, message }) => at === pathOf(what) && text.test(message));
    expect(here.map((problem) => problem.line)).toContain(line);
    expect(here.map(({ severity }) => severity)).toContain('error');
  });

  it.each<readonly [string, Readonly<Record<string, Content>>]>([
    ['is deleted', {}],
    ['is empty', { [path]: '' }],
    ['holds only comments', { [path]: '# nothing\r\n---\r\n  # more\r\n...\r\n' }],
    ['holds another object', { [path]: config('z') }],
    ['has a name that no manifest has', { [`${path}.bak`]: config('w') }],
  ])('and %s: then it is pruned', async (_what, after) => {
    const name = `n${agents + 1}`;
    const { pruned, warnings } = await become(name, after);
    expect([pruned, warnings]).toEqual([[`ConfigMap kept/${name}`], []]);
  });

  it.each([
    ['named by an ignore file', { [path]: config('ignored'), '.serinignore': 'apps/\n' }, 'warning'],
    [
      'moved to where an ignore file names it',
      { 'old/x.yaml': config('ignored'), '.serinignore': 'old/\n' },
      'warning',
    ],
    [
      'part of a kustomization',
      { [path]: config('ignored'), 'apps/kustomization.yaml': 'resources: [settings.yaml]\nnameSuffix: x\n' },
      'error',
    ],
    [
      'moved into a base',
      {
        'base/x.yaml': config('ignored'),
        'base/kustomization.yaml': 'resources: [x.yaml]\n',
        'p/kustomization.yaml': 'resources: [../base]\nnamespace: kept\n',
      },
      'error',
    ],
    ['moved into a chart', { 'c/Chart.yaml': 'name: c\n', 'c/templates/x.yaml': config('ignored') }, 'error'],
  ] as const)('or is %s: it stays, and is told where it stands', async (_what, after, severity) => {
    const { pruned, warnings } = await become('ignored', after);
    expect(pruned).toEqual([]);
    expect(warnings).toMatchObject([{ severity, line: 1, message: expect.stringContaining('ConfigMap kept/ignored') }]);
    expect(warnings[0]?.path).toBe(Object.keys(after).find((one) => after[one as never] === config('ignored')));
  });

  it('or is moved into a file that is no UTF-8: it stays as long as its name can be guessed', async () => {
    for (const encoding of ['utf16le', 'latin1'] as const) {
      const text = bytes(`${config('moved-away')}# Größe\n`, encoding);
      const { pruned } = await become('moved-away', { 'other/place.yaml': text });
      expect(pruned).toEqual([]);
    }
  });

  it('names what is not rendered once, however many files it is', async () => {
    const files = (folder: string) =>
      Object.fromEntries(['x', 'y', 'z'].map((name) => [`${folder}/${name}.yaml`, config(`many-${name}`)]));
    const syncer = stage.syncer({ namespace: 'agent-many' });
    await syncer.sync(desired({ ...others, ...files('plain') }), never);
    const rendered = {
      ...files('base'),
      'base/kustomization.yaml': 'resources: [x.yaml, y.yaml, z.yaml]\nnameSuffix: -a\n',
    };
    const { pruned, warnings } = await syncer.sync(desired({ ...others, ...rendered }), never);
    expect(pruned).toEqual([]);
    expect(warnings).toMatchObject([
      { path: 'base/x.yaml', message: expect.stringMatching(/, as are 2 others: .*many-x, .*many-y, .*many-z /) },
    ]);
  });

  it('names what stands at its path, or above it, and is no file that is read', async () => {
    const standing = (at: string) => Promise.resolve(at === path ? { line: 1, what: 'is a submodule' } : undefined);
    const { pruned, warnings } = await become('module', {}, { standing });
    expect(pruned).toEqual([]);
    expect(warnings).toMatchObject([
      { severity: 'error', path, message: expect.stringMatching(/^the file is a submodule: ConfigMap kept\/module /) },
    ]);
  });

  it('is looked for where it moved to, also when nothing of the object changed', async () => {
    const syncer = stage.syncer({ namespace: 'agent-moved' });
    await syncer.sync(desired({ ...others, [path]: config('moved') }), never);
    await syncer.sync(desired({ ...others, 'new/place.yaml': config('moved') }), never);
    const after = await stage
      .syncer({ namespace: 'agent-moved' })
      .sync(desired({ ...others, 'new/place.yaml': 'values: 1\n' }), never);
    expect(after.pruned).toEqual([]);
    expect(after.warnings).toMatchObject([{ path: 'new/place.yaml' }]);
  });
});
