import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/lib/log.ts';
import { type GateKeeper, type GateServerOptions, startGateServer } from '../../src/server/gate-server.ts';
import { parseGateTokens } from '../../src/server/gate-tokens.ts';
import type { RunningServer } from '../../src/server/listen.ts';

const running: RunningServer[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

interface Fixture {
  readonly post: (path: string, body: unknown, token?: string) => Promise<{ status: number; text: string }>;
  readonly url: string;
  /** What was changed: `gate demo/app open`. */
  readonly changes: string[];
}

/** A keeper of two Canaries, `demo/app` and `prod/app`. */
async function gates(options: Partial<GateServerOptions> = {}): Promise<Fixture> {
  const open = new Set<string>();
  const changes: string[] = [];
  const known = new Set(['demo/app', 'prod/app']);
  const keeper: GateKeeper = {
    stateOf: (gate, namespace, name) => {
      if (!known.has(`${namespace}/${name}`)) return undefined;
      return open.has(`${gate} ${namespace}/${name}`) ? 'open' : 'closed';
    },
    set: async (gate, { namespace, name, open: wanted }) => {
      if (!known.has(`${namespace}/${name}`)) return false;
      open[wanted ? 'add' : 'delete'](`${gate} ${namespace}/${name}`);
      changes.push(`${gate} ${namespace}/${name} ${wanted ? 'open' : 'closed'}`);
      return true;
    },
  };
  const server = await startGateServer({ port: 0, host: '127.0.0.1', gates: keeper, log: silentLogger, ...options });
  running.push(server);
  const url = `http://127.0.0.1:${server.port}`;
  const post: Fixture['post'] = async (path, body, token) => {
    const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: text });
    return { status: response.status, text: await response.text() };
  };
  return { post, url, changes };
}

const tokens = async () => parseGateTokens('# people\nall-of-it\n\n  only-demo demo, test \n');
const app = { name: 'app', namespace: 'demo', phase: 'Waiting', checksum: 'x' };

describe('the gates over HTTP', () => {
  it('answer as the load tester does', async () => {
    const { post, changes } = await gates({ tokens });
    expect(await post('/gate/check', app)).toEqual({ status: 403, text: 'Forbidden' });
    expect(await post('/gate/open', app, 'all-of-it')).toEqual({ status: 202, text: '' });
    expect(await post('/gate/check', app)).toEqual({ status: 200, text: 'Approved' });
    expect(await post('/rollback/check', app)).toEqual({ status: 403, text: 'Forbidden' });
    expect(await post('/rollback/open', app, 'all-of-it')).toEqual({ status: 202, text: '' });
    expect(await post('/rollback/check', app)).toEqual({ status: 200, text: 'Approved' });
    expect(await post('/rollback/close', app, 'all-of-it')).toEqual({ status: 202, text: '' });
    expect(await post('/gate/close', app, 'all-of-it')).toEqual({ status: 202, text: '' });
    expect(await post('/gate/check', app)).toEqual({ status: 403, text: 'Forbidden' });
    expect(await post('/gate/approve', app)).toEqual({ status: 200, text: 'OK' });
    expect(await post('/gate/halt', app)).toEqual({ status: 403, text: 'Forbidden' });
    expect(changes).toEqual([
      'gate demo/app open',
      'rollback demo/app open',
      'rollback demo/app closed',
      'gate demo/app closed',
    ]);
  });

  it('say that they live [LT01]', async () => {
    const { url } = await gates();
    const response = await fetch(`${url}/healthz`);
    expect([response.status, await response.text()]).toEqual([200, 'OK']);
  });

  it('are changed by nobody where no token is set, and by nobody without one', async () => {
    const shut = await gates();
    expect((await shut.post('/gate/open', app, 'all-of-it')).status).toBe(403);
    const { post, changes } = await gates({ tokens });
    expect((await post('/gate/open', app)).status).toBe(401);
    expect((await post('/gate/open', app, 'guess')).status).toBe(401);
    expect((await post('/gate/open', app, '#')).status).toBe(401);
    expect([...shut.changes, ...changes]).toEqual([]);
  });

  it('are changed in the namespaces of a token only, whatever the caller says [R100]', async () => {
    const { post, changes } = await gates({ tokens });
    expect((await post('/gate/open', { name: 'app', namespace: 'prod' }, 'only-demo')).status).toBe(403);
    expect((await post('/gate/open?namespace=demo', { name: 'app', namespace: 'prod' }, 'only-demo')).status).toBe(403);
    expect((await post('/gate/open', { name: 'app', namespace: 'xdemo' }, 'only-demo')).status).toBe(403);
    expect((await post('/gate/open', app, 'only-demo')).status).toBe(202);
    expect(changes).toEqual(['gate demo/app open']);
  });

  it('run nothing: what the load tester executes is refused on every path [R100] [R101]', async () => {
    const { post, changes } = await gates({ tokens });
    const types = ['cmd', 'bash', 'helm', 'helmv3', 'kubectl', 'concord', 'ngrinder', 'no such type', undefined];
    for (const type of types) {
      const body = { ...app, metadata: { ...(type === undefined ? {} : { type }), cmd: 'touch /tmp/owned' } };
      for (const path of ['/', '/gate/check', '/gate/open', '/gate/approve', '/rollback/check', '/anything']) {
        expect([400, 404]).toContain((await post(path, body, 'all-of-it')).status);
      }
    }
    expect(changes).toEqual([]);
  });

  it('exempt nothing: an approval needs a Canary that is looked after, too [R108]', async () => {
    const { post } = await gates();
    for (const path of ['/gate/approve', '/gate/check', '/gate/halt', '/rollback/check'])
      expect(await post(path, { name: 'app', namespace: 'elsewhere' })).toEqual({ status: 403, text: 'Forbidden' });
    for (const path of ['/gate/approve', '/gate/check']) expect((await post(path, '')).status).toBe(400);
  });

  it('tell a Canary that does not exist from one that may not be touched', async () => {
    const { post } = await gates({ tokens });
    expect((await post('/gate/open', { name: 'nobody', namespace: 'demo' }, 'only-demo')).status).toBe(404);
    expect((await post('/gate/open', { name: 'nobody', namespace: 'prod' }, 'only-demo')).status).toBe(403);
  });

  it('refuse what is no payload', async () => {
    const { post, url } = await gates({ tokens });
    const wrong = ['{', '[]', 'null', '{}', { name: 'app' }, { name: 1, namespace: 'demo' }];
    const names = ['../x', 'a/b', 'A', '', 'x'.repeat(300)].map((name) => ({ name, namespace: 'demo' }));
    for (const body of [...wrong, ...names, { ...app, filler: 'x'.repeat(70_000) }])
      expect((await post('/gate/check', body)).status).toBe(400);
    const chunks = new ReadableStream({
      pull: (stream) => stream.enqueue(new TextEncoder().encode(' '.repeat(10_000))),
    });
    const endless = { method: 'POST', body: chunks, duplex: 'half' } as RequestInit;
    expect((await fetch(`${url}/gate/check`, endless)).status).toBe(400);
    expect((await fetch(`${url}/gate/check`)).status).toBe(405);
    expect((await fetch(`${url}/rollback/approve`, { method: 'POST', body: '{}' })).status).toBe(404);
  });
});

describe('the tokens', () => {
  it('stand one a line, with the namespaces that they are for', () => {
    expect(parseGateTokens('# who\na\n\nb  x,y z\n')).toEqual([
      { token: 'a' },
      { token: 'b', namespaces: ['x', 'y', 'z'] },
    ]);
    expect(parseGateTokens('')).toEqual([]);
  });
});
