import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { helmProgram, podinfoRepository } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { type RegistryDouble, startRegistryDouble } from '../helpers/registry-double.ts';
import { fsck, lines, removeDir, runGit, tempDir } from '../helpers/temp-repo.ts';

let dir: string;
let registry: RegistryDouble;
let isDown: boolean;
const work = (): string => join(dir, 'work');
const origin = (): string => join(dir, 'origin.git');

beforeEach(async () => {
  dir = await tempDir();
  isDown = false;
  registry = await startRegistryDouble({
    before: (_request, response) => {
      if (isDown) response.writeHead(500).end();
      return isDown;
    },
  });
  for (const tag of ['1.4.0', '1.4.1', '1.4.2', '1.4.3', '1.5.0']) await registry.push('podinfo', tag, { seed: tag });
});
afterEach(async () => {
  await registry.close();
  await removeDir(dir);
});

const git = (...words: readonly string[]): Promise<string> => runGit(['-C', work(), ...words]);
const head = (format: string, ref = 'origin/main'): Promise<string> => git('log', '-1', `--format=${format}`, ref);

const deployment = (
  tag: string,
  annotations = '    fluxcd.io/automated: "true"\n    fluxcd.io/tag.podinfod: semver:~1.4\n',
): string =>
  `# What the team runs.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: podinfo
  namespace: test
  annotations:
    team: shop
${annotations}spec:
  selector: { matchLabels: { app: podinfo } }
  template:
    metadata: { labels: { app: podinfo } }
    spec:
      containers:
        - name: podinfod
          image: "${registry.registry}/podinfo:${tag}" # moved by releases
`;
const canary = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: podinfo, namespace: test }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: podinfo }
  service: { port: 80 }
  analysis: { interval: 10s, threshold: 5, stepWeights: [50] }
`;
const ledger = (): string => `apiVersion: serin.dev/v1
kind: Ledger
app: test/podinfo
# Written by hand: keep.
quarantine:
  - images: { podinfod: "${registry.registry}/podinfo:1.4.2" }
    reason: success rate 0.00% < 99%
`;
const appPath = 'apps/podinfo/app.yaml';
const ledgerFile = 'apps/.releases/test/podinfo.yaml';
const usual = (tag = '1.4.1'): Record<string, string> => ({
  [appPath]: deployment(tag),
  'apps/podinfo/canary.yaml': canary,
  [ledgerFile]: ledger(),
});

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(work(), path)), { recursive: true });
    await writeFile(join(work(), path), text);
  }
}

/** A repository on a server, and a checkout of it. */
async function repository(files: Readonly<Record<string, string>> = usual()): Promise<void> {
  await runGit(['init', '--quiet', '--bare', '--initial-branch=main', origin()]);
  await runGit(['clone', '--quiet', origin(), work()]);
  await git('config', 'user.name', 'Ada');
  await git('config', 'user.email', 'ada@example.test');
  await write(files);
  await git('add', '--all');
  await git('commit', '--quiet', '-m', 'first');
  await git('push', '--quiet', '--set-upstream', 'origin', 'HEAD:main');
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

let folder: string | undefined;
let environment: Readonly<Record<string, string>> = {};
async function serin(...argv: readonly string[]): Promise<Ran> {
  let [out, errors] = ['', ''];
  const before = process.cwd();
  process.chdir(folder ?? work());
  try {
    const code = await runCommandLine({
      argv: [
        'images',
        ...argv,
        ...(argv[0] === 'test'
          ? []
          : [
              '--registry-plain-http',
              registry.registry,
              '--kustomize',
              kustomizeProgram ?? 'none',
              ...(argv.includes('--helm') ? [] : ['--helm', helmProgram ?? 'none']),
            ]),
      ],
      environment: {
        PATH: process.env['PATH'],
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
        ...environment,
      },
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (errors += text) },
      signal: new AbortController().signal,
    });
    return { code, out, errors };
  } finally {
    process.chdir(before);
    folder = undefined;
    environment = {};
  }
}
const rows = async (...argv: readonly string[]): Promise<Record<string, unknown>[]> => {
  const { out } = await serin(...argv, '--json');
  const { apps } = JSON.parse(out) as { apps: { containers: Record<string, unknown>[] }[] };
  return apps.flatMap(({ containers }) => containers);
};

describe('serin images', () => {
  it('says of each container what it has, what its policy wants, and why not the newest', async () => {
    await repository({ ...usual(), 'apps/tool.yaml': deployment('1.4.0', '').replaceAll('podinfo\n', 'tool\n') });
    expect(await serin()).toEqual({
      code: 0,
      errors: '',
      out: [
        'APP            CONTAINER   NOW     WANTED   POLICY        NEWEST   WHY',
        'test/podinfo   podinfod    1.4.1   1.4.3    semver:~1.4   1.5.0    its first state is not recorded yet; 1.5.0: outside of ~1.4',
        '',
      ].join('\n'),
    });
    const { out } = await serin('podinfo');
    expect(out.split('\n').slice(3)).toEqual([
      '    policy   semver:~1.4',
      '    wanted   1.4.3',
      '    why      its first state is not recorded yet',
      '    1.5.0   outside of ~1.4',
      '    1.4.3   the newest that semver:~1.4 takes',
      '    1.4.2   in quarantine: success rate 0.00% < 99%',
      '    1.4.1   the current one',
      '    1.4.0   older than the current one',
      '',
    ]);
    const tool = await rows('test/tool');
    expect(tool).toMatchObject([{ now: '1.4.0', wanted: null, policy: null, state: 'manual', reason: 'no policy' }]);
    expect((await rows('--all')).map(({ now }) => now)).toEqual(['1.4.1', '1.4.0']);
  });

  it('says the same of all apps of one image, and asks for each tag once', async () => {
    const asked: string[] = [];
    await registry.close();
    registry = await startRegistryDouble({
      before: ({ method = '', url = '' }) => {
        if (method === 'HEAD') asked.push(url);
        return false;
      },
    });
    for (const tag of ['1.4.1', '1.4.3']) await registry.push('podinfo', tag, { seed: tag });
    const names = ['one', 'two', 'three', 'four', 'five'];
    const digest =
      '    fluxcd.io/automated: "true"\n    fluxcd.io/tag.podinfod: semver:~1.4\n    serin.dev/image-digest: with-tag\n';
    await repository(
      Object.fromEntries(
        names.map((name) => [`apps/${name}.yaml`, deployment('1.4.1', digest).replaceAll(/podinfo$/gm, name)]),
      ),
    );
    const found = await rows();
    expect(found.map(({ wanted, state }) => [wanted, state])).toEqual(names.map(() => ['1.4.3', 'due']));
    expect(asked.length).toBe(new Set(asked).size);
    expect(asked.some((url) => url.endsWith('/1.4.3'))).toBe(true);
  });

  it('prints one JSON object of a shape that scripts can rely on', async () => {
    await repository();
    const { out } = await serin('--json');
    const revision = (await head('%H')).trim();
    const image = `${registry.registry}/podinfo:1.4.1`;
    expect(JSON.parse(out)).toEqual({
      branch: 'origin/main',
      revision,
      apps: [
        {
          app: 'test/podinfo',
          kind: 'Deployment',
          file: appPath,
          canary: true,
          locked: null,
          containers: [
            {
              container: 'podinfod',
              image,
              now: '1.4.1',
              wanted: '1.4.3',
              policy: 'semver:~1.4',
              state: 'busy',
              reason: 'its first state is not recorded yet',
              hold: null,
              newest: [
                { tag: '1.5.0', reason: 'outside of ~1.4' },
                { tag: '1.4.3', reason: 'the newest that semver:~1.4 takes' },
                { tag: '1.4.2', reason: 'in quarantine: success rate 0.00% < 99%' },
                { tag: '1.4.1', reason: 'the current one' },
                { tag: '1.4.0', reason: 'older than the current one' },
              ],
            },
          ],
        },
      ],
    });
  });

  it('looks at the branch on the server, and with --local at what stands here, committed or not', async () => {
    await repository();
    await write({ [appPath]: deployment('1.4.0') });
    expect((await rows()).map(({ now }) => now)).toEqual(['1.4.1']);
    expect((await rows('--local')).map(({ now }) => now)).toEqual(['1.4.0']);
    expect(await git('status', '--porcelain')).toBe(` M ${appPath}\n`);
  });

  it('says where a registry does not answer, and a policy cannot be read, with exit code 3', async () => {
    await repository({ ...usual(), [appPath]: deployment('1.4.1').replace('semver:~1.4', 'semver:~one') });
    const wrong = await serin();
    expect(wrong.code).toBe(3);
    expect(wrong.errors).toMatch(
      /^apps\/podinfo\/app\.yaml:10 error fluxcd\.io\/tag\.podinfod: the range "~one" cannot be read/,
    );
    await write({ [appPath]: deployment('1.4.1') });
    isDown = true;
    const down = await serin('--local');
    expect(down.code).toBe(3);
    expect(down.out).toContain('podinfo: it answers 500');
  });

  it('tells a person who mistyped something what was meant', async () => {
    await repository();
    for (const [words, message] of [
      ['podinof', 'there is no app podinof on origin/main; did you mean test/podinfo?'],
      ['prod/podinfo', 'there is no app prod/podinfo on origin/main; did you mean test/podinfo?'],
      ['nothing-like-it', 'there is no app nothing-like-it on origin/main: it has test/podinfo'],
      ['relase podinfo podinfod 1.4.3', 'there is no command serin images relase; did you mean release?'],
    ] as const)
      expect(await serin(...words.split(' '))).toEqual({ code: 2, out: '', errors: `serin: ${message}\n` });
  });
});

describe('the caller of serin images', () => {
  it('is asked for by registries with the credentials of Docker, which are nowhere told', async () => {
    await registry.close();
    registry = await startRegistryDouble({ signIn: { kind: 'basic', username: 'ada', password: 's3cret-word' } });
    for (const tag of ['1.4.0', '1.4.1']) await registry.push('podinfo', tag, { seed: tag });
    await repository({ [appPath]: deployment('1.4.0') });
    const anonymous = await serin();
    expect(anonymous.code).toBe(3);
    expect(anonymous.out).toMatch(/it asks for a password, and none is known for it/);
    expect((await serin('release', 'podinfo', 'podinfod', '1.4.1')).errors).toMatch(
      /it cannot be told whether the tag is there: .*it asks for a password/,
    );

    const auth = Buffer.from('ada:s3cret-word').toString('base64');
    await mkdir(join(dir, 'docker'));
    await writeFile(join(dir, 'docker/config.json'), JSON.stringify({ auths: { [registry.registry]: { auth } } }));
    environment = { DOCKER_CONFIG: join(dir, 'docker') };
    expect(await rows()).toMatchObject([{ now: '1.4.0', wanted: '1.4.1' }]);

    await writeFile(join(dir, 'docker/config.json'), JSON.stringify({ credHelpers: { [registry.registry]: 'desk' } }));
    const helper = '#!/bin/sh\necho \'{"ServerURL":"x","Username":"ada","Secret":"s3cret-word"}\'\n';
    await writeFile(join(dir, 'docker-credential-desk'), helper, { mode: 0o755 });
    environment = { DOCKER_CONFIG: join(dir, 'docker'), PATH: `${dir}:${process.env['PATH'] ?? ''}` };
    const ran = await serin('release', 'podinfo', 'podinfod', '1.4.1');
    expect(ran).toMatchObject({ code: 0, errors: '' });

    await writeFile(join(dir, 'docker-credential-desk'), helper.replace('s3cret-word', 'wr0ng-word'), { mode: 0o755 });
    environment = { DOCKER_CONFIG: join(dir, 'docker'), PATH: `${dir}:${process.env['PATH'] ?? ''}` };
    const refused = await serin('release', 'podinfo', 'podinfod', '1.4.0');
    expect(refused.code).toBe(3);
    const all =
      [anonymous, ran, refused].map((one) => JSON.stringify(one)).join('') + (await git('log', '-p', 'origin/main'));
    expect(all).not.toMatch(/s3cret|wr0ng|YWRh/);
  });

  it('has to say which of several apps is meant', async () => {
    const other = deployment('1.4.0').replace('namespace: test', 'namespace: prod');
    await repository({ ...usual(), 'apps/prod.yaml': other });
    // The one with a Canary goes before.
    expect(await rows('podinfo')).toMatchObject([{ now: '1.4.1' }]);
    expect(await rows('prod/podinfo')).toMatchObject([{ now: '1.4.0' }]);
    await write({ 'apps/second.yaml': other.replaceAll('namespace: prod', 'namespace: dev') });
    await git('rm', '--quiet', 'apps/podinfo/canary.yaml');
    const ran = await serin('podinfo', '--local');
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.errors).toBe(
      'serin: podinfo may be each of these, name one: deployment/dev/podinfo, deployment/prod/podinfo, deployment/test/podinfo\n',
    );
    expect(await rows('Deployment/dev/podinfo', '--local')).toMatchObject([{ now: '1.4.0' }]);
  });

  it('is told that a chart cannot be rendered here, and nothing is released of it blindly', async () => {
    const files = Object.fromEntries(
      Object.entries(podinfoRepository).map(([file, text]) => [
        file,
        text.replaceAll('registry.test/podinfo', `${registry.registry}/podinfo`),
      ]),
    );
    await repository(files);
    const ran = await serin('release', 'frontend', 'chart-image', '1.4.0', '--helm', join(dir, 'nowhere'));
    expect(ran.code).toBe(2);
    expect(ran.errors).toMatch(/there is no app frontend on origin\/main/);
    const told = await serin('--helm', join(dir, 'nowhere'));
    expect(told.errors).toMatch(/HelmRelease test\/frontend is not rendered/);
  });
});

describe('serin images release', () => {
  it('commits the tag and nothing else, as the person who releases it, where the policy wants the same', async () => {
    await repository();
    const ran = await serin('release', 'podinfo', 'podinfod', '1.4.3', '-m', 'the fix');
    expect(ran).toMatchObject({ code: 0, errors: '' });
    expect(ran.out).toMatch(
      /^release test\/podinfo 1\.4\.1 -> 1\.4\.3 {3}[0-9a-f]{7} on origin\/main\n {2}apps\/podinfo\/app\.yaml\n$/,
    );
    const image = (tag: string): string => `${registry.registry}/podinfo:${tag}`;
    expect(await head('%an <%ae>%n%B')).toBe(
      [
        'Ada <ada@example.test>',
        'release test/podinfo 1.4.1 -> 1.4.3',
        '',
        `podinfod: ${image('1.4.1')} -> ${image('1.4.3')}`,
        'the fix',
        '',
        'App: test/podinfo',
        'Act: release',
        `Images: podinfod=${image('1.4.3')}`,
        `Previous-Images: podinfod=${image('1.4.1')}`,
        '',
        '',
      ].join('\n'),
    );
    expect(await git('show', 'origin/main:apps/podinfo/app.yaml')).toBe(deployment('1.4.3'));
    expect(await git('rev-parse', 'HEAD')).toBe(await git('rev-parse', 'origin/main'));
    expect(await git('status', '--porcelain')).toBe('');
    await fsck(origin());
  });

  it('holds what no policy would take, back or forward, until it is resumed', async () => {
    await repository();
    const back = await serin('release', 'test/podinfo', 'podinfod', '1.4.0');
    expect(back.out).toContain('It is held there: no policy moves it on until serin images resume test/podinfo.');
    const text = await git('show', `origin/main:${ledgerFile}`);
    expect(text).toContain('# Written by hand: keep.');
    const image = (tag: string): string => `${registry.registry}/podinfo:${tag}`;
    expect(parse(text)).toMatchObject({
      holds: [{ container: 'podinfod', image: image('1.4.0'), instead: image('1.4.1'), by: 'Ada' }],
    });
    expect(await rows('podinfo')).toMatchObject([{ state: 'held', wanted: '1.4.3', hold: { by: 'Ada' } }]);

    expect((await serin('resume', 'podinfo')).code).toBe(0);
    expect(await git('show', `origin/main:${ledgerFile}`)).toBe(ledger());
    expect(await rows('podinfo')).toMatchObject([{ state: 'busy', hold: null }]);
    expect(await serin('resume', 'podinfo')).toMatchObject({ code: 0, out: 'Nothing to do: nothing of it is held.\n' });

    await serin('release', 'podinfo', 'podinfod', '1.5.0');
    expect(await rows('podinfo')).toMatchObject([{ now: '1.5.0', state: 'held' }]);
  });

  it('says where no ledger tells which folder the agent follows, and nobody names it', async () => {
    const { [ledgerFile]: _ledger, ...files } = usual();
    await repository(files);
    const unsure = /No ledger stands in this branch yet\. .* name its folder with --git-path\./;
    expect((await serin('release', 'podinfo', 'podinfod', '1.4.0')).out).toMatch(unsure);
    expect((await serin('release', 'podinfo', 'podinfod', '1.5.0')).out).not.toMatch(unsure);
    const named = await serin('release', 'podinfo', 'podinfod', '1.4.0', '--git-path', 'apps');
    expect(named).toMatchObject({ code: 0, out: expect.not.stringMatching(unsure) as string });
    expect(named.out).toContain('It is held there');
  });

  it('is refused where what is asked for cannot be meant, and nothing is pushed', async () => {
    await repository();
    const cases: readonly (readonly [words: readonly string[], code: number, message: RegExp])[] = [
      [['podinfod', 'other'], 3, /podinfo has no tag other\. The newest are 1\.5\.0, 1\.4\.3/],
      [['podinfod', '1.4.9'], 3, /podinfo has no tag 1\.4\.9; did you mean 1\.4\.3\? The newest are 1\.5\.0, 1\.4\.3/],
      [
        ['podinfod', '1.4.2'],
        3,
        /^serin: 1\.4\.2 failed before \(success rate 0\.00% < 99%\) and is in quarantine: --retry/,
      ],
      [['podinfo', '1.4.3'], 2, /has no container podinfo; did you mean podinfod\?/],
      [['podinfod', 'podinfo:1.4.3'], 2, /"podinfo:1\.4\.3" is no tag: name only what follows the ":"/],
      [['podinfod', '1.4.3@sha256:12'], 2, /is no tag/],
      [['podinfod', '-1'], 2, /unknown option|is no tag/],
      [['podinfod', `1.4.3@sha256:${'0'.repeat(64)}`], 3, /is another image than sha256:0000/],
    ];
    for (const [words, code, message] of cases) {
      const ran = await serin('release', 'podinfo', ...words);
      expect(ran.errors).toMatch(message);
      expect(ran).toMatchObject({ code, out: '' });
    }
    expect(await git('ls-remote', 'origin', 'main')).toContain((await git('rev-parse', 'HEAD')).trim());
  });

  it('has nothing to do where Git says it already', async () => {
    await repository();
    const ran = await serin('release', 'podinfo', 'podinfod', '1.4.1', '--json');
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject({ commit: null });
  });

  it('takes a version that failed only where that is asked for, and says so', async () => {
    await repository();
    expect((await serin('release', 'podinfo', 'podinfod', '1.4.2', '--retry')).code).toBe(0);
    expect(await head('%b')).toContain('1.4.2 failed before (success rate 0.00% < 99%) and is tried once more.');
  });

  it('asks no registry where that is asked for, as when it is down in the night', async () => {
    await repository();
    isDown = true;
    const ran = await serin('release', 'podinfo', 'podinfod', '1.4.0');
    expect(ran.code).toBe(3);
    expect(ran.errors).toMatch(/it answers 500; --unchecked releases it without asking/);
    expect((await serin('release', 'podinfo', 'podinfod', '1.4.0', '--unchecked')).out).toContain('It is held there');
  });

  it('writes the digest beside the tag where one stands there', async () => {
    const digest = `sha256:${'1'.repeat(64)}`;
    await repository({ ...usual(), [appPath]: deployment(`1.4.1@${digest}`) });
    expect((await serin('release', 'podinfo', 'podinfod', '1.4.3')).code).toBe(0);
    const written = /podinfo:(1\.4\.3@sha256:[0-9a-f]{64})"/.exec(await git('show', `origin/main:${appPath}`));
    expect(written?.[1]).not.toContain(digest);
    expect(written).not.toBeNull();
  });

  it('shows the commit beforehand', async () => {
    await repository();
    const { out } = await serin('release', 'podinfo', 'podinfod', '1.4.3', '--dry-run');
    expect(out).toContain('+          image: "');
    expect(lines(await git('log', '--format=%s', 'origin/main'))).toEqual(['first']);
  });

  it('is built anew where somebody else is faster', async () => {
    await repository();
    await runGit(['clone', '--quiet', origin(), join(dir, 'other')]);
    const other = ['-C', join(dir, 'other'), '-c', 'user.name=Bob', '-c', 'user.email=bob@example.test'];
    await writeFile(join(dir, 'other', appPath), deployment('1.4.0').replace('team: shop', 'team: shops'));
    await runGit([...other, 'commit', '--quiet', '--all', '-m', 'meanwhile']);
    const hook = join(work(), '.git/hooks/pre-push');
    await mkdir(dirname(hook), { recursive: true });
    await writeFile(hook, `#!/bin/sh\nrm -f "$0"\nexec git -C ${join(dir, 'other')} push --quiet origin HEAD:main\n`);
    await chmod(hook, 0o755);
    expect(await serin('release', 'podinfo', 'podinfod', '1.4.3')).toMatchObject({ code: 0, errors: '' });
    expect(lines(await git('log', '--format=%an %s', 'origin/main'))).toEqual([
      'Ada release test/podinfo 1.4.0 -> 1.4.3',
      'Bob meanwhile',
      'Ada first',
    ]);
    expect(await git('show', `origin/main:${appPath}`)).toBe(deployment('1.4.3').replace('team: shop', 'team: shops'));
  });

  it('leaves alone what somebody has begun here, and is refused where it would be in the same file', async () => {
    await repository({ ...usual(), 'README.md': 'one\n' });
    await write({ 'README.md': 'two\n', 'notes.txt': 'mine\n' });
    expect((await serin('release', 'podinfo', 'podinfod', '1.4.3')).code).toBe(0);
    expect(await git('status', '--porcelain')).toBe(' M README.md\n?? notes.txt\n');
    expect(await readFile(join(work(), appPath), 'utf8')).toBe(deployment('1.4.3'));

    await write({ [appPath]: deployment('1.4.3').replace('shop', 'mine') });
    const dirty = await serin('release', 'podinfo', 'podinfod', '1.4.0');
    expect(dirty.code).toBe(3);
    expect(dirty.errors).toMatch(/^serin: apps\/podinfo\/app\.yaml has changes here that are not committed/);
    await git('commit', '--quiet', '--all', '-m', 'mine');
    const ahead = await serin('release', 'podinfo', 'podinfod', '1.4.0');
    expect(ahead.errors).toMatch(/app\.yaml has commits here that are not pushed to origin\/main/);
    expect(lines(await git('log', '--format=%s', 'origin/main'))).toHaveLength(2);
  });

  it('does not take commits with it that are not pushed', async () => {
    await repository({ ...usual(), 'README.md': 'one\n' });
    await write({ 'README.md': 'two\n' });
    await git('commit', '--quiet', '--all', '-m', 'not yet');
    const ran = await serin('release', 'podinfo', 'podinfod', '1.4.3');
    expect(ran.out).toMatch(/git pull --rebase brings both together/);
    expect(lines(await git('log', '--format=%s', 'origin/main'))).toEqual([
      'release test/podinfo 1.4.1 -> 1.4.3',
      'first',
    ]);
    expect(await head('%s', 'HEAD')).toBe('not yet\n');
  });

  it('is refused where it is not clear which branch the agent follows', async () => {
    await repository();
    await git('remote', 'set-head', 'origin', 'main');
    await git('checkout', '--quiet', '-b', 'feature');
    const release = (...more: readonly string[]): Promise<Ran> =>
      serin('release', 'podinfo', 'podinfod', '1.4.3', ...more);
    expect((await release()).errors).toMatch(/the branch feature follows none on a server: name the one/);
    await git('push', '--quiet', '--set-upstream', 'origin', 'feature');
    expect((await release()).errors).toMatch(
      /feature is checked out, and origin has main as its own: name it with --branch/,
    );
    await git('checkout', '--quiet', '--detach');
    expect(await release()).toMatchObject({
      code: 2,
      errors: expect.stringMatching(/no branch is checked out here/) as string,
    });
    expect(await release('--branch', 'nowhere')).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/couldn't find remote ref/) as string,
    });
    expect((await release('--branch', 'main')).code).toBe(0);
    expect(await head('%s')).toBe('release test/podinfo 1.4.1 -> 1.4.3\n');
    expect(await git('status', '--porcelain')).toBe('');
  });

  it('tells what the server says that does not take it, and that nobody is known to git', async () => {
    await repository();
    await writeFile(join(origin(), 'hooks/pre-receive'), '#!/bin/sh\necho "main is frozen: ask Bob" >&2\nexit 1\n');
    await chmod(join(origin(), 'hooks/pre-receive'), 0o755);
    const ran = await serin('release', 'podinfo', 'podinfod', '1.4.3');
    expect(ran.code).toBe(1);
    expect(ran.errors).toMatch(/^serin: origin\/main does not take the commit: .*main is frozen: ask Bob/);
    await git('config', '--unset', 'user.name');
    await git('config', '--unset', 'user.email');
    await git('config', 'user.useConfigOnly', 'true');
    expect(await serin('release', 'podinfo', 'podinfod', '1.4.3')).toMatchObject({
      code: 2,
      errors: expect.stringMatching(/^serin: git does not know who you are/) as string,
    });
  });

  it('works without a checkout where the settings file names the repository', async () => {
    await repository();
    folder = dir;
    expect((await serin('release', 'podinfo', 'podinfod', '1.4.3')).errors).toMatch(
      /this is no checkout of the repository/,
    );
    await writeFile(join(dir, 'serin.yaml'), `git-url: https://git.example.test/config\ngit-path: apps\n`);
    await git('config', `url.${origin()}.insteadOf`, 'https://git.example.test/config');
    await runGit([
      'config',
      '--file',
      join(dir, 'gitconfig'),
      `url.${origin()}.insteadOf`,
      'https://git.example.test/config',
    ]);
    await runGit(['config', '--file', join(dir, 'gitconfig'), 'user.name', 'Ada']);
    await runGit(['config', '--file', join(dir, 'gitconfig'), 'user.email', 'ada@example.test']);
    let errors = '';
    const argv = ['images', 'release', 'podinfo', 'podinfod', '1.4.3', '--config', join(dir, 'serin.yaml')];
    const before = process.cwd();
    process.chdir(dir);
    const code = await runCommandLine({
      argv: [...argv, '--registry-plain-http', registry.registry],
      environment: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: join(dir, 'gitconfig') },
      stdout: { write: () => undefined },
      stderr: { write: (text) => (errors += text) },
      signal: new AbortController().signal,
    }).finally(() => process.chdir(before));
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    await git('fetch', '--quiet');
    expect(await head('%s')).toBe('release test/podinfo 1.4.1 -> 1.4.3\n');
  });
});

describe('serin images lock, unlock, automate and deautomate', () => {
  it('change annotations, and nothing else', async () => {
    await repository();
    expect((await serin('lock', 'podinfo', '--message', 'black friday')).code).toBe(0);
    expect(await git('show', `origin/main:${appPath}`)).toBe(
      deployment('1.4.1').replace(
        'semver:~1.4\n',
        'semver:~1.4\n    fluxcd.io/locked: "true"\n    fluxcd.io/locked_user: Ada\n    fluxcd.io/locked_msg: black friday\n',
      ),
    );
    expect(await rows()).toMatchObject([{ state: 'locked', reason: 'locked by Ada: black friday', wanted: '1.4.3' }]);
    const refused = await serin('release', 'podinfo', 'podinfod', '1.4.3');
    expect(refused).toMatchObject({
      code: 3,
      errors: expect.stringMatching(/is locked by Ada \(black friday\): serin images unlock/) as string,
    });
    expect((await serin('release', 'podinfo', 'podinfod', '1.4.0', '--force')).code).toBe(0);
    expect(await head('%b')).toContain('It is locked by Ada (black friday).');
    await serin('unlock', 'podinfo');
    expect(await git('show', `origin/main:${appPath}`)).toBe(deployment('1.4.0'));
    expect((await serin('unlock', 'podinfo')).out).toBe('Nothing to do: Git says it already.\n');
    await serin('deautomate', 'podinfo');
    expect(await git('show', `origin/main:${appPath}`)).not.toContain('automated');
    await serin('automate', 'podinfo', '--policy', 'podinfod=semver:~1.5');
    expect(await git('show', `origin/main:${appPath}`)).toContain('fluxcd.io/tag.podinfod: semver:~1.5\n');
    expect(lines(await git('log', '--format=%an %s', 'origin/main'))).toEqual([
      'Ada automate test/podinfo',
      'Ada deautomate test/podinfo',
      'Ada unlock test/podinfo',
      'Ada release test/podinfo 1.4.1 -> 1.4.0',
      'Ada lock test/podinfo',
      'Ada first',
    ]);
  });

  it('keep the spelling that an object has, and automate nothing without a pattern', async () => {
    const files = { ...usual(), [appPath]: deployment('1.4.1', '    flux.weave.works/locked: "true"\n') };
    await repository(files);
    await serin('unlock', 'podinfo');
    expect(await git('show', `origin/main:${appPath}`)).not.toContain('locked');
    expect((await serin('automate', 'podinfo')).errors).toMatch(
      /^serin: nothing says which tags test\/podinfo may get: --policy 'podinfod=semver/,
    );
    expect((await serin('automate', 'podinfo', '--policy', 'podinfo=semver:~1.4')).errors).toMatch(
      /did you mean podinfod\?/,
    );
    expect((await serin('automate', 'podinfo', '--policy', 'podinfod=semvre:~1.4')).errors).toMatch(
      /begins with none of semver:/,
    );
    expect((await serin('automate', 'podinfo', '--policy', 'semver:~1.4')).errors).toMatch(
      /write it as CONTAINER=PATTERN/,
    );
  });
});

describe('what is written elsewhere than in its object', () => {
  it.skipIf(kustomizeProgram === undefined)('is released in the images of its kustomization', async () => {
    await repository({
      'base/kustomization.yaml': 'resources: [app.yaml, canary.yaml]\n',
      'base/app.yaml': deployment('1.0.0').replace(registry.registry, 'registry.test'),
      'base/canary.yaml': canary,
      'prod/kustomization.yaml': `resources: [../base]\nimages:\n  - name: registry.test/podinfo\n    newName: ${registry.registry}/podinfo\n    newTag: "1.4.1" # of prod\n`,
    });
    const ran = await serin('release', 'podinfo', 'podinfod', '1.4.0', '--git-path', 'prod');
    expect(ran).toMatchObject({ code: 0, errors: '' });
    expect(lines(await git('show', '--name-only', '--format=', 'origin/main'))).toEqual([
      'prod/.releases/test/podinfo.yaml',
      'prod/kustomization.yaml',
    ]);
    expect(await git('show', 'origin/main:prod/kustomization.yaml')).toContain('newTag: "1.4.0" # of prod');
  });

  it.skipIf(helmProgram === undefined)('is released, locked and let go in the HelmRelease of its chart', async () => {
    const path = 'releases/test/frontend.yaml';
    const files = Object.entries(podinfoRepository).map(([file, text]) => [
      file,
      text.replaceAll('registry.test/podinfo', `${registry.registry}/podinfo`),
    ]);
    await registry.push('podinfo', '3.1.0');
    await registry.push('podinfo', '3.0.9');
    await repository(Object.fromEntries(files) as Record<string, string>);
    const before = await git('show', `origin/main:${path}`);
    expect(await rows('test/frontend')).toMatchObject([
      { container: 'chart-image', now: '3.1.0', policy: 'semver:~3.1' },
    ]);
    expect(await serin('release', 'frontend', 'chart-image', '3.0.9')).toMatchObject({ code: 0, errors: '' });
    expect(await git('show', `origin/main:${path}`)).toBe(before.replace('tag: 3.1.0', 'tag: 3.0.9'));
    expect(await rows('test/frontend')).toMatchObject([{ now: '3.0.9', state: 'held' }]);
    await serin('lock', 'frontend');
    expect(await rows('test/frontend')).toMatchObject([{ state: 'locked' }]);
    await serin('unlock', 'frontend');
    expect(await git('show', `origin/main:${path}`)).toBe(before.replace('tag: 3.1.0', 'tag: 3.0.9'));
  });

  it('is released where a comment of Flux v2 marks it', async () => {
    const object = (kind: string, spec: string, annotations = '{}'): string =>
      `apiVersion: image.toolkit.fluxcd.io/v1\nkind: ${kind}\nmetadata: { name: podinfo, namespace: test, annotations: ${annotations} }\nspec: ${spec}\n`;
    const text = deployment('1.4.1', '').replace('# moved by releases', '# {"$imagepolicy": "test:podinfo"}');
    await repository({
      ...usual(),
      [appPath]: text,
      'apps/flux.yaml': [
        object('ImageRepository', `{ image: "${registry.registry}/podinfo", interval: 1m }`),
        object('ImagePolicy', '{ imageRepositoryRef: { name: podinfo }, policy: { semver: { range: "~1.4" } } }'),
        object('ImageUpdateAutomation', '{ update: { path: ./apps } }', '{ serin.dev/image-updates: "true" }'),
      ].join('---\n'),
    });
    expect(await rows()).toMatchObject([{ container: 'podinfo', now: '1.4.1', wanted: '1.4.3' }]);
    expect(await serin('release', 'podinfo', 'podinfo', '1.4.0')).toMatchObject({ code: 0, errors: '' });
    expect(await git('show', `origin/main:${appPath}`)).toBe(text.replace('podinfo:1.4.1', 'podinfo:1.4.0'));
    expect(await rows()).toMatchObject([{ state: 'held' }]);
  });

  it('is not moved on by an object of Flux v2 that cannot be read, and the line is told', async () => {
    await repository({
      ...usual(),
      [appPath]: deployment('1.4.1', '').replace('# moved by releases', '# {"$imagepolicy": "test:podinfo"}'),
      'apps/flux.yaml':
        'apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: { name: all, namespace: test, annotations: { serin.dev/image-updates: "true" } }\nspec:\n  git:\n    push: { branch: other }\n',
    });
    expect(await rows()).toMatchObject([{ now: '1.4.1', wanted: null }]);
    const { code, errors } = await serin();
    expect(code).toBe(3);
    expect(errors).toMatch(/^apps\/flux\.yaml:6 error .*spec\.git\.push\.branch: is not what spec\.git\.checkout/m);
  });
});
