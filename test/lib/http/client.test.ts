import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpRequest, LastingHttpFailure, TargetRefused } from '../../../src/lib/http/http.ts';
import { createHttp } from '../../../src/lib/http/client.ts';
import { type Answer, deadUrl, startServer, type TestServer } from '../../helpers/http-server.ts';

const opened: { close(): Promise<void> }[] = [];
const signal = new AbortController().signal;

async function serve(answer: Answer): Promise<TestServer> {
  const server = await startServer(answer);
  opened.push(server);
  return server;
}

function client(options: Partial<Parameters<typeof createHttp>[0]> = {}): ReturnType<typeof createHttp> {
  const http = createHttp({ maxBytes: 1_000, userAgent: 'serin-test', ...options });
  opened.push(http);
  return http;
}

const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url,
  timeoutMs: 2_000,
  ...more,
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

describe('createHttp', () => {
  it('sends method, headers and body, and returns every status', async () => {
    const server = await serve((_, response, body) => response.writeHead(418, { 'x-a': '1' }).end(`got ${body}`));
    const request: HttpRequest = {
      method: 'POST',
      url: `${server.url}/p?q=1`,
      body: 'hi',
      headers: { 'x-b': '2' },
      timeoutMs: 2_000,
    };
    const answer = await client().request(request, signal);
    expect(answer).toMatchObject({ status: 418, body: 'got hi' });
    expect(answer.headers['x-a']).toBe('1');
    expect(server.requests[0]).toMatchObject({ method: 'POST', path: '/p?q=1', body: 'hi' });
    expect(server.requests[0]?.headers).toMatchObject({ 'user-agent': 'serin-test', 'x-b': '2' });
  });

  it('keeps connections', async () => {
    const ports = new Set<number | undefined>();
    const server = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('ok');
    });
    const http = client();
    for (let turn = 0; turn < 8; turn += 1) await http.request(get(server.url), signal);
    expect(ports.size).toBeLessThan(3);
  });

  it('cuts long answers', async () => {
    const server = await serve((_, response) => response.end('x'.repeat(100_000)));
    expect((await client({ maxBytes: 10 }).request(get(server.url), signal)).body).toBe('x'.repeat(10));
  });

  it('gives up in time when no answer comes, and when its body does not end', async () => {
    const silent = await serve(() => undefined);
    await expect(client().request(get(silent.url, { timeoutMs: 60 }), signal)).rejects.toThrow(
      'no complete answer within 0.06 s',
    );
    const stalled = await serve((_, response) => response.write('half'));
    await expect(client().request(get(stalled.url, { timeoutMs: 60 }), signal)).rejects.toThrow(
      'no complete answer within',
    );
  });

  it('rejects with the reason of the caller who stopped it', async () => {
    const server = await serve(() => undefined);
    const stop = new AbortController();
    const asked = client().request(get(server.url), stop.signal);
    setTimeout(() => stop.abort(new Error('shutting down')), 20);
    await expect(asked).rejects.toThrow('shutting down');
    await expect(client().request(get(server.url), stop.signal)).rejects.toThrow('shutting down');
  });

  it('names refused and cut connections without the address', async () => {
    await expect(client().request(get(await deadUrl()), signal)).rejects.toThrow(/^connection refused$/);
    const cut = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setTimeout(() => response.destroy(), 10);
    });
    await expect(client().request(get(cut.url), signal)).rejects.toThrow(/closed before the answer|reset/);
  });

  it('follows redirects of one server and does not loop', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/loop') response.writeHead(302, { location: '/loop?' }).end();
      else if (request.url === '/kept') response.writeHead(307, { location: '/x?q' }).end();
      else if (request.url === '/changed') response.writeHead(302, { location: 'x' }).end();
      else response.end('there');
    });
    const headers = { authorization: 'Bearer secret', 'content-type': 'text/plain' };
    const post = { ...get(`${server.url}/kept`), method: 'POST' as const, body: 'b', headers };
    expect(await client().request(post, signal)).toMatchObject({ status: 200, body: 'there' });
    expect(server.requests.at(-1)).toMatchObject({ method: 'POST', path: '/x?q', body: 'b' });
    expect(server.requests.at(-1)?.headers.authorization).toBe('Bearer secret');
    await client().request({ ...post, url: `${server.url}/changed` }, signal);
    expect(server.requests.at(-1)).toMatchObject({ method: 'GET', path: '/x', body: '' });
    expect(server.requests.at(-1)?.headers['content-type']).toBeUndefined();
    server.requests.length = 0;
    await expect(client().request(get(`${server.url}/loop`), signal)).rejects.toThrow('redirects more than 5 times');
    expect(server.requests.length).toBeLessThan(10);
  });

  it.each([301, 302, 303, 307, 308])('follows no redirect to another server: %i', async (status) => {
    const other = await serve((_, response) => response.end('there'));
    const targets = [
      `${other.url}/x`,
      other.url.replace('127.0.0.1', 'localhost'),
      other.url.replace('http:', ''),
      'file:///etc/passwd',
      'data:text/plain,topsecret',
      'http://',
      `http://topsecret.example/${'x'.repeat(1_000)}`,
    ];
    const server = await serve((request, response) =>
      response.writeHead(status, { location: targets[Number(request.url?.slice(1))] ?? '' }).end(),
    );
    const headers = { authorization: 'Bearer topsecret', 'metadata-flavor': 'Google' };
    for (const [index] of targets.entries())
      for (const method of ['GET', 'POST'] as const) {
        const request = { ...get(`${server.url}/${index}`), method, headers };
        const failure: unknown = await client()
          .request(request, signal)
          .catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(LastingHttpFailure);
        expect((failure as Error).message).toBe('it redirects to another server, which is not followed');
      }
    expect(other.requests).toEqual([]);
  });

  it('says that a redirect leads to https', async () => {
    const server = await serve((_, response) => response.writeHead(308, { location: 'https://127.0.0.1/' }).end());
    await expect(client().request(get(server.url), signal)).rejects.toThrow('https of the same host');
  });

  it('keeps little of an answer of single bytes', async () => {
    const body = 'x'.repeat(20_000);
    const server = await serve((_, response) => {
      response.writeHead(200);
      for (const letter of body) response.write(letter);
      response.end();
    });
    expect((await client({ maxBytes: 15_000 }).request(get(server.url), signal)).body).toBe(body.slice(0, 15_000));
    expect((await client({ maxBytes: 30_000 }).request(get(server.url), signal)).body).toBe(body);
  });

  it('turns credentials in the URL into a header', async () => {
    const server = await serve((_, response) => response.end());
    await client().request(get(server.url.replace('//', '//me:p%40ss@')), signal);
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  });

  it('goes through a proxy unless the host is excepted', async () => {
    const proxy = await serve((request, response) => response.end(`proxied ${request.url}`));
    const server = await serve((_, response) => response.end('direct'));
    const proxied = client({ proxy: { http: proxy.url } });
    expect((await proxied.request(get('http://metrics.example/x'), signal)).body).toBe(
      'proxied http://metrics.example/x',
    );
    const excepted = client({ proxy: { http: proxy.url, none: '127.0.0.1' } });
    expect((await excepted.request(get(server.url), signal)).body).toBe('direct');
    const tunnel = client({ proxy: { https: proxy.url } }).request(
      get('https://x.example', { timeoutMs: 100 }),
      signal,
    );
    await expect(tunnel).rejects.toThrow();
  });

  it('sends single requests through a proxy of their own', async () => {
    const proxy = await serve((request, response) => response.end(`via ${request.url}`));
    const server = await serve((_, response) => response.end('direct'));
    const http = client();
    const { body } = await http.request(get(`${server.url}/a`, { proxy: proxy.url }), signal);
    expect(body).toBe(`via ${server.url}/a`);
    expect((await http.request(get(`${server.url}/a`), signal)).body).toBe('direct');
    await expect(http.request(get(`${server.url}/a`, { proxy: 'no url' }), signal)).rejects.toThrow();
  });

  it('says of what will never work that it will not', async () => {
    const http = client();
    await expect(http.request(get('ftp://example.test/'), signal)).rejects.toBeInstanceOf(LastingHttpFailure);
    const refused = await deadUrl();
    await expect(http.request(get(refused), signal)).rejects.not.toBeInstanceOf(LastingHttpFailure);
  });

  it.each([
    '169.254.169.254',
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '169.254.43518',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[::169.254.169.254]',
    '[64:ff9b::a9fe:a9fe]',
    '[2002:a9fe:a9fe::1]',
    '[fe80::1]',
    '[fd00:ec2::254]',
    '100.100.100.200',
    '168.63.129.16',
    '169.254.1.1',
    'metadata.google.internal',
    'METADATA.google.internal.',
    '224.0.0.1',
    '255.255.255.255',
    '0.0.0.0',
    '[::]',
    '0',
  ])('asks nothing of %s', async (host) => {
    const refused = client().request(get(`http://${host}/latest/meta-data/`, { timeoutMs: 500 }), signal);
    await expect(refused).rejects.toBeInstanceOf(TargetRefused);
    await expect(refused).rejects.toThrow(/^its address is .* and is not asked; --allow-addresses can allow it$/);
    const proxy = await serve((_, response) => response.end('topsecret'));
    const proxied = client({ proxy: { http: proxy.url } }).request(get(`http://${host}/`), signal);
    await expect(proxied).rejects.toBeInstanceOf(TargetRefused);
    const over = client().request(get('http://x.example/', { proxy: `http://${host}:3128` }), signal);
    await expect(over).rejects.toBeInstanceOf(TargetRefused);
    expect(proxy.requests).toEqual([]);
  });

  it('looks at the address that a name has when it is connected to', async () => {
    const server = await serve((_, response) => response.end('topsecret'));
    const named = server.url.replace('127.0.0.1', 'localhost');
    const guarded = client({ addresses: { mayLoopback: false } });
    await expect(guarded.request(get(named), signal)).rejects.toThrow('its address is loopback and is not asked');
    await expect(guarded.request(get(server.url), signal)).rejects.toThrow('its address is loopback and is not asked');
    const proxied = guarded.request(get('http://x.example/', { proxy: named }), signal);
    await expect(proxied).rejects.toBeInstanceOf(TargetRefused);
    expect(server.requests).toEqual([]);
    const allowing = client({ addresses: { mayLoopback: false, allowed: ['127.0.0.0/30', '::1'] } });
    expect((await allowing.request(get(named), signal)).body).toBe('topsecret');
    const trusting = client({ addresses: { mayLoopback: false }, trusted: [`${named}/path`] });
    expect((await trusting.request(get(`${named}/x`), signal)).body).toBe('topsecret');
    await expect(trusting.request(get(server.url), signal)).rejects.toBeInstanceOf(TargetRefused);
  });

  it.each([
    ['a broken status line', 'topsecret 200 OK\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: topsecret\r\n\r\n'],
    ['a wrong length', 'HTTP/1.1 200 OK\r\ncontent-length: topsecret\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nto'],
    ['headers without an end', `HTTP/1.1 200 OK\r\n${'x-topsecret: y\r\n'.repeat(5_000)}`],
    ['a broken chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ntopsecret\r\n'],
  ])('tells %s in its own words', async (_, text) => {
    const raw = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(text));
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    opened.push({ close: () => new Promise((resolve) => raw.close(() => resolve())) });
    const { port } = raw.address() as AddressInfo;
    const failure: unknown = await client()
      .request(get(`http://127.0.0.1:${port}/topsecret`), signal)
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect((failure as Error).message).not.toContain('topsecret');
  });
});
