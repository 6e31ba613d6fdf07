import { expect, it } from 'vitest';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { eventually } from '../../helpers/eventually.ts';

interface PodMetrics {
  readonly metadata: { readonly name: string };
  readonly containers: readonly {
    readonly name: string;
    readonly usage: { readonly cpu: string; readonly memory: string };
  }[];
}

it('what pods use is told by container, more of those that work, and of nodes as their sum', async () => {
  const sandbox = await startSandbox({ podStartMs: 10 });
  try {
    for (const name of ['busy', 'idle'])
      sandbox.store.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', labels: { app: name } },
        spec: { containers: [{ name: 'app', image: 'podinfo:6.0.1' }] },
      });
    sandbox.store.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'busy', namespace: 'default' },
      spec: { selector: { app: 'busy' }, ports: [{ port: 80, targetPort: 9898 }] },
    });
    const root = `${sandbox.apiUrl}/apis/metrics.k8s.io/v1beta1`;
    const list = async (path: string): Promise<readonly PodMetrics[]> =>
      ((await (await fetch(`${root}${path}`)).json()) as { items: PodMetrics[] }).items;
    await eventually('both run', async () => (await list('/namespaces/default/pods')).length === 2);
    const port = new URL(sandbox.proxyUrl).port;
    const { ProxyAgent, request } = await import('undici');
    const dispatcher = new ProxyAgent({ uri: `http://127.0.0.1:${port}` });
    for (let count = 0; count < 20; count += 1) {
      const { statusCode, body } = await request('http://busy.default/', { dispatcher });
      await body.dump();
      expect(statusCode).toBe(200);
    }
    await dispatcher.close();
    const [busy, idle] = await list('/pods');
    expect([busy?.metadata.name, idle?.metadata.name]).toEqual(['busy', 'idle']);
    const nanos = (pod: PodMetrics | undefined): number =>
      Number(/^(\d+)n$/.exec(pod?.containers[0]?.usage.cpu ?? '')?.[1]);
    expect(nanos(busy)).toBeGreaterThan(nanos(idle));
    expect(nanos(idle)).toBe(0);
    expect(await list('/namespaces/default/pods?labelSelector=app%3Didle')).toHaveLength(1);
    const one = (await (await fetch(`${root}/namespaces/default/pods/busy`)).json()) as PodMetrics;
    expect(one).toMatchObject({ kind: 'PodMetrics', containers: [{ name: 'app', usage: { memory: '16384Ki' } }] });
    const node = (await (await fetch(`${root}/nodes/sandbox`)).json()) as unknown;
    expect(node).toMatchObject({ kind: 'NodeMetrics', usage: { memory: '32768Ki' } });
    expect((await fetch(`${root}/namespaces/default/pods/none`)).status).toBe(404);
    expect((await fetch(`${root}/namespaces/default/services`)).status).toBe(404);
  } finally {
    await sandbox.stop();
  }
});
