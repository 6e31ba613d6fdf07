import { connect } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/lib/log.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/server.ts';

const running: RunningServer[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

async function start(options: Partial<ServerOptions> = {}): Promise<{ url: string; server: RunningServer }> {
  const server = await startServer({
    port: 0,
    host: '127.0.0.1',
    registry: new Registry(),
    notReady: () => [],
    notes: () => [],
    notAlive: () => [],
    log: silentLogger,
    ...options,
  });
  running.push(server);
  return { url: `http://127.0.0.1:${server.port}`, server };
}
const ask = async (url: string, init: RequestInit = {}): Promise<{ status: number; text: string; type: string }> => {
  const response = await fetch(url, init);
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') ?? '' };
};

describe('the server for the kubelet and Prometheus', () => {
  it('says that all is well', async () => {
    const { url } = await start();
    expect(await ask(`${url}/healthz`)).toMatchObject({ status: 200, text: 'OK' });
    expect(await ask(`${url}/readyz?verbose`)).toMatchObject({ status: 200, text: 'OK' });
  });

  it('says why the agent is not ready although it lives, and is asked each time [R88]', async () => {
    let reasons = ['Git was not reached for 6 minutes', 'Canary: not listed yet'];
    const { url } = await start({ notReady: () => reasons });
    expect(await ask(`${url}/readyz`)).toMatchObject({ status: 503, text: `${reasons.join('\n')}\n` });
    expect((await ask(`${url}/healthz`)).status).toBe(200);
    reasons = [];
    expect((await ask(`${url}/readyz`)).status).toBe(200);
  });

  it('says what a person should know although the agent is ready', async () => {
    const notes = () => ['nothing is deleted: …'];
    const { url } = await start({ notes });
    expect(await ask(`${url}/readyz`)).toMatchObject({ status: 200, text: 'OK\nnothing is deleted: …\n' });
    expect(await ask(`${url}/healthz`)).toMatchObject({ status: 200, text: 'OK' });
    const { url: other } = await start({ notes, notReady: () => ['no Git'] });
    expect(await ask(`${other}/readyz`)).toMatchObject({ status: 503, text: 'no Git\nnothing is deleted: …\n' });
  });

  it('says when a restart would help [R88]', async () => {
    const { url } = await start({ notAlive: () => ['the loop stands still'] });
    expect(await ask(`${url}/healthz`)).toMatchObject({ status: 503, text: 'the loop stands still\n' });
  });

  it('shows the metrics as Prometheus reads them', async () => {
    const registry = new Registry();
    new Counter({ name: 'things_total', help: 'Things', registers: [registry] }).inc(3);
    const { url } = await start({ registry });
    const { status, text, type } = await ask(`${url}/metrics`);
    expect(status).toBe(200);
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toContain('# TYPE things_total counter\nthings_total 3\n');
  });

  it('answers that metrics cannot be shown, and goes on', async () => {
    const registry = new Registry();
    new Gauge({
      name: 'broken',
      help: 'Broken',
      registers: [registry],
      collect: () => {
        throw new Error('secret details');
      },
    });
    const { url } = await start({ registry });
    expect(await ask(`${url}/metrics`)).toMatchObject({ status: 500, text: 'metrics cannot be shown\n' });
    expect((await ask(`${url}/healthz`)).status).toBe(200);
  });

  it('changes nothing and has nothing else', async () => {
    const { url } = await start();
    expect((await ask(`${url}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await ask(`${url}/`)).status).toBe(404);
    expect((await ask(`${url}/../etc/passwd`)).status).toBe(404);
    expect(await ask(`${url}/healthz`, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });

  it('answers nobody any more once it is closed, whoever still holds a connection', async () => {
    const { url, server } = await start();
    await ask(`${url}/healthz`);
    const idle = connect(server.port, '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    const ended = new Promise((resolve) => idle.once('close', resolve));
    idle.on('error', () => undefined);
    await server.close();
    await ended;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('says in one line that its port is taken', async () => {
    const { server } = await start();
    await expect(start({ port: server.port })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^--port: cannot listen on port \d+: .*EADDRINUSE/),
    });
  });
});
