import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { appsOf } from '../../src/canary/app.ts';
import { createTurns } from '../../src/lib/turns.ts';
import { sha256Hex } from '../../src/lib/hash.ts';
import { isManifestFile, type LoadedTree, type LoadSettings } from '../../src/manifest/load.ts';
import { createTenancy } from '../../src/manifest/tenancy.ts';
import type { KubeObject, Manifest } from '../../src/manifest/types.ts';
import { reverting } from '../../src/release/revert.ts';
import { createRender } from '../../src/release/trees.ts';
import { createHelm } from '../../src/render/helm.ts';
import { createKustomize } from '../../src/render/kustomize.ts';
import type { LiveConfigs } from '../../src/render/live-configs.ts';
import { createSops, type Sops } from '../../src/render/sops.ts';
import type { RenderTools } from '../../src/render/tools.ts';
import { createTreeRenderer } from '../../src/render/tree.ts';
import { withOthers } from '../../src/render/tree-files.ts';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { ageKey, encrypted, otherAgeKey, sopsProgram } from '../helpers/sops.ts';

type Tree = Readonly<Record<string, string>>;

const turns = createTurns();
const password = 'correct-horse-battery';
const secret = (name = 'db', value = password, more = ''): string =>
  `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\n${more}stringData:\n  password: ${value}\n`;
const app = (image = 'shop:1', name = 'db'): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  template:
    spec:
      containers:
      - name: main
        image: ${image}
        envFrom: [{ secretRef: { name: ${name} } }]
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: shop }
spec: { targetRef: { kind: Deployment, name: shop } }
`;
const others = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: others }\ndata: { a: b }\n';
const flux = (name: string, spec: string, namespace = 'flux-system'): string =>
  `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  sourceRef: { kind: GitRepository, name: flux-system }
  prune: true
${spec.replaceAll(/^/gm, '  ')}
`;

describe.skipIf(sopsProgram === undefined || kustomizeProgram === undefined || helmProgram === undefined)(
  'what SOPS has encrypted',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'age-'));
    const keyFile = (name: string, identity: string): string => {
      writeFileSync(join(folder, name), `# created: today\n${identity}\n`);
      return join(folder, name);
    };
    const kustomize = createKustomize({ program: kustomizeProgram ?? '' });
    const helm = createHelm({ program: helmProgram ?? '' });
    const sops = createSops({ program: sopsProgram ?? '', ageKeyFile: keyFile('right', ageKey.identity) });
    const wrongKey = createSops({ program: sopsProgram ?? '', ageKeyFile: keyFile('wrong', otherAgeKey.identity) });
    const noKey = createSops({ program: sopsProgram ?? '' });
    const noTool = createSops({ program: '/nowhere/sops', ageKeyFile: join(folder, 'right') });
    afterAll(async () => {
      rmSync(folder, { recursive: true });
      await Promise.all([kustomize.close(), helm.close(), sops.close(), wrongKey.close(), noKey.close()]);
    });
    const defaults = { path: '', ledgerDir: '.releases', defaultNamespace: 'test' };
    const salt = (): Promise<string> => Promise.resolve('salt');
    const filesOf = (files: Tree, settings: LoadSettings) => {
      const all = new Map(Object.entries(files).map(([at, text]) => [at, { oid: sha256Hex(text), text }] as const));
      const inside = new Map([...all].filter(([at]) => isManifestFile(at, settings)));
      return withOthers(inside, {
        find: (at) => Promise.resolve(all.get(at)),
        read: (oid) => Promise.resolve(Buffer.from([...all.values()].find((file) => file.oid === oid)?.text ?? '')),
        list: (at) => Promise.resolve(new Map([...all].filter(([path]) => at === '' || path.startsWith(`${at}/`)))),
      });
    };
    const render = (files: Tree, tools: RenderTools = {}, more: Partial<LoadSettings> = {}): Promise<LoadedTree> => {
      const settings = { ...defaults, ...more };
      const trees = createTreeRenderer(settings, { kustomize, helm, sops, salt, ...tools });
      return turns.run(trees.render(filesOf(files, settings)));
    };
    const find = ({ manifests }: LoadedTree, kind: string, name?: string): Manifest | undefined =>
      manifests.find(({ object }) => object.kind === kind && (name === undefined || object.metadata.name === name));
    const valueOf = (object: KubeObject | undefined, key = 'password'): string | undefined => {
      const { data, stringData } = (object ?? {}) as { data?: Tree; stringData?: Tree };
      return stringData?.[key] ?? (data?.[key] === undefined ? undefined : Buffer.from(data[key], 'base64').toString());
    };
    const told = ({ problems }: LoadedTree): string[] =>
      problems.map(({ path, line, message, hint = '' }) => `${path}:${line} ${message}; ${hint}`);
    /** Whatever an operator, a log or Git might be shown of it. */
    const shown = (tree: LoadedTree): string =>
      JSON.stringify([tree.problems, [...tree.strays], [...tree.areas.values()].map((area) => [...area.elsewhere])]);

    const ways: readonly (readonly [string, () => Tree, string?])[] = [
      ['a Secret in a folder', () => ({ 'db.yaml': encrypted(secret()) })],
      ['a whole file', () => ({ 'db.yaml': encrypted(secret(), 'yaml', { wholly: true }) })],
      [
        'JSON',
        () => ({
          'db.json': encrypted(
            JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { password } }),
            'json',
          ),
        }),
      ],
      ['several documents of one file', () => ({ 'db.yaml': encrypted(`${secret('a')}---\n${secret()}`) })],
      [
        'documents that were put together',
        () => ({ 'db.yaml': `${others}---\n${encrypted(secret('a'))}---\n${encrypted(secret())}` }),
      ],
      [
        'a resource of a kustomization',
        () => ({ 'kustomization.yaml': 'namespace: prod\nresources: [db.yaml]\n', 'db.yaml': encrypted(secret()) }),
      ],
      [
        'a file in which variables of a shell stand',
        () => ({ 'db.yaml': encrypted(secret('db', '${HOME}-{{ x }}')) }),
        '${HOME}-{{ x }}',
      ],
      [
        'what a Kustomization of Flux names, in a folder without a kustomization',
        () => ({
          'c/a.yaml': flux('a', 'path: ./a\ndecryption: { provider: sops }'),
          'a/db.yaml': encrypted(secret()),
        }),
      ],
      [
        'a patch',
        () => ({
          'kustomization.yaml': 'resources: [db.yaml]\npatches: [{ path: patch.yaml }]\n',
          'db.yaml': secret('db', 'x'),
          'patch.yaml': encrypted(secret()),
        }),
      ],
    ];
    it.each(ways.map(([way, files, value = password]) => [way, { files, value }] as const))(
      'is decrypted: %s',
      async (_, { files, value }) => {
        const tree = await render(files());
        expect(told(tree)).toEqual([]);
        const found = find(tree, 'Secret', 'db');
        expect(valueOf(found?.object)).toBe(value);
        expect(found?.object).not.toHaveProperty('sops');
        expect(found?.sealed).toBe('salt');
      },
    );

    const generators: readonly (readonly [string, string, string, 'dotenv' | 'binary' | 'json' | 'ini'])[] = [
      ['an .env file', 'secretGenerator: [{ name: db, envs: [db.env] }]', 'db.env', 'dotenv'],
      ['a file of any content', 'secretGenerator: [{ name: db, files: [password=db.txt] }]', 'db.txt', 'binary'],
    ];
    it.each(generators)('is decrypted for a generator: %s', async (_, generator, path, format) => {
      const plain = format === 'dotenv' ? `password=${password}\n` : password;
      const files = {
        'kustomization.yaml': `${generator}\nresources: [app.yaml]\n`,
        [path]: encrypted(plain, format),
        'app.yaml': app(),
      };
      const tree = await render(files);
      expect(told(tree)).toEqual([]);
      const made = find(tree, 'Secret');
      expect(valueOf(made?.object)).toBe(password);
      // The name that kustomize would give it is a hash of the password.
      const open = await render({ ...files, [path]: plain });
      const names = [made, find(open, 'Secret')].map((one) => one?.object.metadata.name ?? '');
      expect(names[0]).toMatch(/^db-[bcdfghkmt2456789]{10}$/);
      expect(names[0]).not.toBe(names[1]);
      expect(JSON.stringify(find(tree, 'Deployment')?.object)).toContain(names[0]);
      expect(JSON.stringify(tree.manifests)).not.toContain(names[1]);
    });

    it('stays as it is where a generator would make a ConfigMap of it', async () => {
      const tree = await render({
        'kustomization.yaml': 'configMapGenerator: [{ name: a, files: [db.txt] }]\n',
        'db.txt': encrypted(password, 'binary'),
      });
      expect(JSON.stringify(tree.manifests)).not.toContain(password);
      expect(find(tree, 'ConfigMap')?.object).toMatchObject({
        data: { 'db.txt': expect.stringContaining('ENC[') as string },
      });
    });

    const heldBack: readonly (readonly [string, Sops | undefined, RegExp])[] = [
      ['a wrong key', wrongKey, /none of the keys that are known is one that it is encrypted for.*sops updatekeys/],
      ['no key', noKey, /no key is known: name a file with an age key \(--sops-age-key-file\)/],
      ['no program', noTool, /there is no program sops of version 3: install it, or name it with --sops/],
      ['nothing that decrypts', undefined, /no program for it is named \(--sops\)/],
    ];
    it.each(heldBack)('is held back as it stands, with %s: one problem, and the rest goes on', async (_, tool, why) => {
      const files = { 'db.yaml': encrypted(secret()), 'app.yaml': app(), 'others.yaml': others };
      const tree = await render(files, { sops: tool });
      expect(tree.problems).toHaveLength(1);
      expect(told(tree)[0]).toMatch(
        /^db.yaml:1 the file is encrypted with SOPS, and cannot be decrypted: .*what the cluster has of it stays as it is/,
      );
      expect(told(tree)[0]).toMatch(why);
      // Nothing of the app is judged while a part of it is missing.
      expect(find(tree, 'Secret')).toMatchObject({
        object: { metadata: { name: 'db', namespace: 'test' } },
        locked: tree.problems[0],
      });
      expect(find(tree, 'Secret')?.object).not.toHaveProperty('stringData');
      expect(find(tree, 'ConfigMap', 'others')).toBeDefined();
      expect([...tree.areas.values()].some((area) => area.unreadableText.includes('db'))).toBe(true);
      const unit = await render(
        { ...files, 'kustomization.yaml': 'resources: [db.yaml, app.yaml]\nnamespace: prod\n' },
        { sops: tool },
      );
      expect(told(unit).join('\n')).toMatch(why);
      expect(unit.manifests.filter(({ object }) => object.metadata.namespace === 'prod')).toEqual([]);
      expect([...unit.unreadablePaths]).toContain('db.yaml');
    });

    const hostile: readonly (readonly [string, () => Tree, RegExp | undefined])[] = [
      [
        'a changed name, which the checksum is about',
        () => ({ 'db.yaml': encrypted(secret()).replace('name: db', 'name: dc') }),
        /checksum \(MAC\) is wrong/,
      ],
      [
        'a changed value',
        () => ({ 'db.yaml': encrypted(secret()).replace(/data:.{6}/, 'data:AAAAAA') }),
        /sops cannot read it|MAC/,
      ],
      [
        'no checksum',
        () => ({ 'db.yaml': encrypted(secret()).replace(/\n {4}mac: .*/, '') }),
        /MAC|sops cannot read it/,
      ],
      [
        'a field sops that says nothing',
        () => ({ 'db.yaml': `${secret()}sops: { mac: x, lastmodified: y }\n` }),
        /Secret db is encrypted with SOPS: it is not applied/,
      ],
      ['a field sops that is no map', () => ({ 'db.yaml': `${secret()}sops: hello\n` }), undefined],
      ['values with a field sops', () => ({ 'values.yaml': 'sops:\n  enabled: true\n' }), undefined],
      ['a second field sops', () => ({ 'db.yaml': `"sops": { a: 1 }\n${encrypted(secret())}` }), /unusual|unique/],
      [
        '16 MiB',
        () => ({
          'db.yaml': encrypted(secret()).replace('stringData:', `x: ${'y'.repeat(15 * 1024 * 1024)}\nstringData:`),
        }),
        /larger than 4 MiB/,
      ],
      [
        'a bomb',
        () => ({
          'k/kustomization.yaml': 'resources: [others.yaml]\npatches: [{ path: p.txt, target: { kind: ConfigMap } }]\n',
          'k/others.yaml': others,
          'k/p.txt': encrypted(
            `data: { a: ${password}, b: &a [1, 1, 1, 1, 1, 1, 1, 1] }\n${Array.from('abcdefghi', (name, at) => `${name}${at}: &${String.fromCharCode(98 + at)} [${`*${name}, `.repeat(9)}]\n`).join('')}`,
            'binary',
          ),
        }),
        /kustomize cannot render this/,
      ],
      ['text that is no object', () => ({ 'db.txt.yaml': encrypted(`{ ${password}: [`, 'binary') }), undefined],
      [
        'an object that no cluster takes',
        () => ({
          'db.yaml': encrypted(
            `apiVersion: v1\nkind: Secret\nmetadata: { name: 5 }\nstringData: { password: ${password} }\n`,
          ),
        }),
        /cannot be applied as an object/,
      ],
      [
        'a resource that is quoted',
        () => ({
          'k/kustomization.yaml': 'resources: [db.txt]\n',
          'k/db.txt': encrypted(`apiVersion: v1\nkind: ${password}\nmetadata: { labels: ${password} }\n`, 'binary'),
        }),
        /its words are left out/,
      ],
      [
        'a patch that quotes itself',
        () => ({
          'k/kustomization.yaml': 'resources: [others.yaml]\npatches: [{ path: p.txt, target: { kind: ConfigMap } }]\n',
          'k/others.yaml': others,
          'k/p.txt': encrypted(`[{"op":"test","path":"/data/a","value":"${password}"}]`, 'binary'),
        }),
        /its words are left out/,
      ],
      [
        'a ConfigMap',
        () => ({
          'c.yaml': encrypted(
            `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata: { password: ${password} }\n`,
          ),
        }),
        /make it a Secret/,
      ],
      [
        'a ConfigMap of a kustomization',
        () => ({
          'k/kustomization.yaml': 'namespace: a\nresources: [c.yaml]\n',
          'k/c.yaml': encrypted(
            `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata: { password: ${password} }\n`,
          ),
        }),
        /make it a Secret/,
      ],
    ];
    it.each(hostile)('tells nothing of what it holds: %s', async (_, files, why) => {
      const tree = await render({ ...files(), 'rest/others.yaml': others });
      expect(shown(tree)).not.toContain(password);
      expect(shown(tree)).not.toContain(Buffer.from(password).toString('base64').slice(0, 20));
      expect(shown(tree)).not.toMatch(/[0-9A-F]{64}/);
      if (why) expect(told(tree).join('\n')).toMatch(why);
      expect(find(tree, 'ConfigMap', 'c')).toBeUndefined();
    });

    it('asks no server for keys unless it is told to', async () => {
      const text = encrypted(secret()).replace(
        /^sops:\n/m,
        'sops:\n    hc_vault:\n        - vault_address: http://127.0.0.1:9/\n          engine_path: a\n          key_name: b\n          created_at: "2020-01-01T00:00:00Z"\n          enc: vault:v1:AAAA\n',
      );
      // The age key goes on being enough.
      expect(valueOf(find(await render({ 'db.yaml': text }), 'Secret')?.object)).toBe(password);
      const tree = await render({ 'db.yaml': text }, { sops: wrongKey });
      expect(told(tree)[0]).toMatch(/nobody is asked for its keys of hc_vault: see --sops-environment/);
      const grouped = await render({ 'db.yaml': text.replace('hc_vault:\n', 'key_groups:\n    - hc_vault:\n') });
      expect(told(grouped)[0]).toMatch(/groups of keys|cannot be read/);
    });

    it('is no release where it was only encrypted anew, and its hash says nothing of it', async () => {
      const at = async (text: string, more: RenderTools = {}): Promise<string | undefined> =>
        appsOf((await render({ 'db.yaml': text, 'app.yaml': app() }, more)).manifests, 'test')[0]?.content;
      const [once, again, other] = [encrypted(secret()), encrypted(secret()), encrypted(secret('db', 'another-one'))];
      expect(once).not.toBe(again);
      expect(await at(once)).toBe(await at(again));
      expect(await at(once)).not.toBe(await at(other));
      expect(await at(once)).not.toBe(await at(secret()));
      expect(await at(once)).not.toBe(await at(once, { salt: () => Promise.resolve('of another cluster') }));
    });

    describe('is taken back as the bytes that it was', () => {
      const revert = async (base: Tree, judged: Tree, tip: Tree, path = '') => {
        const settings = { ...defaults, path };
        const rendering = createRender(settings, undefined, { kustomize, helm, sops, salt });
        const [a, b, c] = [base, judged, tip].map((files) => filesOf(files, settings));
        if (!a || !b || !c) throw new Error('no trees');
        const id = { namespace: 'test', name: 'shop' };
        return turns.run(reverting({ app: id, base: a, judged: b, tip: c, render: rendering }));
      };
      const made = (value: string): string => encrypted(secret('db', value));
      const places: readonly (readonly [string, Tree, string, (value: string) => string])[] = [
        ['a Secret in a folder', {}, 'db.yaml', made],
        ['a whole file', {}, 'db.yaml', (value) => encrypted(secret('db', value), 'yaml', { wholly: true })],
        [
          'a resource of a kustomization',
          { 'kustomization.yaml': 'namespace: test\nresources: [app.yaml, db.yaml]\n' },
          'db.yaml',
          made,
        ],
        [
          'a file that a Kustomization of Flux reads beside what is followed',
          {
            'c/a.yaml': flux('a', 'path: ./a\ntargetNamespace: test\npostBuild: { substitute: { A: b } }'),
            'a/app.yaml': app(),
          },
          'a/db.yaml',
          made,
        ],
        [
          'the file of a generator',
          {
            'kustomization.yaml':
              'namespace: test\nresources: [app.yaml]\nsecretGenerator: [{ name: db, envs: [db.env] }]\n',
          },
          'db.env',
          (value) => encrypted(`password=${value}\n`, 'dotenv'),
        ],
        ['a document among others', {}, 'db.yaml', (value) => `${others}---\n${made(value)}`],
      ];
      it.each(places)('%s', async (_, more, path, of) => {
        const [was, is] = [of(password), of('worse')];
        const files: Tree = 'a/app.yaml' in more ? more : { ...more, 'app.yaml': app() };
        const result = await revert(
          { ...files, [path]: was },
          { ...files, [path]: is },
          { ...files, [path]: is, 'z.txt': 'later' },
          'c/a.yaml' in files ? 'c' : '',
        );
        expect(result).toEqual({ kind: 'edited', files: new Map([[path, was]]), paths: [path] });
      });
      it.each(['changed since', 'changed since in another document'])('and is not where it was %s', async (how) => {
        const files = { 'app.yaml': app() };
        const isOther = how.endsWith('document');
        const one = (text: string, more: string): string =>
          isOther ? encrypted(`${text}---\n${secret('z', more)}`) : encrypted(text);
        const base = one(secret(), 'a');
        const judged = one(secret('db', 'worse'), 'a');
        const tip = isOther ? one(secret('db', 'worse'), 'b') : one(secret('db', 'worst'), 'a');
        const result = await revert(
          { ...files, 'db.yaml': base },
          { ...files, 'db.yaml': judged },
          { ...files, 'db.yaml': tip },
        );
        expect(result.kind).not.toBe('edited');
      });
    });

    describe('with the keys that Flux names', () => {
      const agekey = (identity: string, namespace = 'flux-system'): LiveConfigs => ({
        read: (ref) =>
          Promise.resolve(
            ref.kind === 'Secret' && ref.name === 'sops-age' && ref.namespace === namespace
              ? {
                  apiVersion: 'v1',
                  kind: 'Secret',
                  metadata: { name: 'sops-age' },
                  data: { 'age.agekey': Buffer.from(identity).toString('base64') },
                }
              : undefined,
          ),
      });
      const files = (): Tree => ({
        'c/a.yaml': flux('a', 'path: ./a\ndecryption: { provider: sops, secretRef: { name: sops-age } }'),
        'a/db.yaml': encrypted(secret()),
      });
      it('decrypts', async () => {
        const tree = await render(files(), { sops: noKey, live: agekey(ageKey.identity) });
        expect(told(tree)).toEqual([]);
        expect(valueOf(find(tree, 'Secret')?.object)).toBe(password);
      });
      it.each([
        ['another one', agekey(otherAgeKey.identity), /none of the keys/],
        [
          'none',
          agekey(ageKey.identity, 'elsewhere'),
          /there is no Secret flux-system\/sops-age with its key: kubectl create secret generic sops-age -n flux-system/,
        ],
        ['one that is none', agekey('hello'), /holds no age key/],
        [
          'a cluster that does not answer',
          { read: () => Promise.reject(new Error('connection refused')) },
          /cannot be read \(connection refused\)/,
        ],
        ['no cluster', undefined, /there is no cluster to ask/],
      ] as const)('holds what the cluster has where there is %s', async (_, live, why) => {
        const tree = await render(files(), { sops: noKey, live });
        expect(told(tree).join('\n')).toMatch(why);
        expect(tree.manifests).toEqual([]);
        expect(tree.strays.has('c/a.yaml#flux-system/a')).toBe(true);
      });
      it("takes neither the agent's keys nor another tenant's for a tenant", async () => {
        const tenancy = createTenancy([
          { name: 'a', folder: 'a', namespaces: ['a'] },
          { name: 'b', folder: 'b', namespaces: ['b'] },
        ]);
        const plain = await render(
          { 'a/db.yaml': encrypted(secret('db', password, '  namespace: a\n')) },
          {},
          { tenancy },
        );
        expect(told(plain)[0]).toMatch(/the agent's own keys are nobody's among tenants/);
        const stolen = {
          'a/flux.yaml': flux('x', 'path: ./a/x\ndecryption: { provider: sops, secretRef: { name: sops-age } }', 'b'),
          'a/x/db.yaml': encrypted(secret()),
        };
        const tree = await render(stolen, { live: agekey(ageKey.identity, 'b') }, { tenancy });
        expect(find(tree, 'Secret')).toBeUndefined();
        expect(told(tree).join('\n')).toMatch(/is not for whoever writes/);
      });
    });

    it('is read where a chart takes values from it', async () => {
      const chart = {
        'chart/Chart.yaml': 'apiVersion: v2\nname: app\nversion: 1.0.0\n',
        'chart/templates/s.yaml':
          'apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData: { password: {{ .Values.password }} }\n',
        'release.yaml':
          'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: app, namespace: test }\nspec:\n  chart: { spec: { chart: ./chart, sourceRef: { kind: GitRepository, name: flux-system }, valuesFiles: [values.enc.yaml] } }\n',
        'values.enc.yaml': encrypted(`password: ${password}\n`, 'yaml', { wholly: true }),
      };
      const tree = await render({ ...chart, '.serinignore': 'values.enc.yaml\n' });
      expect(told(tree)).toEqual([]);
      const made = find(tree, 'Secret', 's');
      expect([valueOf(made?.object), made?.sealed]).toEqual([password, 'salt']);
      // Whatever a template does with a value before it fails with it.
      const failing = await render({
        ...chart,
        '.serinignore': 'values.enc.yaml\n',
        'chart/templates/f.yaml':
          '{{ fail (printf "it is %s %s" (.Values.password | upper) (.Values.password | b64enc)) }}',
      });
      expect(told(failing)[0]).toMatch(/it names templates\/f.yaml; its words are left out/);
      expect(shown(failing).toLowerCase()).not.toContain(password);
      expect(shown(failing)).not.toContain(Buffer.from(password).toString('base64'));
    });
  },
);
