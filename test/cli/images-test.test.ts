import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'serin-images-'));
  await writeFile(join(dir, 'tags'), '3.1.0\n3.1.1\n3.1.4\n3.2.0\nlatest\n');
  await writeFile(
    join(dir, 'times'),
    'main-a 2026-11-01T00:00:00Z\nmain-b 2026-11-03T00:00:00Z\nmain-c 2026-11-02T00:00:00Z\ndev-d 2026-11-09T00:00:00Z\n',
  );
  await writeFile(join(dir, 'builds'), 'main-abc-100\nmain-def-300\nmain-0f0-200\n');
  await writeFile(join(dir, 'wrong'), '3.1.0 yesterday\n');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function run(...args: readonly string[]): Promise<{ code: number; out: string; errors: string }> {
  let out = '';
  let errors = '';
  const code = await runCommandLine({
    argv: ['images', 'test', ...args],
    environment: {},
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    signal: new AbortController().signal,
  });
  return { code, out, errors };
}
async function picked(policy: string, current: string, tags: string, ...more: readonly string[]): Promise<unknown> {
  const { out, errors } = await run(
    '--policy',
    policy,
    '--current',
    current,
    '--tags',
    join(dir, tags),
    '--json',
    ...more,
  );
  if (errors !== '') throw new Error(errors);
  return (JSON.parse(out) as { pick: unknown }).pick;
}

describe('serin images test', () => {
  it('says what a policy would pick, and why none of the others', async () => {
    const { code, out } = await run('--policy', 'semver:~3.1', '--current', '3.1.1', '--tags', join(dir, 'tags'));
    expect(code).toBe(0);
    expect(out).toBe(
      [
        '3.1.1 -> 3.1.4: the newest that semver:~3.1 takes',
        '  3.1.1    the current one',
        '  3.1.0    older than the current one',
        '  latest   is no version',
        '  3.2.0    outside of ~3.1',
        '',
      ].join('\n'),
    );
  });

  it('says it as JSON, null where nothing moves', async () => {
    const { out } = await run('--policy', 'semver:~3.1', '--current', '3.1.4', '--tags', join(dir, 'tags'), '--json');
    const answer = JSON.parse(out) as {
      pick: string | null;
      reason: string;
      rejected: { tag: string; reason: string }[];
    };
    expect(answer.pick).toBeNull();
    expect(answer.reason).toBe('3.1.4 is the newest that the policy takes');
    expect(answer.rejected.map(({ tag }) => tag)).toEqual(['3.1.4', '3.1.1', '3.1.0', 'latest', '3.2.0']);
  });

  it('leaves out what is in quarantine, or too new', async () => {
    expect(await picked('semver:*', '3.1.0', 'tags', '--quarantined', '3.2.0', '--quarantined', '3.1.4')).toBe('3.1.1');
    const now = ['--now', '2026-11-10T00:00:00Z'];
    expect(await picked('glob:*', 'main-a', 'times', ...now)).toBe('dev-d');
    expect(await picked('glob:*', 'main-a', 'times', ...now, '--min-age', '48h')).toBe('main-b');
    expect(await picked('glob:*', 'main-a', 'times', ...now, '--windows', '0 9 * * * 1h')).toBeNull();
  });

  it.each([
    ['a pattern of Flux v1', 'glob:main-*', 'main-a', 'times', 'main-b'],
    ['a policy of Flux v2', '{"semver": {"range": "3.1.x"}}', '3.1.0', 'tags', '3.1.4'],
    ['a policy of Flux v2 as YAML', 'semver:\n  range: ">=3.2"', '3.1.0', 'tags', '3.2.0'],
    [
      'the whole spec of one',
      "filterTags:\n  pattern: '^main-[a-f0-9]+-(?P<ts>[0-9]+)'\n  extract: '$ts'\npolicy:\n  numerical:\n    order: asc\n",
      'main-abc-100',
      'builds',
      'main-def-300',
    ],
  ])('takes %s', async (_, policy, current, tags, expected) => {
    expect(await picked(policy, current, tags)).toBe(expected);
  });

  it('takes an ImagePolicy as it stands in Git, and no other object', async () => {
    const object = (kind: string): string =>
      `apiVersion: image.toolkit.fluxcd.io/v1\nkind: ${kind}\nmetadata: { name: podinfo }\nspec:\n  imageRepositoryRef: { name: podinfo }\n  policy:\n    semver: { range: 3.1.x }\n`;
    expect(await picked(object('ImagePolicy'), '3.1.0', 'tags')).toBe('3.1.4');
    const { code, errors } = await run(
      '--policy',
      object('ImageRepository'),
      '--current',
      '3.1.0',
      '--tags',
      join(dir, 'tags'),
    );
    expect(code).toBe(2);
    expect(errors).toContain('--policy: the object is no ImagePolicy');
  });

  it.each(['semver:~x.1.y', 'regex:^(?!rc)', '{semver: ', '{numerical: {order: up}}'])(
    'picks nothing by %s, which cannot be read, and says so as JSON, too',
    async (policy) => {
      const { code, out, errors } = await run(
        '--policy',
        policy,
        '--current',
        '3.1.0',
        '--tags',
        join(dir, 'tags'),
        '--json',
      );
      expect(code).toBe(2);
      expect(errors).toContain('--policy: ');
      const answer = JSON.parse(out) as { pick: unknown; reason: string; rejected: { tag: string; reason: string }[] };
      expect(answer.pick).toBeNull();
      expect(errors).toContain(answer.reason);
      expect(answer.rejected.map(({ tag }) => tag)).toEqual(['3.1.0', '3.1.1', '3.1.4', '3.2.0', 'latest']);
    },
  );

  it.each(['registry.test/podinfo:3.1.4', '3.1.4,3.1.1', 'podinfo@sha256:abc'])(
    'does not pass over %s in silence where a tag in quarantine is asked for',
    async (quarantined) => {
      const { code, out, errors } = await run(
        '--policy',
        'semver:~3.1',
        '--current',
        '3.1.0',
        '--tags',
        join(dir, 'tags'),
        '--quarantined',
        quarantined,
      );
      expect(code).toBe(2);
      expect(out).toBe('');
      expect(errors).toContain(`--quarantined: "${quarantined}" is no tag`);
    },
  );

  it.each([
    ['a range', ['--policy', 'semver:~x.1.y'], '--policy: the range "~x.1.y" cannot be read'],
    ['a misspelt word', ['--policy', 'semvre:1'], '--policy: "semvre:1" begins with none of'],
    ['a policy of Flux v2', ['--policy', '{semver: {range: "~x.1.y"}}'], '--policy: spec.policy.semver.range'],
    ['a time', ['--policy', 'semver:*', '--now', 'noon'], '--now: "noon" is no time'],
    ['a duration', ['--policy', 'semver:*', '--min-age', 'long'], '--min-age: is no duration'],
  ])('says with exit code 2 that it cannot read %s', async (_, args, message) => {
    const { code, errors } = await run(...args, '--current', '3.1.0', '--tags', join(dir, 'tags'));
    expect(code).toBe(2);
    expect(errors).toContain(message);
  });

  it('says of a file of tags what is wrong with it', async () => {
    const of = (tags: string): ReturnType<typeof run> =>
      run('--policy', 'semver:*', '--current', '3.1.0', '--tags', join(dir, tags));
    expect(await of('wrong')).toMatchObject({
      code: 2,
      errors: expect.stringContaining('wrong:1: "yesterday" is no time') as string,
    });
    expect(await of('absent')).toMatchObject({ code: 2, errors: expect.stringContaining('absent') as string });
  });
});
