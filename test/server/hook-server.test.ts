import { afterEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/lib/log.ts';
import { imagesIn } from '../../src/server/hook-payload.ts';
import { startHookServer } from '../../src/server/hook-server.ts';
import { dockerRegistryPath, startDockerRegistry } from '../helpers/docker-registry.ts';
import { eventually } from '../helpers/eventually.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function hooks(): Promise<{ readonly url: string; readonly looked: string[]; readonly lines: string[] }> {
  const looked: string[] = [];
  const lines: string[] = [];
  const server = await startHookServer({
    port: 0,
    host: '127.0.0.1',
    tokens: () => Promise.resolve(['word-of-the-test', 'other/word']),
    look: (image) => looked.push(image),
    log: createLogger('debug', (line) => void lines.push(line)),
  });
  opened.push(() => server.close());
  return { url: `http://127.0.0.1:${server.port}/hook/images`, looked, lines };
}
const post = async (url: string, body: unknown, headers: Record<string, string> = {}): Promise<number> =>
  (await fetch(url, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers })).status;

describe('The payload of a webhook', () => {
  it.each<[string, unknown, readonly string[] | undefined]>([
    ['Docker Hub', { push_data: { tag: '1' }, repository: { repo_name: 'org/app' } }, ['docker.io/org/app']],
    [
      'GitHub, package',
      { action: 'published', package: { name: 'app', package_version: { package_url: 'ghcr.io/org/app:1' } } },
      ['ghcr.io/org/app:1'],
    ],
    [
      'GitHub, registry_package',
      { registry_package: { package_version: { package_url: 'ghcr.io/org/app:1' } } },
      ['ghcr.io/org/app:1'],
    ],
    [
      'Gitea',
      {
        action: 'created',
        package: {
          owner: { login: 'Org' },
          type: 'container',
          name: 'group/app',
          version: '1.0.0',
          html_url: 'https://gitea.example:3000/Org/-/packages/container/group%2Fapp/1.0.0',
        },
      },
      ['gitea.example:3000/org/group/app'],
    ],
    [
      'Gitea, of another kind of package',
      { package: { owner: { login: 'org' }, type: 'npm', name: 'app', html_url: 'https://gitea.example/x' } },
      undefined,
    ],
    [
      'Harbor',
      { type: 'PUSH_ARTIFACT', event_data: { resources: [{ tag: '1', resource_url: 'harbor.example/p/app:1' }] } },
      ['harbor.example/p/app:1'],
    ],
    ['Quay', { docker_url: 'quay.io/org/app', updated_tags: ['1'] }, ['quay.io/org/app']],
    [
      'distribution',
      {
        events: [
          { action: 'pull', target: { repository: 'other' }, request: { host: 'r.example:5000' } },
          { action: 'push', target: { repository: 'org/app', tag: '1' }, request: { host: 'r.example:5000' } },
        ],
      },
      ['r.example:5000/org/app'],
    ],
    [
      'anybody',
      { image: 'https://r.example/app:1', images: ['r.example/other', 7, ''] },
      ['r.example/app:1', 'r.example/other'],
    ],
    ['a ping', { zen: 'Keep it logically awesome.' }, undefined],
    ['a list', [{ image: 'x' }], undefined],
    ['nothing', null, undefined],
    ['names of the machine', { __proto__: { image: 'x' }, constructor: 1 }, undefined],
  ])('is understood: of %s', (_who, payload, images) => {
    expect(imagesIn(payload)).toEqual(images);
  });

  it('costs no more than it may', () => {
    const many = { images: Array.from({ length: 10_000 }, (_, at) => `r.example/app${at}`) };
    expect(imagesIn(many)).toHaveLength(50);
    expect(imagesIn({ image: 'x'.repeat(10_000) })).toBeUndefined();
  });
});

describe('The place for webhooks', () => {
  it('lets in who knows a token, by path or header, and tells nobody the token', async () => {
    const { url, looked, lines } = await hooks();
    const payload = { image: 'r.example/app' };
    expect(await post(`${url}/word-of-the-test`, payload)).toBe(202);
    expect(await post(`${url}/other%2Fword`, payload)).toBe(202);
    expect(await post(url, payload, { authorization: 'Bearer word-of-the-test' })).toBe(202);
    expect(looked).toHaveLength(3);
    for (const wrong of [url, `${url}/word-of-the-tes`, `${url}/%`, `${url}/%00`])
      expect(await post(wrong, payload)).toBe(401);
    expect(await post(url, payload, { authorization: 'Bearer wrong' })).toBe(401);
    expect((await fetch(`${url}/word-of-the-test`)).status).toBe(405);
    expect(await post(url.replace('/hook/images', '/gate/open'), payload)).toBe(404);
    for (const body of ['', '{', '{}', 'x'.repeat(300_000)])
      expect(await post(`${url}/word-of-the-test`, body)).toBe(400);
    expect(looked).toHaveLength(3);
    expect(lines.join('\n')).not.toContain('word-of-the-test');
  });

  it.skipIf(dockerRegistryPath === undefined)('hears of a push to a real registry', async () => {
    const { url, looked } = await hooks();
    const dir = await tempDir();
    opened.push(() => removeDir(dir));
    const registry = await startDockerRegistry({ dir, tells: `${url}/word-of-the-test` });
    opened.push(() => registry.stop());
    await registry.push('team/app', '1.0.0');
    await eventually('it tells of it', () => looked.includes(`${registry.registry}/team/app`));
  });
});
