import { describe, expect, it } from 'vitest';
import { type FluxObjects, readFluxObjects } from '../../src/images/flux-objects.ts';
import { pick } from '../../src/images/pick.ts';
import { assignSetters, readSetters, settled, withSetters } from '../../src/images/setters.ts';
import { createLineFinder } from '../../src/manifest/locate.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import { cpuMsOf } from '../helpers/cpu-time.ts';

const read = (text: string): FluxObjects =>
  readFluxObjects(
    parseManifests('flux/images.yaml', text).manifests,
    createLineFinder(() => text),
  );
const object = (kind: string, spec: string, name = 'podinfo', version = 'v1'): string =>
  `apiVersion: image.toolkit.fluxcd.io/${version}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: test }\nspec:\n${spec
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')}\n`;
const repository = object(
  'ImageRepository',
  'image: ghcr.io/stefanprodan/podinfo\ninterval: 1m\nsecretRef: { name: regcred }',
);
const automation = object('ImageUpdateAutomation', 'update: { path: ./apps, strategy: Setters }');
const policySpec = (spec: string): string => object('ImagePolicy', `imageRepositoryRef: { name: podinfo }\n${spec}`);
const all = (...parts: readonly string[]): string => parts.join('---\n');
const semver = policySpec('policy: { semver: { range: 5.0.x } }');
const digest = `sha256:${'1'.repeat(64)}`;

describe('Objects of Flux v2', () => {
  it.each<[string, string, object]>([
    [
      'a range',
      'policy: { semver: { range: 5.0.x } }',
      { text: 'semver:5.0.x', digest: 'never', selection: { kind: 'semver', form: 'strict' } },
    ],
    [
      'numbers',
      'policy: { numerical: { order: desc } }',
      { text: 'numerical desc', selection: { kind: 'numerical', order: 'desc' } },
    ],
    [
      'the alphabet',
      'policy: { alphabetical: {} }',
      { text: 'alphabetical asc', selection: { kind: 'alphabetical', order: 'asc' } },
    ],
    [
      'a filter with what it extracts',
      "filterTags: { pattern: '^main-[a-f0-9]+-(?P<ts>[0-9]+)', extract: '$ts' }\npolicy: { numerical: { order: asc } }",
      { filter: { text: '^main-[a-f0-9]+-(?P<ts>[0-9]+)', extract: '$ts' } },
    ],
    [
      'a digest that follows the tag',
      'digestReflectionPolicy: Always\npolicy: { semver: { range: "*" } }',
      { digest: 'always' },
    ],
    [
      'a digest beside the tag',
      'digestReflectionPolicy: IfNotPresent\npolicy: { semver: { range: "*" } }',
      { digest: 'with-tag' },
    ],
  ])('say %s', (_, spec, expected) => {
    const { policies, problems } = read(all(repository, policySpec(spec), automation));
    expect(problems).toEqual([]);
    expect(policies.get('test/podinfo')).toMatchObject({
      reference: { registry: 'ghcr.io', repository: 'stefanprodan/podinfo' },
      secret: 'regcred',
      policy: expected,
    });
  });

  it('pass over signatures where nothing else is said', () => {
    const exclusions = (text: string): readonly boolean[] =>
      (read(all(text, semver)).policies.get('test/podinfo')?.policy.exclusions ?? []).map((one) =>
        one.matches('sha256-1.sig', { left: 1e5 }),
      );
    expect(exclusions(repository)).toEqual([true]);
    const policy = read(all(repository, policySpec('policy: { alphabetical: {} }'))).policies.get(
      'test/podinfo',
    )?.policy;
    if (!policy) throw new Error('no policy');
    const candidates = ['a', 'b', 'sha256-1.sig'].map((tag) => ({ tag }));
    expect(pick({ policy, current: { tag: 'a' }, listing: { candidates }, quarantine: [], nowMs: 0 })).toMatchObject({
      pick: { tag: 'b' },
      rejected: expect.arrayContaining([{ tag: 'sha256-1.sig', reason: 'excluded by its ImageRepository' }]) as unknown,
    });
    expect(exclusions(object('ImageRepository', "image: ghcr.io/a/b\nexclusionList: ['^v1', 'sig']"))).toEqual([
      false,
      true,
    ]);
  });

  it.each<[string, string, number, string]>([
    [
      'a range that cannot be read',
      all(repository, policySpec('policy: { semver: { range: 5.0.y } }')),
      14,
      'ImagePolicy podinfo spec.policy.semver.range: cannot be read',
    ],
    [
      'no order at all',
      all(repository, policySpec('policy: {}')),
      14,
      'has to be one of semver, numerical and alphabetical',
    ],
    [
      'two orders',
      all(repository, policySpec('policy: { semver: { range: 1.x }, numerical: {} }')),
      14,
      'has to be one of',
    ],
    [
      'another order',
      all(repository, policySpec('policy: { numerical: { order: up } }')),
      14,
      'is neither asc nor desc',
    ],
    [
      'an expression that cannot be read',
      all(repository, policySpec('filterTags: { pattern: "(" }\npolicy: { numerical: {} }')),
      14,
      'spec.filterTags.pattern: cannot be read',
    ],
    ['no repository', policySpec('policy: { numerical: {} }'), 5, 'there is no ImageRepository test/podinfo'],
    [
      'a repository of elsewhere',
      all(repository, object('ImagePolicy', 'imageRepositoryRef: { name: podinfo, namespace: other }')),
      13,
      'of another namespace',
    ],
    ['an image with a tag', object('ImageRepository', 'image: ghcr.io/a/b:1'), 5, 'has a tag or a digest'],
    [
      'an image that is none',
      object('ImageRepository', 'image: https://ghcr.io/a/b'),
      5,
      'ImageRepository podinfo spec.image',
    ],
    [
      'a version that is not known',
      object('ImageRepository', 'image: a', 'a', 'v2'),
      1,
      'the version image.toolkit.fluxcd.io/v2 is not known',
    ],
    [
      'a path out of the repository',
      object('ImageUpdateAutomation', 'update: { path: ../x }'),
      5,
      'leads out of the repository',
    ],
    ['another strategy', object('ImageUpdateAutomation', 'update: { strategy: Magic }'), 5, 'is not Setters'],
    ['texts that are none', object('ImageRepository', 'image: [a]'), 5, 'is no text'],
  ])('that say %s are told with their line, and nothing is upgraded by them', (_, text, line, message) => {
    const { policies, automations, problems } = read(text);
    expect(policies.size + automations.length).toBe(0);
    expect(problems[0]).toMatchObject({ severity: 'error', path: 'flux/images.yaml', line });
    expect(problems[0]?.message).toContain(message);
  });

  it('that are suspended stand still, and that is told', () => {
    const suspended = read(
      all(
        repository,
        policySpec('suspend: true\npolicy: { numerical: {} }'),
        object('ImageUpdateAutomation', 'suspend: true'),
      ),
    );
    expect(suspended.policies.size + suspended.automations.length).toBe(0);
    expect(suspended.problems.map(({ severity }) => severity)).toEqual(['warning', 'warning']);
  });
});

describe('Comments that name a policy', () => {
  const text = `spec:
  containers:
    - name: a
      image: ghcr.io/stefanprodan/podinfo:5.0.0 # {"$imagepolicy": "test:podinfo"}
    - image: "ghcr.io/stefanprodan/podinfo:5.0.0"   # {"$imagepolicy": "test:podinfo"}
  values:
    repository: ghcr.io/stefanprodan/podinfo # {"$imagepolicy": "test:podinfo:name"}
    tag: 5.0.0 # {"$imagepolicy":"test:podinfo:tag"}
    other: '5.0.0' # {"$imagepolicy": "test:podinfo:tag"}
    digest: "" # {"$imagepolicy": "test:podinfo:digest"}\r
  args:
    - ghcr.io/stefanprodan/podinfo:5.0.0 # {"$imagepolicy": "test:podinfo"}
  # write {"$imagepolicy": "test:podinfo"} behind the image
`;

  it('are found with the value before them', () => {
    const { setters, problems } = readSetters('apps/a.yaml', text);
    expect(problems).toEqual([]);
    expect(setters.map(({ line, part, value }) => [line, part, value])).toEqual([
      [4, 'image', 'ghcr.io/stefanprodan/podinfo:5.0.0'],
      [5, 'image', 'ghcr.io/stefanprodan/podinfo:5.0.0'],
      [7, 'name', 'ghcr.io/stefanprodan/podinfo'],
      [8, 'tag', '5.0.0'],
      [9, 'tag', '5.0.0'],
      [10, 'digest', ''],
      [12, 'image', 'ghcr.io/stefanprodan/podinfo:5.0.0'],
    ]);
  });

  it('have the value changed and nothing else', () => {
    const { setters } = readSetters('apps/a.yaml', text);
    const picked = { tag: '5.0.3', digest };
    const changes = setters.flatMap((setter) => {
      const value = settled(setter, picked);
      return value === undefined ? [] : [{ setter, value }];
    });
    const expected = text
      .replaceAll('podinfo:5.0.0', `podinfo:5.0.3@${digest}`)
      .replace('tag: 5.0.0', 'tag: 5.0.3')
      .replace("'5.0.0'", "'5.0.3'")
      .replace('digest: ""', `digest: "${digest}"`);
    expect(withSetters(text, changes)).toBe(expected);
  });

  it('are not followed where the line says something else by now', () => {
    const { setters } = readSetters('apps/a.yaml', text);
    const [setter] = setters;
    if (!setter) throw new Error('none');
    for (const other of [
      text.replace(':5.0.0', ':5.0.1'),
      `\n${text}`,
      text.replace('test:podinfo"', 'test:other"'),
      '',
    ])
      expect(withSetters(other, [{ setter, value: 'x:1' }])).toBeUndefined();
  });

  it.each([
    ['1.10', '"1.10"'],
    ['1e3', '"1e3"'],
    ['20240101', '"20240101"'],
    ['2024-01-01', '"2024-01-01"'],
    ['0x12', '"0x12"'],
    ['on', '"on"'],
    ['1.10.0', '1.10.0'],
    ['v1', 'v1'],
  ])('write the tag %s as a text: %s', (tag, written) => {
    const line = 'tag: 5.0.0 # {"$imagepolicy": "test:podinfo:tag"}';
    const [setter] = readSetters('a.yaml', line).setters;
    if (!setter) throw new Error('none');
    expect(withSetters(line, [{ setter, value: tag }])).toBe(line.replace('5.0.0', written));
  });

  it.each([
    'image: a:1 # {"$imagepolicy": "podinfo"}',
    'image: a:1 # {"$imagepolicy": "test:podinfo:version"}',
    'image: a:1 # {"$imagepolicy": "test:podinfo:tag:more"}',
    'image: a:1 # {"$imagepolicy": test:podinfo}',
    'image: { name: a, tag: b } # {"$imagepolicy": "test:podinfo"}',
    'image: "a\\u0041:1" # {"$imagepolicy": "test:podinfo"}',
    'image: & x # {"$imagepolicy": "test:podinfo"}',
    `${' '.repeat(3_000)}image: a:1 # {"$imagepolicy": "test:podinfo"}`,
  ])('that cannot be read are told: %s', (line) => {
    const { setters, problems } = readSetters('apps/a.yaml', `# first\n${line}\n`);
    expect(setters).toEqual([]);
    expect(problems).toMatchObject([{ severity: 'error', path: 'apps/a.yaml', line: 2 }]);
  });

  it('obey a policy that exists, of an automation that covers their file', () => {
    const flux = read(all(repository, semver, automation));
    const at = (
      path: string,
      value = 'image: ghcr.io/stefanprodan/podinfo:5.0.0',
      named = 'test:podinfo',
    ): readonly string[] => {
      const { setters } = readSetters(path, `${value} # {"$imagepolicy": "${named}"}`);
      const { byPolicy, problems } = assignSetters(setters, flux);
      return byPolicy.size > 0 ? ['assigned'] : problems.map(({ message, hint }) => `${message}; ${hint ?? ''}`);
    };
    expect(at('apps/a.yaml')).toEqual(['assigned']);
    expect(at('appsother/a.yaml')[0]).toContain('no ImageUpdateAutomation of namespace test covers this file');
    expect(at('apps/a.yaml', 'image: ghcr.io/other/app:5.0.0')[0]).toContain(
      'the policy is of ghcr.io/stefanprodan/podinfo',
    );
    expect(at('apps/a.yaml', undefined, 'test:podinf')[0]).toContain('did you mean test/podinfo?');
  });

  it('of a hostile file cost little', () => {
    const spent = cpuMsOf(() => {
      for (const unit of [
        '#{"$imagepolicy"',
        '# {"$imagepolicy":"',
        ' # {"$imagepolicy": "a:b"}',
        '"$imagepolicy"',
        'a: ',
      ])
        readSetters(
          'a.yaml',
          `${unit.repeat(2e5 / unit.length)}$imagepolicy\n${`${unit}\n`.repeat(2e5 / unit.length)}`,
        );
    });
    expect(spent).toBeLessThan(300);
  });
});
