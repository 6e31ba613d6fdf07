import { ownPlatform } from '../../src/cli/own-platform.ts';
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ImageReference, readReference } from '../../src/images/reference.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import { createRegistryClient, type RegistryClient, type RegistryOptions } from '../../src/registry/client.ts';
import { type DockerConfig, readDockerConfig } from '../../src/registry/docker-config.ts';
import { dockerRegistryPath, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type PushOptions, startRegistryDouble } from '../helpers/registry-double.ts';
import { tempDir } from '../helpers/temp-repo.ts';

const { signal } = new AbortController();
const maxAnswerBytes = 100_000;
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

function clientOf(registry: string, options: Partial<RegistryOptions> = {}): RegistryClient {
  const http = createHttp({ maxBytes: maxAnswerBytes, userAgent: 'serin-test' });
  opened.push(() => http.close());
  const pace = { burst: 100, perSecond: 100 };
  return createRegistryClient({
    http,
    clock: systemClock,
    maxAnswerBytes,
    plainHttp: new Set([registry]),
    pace,
    ...options,
  });
}
const image = (text: string): ImageReference => {
  const reference = readReference(text);
  if ('problem' in reference) throw new Error(reference.problem);
  return reference;
};
const configOf = (auths: object): DockerConfig => {
  const config = readDockerConfig(JSON.stringify({ auths }));
  if ('problem' in config) throw new Error(config.problem);
  return config;
};

interface Subject {
  readonly registry: string;
  push(repository: string, tag: string, options?: PushOptions): Promise<string>;
  stop(): Promise<unknown>;
}
const account = { username: 'ana', password: 'secret-of-the-test' };
/** bcrypt of the password. */
const htpasswd = 'ana:$2a$04$abcdefghijklmnopqrstuualT.46tz0jeToGy/GIZyBarqV2mMWdi';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((dir) => rm(dir, { recursive: true, force: true }))));
async function real(signIn?: { username: string; password: string; htpasswd: string }): Promise<Subject> {
  const dir = await tempDir();
  folders.push(dir);
  return startDockerRegistry({ dir, ...(signIn ? { signIn } : {}) });
}
async function double(signIn?: { kind: 'basic' | 'bearer'; username: string; password: string }): Promise<Subject> {
  const server = await startRegistryDouble(signIn ? { signIn } : {});
  return { registry: server.registry, push: (...pushed) => server.push(...pushed), stop: () => server.close() };
}
const madeMs = Date.parse('2026-01-02T03:04:05Z');

/** What has to hold of every registry that keeps to the distribution API. */
function conforms(start: () => Promise<Subject>, startSignedIn: () => Promise<Subject>): void {
  let open: Subject;
  let closed: Subject;
  beforeAll(async () => {
    [open, closed] = await Promise.all([start(), startSignedIn()]);
    for (const tag of ['1.4.0', '1.4.1', '1.10.0', 'latest', 'v2']) await open.push('team/app', tag, { seed: tag });
    await open.push('team/app', 'many', { platforms: ['linux/arm64', 'linux/amd64'] });
    await open.push('team/app', 'arm', { platforms: ['linux/arm64'] });
    await open.push('team/app', 'labelled', { labels: { 'org.opencontainers.image.created': '2025-05-05T05:05:05Z' } });
    await open.push('team/app', 'reproducible', { created: '1970-01-01T00:00:00Z' });
    await closed.push('team/app', '1.0.0');
  });
  afterAll(() => Promise.all([open.stop(), closed.stop()]));
  const at = (name: string): ImageReference => image(`${open.registry}/${name}`);

  it('lists all tags, however many a page holds', async () => {
    const expected = ['1.10.0', '1.4.0', '1.4.1', 'arm', 'labelled', 'latest', 'many', 'reproducible', 'v2'];
    for (const pageSize of [1, 2, 3, 9, 1_000]) {
      const answer = await clientOf(open.registry, { pageSize }).tags(at('team/app'), {}, signal);
      if (answer.kind !== 'answer' || answer.value === 'unchanged') throw new Error(JSON.stringify(answer));
      expect([...answer.value.tags].sort((a, b) => (a < b ? -1 : 1))).toEqual(expected);
    }
  });

  it('says the digest of a tag, and another one when it was pushed again', async () => {
    const client = clientOf(open.registry);
    const first = await open.push('team/moved', '1', { seed: 'a' });
    expect(await client.digest(at('team/moved:1'), {}, signal)).toEqual({ kind: 'answer', value: first });
    const second = await open.push('team/moved', '1', { seed: 'b' });
    expect(second).not.toBe(first);
    expect(await client.digest(at('team/moved:1'), {}, signal)).toEqual({ kind: 'answer', value: second });
  });

  it('says when an image was made: by its label, else by its configuration, of an index by that of the platform', async () => {
    const client = clientOf(open.registry);
    const made = (tag: string): Promise<unknown> => client.created(at(`team/app:${tag}`), {}, signal);
    expect(await made('1.4.0')).toEqual({ kind: 'answer', value: madeMs });
    expect(await made('many')).toEqual({ kind: 'answer', value: madeMs });
    expect(await made('labelled')).toEqual({ kind: 'answer', value: Date.parse('2025-05-05T05:05:05Z') });
    expect(await made('reproducible')).toEqual({ kind: 'answer', value: null });
    expect(await made('arm')).toEqual({ kind: 'answer', value: madeMs });
  });

  it('says what an image is for: as its index says, else as its configuration', async () => {
    const client = clientOf(open.registry);
    const platformsOf = async (tag: string): Promise<unknown> => {
      const digest = await client.digest(at(`team/app:${tag}`), {}, signal);
      if (digest.kind === 'failed' || digest.value === null) throw new Error('no digest');
      return client.platforms({ ...at(`team/app:${tag}`), digest: digest.value }, {}, signal);
    };
    expect(await platformsOf('1.4.0')).toEqual({ kind: 'answer', value: [ownPlatform] });
    expect(await platformsOf('arm')).toEqual({ kind: 'answer', value: ['linux/arm64'] });
    await open.push('team/app', 'other', { architecture: 's390x' });
    expect(await platformsOf('other')).toEqual({ kind: 'answer', value: ['linux/s390x'] });
  });

  it('tells of what is not there', async () => {
    const client = clientOf(open.registry);
    const answers = [
      await client.tags(at('team/other'), {}, signal),
      await client.digest(at('team/app:9.9.9'), {}, signal),
      await client.created(at('team/app:9.9.9'), {}, signal),
    ];
    for (const answer of answers) expect(answer).toMatchObject({ kind: 'failed', why: 'missing' });
    expect(JSON.stringify(answers[1])).toContain(`${open.registry}/team/app:9.9.9: it answers 404`);
  });

  it('lets in who signs in, and says why it lets nobody else in, without the password', async () => {
    const client = clientOf(closed.registry);
    const app = image(`${closed.registry}/team/app:1.0.0`);
    const auth = Buffer.from(`${account.username}:${account.password}`).toString('base64');
    const right = configOf({ [closed.registry]: { auth } });
    const list = await client.tags(app, { credentials: right }, signal);
    expect(list).toMatchObject({ kind: 'answer', value: { tags: ['1.0.0'] } });
    expect(await client.digest(app, { credentials: right }, signal)).toMatchObject({ kind: 'answer' });
    const wrong = configOf({ [closed.registry]: { username: 'ana', password: 'wrong-of-the-test' } });
    const elsewhere = configOf({ 'other.example.com': { auth } });
    for (const credentials of [wrong, elsewhere, undefined]) {
      const answer = await client.tags(app, credentials ? { credentials } : {}, signal);
      expect(answer).toMatchObject({ kind: 'failed', why: 'credentials' });
      expect(JSON.stringify(answer)).not.toMatch(/of-the-test|YW5h/);
    }
  });
}

describe('A registry in memory', () => {
  describe('with passwords', () =>
    conforms(
      () => double(),
      () => double({ kind: 'basic', ...account }),
    ));
  describe('with tokens', () =>
    conforms(
      () => double(),
      () => double({ kind: 'bearer', ...account }),
    ));
});

describe.skipIf(dockerRegistryPath === undefined)('The distribution registry (skipped where there is none)', () =>
  conforms(
    () => real(),
    () => real({ ...account, htpasswd }),
  ),
);
