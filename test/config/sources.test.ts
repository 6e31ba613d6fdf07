import { describe, expect, it } from 'vitest';
import { configuredSources } from '../../src/cli/sources.ts';
import { readSettings } from '../../src/config/settings.ts';
import { readSources } from '../../src/config/sources.ts';
import type { AgentError } from '../../src/lib/errors.ts';

const none = { flags: {}, environment: {}, file: {} };
const common = (flags: Record<string, string> = {}) => readSettings({ ...none, flags });
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect((error as AgentError).code).toBe('CONFIG_INVALID');
    return (error as AgentError).message;
  }
  throw new Error('it was accepted');
};
const refused = (value: unknown, flags?: Record<string, string>): string =>
  refusal(() => readSources(value, common(flags)));
const a = { name: 'a', url: 'https://git.example/config.git' };
const b = { name: 'b', url: 'https://git.example/other.git' };

describe('sources of the settings file', () => {
  it('have what is said outside of them where they say nothing else', () => {
    const [one, two] = readSources(
      [a, { ...b, branch: 'live', 'poll-interval': '1m', write: 'none', 'max-download': 64 }],
      common({ 'git-branch': 'stable', 'tag-prefix': 'prod/' }),
    );
    expect(one?.values).toMatchObject({
      'git-url': a.url,
      'git-branch': 'stable',
      'tag-prefix': 'prod/',
      write: 'direct',
    });
    expect(two?.values).toMatchObject({ 'git-url': b.url, 'git-branch': 'live', 'git-poll-interval': 60_000 });
    expect(two?.values).toMatchObject({ write: 'none', 'git-max-download': 64, 'tag-prefix': 'prod/' });
  });

  it.each([
    [[{ ...a, brnach: 'x' }], 'sources[0]: "brnach" is no field of a source; did you mean branch?'],
    [[{ ...a, 'git-path': 'x' }], 'sources[0]: "git-path" is no field of a source; did you mean path?'],
    [[{ ...a, suspend: true }], 'sources[0]: "suspend" is no field of a source; they are name, url, '],
    [[{ ...a, 'poll-interval': 'soon' }], 'sources[0].poll-interval: "soon" is no duration; write it like 5s or 1m30s'],
    [[{ ...a, write: 'pull-request' }], 'sources[0].write: "pull-request" is none of direct, none'],
    [[{ ...a, branch: ['x'] }], 'sources[0].branch: write one text or number'],
    [[a, { url: b.url }], 'sources[1].name: write at most 40 small letters, digits and hyphens'],
    [[{ ...a, name: 'A.b' }], 'sources[0].name: write at most 40'],
    [[a, { name: 'b' }], 'sources[1].url: name the repository to watch'],
    [[a, { ...b, name: 'a' }], 'sources[1].name: "a" is there twice'],
    [['a'], 'sources[0]: write a map'],
    [[], 'sources: write a list of sources'],
    [{ a }, 'sources: write a list of sources'],
    [null, 'sources: write a list of sources'],
  ])('are refused by place: %j', (value, message) => {
    expect(refused(value)).toContain(message);
  });

  it('with several paths are one for each of them, which has the folder in its name', () => {
    const written = [
      { ...a, paths: ['clusters/Prod_1', 'apps'], write: 'none' },
      { ...b, path: 'x' },
    ];
    const read = readSources(written, common()).map(({ name, values }) => [name, values['git-path'], values.write]);
    expect(read).toEqual([
      ['a-clusters-prod-1', 'clusters/Prod_1', 'none'],
      ['a-apps', 'apps', 'none'],
      ['b', 'x', 'direct'],
    ]);
    // One more or one fewer gives none another name.
    expect(readSources([{ ...a, paths: ['apps'] }], common())[0]?.name).toBe('a-apps');
  });

  it.each([
    [{ ...a, path: 'x', paths: ['y'] }, 'sources[0].paths: write path or paths, not both'],
    [{ ...a, paths: [] }, 'sources[0].paths: write a list of folders'],
    [{ ...a, paths: 'apps' }, 'sources[0].paths: write a list of folders'],
    [{ ...a, paths: ['x', 3] }, 'sources[0].paths: write a list of folders'],
    [{ ...a, paths: ['apps', 'apps/shop'] }, 'sources[0].paths[1].path: it overlaps with that of sources[0].paths[0]'],
    [{ ...a, paths: ['a/b', 'a_b'] }, 'sources[0].paths[1].name: "a-a-b" is there twice'],
    [{ ...a, paths: ['x'.repeat(50)] }, 'sources[0].paths[0].name: write at most 40 small letters'],
    [
      { ...a, paths: ['x', 'y'], brnach: 'x' },
      'sources[0].paths[0]: "brnach" is no field of a source; did you mean branch?',
    ],
  ])('with paths that cannot be used are refused: %j', (source, message) => {
    expect(refused([source])).toContain(message);
  });

  it('are refused where two of them have the same files, however the repository is spelt', () => {
    for (const [one, two] of [
      [a, { ...a, name: 'b' }],
      [
        { ...a, path: 'apps' },
        { ...a, name: 'b', path: './apps/shop/' },
      ],
      [a, { name: 'b', url: 'git@git.example:config.git', path: 'apps' }],
      [a, { name: 'b', url: 'ssh://git@git.example/config', path: 'apps' }],
    ])
      expect(refused([one, two])).toContain('sources[1].path: it overlaps with that of sources[0]');
    const paths = [
      { ...a, path: 'apps' },
      { ...a, name: 'b', path: 'apps-of-others' },
      { ...a, name: 'c', branch: 'live' },
    ];
    expect(readSources(paths, common())).toHaveLength(3);
  });

  it('take over no address, folder or password of the flags, so that no server gets that of another one', () => {
    const text = refused([a], {
      'git-url': 'https://x/y',
      'git-password-file': '/p',
      'git-path': 'apps',
      'git-username': 'me',
    });
    for (const [flag, field] of [
      ['git-url', 'url'],
      ['git-password-file', 'password-file'],
      ['git-path', 'path'],
      ['git-username', 'username'],
    ])
      expect(text).toContain(`--${flag} is set beside sources: write ${field} into the source that it is of`);
  });

  it('tell every problem at once', () => {
    expect(
      refused([
        { name: 'A', x: 1 },
        { ...b, write: 'y' },
      ]).split('\n'),
    ).toHaveLength(4);
  });
});

describe('the sources of an agent', () => {
  const file = (sources: unknown, tenants?: unknown) => ({ sources, tenants });
  it('are the one of the flags, with its texts as ever, where the file names none', () => {
    const { sources } = configuredSources(common({ 'git-url': a.url }), file(undefined));
    expect(sources.map(({ name }) => name)).toEqual(['default']);
    const missing = refusal(() => configuredSources(common(), file(undefined)));
    expect(missing).toBe('--git-url (SERIN_GIT_URL) is missing: name the repository to watch');
  });

  it('say what is wrong with a value by the name that it has in the file', () => {
    const wrong = (more: object): string => refusal(() => configuredSources(common(), file([a, { ...b, ...more }])));
    expect(wrong({ url: 'ftp://x/y' })).toMatch(/^sources\[1\]\.url: /);
    expect(wrong({ branch: 'a..b' })).toBe('sources[1].branch: "a..b" can be no branch in Git');
    expect(wrong({ 'default-namespace': 'A' })).toMatch(/^sources\[1\]\.default-namespace: /);
    expect(wrong({ path: '../x' })).toMatch(/^sources\[1\]\.path is /);
    expect(wrong({ tenants: [] })).toMatch(/^sources\[1\]: tenants: write a list of tenants/);
  });

  it('have tenants of their own, and where one has none nobody is bounded in its namespaces', () => {
    const team = (name: string) => [{ name, folder: '.', namespaces: [name] }];
    const both = configuredSources(
      common(),
      file([
        { ...a, tenants: team('x') },
        { ...b, tenants: team('y') },
      ]),
    );
    expect(both.sources.map(({ settings }) => settings.tenancy?.tenants.map(({ name }) => name))).toEqual([
      ['x'],
      ['y'],
    ]);
    expect(both.settings.tenancy?.mayRefer('z', 'x')).toBe(false);
    const one = configuredSources(common(), file([{ ...a, tenants: team('x') }, b]));
    expect(one.settings.tenancy?.mayRefer('x', 'z')).toBe(false);
    expect(one.settings.tenancy?.mayRefer('z', 'x')).toBe(true);
    expect(one.sources[1]?.settings.tenancy).toBeUndefined();
    expect(refusal(() => configuredSources(common(), file([a], [])))).toContain('write the tenants of each into it');
  });
});
