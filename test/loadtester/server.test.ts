import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { startLoadtester } from '../../src/loadtester/loadtester.ts';
import { createNetworkClient } from '../../src/loadtester/network-client.ts';
import type { Limits } from '../../src/loadtester/program.ts';
import { createSpawn } from '../../src/loadtester/spawn.ts';
import { createLoadSeries } from '../../src/server/load-series.ts';
import { startTaskServer } from '../../src/server/task-server.ts';
import { eventually } from '../helpers/eventually.ts';
import { type Answer, startServer } from '../helpers/http-server.ts';

const ends: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Given {
  readonly programs?: readonly string[];
  readonly limits?: Partial<Limits>;
  readonly allowed?: string;
  readonly answer?: Answer;
  readonly addresses?: readonly string[];
}

/** A load tester on loopback, and an app that it may ask. */
async function aLoadtester({ programs = [], limits = {}, allowed, answer, addresses = ['127.0.0.1'] }: Given = {}) {
  const app = await startServer(answer ?? ((_request, response) => response.end('{"token":"x"}')));
  const lines: string[] = [];
  const { meter, registry } = createLoadSeries();
  const program = startLoadtester({
    port: 0,
    allowed,
    clock: systemClock,
    log: (line) => lines.push(line),
    client: createNetworkClient({ mayLoopback: false, allowed: addresses }),
    limits: { tasks: 10, workers: 50, taskMs: 20_000, ...limits },
    ...(programs.length === 0
      ? {}
      : {
          programs: {
            names: programs,
            spawn: createSpawn({ ...process.env, SECRET_TOKEN: 'x', HELM_CACHE_HOME: '/tmp' }),
          },
        }),
    meter,
  });
  const server = await startTaskServer({
    port: 0,
    host: '127.0.0.1',
    program,
    registry,
    answerMs: 25_000,
    log: silentLogger,
  });
  ends.push(
    () => app.close(),
    () => server.close(),
    () => program.end(),
  );
  const url = `http://127.0.0.1:${server.port}`;
  const post = async (path: string, metadata?: object, more: object = {}) => {
    const payload = { name: 'podinfo', namespace: 'test', phase: 'Progressing', checksum: 'a', metadata, ...more };
    const response = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(payload) });
    return { status: response.status, text: await response.text(), load: response.headers.get('serin-load') };
  };
  const bash = (cmd: string) => post('/', { type: 'bash', cmd, returnCmdOutput: 'true' });
  return { app, url, post, bash, lines, metrics: async () => (await fetch(`${url}/metrics`)).text() };
}

describe('serin loadtester', () => {
  it('answers gates as Flagger’s does, whatever the method [LT01]', async () => {
    const { url, post } = await aLoadtester();
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('OK');
    expect(await (await fetch(`${url}/gate/approve`)).text()).toBe('OK');
    expect((await fetch(`${url}/gate/halt`)).status).toBe(403);
    expect(await post('/gate/check')).toMatchObject({ status: 403, text: 'Forbidden' });
    expect(await post('/gate/open')).toMatchObject({ status: 202, text: '' });
    expect(await post('/gate/check')).toMatchObject({ status: 200, text: 'Approved' });
    expect(await post('/rollback/check')).toMatchObject({ status: 403 });
    expect(await post('/gate/close')).toMatchObject({ status: 202 });
    expect(await post('/gate/check')).toMatchObject({ status: 403 });
    expect((await fetch(`${url}/gate/check`, { method: 'POST', body: 'not json' })).status).toBe(400);
    expect((await fetch(`${url}/`, { method: 'POST', body: 'x'.repeat(70_000) })).status).toBe(413);
  });

  it('waits for an acceptance test, and says why it failed [LT02] [LT03] [LT04]', async () => {
    const { app, bash, post } = await aLoadtester();
    const cmd = `curl -sd 'test' ${app.url}/token | grep token`;
    expect(await bash(cmd)).toMatchObject({ status: 200, text: '{"token":"x"}\n' });
    expect(await post('/', { type: 'bash', cmd })).toMatchObject({ status: 200, text: '' });
    expect(app.requests[0]).toMatchObject({ method: 'POST', path: '/token', body: 'test' });
    expect(await bash('false')).toMatchObject({ status: 500, text: 'command false failed: : exit status 1' });
  });

  it('sends a load in the background, once, and tells at each further call what came of it [LT05]', async () => {
    let count = 0;
    const { app, post, lines, metrics } = await aLoadtester({
      answer: (_request, response) => {
        response.statusCode = (count += 1) % 4 === 0 ? 500 : 200;
        response.end();
      },
    });
    const cmd = `hey -n 20 -c 2 ${app.url}/`;
    expect(await post('/', { cmd, logCmdOutput: 'true' })).toEqual({ status: 202, text: '', load: null });
    await eventually('the load', () => lines.includes(`command finished ${cmd}`));
    expect(lines.join('\n')).toContain('[200]\t15 responses');
    const { load } = await post('/', { cmd });
    expect(JSON.parse(load ?? '')).toEqual({
      canary: {
        requests: 20,
        failed: 5,
        p50Ms: expect.any(Number),
        p95Ms: expect.any(Number),
        p99Ms: expect.any(Number),
      },
    });
    expect(await metrics()).toContain(
      'serin_loadtester_requests_total{name="podinfo",namespace="test",side="canary",code="500"} ',
    );
    // Another revision begins at nothing.
    await eventually('the second load', () => lines.filter((line) => line === `command finished ${cmd}`).length === 2);
    expect(await post('/', { cmd }, { checksum: 'b' })).toMatchObject({ status: 202, load: null });
  });

  it('cannot send a paired load where it does not know the primary by the canary’s name', async () => {
    const { app, post } = await aLoadtester();
    expect(await post('/', { cmd: `hey -n 5 -c 1 ${app.url}/`, paired: 'true' })).toMatchObject({
      status: 400,
      text: expect.stringContaining('a paired load needs a URL whose host is the canary'),
    });
  });

  it.each([
    [
      { type: 'helm', cmd: 'test podinfo' },
      'needs the program helm, which is not allowed: start the load tester with --allow-shell helm',
    ],
    [{ type: 'kubectl', cmd: 'get pods' }, 'needs the program kubectl'],
    [{ type: 'concord', org: 'x' }, 'task type concord is not supported: '],
    [{ type: 'ngrinder', server: 'x' }, 'task type ngrinder is not supported: '],
    [{ type: 'poem', cmd: 'x' }, 'unknown task type poem'],
    [{ type: 'toString', cmd: 'x' }, 'unknown task type toString'],
    [{ cmd: 'ghz -z 1m --insecure podinfo.test:9898' }, '"ghz" is not there'],
    [{ type: 'bash', cmd: 'curl http://a/ > /tmp/x' }, '">" is not understood'],
    [{ type: 'bash', cmd: 'curl -d @/etc/passwd http://a/' }, 'curl may read no files'],
    [{ cmd: 'hey -c 51 http://a/' }, '51 workers are more than the 50 of --max-workers'],
    [{ cmd: 'hey -x http://proxy http://a/' }, 'option -x is not understood'],
    [{ cmd: 5 }, 'cmd not found in metadata'],
    [{}, 'metadata not found in payload'],
  ])('refuses %j by name, and says what to do', async (metadata, text) => {
    const { post } = await aLoadtester();
    expect(await post('/', metadata)).toMatchObject({ status: 400, text: expect.stringContaining(text) });
  });

  it.each([
    'http://169.254.169.254/latest',
    'http://metadata.google.internal/',
    'http://[fe80::1]/',
    'http://127.0.0.2:1/',
  ])('does not ask %s for anybody', async (address) => {
    const { bash } = await aLoadtester();
    expect(await bash(`curl -sS ${address}`)).toMatchObject({
      status: 500,
      text: expect.stringMatching(/is not asked: its address is /),
    });
  });

  it('does not follow a redirect to where it may not ask', async () => {
    const { app, bash } = await aLoadtester({
      answer: (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
    });
    expect((await bash(`curl -sSL ${app.url}/`)).text).toContain('is not asked');
  });

  it('runs the programs that it is allowed, without a shell, and no others', async () => {
    const { bash, post } = await aLoadtester({ programs: ['printf', 'env', 'helm'] });
    expect(await bash(`printf '%s|' 'a b' '$HOME' | grep HOME`)).toMatchObject({ status: 200, text: 'a b|$HOME|\n' });
    const seen = (await bash('env')).text.split('\n').map((line) => line.split('=')[0]);
    expect(seen).toEqual(expect.arrayContaining(['PATH', 'HOME', 'LANG', 'HELM_CACHE_HOME']));
    expect(seen).not.toContain('SECRET_TOKEN');
    expect(await bash('printf $(id)')).toMatchObject({ status: 400 });
    expect(await bash('id')).toMatchObject({ status: 400 });
    // Allowed, and not there: or there, and without a cluster.
    expect(await post('/', { type: 'helmv3', cmd: 'test podinfo | tee x' })).toMatchObject({ status: 400 });
  });

  it('gives to a shell that is allowed what it does not understand itself', async () => {
    const { bash } = await aLoadtester({ programs: ['bash'] });
    expect(await bash('x=$(echo 1); echo "$x" || true')).toMatchObject({ status: 200, text: '1\n' });
    expect(await bash('yes | head -c 200000')).toMatchObject({
      status: 200,
      text: expect.stringMatching(/^(?:y\n){32768}$/),
    });
    expect(await bash('exit 3')).toMatchObject({ status: 500, text: 'command exit 3 failed: : exit status 3' });
  });

  it('ends what takes too long, and all that it started', async () => {
    const { bash, lines } = await aLoadtester({ programs: ['bash'], limits: { taskMs: 300 } });
    expect(await bash('sleep 30 & sleep 30; :')).toMatchObject({
      status: 500,
      text: 'command sleep 30 & sleep 30; : failed: : ended after 300ms',
    });
    expect(lines.at(-1)).toContain('ended after 300ms');
  });

  it('ends a test whose caller has gone, and takes no more tasks than it is told', async () => {
    const { app, url, post, lines } = await aLoadtester({ limits: { tasks: 1 }, answer: () => undefined });
    const cmd = `curl -s ${app.url}/`;
    const gone = new AbortController();
    const body = JSON.stringify({ name: 'a', namespace: 'b', metadata: { type: 'bash', cmd } });
    const asked = fetch(url, { method: 'POST', body, signal: gone.signal }).catch(() => 'gone');
    await eventually('its begin', () => lines.includes(`task starting ${cmd}`));
    expect(await post('/', { type: 'bash', cmd: 'true' })).toMatchObject({
      status: 429,
      text: '1 tasks run already, which is the most that --max-tasks allows',
    });
    gone.abort();
    expect(await asked).toBe('gone');
    await eventually('its end', () => lines.at(-1)?.startsWith('command failed curl') === true);
    expect(await post('/', { type: 'bash', cmd: 'true' })).toMatchObject({ status: 200 });
  });

  it('takes a namespace for one that may ask only where its whole name does', async () => {
    const { post } = await aLoadtester({ allowed: 'team-.*|test' });
    expect((await post('/gate/open')).status).toBe(202);
    expect((await post('/gate/open', undefined, { namespace: 'my-test' })).status).toBe(403);
    expect((await post('/', { cmd: 'true' }, { namespace: 'not-team-a' })).status).toBe(403);
  });

  it('does not stand still for a pattern or a label that somebody made up', async () => {
    const { bash, post, metrics } = await aLoadtester();
    expect(await bash(`echo ${'a'.repeat(40)}! | grep -c '(a+)+$'`)).toMatchObject({ status: 500 });
    await post('/', { cmd: 'hey -n 1 http://127.0.0.1:1/' }, { name: 'x"} 1\nevil', namespace: 'test' });
    await eventually('the load', async () => (await metrics()).includes('type="cmd"'));
    expect(await metrics()).not.toContain('evil');
  });
});

describe('the examples of Flagger’s manual', () => {
  const examples = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../fixtures/loadtester/manual.json'), 'utf8'),
  ) as readonly {
    readonly metadata: Readonly<Record<string, string>>;
    readonly answer: number;
    readonly says?: string;
  }[];

  it.each(examples)('$metadata is answered by $answer', async ({ metadata, answer, says = '' }) => {
    const { post } = await aLoadtester();
    expect(await post('/', metadata)).toMatchObject({ status: answer, text: expect.stringContaining(says) });
  });
});

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: { readonly metadata?: Readonly<Record<string, string>> };
  readonly status: number;
  readonly text: string;
}

describe('the calls of a real Flagger (1.36.1), in a release of a pod on a real cluster', () => {
  const calls = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../fixtures/loadtester/flagger-1.36.1.json'), 'utf8'),
  ) as readonly Call[];

  it('are answered as they were when Flagger promoted by the answers', async () => {
    const { app, url, lines } = await aLoadtester({
      answer: (_request, response) => response.end('VERSION=3.1.1'),
    });
    const here = (text: string): string => text.replaceAll('http://podinfo-canary.test:9898', app.url);
    for (const { method, path, body, status, text } of calls) {
      const response = await fetch(`${url}${path}`, { method, body: here(JSON.stringify(body)) });
      expect({ path, body, status: response.status, text: await response.text() }).toEqual({
        path,
        body,
        status,
        text,
      });
    }
    // Ordered at each look, and begun once.
    expect(lines.filter((line) => line.startsWith('task starting hey'))).toHaveLength(1);
  });
});
