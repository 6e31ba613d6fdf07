import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fastClock } from '../../helpers/fast-clock.ts';
import type { AppReply, DemoImage, Program } from '../../../src/sandbox/world/images/image.ts';
import { flag } from '../../../src/sandbox/world/images/image.ts';
import { standIn } from '../../../src/sandbox/world/images/stand-in.ts';
import { findImage } from '../../../src/sandbox/world/images/registry.ts';
import type { Clock } from '../../../src/lib/clock.ts';

interface Started {
  readonly program: Program;
  readonly ask: (path: string, body?: string) => Promise<AppReply>;
}

function start(
  image: string,
  env: Record<string, string> = {},
  args: string[] = [],
  clock = fastClock(100),
  { unknown, runsToEnd = false }: { unknown?: DemoImage; runsToEnd?: boolean } = {},
): Started {
  const found = findImage(image, unknown);
  if (!found) throw new Error(`no image ${image}`);
  const program = found.image.start({
    pod: { namespace: 'test', name: 'app-1', labels: {} },
    tag: found.tag,
    args,
    env,
    clock,
    runsToEnd,
    readFile: () => undefined,
    log: () => undefined,
    lookUp: () => undefined,
  });
  return {
    program,
    ask: async (path, body = '') => {
      if (program.kind !== 'serve') throw new Error('it does not serve');
      return program.handle({ method: body === '' ? 'GET' : 'POST', path, headers: {}, body });
    },
  };
}

/** A clock that stands until it is told. */
function stillClock(): Clock & { nowMs: number } {
  return {
    nowMs: 0,
    now() {
      return this.nowMs;
    },
    elapsed() {
      return this.nowMs;
    },
    sleep: () => Promise.resolve(),
    after: () => () => undefined,
  };
}

describe('the registry', () => {
  it.each([
    ['podinfo:3.1.0', '3.1.0'],
    ['stefanprodan/podinfo:4.0.6', '4.0.6'],
    ['registry.test:5000/podinfo:6.0', '6.0'],
    ['ghcr.io/stefanprodan/podinfo:6.1.0-rc.1@sha256:abc', '6.1.0-rc.1'],
    ['csaocpger/quotesbackend:2.1', '2.1'],
    ['quotes:1', '1'],
    ['ghcr.io/fluxcd/flagger-loadtester:0.30.0', '0.30.0'],
    ['busybox:1.35', '1.35'],
    ['registry.k8s.io/pause:3.9', '3.9'],
  ])('has %s', (reference, tag) => {
    expect(findImage(reference)?.tag).toBe(tag);
  });

  it.each([
    'podinfo',
    'podinfo:latest',
    'podinfo:missing-1',
    'podinfo:0.0.0-missing',
    'quotes:4',
    'nginx:1.27',
    'toString:1',
    '',
  ])('does not have "%s"', (reference) => {
    expect(findImage(reference)).toBeUndefined();
  });
});

describe('podinfo', () => {
  it('answers as the real one does', async () => {
    const { ask, program } = start('podinfo:3.1.0', { PODINFO_UI_MESSAGE: 'hi' });
    expect(program).toMatchObject({ kind: 'serve', ports: [9898, 9898] });
    expect(await ask('/')).toMatchObject({
      status: 200,
      headers: { 'x-version': '3.1.0' },
      body: { hostname: 'app-1', version: '3.1.0', message: 'hi', color: '#34577c' },
    });
    expect(await ask('/version')).toMatchObject({ status: 200, body: { version: '3.1.0' } });
    expect(await ask('/status/404')).toMatchObject({ status: 404, body: { status: 404 } });
    expect(await ask('/status/never')).toMatchObject({ status: 400 });
    expect(await ask('/delay/2')).toMatchObject({ status: 200, delayMs: 2_000 });
    expect(await ask('/delay/now')).toMatchObject({ status: 400 });
    expect(await ask('/echo', 'hello')).toMatchObject({ body: 'hello' });
    expect(await ask('/token', 'test')).toMatchObject({ status: 200, body: { token: expect.any(String) } });
    expect(await ask('/token')).toMatchObject({ status: 405 });
    expect(await ask('/nowhere')).toMatchObject({ status: 404 });
  });

  it('counts requests by route and status, but no probes', async () => {
    const { ask } = start('podinfo:3.1.0');
    for (const path of ['/', '/status/503', '/status/503', '/healthz', '/readyz', '/version']) await ask(path);
    const { body } = await ask('/metrics');
    expect(body).toContain('http_requests_total{status="200"} 1\nhttp_requests_total{status="503"} 2\n');
    expect(body).toContain('http_request_duration_seconds_count{method="GET",path="status",status="503"} 2');
    expect(body).toContain('http_request_duration_seconds_bucket{method="GET",path="root",status="200",le="+Inf"} 1');
  });

  it('has versions that are broken', async () => {
    expect(await start('podinfo:3.1.2').ask('/')).toMatchObject({ status: 500 });
    expect(await start('podinfo:3.1.2').ask('/readyz')).toMatchObject({ status: 200 });
    expect(await start('podinfo:3.1.3').ask('/')).toMatchObject({ status: 200, delayMs: 800 });
    expect(await start('podinfo:3.1.4').ask('/readyz')).toMatchObject({ status: 503 });
    expect(start('podinfo:crash').program).toEqual({ kind: 'exit', code: 1, afterMs: 0 });
  });

  it('takes faults from its environment, which goes before those of its version', async () => {
    const clock = stillClock();
    const app = start('podinfo:3.1.2', { FAIL_RATE: '0', DELAY: '50ms', READY_AFTER: '2s' }, [], clock);
    expect(await app.ask('/')).toMatchObject({ status: 200, delayMs: 50 });
    expect(await app.ask('/readyz')).toMatchObject({ status: 503 });
    clock.nowMs = 2_000;
    expect(await app.ask('/readyz')).toMatchObject({ status: 200 });
    await app.ask('/readyz/disable', ' ');
    expect(await app.ask('/readyz')).toMatchObject({ status: 503 });
  });

  it('listens where its arguments say', () => {
    expect(start('podinfo:3.1.0', {}, ['./podinfo', '--port=8080', '--port-metrics', '9797']).program).toMatchObject({
      ports: [8080, 9797],
    });
    expect(flag(['-port', '80'], 'port')).toBe('80');
    expect(flag(['--ports=1'], 'port')).toBeUndefined();
  });
});

describe('the quotes backend', () => {
  it('tells of Star Wars in version 1 and of Star Trek in version 2', async () => {
    expect(await start('quotes:1').ask('/quotes')).toMatchObject({ status: 200, body: { source: 'Star Wars' } });
    expect(await start('quotes:2.1').ask('/quotes')).toMatchObject({ status: 200, body: { source: 'Star Trek' } });
    expect(start('quotes:1').program).toMatchObject({ ports: [3000] });
  });

  it.each([
    ['quotes:3', {}],
    ['quotes:2', { FAIL_ENABLED: '1' }],
  ])('as %s with %o begins to fail a while after its first request', async (image, env) => {
    const clock = stillClock();
    const app = start(image, env, [], clock);
    clock.nowMs = 60_000;
    expect(await app.ask('/quotes')).toMatchObject({ status: 200 });
    clock.nowMs += 3_000;
    expect(await app.ask('/quotes')).toMatchObject({ status: 500 });
    expect(await app.ask('/healthz')).toMatchObject({ status: 200 });
  });
});

describe('busybox', () => {
  it.each([
    [[], { kind: 'exit', code: 0 }],
    [['sleep', '3600'], { kind: 'exit', code: 0, afterMs: 3_600_000 }],
    [['sleep', 'infinity'], { kind: 'idle' }],
    [['sh', '-c', 'echo oops; sleep 2; exit 3'], { kind: 'exit', code: 3, afterMs: 2_000 }],
    [['/bin/sh', '-c', 'while true; do sleep 1; done'], { kind: 'idle' }],
    [['false'], { kind: 'exit', code: 1 }],
  ])('told to run %j does so', (args, program) => {
    expect(start('busybox:1.35', {}, args).program).toMatchObject(program);
  });

  it('runs what nobody knows for ever, and to its end where the pod has one', () => {
    for (const args of [
      ['date'],
      ['sh', '-c', 'until nc -z db 5432; do sleep 1; done'],
      ['wget', '-q', 'http://web'],
    ]) {
      expect(start('busybox:1.35', {}, args).program).toMatchObject({ kind: 'idle' });
      expect(start('busybox:1.35', {}, args, fastClock(100), { runsToEnd: true }).program).toMatchObject({
        kind: 'exit',
        code: 0,
      });
    }
  });

  it('survives any command', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (args) =>
        ['idle', 'exit'].includes(start('busybox:1', {}, args).program.kind),
      ),
    );
  });
});

describe('a stand-in for an image that nobody knows', () => {
  const stand = (image: string, runsToEnd = false) =>
    start(image, {}, [], fastClock(100), { unknown: standIn, runsToEnd });

  it('answers everything on every port, well unless its tag orders otherwise', async () => {
    const { program, ask } = stand('ghcr.io/acme/api:1.4.2');
    expect(program).toMatchObject({ kind: 'serve', ports: 'all' });
    expect(await ask('/any/thing')).toMatchObject({ status: 200, body: { tag: '1.4.2' } });
    expect(await stand('ghcr.io/acme/api:1.4.3-fail').ask('/')).toMatchObject({ status: 500 });
    expect(await stand('ghcr.io/acme/api:slow').ask('/')).toMatchObject({ status: 200, delayMs: 800 });
    expect(stand('ghcr.io/acme/api:v2-crash').program).toEqual({ kind: 'exit', code: 1, afterMs: 0 });
    expect(findImage('ghcr.io/acme/api:2-missing', standIn)).toBeUndefined();
    expect(findImage('ghcr.io/acme/api:failover', standIn)).toBeDefined();
  });

  it('ends at once in a pod that runs to its end', () => {
    expect(stand('ghcr.io/acme/migrate:1', true).program).toEqual({ kind: 'exit', code: 0, afterMs: 0 });
    expect(stand('ghcr.io/acme/migrate:1-fail', true).program).toEqual({ kind: 'exit', code: 1, afterMs: 0 });
  });

  it('takes the place of no image that is known, whose unknown tags are missing', () => {
    expect(findImage('podinfo:none', standIn)).toBeUndefined();
    expect(findImage('acme/api:1')).toBeUndefined();
  });
});
