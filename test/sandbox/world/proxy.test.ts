import { connect } from 'node:net';
import { ProxyAgent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Address } from '../../../src/sandbox/types.ts';
import { type Proxy, startProxy } from '../../../src/sandbox/world/proxy.ts';
import { deadUrl, startServer, type TestServer } from '../../helpers/http-server.ts';

let server: TestServer;
let proxy: Proxy;
let gone: Address;
const agents: ProxyAgent[] = [];

beforeEach(async () => {
  server = await startServer((incoming, response, body) => {
    response.setHeader('x-host', incoming.headers.host ?? '');
    response.end(`${incoming.method} ${incoming.url} ${body}`);
  });
  gone = addressOf(await deadUrl());
  const address = addressOf(server.url);
  proxy = await startProxy({
    resolve: (host, port) =>
      host === 'podinfo.test' && port === 80 ? address : host === 'gone.test' ? gone : undefined,
    extra: new Map([['prometheus.monitoring:9090', address]]),
  });
});
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
  await proxy.stop();
  await server.close();
});

function addressOf(url: string): Address {
  return { host: '127.0.0.1', port: Number(new URL(url).port) };
}

async function through(url: string, proxyTunnel: boolean, body?: string) {
  const agent = new ProxyAgent({ uri: proxy.url, proxyTunnel });
  agents.push(agent);
  const options = body === undefined ? {} : { method: 'POST' as const, body };
  const response = await request(url, { dispatcher: agent, ...options });
  return { status: response.statusCode, text: await response.body.text(), host: response.headers['x-host'] };
}

describe.each([
  ['absolute addresses', false],
  ['tunnels', true],
])('the proxy with %s', (_name, tunnel) => {
  it('leads names of the cluster to their pods and keeps the Host header', async () => {
    expect(await through('http://podinfo.test/a?b=c', tunnel)).toEqual({
      status: 200,
      text: 'GET /a?b=c ',
      host: 'podinfo.test',
    });
    expect(await through('http://podinfo.test/', tunnel, 'hello')).toMatchObject({ text: 'POST / hello' });
  });

  it('leads the names that it was given besides, and loopback addresses', async () => {
    expect(await through('http://prometheus.monitoring:9090/q', tunnel)).toMatchObject({ text: 'GET /q ' });
    expect(await through(`${server.url}/x`, tunnel)).toMatchObject({ text: 'GET /x ' });
  });
});

describe('the proxy', () => {
  it('says clearly that a name leads nowhere or that nobody answers', async () => {
    expect(await through('http://example.com/', false)).toMatchObject({
      status: 502,
      text: 'no ready pod of the embedded cluster answers as example.com:80\n',
    });
    expect(await through('http://gone.test/', false)).toMatchObject({
      status: 502,
      text: /gone\.test:80 does not answer/,
    });
  });

  it.each(['example.com:443', 'gone.test:80', 'nonsense'])('refuses a tunnel to %s with 502', async (target) => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1', () => {
        socket.write(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n`);
      });
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.once('end', () => resolve(text));
      socket.once('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
  });

  it('answers plain requests to itself with what it is', async () => {
    const response = await request(`${proxy.url}/hello`);
    expect(response.statusCode).toBe(400);
    expect(await response.body.text()).toContain('this is a proxy');
  });
});
