import { afterEach, describe, expect, it } from 'vitest';
import { aDeployment, aService, aWorld, isRolledOut, scale, type TestWorld } from './a-world.ts';

interface Subset {
  addresses?: { ip: string }[];
  ports: unknown;
}

let world: TestWorld;
afterEach(() => world.stop());

const rolledOut = (name = 'podinfo') => world.until('rolled out', () => isRolledOut(world.deployment(name)));

describe('a Service', () => {
  it('has Endpoints and an EndpointSlice of its ready pods', async () => {
    world = aWorld();
    world.store.create(aService('podinfo', 80, 'http'));
    world.store.create(aDeployment({ replicas: 2 }));
    await rolledOut();
    const ips = world.pods().map(({ status }) => status?.podIP);
    const endpoints = await world.until('both', () => {
      const found = world.objects.get('Endpoints', 'test', 'podinfo');
      const [subset] = (found?.['subsets'] ?? []) as Subset[];
      return subset?.addresses?.length === 2 && subset;
    });
    expect(new Set(endpoints.addresses?.map(({ ip }) => ip))).toEqual(new Set(ips));
    expect(endpoints.ports).toEqual([{ name: 'http', port: 9898, protocol: 'TCP' }]);
    const [slice] = world.objects.list('EndpointSlice', 'test');
    expect(slice?.metadata.labels).toMatchObject({ 'kubernetes.io/service-name': 'podinfo' });
    expect(slice?.['endpoints']).toMatchObject([{ conditions: { ready: true } }, { conditions: { ready: true } }]);
  });

  it('shows pods that are not ready as such and sends them nothing', async () => {
    world = aWorld();
    const container = { readinessProbe: { httpGet: { path: '/readyz', port: 9898 } } };
    world.store.create(aService('podinfo'));
    world.store.create(aDeployment({ image: 'podinfo:3.1.4', container }));
    const endpoints = await world.until('an address', () => {
      const found = world.objects.get('Endpoints', 'test', 'podinfo');
      return found?.['subsets'] ? found : undefined;
    });
    expect(endpoints['subsets']).toMatchObject([{ notReadyAddresses: [{ nodeName: 'sandbox' }] }]);
    expect(world.resolve('podinfo.test', 9898)).toBeUndefined();
    expect(world.podBackends('test', 'podinfo', 9898)).toEqual([]);
  });

  it('is found by all its names and shares requests out in turn', async () => {
    world = aWorld();
    world.store.create(aService('podinfo', 80, 9898));
    world.store.create(aDeployment({ replicas: 2 }));
    await rolledOut();
    await world.until('both', () => world.podBackends('test', 'podinfo', 80).length === 2);
    const clusterIp = world.objects.get('Service', 'test', 'podinfo')?.spec.clusterIP ?? '';
    const names = [
      'podinfo.test',
      'podinfo.test.svc',
      'podinfo.test.svc.cluster.local',
      'podinfo.test.svc.cluster.local.',
    ];
    for (const name of clusterIp ? [...names, clusterIp] : names) {
      expect(world.resolve(name, 80)?.pod.labels).toMatchObject({ app: 'podinfo' });
    }
    const turns = [1, 2, 3, 4].map(() => world.resolve('podinfo', 80, 'test')?.pod.name);
    expect(new Set(turns).size).toBe(2);
    expect(turns[0]).toBe(turns[2]);
    for (const [host, port] of [
      ['podinfo', 80],
      ['podinfo.test', 81],
      ['podinfo.elsewhere', 80],
      ['podinfo.test.example.com', 80],
    ] as const) {
      expect(world.resolve(host, port)).toBeUndefined();
    }
  });

  it('that points at a port where the program does not listen leads nowhere', async () => {
    world = aWorld();
    world.store.create(aService('podinfo', 80, 8080));
    world.store.create(aDeployment());
    await rolledOut();
    expect(world.resolve('podinfo.test', 80)).toBeUndefined();
  });

  it('follows its selector, scaling and its own deletion', async () => {
    world = aWorld();
    world.store.create(aService('podinfo'));
    world.store.create(aDeployment());
    world.store.create(aDeployment({ name: 'other', image: 'podinfo:3.1.1' }));
    await rolledOut();
    await rolledOut('other');
    world.objects.change<'Service'>(world.objects.get('Service', 'test', 'podinfo') ?? never(), (draft) => {
      draft.spec.selector = { app: 'other' };
    });
    await world.until('the other', () => world.resolve('podinfo.test', 9898)?.pod.labels['app'] === 'other');
    scale(world, 'other', 0);
    await world.until('nobody', () => world.resolve('podinfo.test', 9898) === undefined);
    world.store.remove('v1', 'Service', 'test', 'podinfo');
    await world.until('no endpoints', () => world.objects.list('Endpoints', 'test').length === 0);
    await world.until('no slices', () => world.objects.list('EndpointSlice', 'test').length === 0);
  });

  it('may be overruled by a route, for pods and their names', async () => {
    const asked: string[] = [];
    world = aWorld({
      route: (host, port, from) => {
        asked.push(`${host}:${port} from ${from}`);
        return undefined;
      },
    });
    world.store.create(
      aDeployment({ name: 'tester', image: 'flagger-loadtester:0.30.0', container: { args: ['-port=8080'] } }),
    );
    world.store.create(aService('tester', 80, 8080));
    await rolledOut('tester');
    const payload = {
      name: 'app',
      namespace: 'test',
      metadata: { type: 'bash', cmd: 'curl -s http://app.example.com/' },
    };
    expect((await world.ask('http://tester/', JSON.stringify(payload))).status).toBe(500);
    expect(asked).toEqual(['app.example.com:80 from test']);
  });
});

function never(): never {
  throw new Error('it must be there');
}
