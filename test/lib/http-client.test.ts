import { afterEach, describe, expect, it } from 'vitest';
import { type HttpRequest, LastingHttpFailure } from '../../src/lib/http.ts';
import { createHttp } from '../../src/lib/http-client.ts';
import { type Answer, deadUrl, startServer, type TestServer } from '../helpers/http-server.ts';

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

  it('follows redirects, leaves credentials at their origin and does not loop', async () => {
    const other = await serve((_, response) => response.end('there'));
    const server = await serve((request, response) => {
      if (request.url === '/loop') response.writeHead(302, { location: '/loop?' }).end();
      else response.writeHead(307, { location: `${other.url}/x` }).end();
    });
    const headers = { authorization: 'Bearer secret' };
    const answer = await client().request({ ...get(server.url), method: 'POST', body: 'b', headers }, signal);
    expect(answer).toMatchObject({ status: 200, body: 'there' });
    expect(other.requests[0]).toMatchObject({ method: 'POST', path: '/x', body: 'b' });
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
    const looped = await client()
      .request(get(`${server.url}/loop`), signal)
      .catch((error: Error) => error);
    expect(server.requests.length).toBeLessThan(10);
    expect(looped).toBeDefined();
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
});
