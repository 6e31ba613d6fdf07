import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCluster } from '../../src/cluster/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { AgentError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { eventually } from '../helpers/eventually.ts';
import { startServer } from '../helpers/http-server.ts';
import { withTempDir } from '../helpers/temp-repo.ts';

const never = new AbortController().signal;
const deps = { clock: systemClock, log: silentLogger };

const kubeconfigFor = (server: string, user: Record<string, unknown>): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'one',
    clusters: [
      { name: 'one', cluster: { server, 'insecure-skip-tls-verify': true } },
      { name: 'two', cluster: { server: 'http://127.0.0.1:1' } },
    ],
    users: [{ name: 'one', user }],
    contexts: [
      { name: 'one', context: { cluster: 'one', user: 'one' } },
      { name: 'two', context: { cluster: 'two', user: 'one' } },
    ],
  });

/** Answers `/version` and lists to those who show the token that is good now. */
async function startGuarded(good: () => string) {
  return startServer((request, response) => {
    const isGood = request.headers.authorization === `Bearer ${good()}`;
    const url = request.url ?? '';
    response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' });
    if (!isGood) response.end(JSON.stringify({ kind: 'Status', code: 401, message: 'Unauthorized' }));
    else if (url.includes('watch=1')) response.flushHeaders();
    else if (url.startsWith('/version')) response.end(JSON.stringify({ gitVersion: 'v1.34.0' }));
    else if (url.includes('/configmaps')) {
      const item = { metadata: { name: `seen-with-${good()}`, namespace: 'default', resourceVersion: '1' } };
      response.end(JSON.stringify({ items: [item], metadata: { resourceVersion: '1' } }));
    } else {
      const resources = [{ name: 'configmaps', kind: 'ConfigMap', namespaced: true, verbs: ['list', 'watch'] }];
      response.end(JSON.stringify({ resources }));
    }
  });
}

describe('credentials', () => {
  it('are read again from the token file when the server refuses the old ones, once for all requests', async () => {
    await withTempDir(async (dir) => {
      let token = 'first';
      const server = await startGuarded(() => token);
      const tokenFile = join(dir, 'token');
      await writeFile(tokenFile, 'first\n');
      const path = join(dir, 'kubeconfig');
      await writeFile(
        path,
        kubeconfigFor(server.url, { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } }),
      );
      const client = await openCluster({ kind: 'file', path }, deps);
      try {
        expect(await client.version(never)).toBe('v1.34.0');
        token = 'second';
        await writeFile(tokenFile, 'second\n');
        const before = server.requests.length;
        const answers = await Promise.all([1, 2, 3].map(() => client.version(never)));
        expect(answers).toEqual(['v1.34.0', 'v1.34.0', 'v1.34.0']);
        expect(server.requests.length - before).toBe(6);
      } finally {
        await client.close();
        await server.close();
      }
    });
  });

  it('are read again from the kubeconfig, also by a watch', async () => {
    await withTempDir(async (dir) => {
      let token = 'first';
      const server = await startGuarded(() => token);
      const path = join(dir, 'kubeconfig');
      await writeFile(path, kubeconfigFor(server.url, { token: 'first' }));
      const client = await openCluster({ kind: 'file', path }, deps);
      const stop = new AbortController();
      try {
        expect(await client.version(never)).toBe('v1.34.0');
        token = 'second';
        await writeFile(path, kubeconfigFor(server.url, { token: 'second' }));
        const view = client.reflect({ apiVersion: 'v1', kind: 'ConfigMap' }, {}, stop.signal);
        await view.synced;
        expect(view.list()[0]?.metadata.name).toBe('seen-with-second');
        const watches = () => server.requests.filter(({ path: url }) => url.includes('watch=1'));
        await eventually('it watches', () => watches().length > 0);
        expect(watches()[0]?.headers.authorization).toBe('Bearer second');
      } finally {
        stop.abort(new Error('over'));
        await client.close();
        await server.close();
      }
    });
  });

  it('that stay refused are an error that says so, without a token in it', async () => {
    const server = await startGuarded(() => 'never this one');
    const client = await openCluster({ kind: 'text', text: kubeconfigFor(server.url, { token: 's3cret' }) }, deps);
    try {
      const error = (await client.version(never).catch((reason: unknown) => reason)) as AgentError;
      expect(error).toMatchObject({ code: 'CLUSTER_REFUSED', details: { status: 401 } });
      expect(error.message).toMatch(/Unauthorized/);
      expect(error.message).not.toContain('s3cret');
    } finally {
      await client.close();
      await server.close();
    }
  });
});

describe('a kubeconfig', () => {
  it('may name the context that is meant', async () => {
    await withTempDir(async (dir) => {
      const path = join(dir, 'kubeconfig');
      await writeFile(path, kubeconfigFor('http://127.0.0.1:2', {}));
      const client = await openCluster({ kind: 'file', path, context: 'two' }, deps);
      expect(client.server).toBe('http://127.0.0.1:1');
      await client.close();
    });
  });

  it.each([
    ['that is not there', { kind: 'file', path: '/nowhere/kubeconfig' }, /\/nowhere\/kubeconfig cannot be read/],
    ['without a cluster', { kind: 'text', text: '{"apiVersion":"v1","kind":"Config"}' }, /names no current cluster/],
    ['that is no YAML', { kind: 'text', text: '{' }, /cannot be read/],
  ] as const)('%s is a clear error', async (_, source, message) => {
    const error = (await openCluster(source, deps).catch((reason: unknown) => reason)) as AgentError;
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toMatch(message);
  });
});
