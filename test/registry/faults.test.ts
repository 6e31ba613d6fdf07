import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type ImageReference, readReference } from '../../src/images/reference.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createHttp, type HttpOptions } from '../../src/lib/http/client.ts';
import { createRegistryClient, type RegistryClient, type RegistryOptions } from '../../src/registry/client.ts';
import { type DockerConfig, readDockerConfig } from '../../src/registry/docker-config.ts';
import { deadUrl, startServer, type TestServer } from '../helpers/http-server.ts';
import { manualClock } from '../helpers/manual-clock.ts';
import { type DoubleOptions, type RegistryDouble, startRegistryDouble } from '../helpers/registry-double.ts';

const { signal } = new AbortController();
const maxAnswerBytes = 100_000;
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

type Respond = (request: IncomingMessage, response: ServerResponse) => void;

function clientOf(options: Partial<RegistryOptions> = {}, of: Partial<HttpOptions> = {}): RegistryClient {
  const http = createHttp({ maxBytes: maxAnswerBytes, userAgent: 'serin-test', ...of });
  opened.push(() => http.close());
  return createRegistryClient({ clock: systemClock, maxAnswerBytes, timeoutMs: 2_000, http, ...options });
}
const image = (text: string): ImageReference => {
  const reference = readReference(text);
  if ('problem' in reference) throw new Error(reference.problem);
  return reference;
};
async function serve(answer: Respond): Promise<TestServer & { readonly registry: string }> {
  const server = await startServer(answer);
  opened.push(() => server.close());
  return { ...server, registry: server.url.replace('http://', '') };
}
async function double(options: DoubleOptions = {}): Promise<RegistryDouble> {
  const server = await startRegistryDouble(options);
  opened.push(() => server.close());
  return server;
}
const configOf = (auths: object): DockerConfig => {
  const config = readDockerConfig(JSON.stringify({ auths }));
  if ('problem' in config) throw new Error(config.problem);
  return config;
};
const json = (response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void =>
  void response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
const status =
  (code: number, body = '', headers: Record<string, string> = {}): Respond =>
  (_, response) =>
    void response.writeHead(code, headers).end(body);
const paged =
  (link: string): Respond =>
  (_, response) =>
    json(response, { tags: ['1'] }, { link: `<${link}>; rel="next"` });

describe('A list of tags', () => {
  const listOf = async (
    answer: Respond,
    options: Partial<RegistryOptions> = {},
  ): ReturnType<RegistryClient['tags']> => {
    const { registry } = await serve(answer);
    const pace = { burst: 1_000, perSecond: 1_000 };
    return clientOf({ plainHttp: new Set([registry]), pace, ...options }).tags(image(`${registry}/a/b`), {}, signal);
  };
  let pages = 0;

  it.each<[string, Respond, string, string]>([
    ['401 without a word', status(401), 'credentials', 'does not say how to sign in'],
    ['403', status(403, 'secret-of-the-server'), 'credentials', 'answers 403'],
    ['404', status(404), 'missing', 'answers 404'],
    ['429', status(429), 'busy', 'answers 429'],
    ['500', status(500, 'secret-of-the-server'), 'unreachable', 'answers 500'],
    [
      '302 to another server',
      status(302, '', { location: 'http://127.0.0.1:1/' }),
      'refused',
      'redirects to another server',
    ],
    ['no JSON', status(200, '<html>secret-of-the-server'), 'strange', 'is no JSON'],
    ['half a list', status(200, '{"tags":["1.0.0","1.0'), 'strange', 'only a part of it'],
    [
      'half an answer',
      (_, response) =>
        void response.writeHead(200, { 'content-length': '900' }).write('{"tags":', () => response.destroy()),
      'unreachable',
      'closed before',
    ],
    ['something else', (_, response) => json(response, { tags: { a: 1 } }), 'strange', 'is none'],
    [
      '20 MB',
      (_, response) => json(response, { tags: ['x'.repeat(20_000_000)] }),
      'too-large',
      'larger than 100000 bytes',
    ],
    ['nothing', () => undefined, 'unreachable', 'no complete answer within 0.5 s'],
    ['a page of another server', paged('http://127.0.0.1:1/v2/a/b/tags/list'), 'strange', 'next page'],
    ['a page of another list', paged('/v2/a/c/tags/list?last=1'), 'strange', 'next page'],
    ['pages in a circle', paged('/v2/a/b/tags/list?last=1'), 'strange', 'round in a circle'],
    [
      'pages without end',
      (request, response) => paged(`/v2/a/b/tags/list?last=${++pages}`)(request, response),
      'too-large',
      'more than 200 pages',
    ],
  ])('of %s is a failure with its reason, and no list', async (_, respond, why, reason) => {
    const answer = await listOf(respond, { timeoutMs: reason.includes('0.5 s') ? 500 : 10_000 });
    expect(answer).toMatchObject({ kind: 'failed', why });
    expect(JSON.stringify(answer)).toContain(reason);
    expect(JSON.stringify(answer)).not.toContain('secret-of-the-server');
  });

  it('that breaks off at a later page is none', async () => {
    const answer = await listOf((request, response) =>
      (request.url?.includes('last') === true ? status(503) : paged('/v2/a/b/tags/list?last=1'))(request, response),
    );
    expect(answer).toMatchObject({ kind: 'failed', why: 'unreachable' });
  });

  it('with names that are no tags has those left out', async () => {
    const tags = ['1.0.0', '../x', 7, null, 'a b', '', '__proto__', '1.0.0'];
    expect(await listOf((_, response) => json(response, { tags }))).toMatchObject({
      value: { tags: ['1.0.0', '__proto__'] },
    });
    expect(await listOf((_, response) => json(response, { name: 'a/b', tags: null }))).toMatchObject({
      value: { tags: [] },
    });
  });

  it.each(['link', 'last', 'none'] as const)('is whole where pages are told by "%s"', async (how) => {
    const server = await double({ pages: how });
    for (let index = 0; index < 25; index += 1) await server.push('a/b', `1.0.${index}`);
    const client = clientOf({ plainHttp: new Set([server.registry]), pageSize: 10 });
    const answer = await client.tags(image(`${server.registry}/a/b`), {}, signal);
    if (answer.kind !== 'answer' || answer.value === 'unchanged') throw new Error('no list');
    expect(answer.value.tags).toHaveLength(25);
  });

  it('is asked for on one page where the registry gives so much, and else on pages of a thousand; that is remembered', async () => {
    const tags = Array.from({ length: 2_345 }, (_, index) => `1.0.${index}`);
    for (const [most, requests] of [
      [10_000, [10_000, 10_000]],
      [1_000, [10_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000]],
    ] as const) {
      const { registry, requests: sent } = await serve((request, response) => {
        const url = new URL(request.url ?? '', 'http://x');
        const n = Number(url.searchParams.get('n'));
        // As the distribution project's registry does.
        if (n > most) return status(400, '{"errors":[{"code":"PAGINATION_NUMBER_INVALID"}]}')(request, response);
        const from = tags.indexOf(url.searchParams.get('last') ?? '') + 1;
        const page = tags.slice(from, from + n);
        const link = `</v2/a/b/tags/list?n=${n}&last=${page.at(-1) ?? ''}>; rel="next"`;
        return json(response, { tags: page }, from + n < tags.length ? { link } : {});
      });
      const client = clientOf({ plainHttp: new Set([registry]), pace: { burst: 100, perSecond: 100 } });
      for (let time = 0; time < 2; time += 1)
        expect(await client.tags(image(`${registry}/a/b`), {}, signal)).toMatchObject({ value: { tags } });
      expect(sent.map(({ path }) => Number(new URL(path, 'http://x').searchParams.get('n')))).toEqual([...requests]);
    }
  });

  it.each([100, 1_000])('of a registry that gives %d at most, and says nothing of more, is whole', async (most) => {
    const tags = Array.from({ length: most * 2 }, (_, index) => `1.0.${index}`);
    const { registry } = await serve((request, response) => {
      const from = tags.indexOf(new URL(request.url ?? '', 'http://x').searchParams.get('last') ?? '') + 1;
      json(response, { tags: tags.slice(from, from + most) }, { etag: '"x"' });
    });
    const answer = await clientOf({ plainHttp: new Set([registry]) }).tags(image(`${registry}/a/b`), {}, signal);
    expect(answer).toEqual({ kind: 'answer', value: { tags } });
  });

  it('of one page is asked for with its etag, and is then unchanged', async () => {
    const server = await double();
    await server.push('a/b', '1.0.0');
    const client = clientOf({ plainHttp: new Set([server.registry]), pageSize: 10 });
    const at = image(`${server.registry}/a/b`);
    const first = await client.tags(at, {}, signal);
    if (first.kind !== 'answer' || first.value === 'unchanged' || first.value.etag === undefined)
      throw new Error('no etag');
    const { etag } = first.value;
    expect(await client.tags(at, { etag }, signal)).toEqual({ kind: 'answer', value: 'unchanged' });
    await server.push('a/b', '1.0.1');
    expect(await client.tags(at, { etag }, signal)).toMatchObject({ value: { tags: ['1.0.0', '1.0.1'] } });
    // The first page of several says nothing of the others.
    for (let index = 0; index < 12; index += 1) await server.push('a/b', `2.0.${index}`);
    const long = await client.tags(at, {}, signal);
    expect(long.kind === 'answer' && long.value !== 'unchanged' && long.value.tags.length === 14).toBe(true);
    expect(long).not.toHaveProperty('value.etag');
  });
});

describe('Signing in', () => {
  const account = { username: 'ana', password: 'secret-of-the-test' };

  it('asks for a token to read one repository, whatever more the registry asks for, and keeps it', async () => {
    const server = await double({ signIn: { kind: 'bearer', ...account } });
    await server.push('a/b', '1.0.0');
    await server.push('a/c', '1.0.0');
    const client = clientOf({ plainHttp: new Set([server.registry]) });
    const credentials = configOf({ [server.registry]: account });
    for (const name of ['a/b', 'a/b', 'a/c', 'a/b'])
      expect(await client.tags(image(`${server.registry}/${name}`), { credentials }, signal)).toMatchObject({
        kind: 'answer',
      });
    const tokens = server.requests.filter(({ path }) => path.startsWith('/token'));
    expect(tokens.map(({ path }) => new URL(path, 'http://x').searchParams.getAll('scope'))).toEqual([
      ['repository:a/b:pull'],
      ['repository:a/c:pull'],
    ]);
  });

  it('uses nobody else’s token', async () => {
    const server = await double({ signIn: { kind: 'bearer', ...account } });
    await server.push('a/b', '1.0.0');
    const client = clientOf({ plainHttp: new Set([server.registry]) });
    const at = image(`${server.registry}/a/b`);
    expect(await client.tags(at, { credentials: configOf({ [server.registry]: account }) }, signal)).toMatchObject({
      kind: 'answer',
    });
    expect(await client.tags(at, {}, signal)).toMatchObject({ kind: 'failed', why: 'credentials' });
  });

  it('exchanges an identity token, and anew when what it got for it has ended', async () => {
    const server = await double({ signIn: { kind: 'bearer', ...account, identityToken: 'identity-of-the-test' } });
    await server.push('a/b', '1.0.0');
    const clock = manualClock();
    const client = clientOf({ plainHttp: new Set([server.registry]), clock });
    const credentials = configOf({ [server.registry]: { identitytoken: 'identity-of-the-test' } });
    const at = image(`${server.registry}/a/b`);
    for (const ms of [0, 1_000, 301_000]) {
      clock.advance(ms);
      expect(await client.tags(at, { credentials }, signal)).toMatchObject({ kind: 'answer' });
    }
    expect(server.requests.filter(({ method }) => method === 'POST')).toHaveLength(2);
  });

  it.each([
    ['another scheme', 'Negotiate', 'does not say how to sign in'],
    ['no token server', 'Bearer service="x"', 'names no token server'],
    ['a token server that is none', 'Bearer realm="file:///etc/passwd"', 'names no token server'],
    [
      'a token server with a password in its name',
      'Bearer realm="https://a:b@127.0.0.1:1/token"',
      'names no token server',
    ],
    [
      'a metadata service as token server',
      'Bearer realm="http://169.254.169.254/latest"',
      'of a cloud metadata service',
    ],
  ])('goes nowhere where the registry says %s', async (_, challenge, reason) => {
    const { registry } = await serve(status(401, '', { 'www-authenticate': challenge }));
    const client = clientOf({ plainHttp: new Set([registry]) });
    const answer = await client.tags(
      image(`${registry}/a/b`),
      { credentials: configOf({ [registry]: account }) },
      signal,
    );
    expect(answer).toMatchObject({ kind: 'failed' });
    expect(JSON.stringify(answer)).toContain(reason);
    expect(JSON.stringify(answer)).not.toContain('of-the-test');
  });

  it.each([
    ['no JSON', 'x'],
    ['no token', '{}'],
    ['a token with a line end', '{"token":"a\\r\\nx: y"}'],
    ['a token of many letters', `{"token":"${'a'.repeat(90_000)}"}`],
  ])('ends where the token server gives %s', async (_, body) => {
    const { registry } = await serve((request, response) =>
      (request.url?.startsWith('/token') === true
        ? status(200, body)
        : status(401, '', { 'www-authenticate': `Bearer realm="http://${request.headers.host ?? ''}/token"` }))(
        request,
        response,
      ),
    );
    const answer = await clientOf({ plainHttp: new Set([registry]) }).tags(image(`${registry}/a/b`), {}, signal);
    expect(answer).toMatchObject({
      kind: 'failed',
      why: 'strange',
      reason: expect.stringContaining('gives no token') as string,
    });
  });
});

describe('A blob that lies elsewhere', () => {
  it('is fetched there without credentials, and no further', async () => {
    const store = await serve((_, response) => json(response, { created: '2026-03-03T03:03:03Z' }));
    const account = { username: 'ana', password: 'secret-of-the-test' };
    const targets = [`${store.url}/signed`, `${store.url}/moved`];
    const server = await double({
      signIn: { kind: 'basic', ...account },
      before: (request, response) => {
        if (request.url?.includes('/blobs/') !== true || request.headers.authorization === undefined) return false;
        response.writeHead(307, { location: targets.shift() ?? `${store.url}/` }).end();
        return true;
      },
    });
    await server.push('a/b', '1.0.0');
    const client = clientOf({ plainHttp: new Set([server.registry]) });
    const credentials = configOf({ [server.registry]: account });
    const at = image(`${server.registry}/a/b:1.0.0`);
    expect(await client.created(at, { credentials }, signal)).toEqual({
      kind: 'answer',
      value: Date.parse('2026-03-03T03:03:03Z'),
    });
    expect(store.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('is not fetched from where a second redirect leads, nor from an address that others may not name', async () => {
    const far = await serve((_, response) => json(response, {}));
    const near = await serve(status(302, '', { location: `${far.url}/` }));
    for (const location of [
      `${near.url}/`,
      'http://169.254.169.254/',
      'file:///etc/passwd',
      'https://169.254.169.254/',
    ]) {
      const server = await double({
        before: (request, response) => {
          if (request.url?.includes('/blobs/') !== true) return false;
          response.writeHead(307, { location }).end();
          return true;
        },
      });
      await server.push('a/b', '1');
      const client = clientOf({ plainHttp: new Set([server.registry]) });
      expect(await client.created(image(`${server.registry}/a/b:1`), {}, signal), location).toMatchObject({
        kind: 'failed',
      });
    }
    expect(far.requests).toEqual([]);
  });
});

describe('A registry that asks for a pause', () => {
  it('is asked nothing until it is over', async () => {
    const clock = manualClock();
    let isBusy = true;
    const { registry, requests } = await serve((request, response) =>
      isBusy ? status(429, '', { 'retry-after': '30' })(request, response) : json(response, { tags: ['1.0.0'] }),
    );
    const client = clientOf({ plainHttp: new Set([registry]), clock });
    const ask = (): ReturnType<RegistryClient['tags']> => client.tags(image(`${registry}/a/b`), {}, signal);
    expect(await ask()).toMatchObject({ why: 'busy', retryAfterMs: 30_000 });
    isBusy = false;
    clock.advance(10_000);
    expect(await ask()).toMatchObject({ why: 'busy', retryAfterMs: 20_000 });
    expect(requests).toHaveLength(1);
    clock.advance(20_000);
    expect(await ask()).toMatchObject({ kind: 'answer' });
  });

  it.each([
    ['0', 1_000],
    ['99999999', 3_600_000],
    ['soon', 60_000],
    ['Thu, 01 Jan 1970 00:00:10 GMT', 10_000],
  ])('of "%s" is left alone for %d ms', async (header, pauseMs) => {
    const { registry } = await serve(status(429, '', { 'retry-after': header }));
    const client = clientOf({ plainHttp: new Set([registry]), clock: manualClock(0) });
    await client.tags(image(`${registry}/a/b`), {}, signal);
    expect(await client.tags(image(`${registry}/a/b`), {}, signal)).toMatchObject({
      why: 'busy',
      retryAfterMs: pauseMs,
    });
  });

  it('keeps no other one waiting', async () => {
    const busy = await serve(status(429));
    const other = await serve((_, response) => json(response, { tags: ['1'] }));
    const client = clientOf({ plainHttp: new Set([busy.registry, other.registry]) });
    expect(await client.tags(image(`${busy.registry}/a/b`), {}, signal)).toMatchObject({ why: 'busy' });
    expect(await client.tags(image(`${other.registry}/a/b`), {}, signal)).toMatchObject({ kind: 'answer' });
  });

  it('is asked half as often after it, and in the end as often as before', async () => {
    const clock = manualClock();
    let isBusy = true;
    const { registry, requests } = await serve((request, response) =>
      isBusy ? status(429, '', { 'retry-after': '1' })(request, response) : json(response, { tags: ['1.0.0'] }),
    );
    const client = clientOf({ plainHttp: new Set([registry]), clock, pace: { burst: 1, perSecond: 2 } });
    const ask = (): ReturnType<RegistryClient['tags']> => client.tags(image(`${registry}/a/b`), {}, signal);
    await ask();
    isBusy = false;
    clock.advance(1_000);
    await ask();
    const next = ask();
    clock.advance(900);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(requests).toHaveLength(2);
    clock.advance(100);
    expect(await next).toMatchObject({ kind: 'answer' });
    clock.advance(45 * 60_000);
    await ask();
    clock.advance(45 * 60_000);
    await ask();
    const soon = ask();
    clock.advance(500);
    expect(await soon).toMatchObject({ kind: 'answer' });
  });
});

describe('The way to a registry', () => {
  it('is encrypted unless it is named, and only certificates that are trusted count', async () => {
    const tls = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
    const server = createServer({ key: tls('localhost.key.pem'), cert: tls('localhost.cert.pem') }, (_, response) =>
      json(response, { tags: ['1'] }),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(() => new Promise((resolve) => server.close(resolve)));
    const at = image(`localhost:${(server.address() as AddressInfo).port}/a/b`);
    const refused = await clientOf().tags(at, {}, signal);
    expect(refused).toMatchObject({
      why: 'refused',
      reason: expect.stringContaining('TLS: self-signed certificate') as string,
    });
    const trusting = clientOf({}, { ca: tls('localhost.cert.pem') });
    expect(await trusting.tags(at, {}, signal)).toMatchObject({ value: { tags: ['1'] } });
    const plain = await serve((_, response) => json(response, { tags: ['1'] }));
    expect(await clientOf().tags(image(`${plain.registry}/a/b`), {}, signal)).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('TLS: the server answers without it') as string,
    });
    expect(plain.requests).toEqual([]);
  });

  it('that is encrypted leads on to none that is not', async () => {
    const tls = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
    const plain = await serve((_, response) => json(response, { token: 'x', created: '2026-01-02T03:04:05Z' }));
    const config = `sha256:${'1'.repeat(64)}`;
    const server = createServer(
      { key: tls('localhost.key.pem'), cert: tls('localhost.cert.pem') },
      (request, response) => {
        if (request.url?.includes('/tags/') === true)
          return status(401, '', { 'www-authenticate': `Bearer realm="${plain.url}/token"` })(request, response);
        if (request.url?.includes('/blobs/') === true)
          return status(307, '', { location: `${plain.url}/` })(request, response);
        return json(response, { config: { digest: config } });
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(() => new Promise((resolve) => server.close(resolve)));
    const registry = `localhost:${(server.address() as AddressInfo).port}`;
    const client = clientOf({}, { ca: tls('localhost.cert.pem') });
    const credentials = configOf({ [registry]: { username: 'ana', password: 'secret-of-the-test' } });
    const list = await client.tags(image(`${registry}/a/b`), { credentials }, signal);
    expect(list).toMatchObject({
      why: 'strange',
      reason: expect.stringContaining('no token server that may be asked') as string,
    });
    const created = await client.created(image(`${registry}/a/b:1`), {}, signal);
    expect(created).toMatchObject({
      why: 'strange',
      reason: expect.stringContaining('redirects to where nothing is asked') as string,
    });
    expect(plain.requests).toEqual([]);
  });

  it('leads to no address that others may not name', async () => {
    const { registry, requests } = await serve((_, response) => json(response, { tags: ['1'] }));
    const plainHttp = new Set([registry, '169.254.169.254']);
    const inPod = clientOf({ plainHttp }, { addresses: { mayLoopback: false } });
    const answer = await inPod.tags(image(`${registry}/a/b`), {}, signal);
    expect(answer).toMatchObject({ why: 'refused', reason: expect.stringContaining('loopback') as string });
    expect(await inPod.tags(image('169.254.169.254/a/b'), {}, signal)).toMatchObject({ why: 'refused' });
    expect(requests).toEqual([]);
  });

  it('that leads to nobody is told', async () => {
    const registry = (await deadUrl()).replace('http://', '');
    const answer = await clientOf({ plainHttp: new Set([registry]) }).tags(image(`${registry}/a/b`), {}, signal);
    expect(answer).toMatchObject({ why: 'unreachable', reason: `${registry}/a/b: connection refused` });
  });

  it('ends when it is not wanted any more', async () => {
    const { registry } = await serve(() => undefined);
    const controller = new AbortController();
    const asked = clientOf({ plainHttp: new Set([registry]) }).tags(image(`${registry}/a/b`), {}, controller.signal);
    controller.abort(new Error('stopped'));
    await expect(asked).rejects.toThrow('stopped');
  });
});

describe('A digest', () => {
  const body = '{"schemaVersion":2}';
  it.each([
    ['HEAD is not answered', 405, {}],
    ['none is said', 200, {}],
    ['what is said is none', 200, { 'docker-content-digest': 'sha256:abc' }],
  ])('is counted where %s', async (_, head, headers) => {
    const { registry } = await serve((request, response) =>
      (request.method === 'HEAD' ? status(head, '', headers) : status(200, body))(request, response),
    );
    const answer = await clientOf({ plainHttp: new Set([registry]) }).digest(image(`${registry}/a/b:1`), {}, signal);
    expect(answer).toEqual({ kind: 'answer', value: `sha256:${createHash('sha256').update(body).digest('hex')}` });
  });

  it('is asked for without the manifest', async () => {
    const server = await double();
    const digest = await server.push('a/b', '1');
    const client = clientOf({ plainHttp: new Set([server.registry]) });
    expect(await client.digest(image(`${server.registry}/a/b:1`), {}, signal)).toEqual({
      kind: 'answer',
      value: digest,
    });
    expect(server.requests.map(({ method }) => method)).toEqual(['HEAD']);
  });
});
