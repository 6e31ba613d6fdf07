import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request as forward, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseRemote } from '../../src/git/credentials.ts';
import { createTransport, type TransportOptions } from '../../src/git/transport.ts';
import { aPush, fetchTip, never, withGit } from '../helpers/git-fixture.ts';
import { withTempDir } from '../helpers/temp-repo.ts';

const tlsFile = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
const identity = { cert: tlsFile('localhost.cert.pem'), key: tlsFile('localhost.key.pem') };

async function withServer(server: Server, run: (port: number) => Promise<void>): Promise<void> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    await run((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

const withHttp = (handle: RequestListener, run: (port: number) => Promise<void>): Promise<void> =>
  withServer(createServer(handle), run);

const transportTo = (url: string, options: Partial<TransportOptions> = {}): ReturnType<typeof createTransport> =>
  createTransport({ remote: parseRemote(url, undefined), connectTimeoutMs: 2_000, idleTimeoutMs: 2_000, ...options });

const get = { method: 'GET', path: '/info/refs', timeoutMs: 2_000, maxBytes: 10_000 } as const;
const post = { ...get, method: 'POST', path: '/git-upload-pack', body: Buffer.from('wants') } as const;

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

describe('the address of a repository', () => {
  it('gives up its credentials to a header and is safe to show', () => {
    const { url, auth } = parseRemote('https://bot:p%40ss@git.example.com/team/config.git/?x=1#y', undefined);
    expect(url).toBe('https://git.example.com/team/config.git');
    expect(auth).toEqual({ kind: 'basic', username: 'bot', password: 'p@ss' });
  });

  it.each([
    ['https://bot:100%@host/x', 'bot', '100%'],
    ['https://b%6Ft:%zz%41@host/x', 'bot', '%zzA'],
    ['https://bot:%ff%20@host/x', 'bot', '%ff%20'],
    ['https://bot:p%25%40@host/x', 'bot', 'p%@'],
  ])('takes a percent sign that stands for itself as it is (%s)', (url, username, password) => {
    expect(parseRemote(url, undefined).auth).toEqual({ kind: 'basic', username, password });
  });

  it('may name the user of a token file', () => {
    const file = { kind: 'token-file', path: '/token' } as const;
    expect(parseRemote('https://bot@host/x', file).auth).toEqual({ ...file, username: 'bot' });
    expect(parseRemote('https://bot@host/x', { ...file, username: 'git' }).auth).toEqual({ ...file, username: 'bot' });
    expect(parseRemote('https://bot@host/x', { ...file, username: 'ci' }).auth).toEqual({ ...file, username: 'ci' });
    expect(parseRemote('https://host/x', file).auth).toEqual(file);
  });

  it.each(['config', 'ssh://git@example.com/x', 'file:///srv/x'])('is refused when it is %s', (url) => {
    expect(() => parseRemote(url, undefined)).toThrow(/Git URL/);
  });
});

describe('the transport', () => {
  it('sends credentials from the URL and never shows them in errors', () =>
    withHttp(
      (request, response) => response.end(request.headers.authorization),
      async (port) => {
        const transport = transportTo(`http://bot:s3cret@127.0.0.1:${port}/x.git`);
        const answer = await transport.exchange(get, never);
        expect(answer.body.toString()).toBe(`Basic ${Buffer.from('bot:s3cret').toString('base64')}`);
        await transport.close();
        const closed = transportTo('http://bot:s3cret@127.0.0.1:1/x.git');
        const error: unknown = await closed.exchange(get, never).catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code: 'GIT_UNREACHABLE', details: { phase: 'connect' } });
        expect(`${String(error)}${JSON.stringify(error)}`).not.toContain('s3cret');
      },
    ));

  it('reads a token file again for every request', () =>
    withTempDir((dir) =>
      withHttp(
        (request, response) => response.end(request.headers.authorization),
        async (port) => {
          const path = join(dir, 'token');
          const remote = parseRemote(`http://127.0.0.1:${port}/x`, { kind: 'token-file', path });
          const transport = transportTo('http://127.0.0.1/', { remote });
          await expect(transport.exchange(get, never)).rejects.toMatchObject({ code: 'GIT_AUTH' });
          for (const token of ['one', 'two']) {
            await writeFile(path, `${token}\n`);
            const { body } = await transport.exchange(get, never);
            expect(body.toString()).toBe(`Basic ${Buffer.from(`git:${token}`).toString('base64')}`);
          }
          await transport.close();
        },
      ),
    ));

  it.each([301, 302, 307, 308])(
    'follows HTTP %i with the same method and body, and remembers the new place',
    (status) =>
      withHttp(
        (request, response) => {
          if (request.url?.startsWith('/old')) {
            response.writeHead(status, { location: String(request.url).replace('/old', '/new') }).end();
          } else void bodyOf(request).then((body) => response.end(`${request.method} ${request.url} ${body}`));
        },
        async (port) => {
          const transport = transportTo(`http://127.0.0.1:${port}/old`);
          expect((await transport.exchange(post, never)).body.toString()).toBe('POST /new/git-upload-pack wants');
          expect((await transport.exchange(get, never)).body.toString()).toBe('GET /new/info/refs ');
          await transport.close();
        },
      ),
  );

  it('keeps credentials from another origin', () =>
    withHttp(
      (request, response) => response.end(request.headers.authorization ?? 'none'),
      (other) =>
        withHttp(
          (_, response) => response.writeHead(307, { location: `http://127.0.0.1:${other}/x/info/refs` }).end(),
          async (port) => {
            const transport = transportTo(`http://bot:s3cret@127.0.0.1:${port}/x`);
            expect((await transport.exchange(get, never)).body.toString()).toBe('none');
            await transport.close();
          },
        ),
    ));

  it('gives up on redirects in a circle', () =>
    withHttp(
      (request, response) => response.writeHead(302, { location: String(request.url) }).end(),
      async (port) => {
        const transport = transportTo(`http://127.0.0.1:${port}/x`);
        await expect(transport.exchange(get, never)).rejects.toMatchObject({ code: 'GIT_PROTOCOL' });
        await transport.close();
      },
    ));

  it.each([301, 302, 307, 308])('follows a redirect (HTTP %i) only as long as it is there', (status) =>
    withHttp(
      (request, response) => response.end(`old ${request.url}`),
      async (oldPort) => {
        let isMoved = true;
        const seen: string[] = [];
        await withHttp(
          (request, response) => {
            seen.push(String(request.url));
            if (isMoved)
              response.writeHead(status, { location: `http://127.0.0.1:${oldPort}/y${request.url?.slice(2)}` }).end();
            else response.end('home');
          },
          async (port) => {
            const moved: string[] = [];
            const transport = transportTo(`http://127.0.0.1:${port}/x`, { onMoved: (url) => moved.push(url) });
            for (let time = 0; time < 2; time += 1)
              expect((await transport.exchange(post, never)).body.toString()).toBe('old /y/git-upload-pack');
            isMoved = false;
            expect((await transport.exchange(get, never)).body.toString()).toBe('home');
            expect(seen).toHaveLength(3);
            expect(moved).toEqual(status === 301 || status === 308 ? [`http://127.0.0.1:${oldPort}/y`] : []);
            await transport.close();
          },
        );
      },
    ),
  );

  it.each([429, 503])('waits as long as a server of no time wishes (HTTP %i), within an operation', (status) => {
    let asked = 0;
    return withHttp(
      (_, response) => {
        asked += 1;
        if (asked < 3) response.writeHead(status, { 'retry-after': asked === 1 ? '0' : '1' }).end();
        else response.end('ok');
      },
      async (port) => {
        const transport = transportTo(`http://127.0.0.1:${port}/x`);
        const startedMs = performance.now();
        const answer = await transport.exchange({ ...post, timeoutMs: 20_000 }, never);
        expect(answer.body.toString()).toBe('ok');
        expect(performance.now() - startedMs).toBeGreaterThan(1_400);
        await transport.close();
      },
    );
  });

  it('leaves a server alone that wishes to be for longer, and takes its date by its own clock', async () => {
    let asked = 0;
    await withHttp(
      (_, response) => {
        asked += 1;
        const headers = { date: 'Fri, 01 Jan 1999 00:00:00 GMT', 'retry-after': 'Fri, 01 Jan 1999 00:01:00 GMT' };
        response.writeHead(429, headers).end('slow down');
      },
      async (port) => {
        const transport = transportTo(`http://127.0.0.1:${port}/x`);
        expect((await transport.exchange(get, never)).status).toBe(429);
        await expect(transport.exchange(get, never)).rejects.toThrow(/HTTP 429 and is asked again in (60|59) s/);
        expect(asked).toBe(1);
        const stop = new AbortController();
        setTimeout(() => stop.abort(new Error('stopping')), 50);
        await expect(transport.exchange({ ...get, timeoutMs: 90_000 }, stop.signal)).rejects.toThrow('stopping');
        await transport.close();
      },
    );
  });

  it('takes a CA file as it is now, and says when it holds no certificate', () =>
    withTempDir((dir) =>
      withServer(
        createTlsServer(identity, (_, response) => response.end('ok')),
        async (port) => {
          const file = join(dir, 'ca.pem');
          const transport = transportTo(`https://127.0.0.1:${port}/x`, { ca: { file } });
          const answered = (): Promise<unknown> => transport.exchange(get, never).then(({ body }) => body.toString());
          await expect(answered()).rejects.toThrow(/ca\.pem cannot be used: .*no such file/);
          for (const [text, problem] of [
            ['', /holds no PEM certificate/],
            ['MIIB', /holds no PEM certificate/],
            ['-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', /certificate 1 in it cannot be read/],
          ] as const) {
            await writeFile(file, text);
            await expect(answered()).rejects.toThrow(problem);
          }
          await writeFile(file, identity.cert);
          expect(await answered()).toBe('ok');
          await writeFile(file, 'gone again');
          await expect(answered()).rejects.toThrow(/holds no PEM certificate/);
          await writeFile(file, `# ours\n${identity.cert}\n`);
          expect(await answered()).toBe('ok');
          await transport.close();
        },
      ),
    ));

  it('refuses a redirect from https to http', () =>
    withServer(
      createTlsServer(identity, (_, response) => response.writeHead(302, { location: 'http://127.0.0.1/x' }).end()),
      async (port) => {
        const transport = transportTo(`https://127.0.0.1:${port}/x`, { ca: identity.cert });
        await expect(transport.exchange(get, never)).rejects.toThrow(/from https to http/);
        await transport.close();
      },
    ));

  it('trusts only the given CA', () =>
    withServer(
      createTlsServer(identity, (_, response) => response.end('ok')),
      async (port) => {
        const trusting = transportTo(`https://127.0.0.1:${port}/x`, { ca: identity.cert });
        expect((await trusting.exchange(get, never)).body.toString()).toBe('ok');
        const plain = transportTo(`https://127.0.0.1:${port}/x`);
        await expect(plain.exchange(get, never)).rejects.toThrow(/TLS: .*CA/);
        await Promise.all([trusting.close(), plain.close()]);
      },
    ));

  it('unpacks gzip and stops at the limit, packed or not', () =>
    withHttp(
      (request, response) => {
        const body = Buffer.alloc(request.url?.startsWith('/small') ? 100 : 1_000_000, 'x');
        if (request.url?.includes('gz')) response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body));
        else response.end(body);
      },
      async (port) => {
        const small = transportTo(`http://127.0.0.1:${port}/small-gz`);
        expect((await small.exchange(get, never)).body.toString()).toBe('x'.repeat(100));
        await small.close();
        for (const path of ['big', 'big-gz']) {
          const transport = transportTo(`http://127.0.0.1:${port}/${path}`);
          await expect(transport.exchange(get, never)).rejects.toMatchObject({ code: 'GIT_TOO_LARGE' });
          await transport.close();
        }
      },
    ));

  it('reads the first one of headers that a server sends twice', () =>
    withHttp(
      (request, response) => {
        if (request.url?.startsWith('/old'))
          return void response.writeHead(302, { location: ['/new/info/refs', '/other'] as unknown as string }).end();
        response.setHeader('content-encoding', ['gzip', 'br']);
        response.setHeader('content-type', ['text/one', 'text/two'] as unknown as string);
        response.end(gzipSync(request.url ?? ''));
      },
      async (port) => {
        const transport = transportTo(`http://127.0.0.1:${port}/old`);
        const { contentType, body } = await transport.exchange(get, never);
        expect(body.toString()).toBe('/new/info/refs');
        expect(contentType).toBe('text/one');
        await transport.close();
      },
    ));

  it('has one deadline for all redirects together', () =>
    withHttp(
      (request, response) =>
        void setTimeout(() => response.writeHead(302, { location: `${request.url}x` }).end(), 150).unref(),
      async (port) => {
        const transport = transportTo(`http://127.0.0.1:${port}/x`);
        await expect(transport.exchange({ ...get, timeoutMs: 400 }, never)).rejects.toThrow(
          /no complete answer within 0\.4 s/,
        );
        await transport.close();
      },
    ));

  it('notices an answer that stalls', () =>
    withHttp(
      (_, response) => void response.write('begin'),
      async (port) => {
        const transport = transportTo(`http://127.0.0.1:${port}/x`, { idleTimeoutMs: 100 });
        await expect(transport.exchange({ ...get, timeoutMs: 30_000 }, never)).rejects.toThrow(/stalled/);
        await transport.close();
      },
    ));

  it('keeps its connections for later requests', () => {
    let connections = 0;
    const server = createServer((_, response) => response.end('ok')).on('connection', () => (connections += 1));
    return withServer(server, async (port) => {
      const transport = transportTo(`http://127.0.0.1:${port}/x`);
      for (let n = 0; n < 10; n += 1) await transport.exchange(get, never);
      // The next request may begin before the connection of the last one is free again.
      expect(connections).toBeLessThanOrEqual(2);
      await transport.close();
    });
  });
});

describe('a whole repository', () => {
  it('is cloned and pushed to over HTTPS through a proxy', () =>
    withGit(async ({ server, open }) => {
      const upstream = new URL(server.url);
      const front = createTlsServer(identity, (request, response) => {
        const onward = forward(new URL(request.url ?? '/', upstream), {
          method: request.method,
          headers: request.headers,
        });
        request.pipe(onward);
        onward.on('response', (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        });
      });
      const tunnels: string[] = [];
      const proxy = createServer().on('connect', (request: IncomingMessage, socket) => {
        tunnels.push(String(request.url));
        const [host, port] = String(request.url).split(':');
        const onward = connect(Number(port), host, () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          onward.pipe(socket).pipe(onward);
        });
        for (const end of [onward, socket]) end.on('error', () => onward.destroy());
      });
      await withServer(front, (port) =>
        withServer(proxy, async (proxyPort) => {
          const repo = await open('mirror', {
            url: `https://127.0.0.1:${port}/config.git`,
            ca: identity.cert,
            proxy: { https: `http://127.0.0.1:${proxyPort}` },
          });
          expect(await repo.push(aPush(await fetchTip(repo)), never)).toMatchObject({ kind: 'landed' });
          expect(new Set(tunnels)).toEqual(new Set([`127.0.0.1:${port}`]));
          await repo.close();
        }),
      );
    }));

  it('is found where a redirect of the host leads', () =>
    withGit(async ({ server, open }) => {
      await withHttp(
        (request, response) => response.writeHead(301, { location: `${server.url}${request.url}` }).end(),
        async (port) => {
          const repo = await open('mirror', { url: `http://127.0.0.1:${port}/config.git` });
          expect(await repo.push(aPush(await fetchTip(repo)), never)).toMatchObject({ kind: 'landed' });
          await repo.close();
        },
      );
    }));
});
