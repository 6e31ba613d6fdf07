import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltinMetric, builtinQuery, type ProxyName } from '../../../src/metrics/builtin-queries.ts';
import { createStore } from '../../../src/sandbox/api/store.ts';
import { type Metrics, startMetrics } from '../../../src/sandbox/metrics/metrics.ts';
import { startLoad } from '../../../src/sandbox/traffic/load.ts';
import { startTraffic, type Traffic } from '../../../src/sandbox/traffic/traffic.ts';
import type { SandboxStore, World } from '../../../src/sandbox/types.ts';
import { startWorld } from '../../../src/sandbox/world/world.ts';
import { fastClock } from '../../helpers/fast-clock.ts';
import { aDeployment, aService } from '../world/a-world.ts';
import { definitions, routed } from './a-gateway.ts';

const clock = fastClock(20);
let store: SandboxStore;
let metrics: Metrics;
let world: World;
let traffic: Traffic;
beforeEach(async () => {
  store = createStore(clock);
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'test' } });
  for (const definition of definitions) store.create(definition);
  metrics = await startMetrics({ clock });
  world = startWorld({
    store,
    clock,
    podStartMs: 100,
    onRequest: (seen) => metrics.countPod(seen),
    route: (...asked) => traffic.route(...asked),
  });
  traffic = await startTraffic({ store, clock, metrics, backends: world });
});
afterEach(async () => {
  await traffic.stop();
  await world.stop();
  await metrics.stop();
});

async function run(workload: string, service: string, tag: string): Promise<void> {
  store.create(aDeployment({ name: workload, image: `registry.test:5000/podinfo:${tag}` }));
  const selected = aService(workload, 80);
  store.create({ ...selected, metadata: { name: service, namespace: 'test' } });
  await expect.poll(() => world.podBackends('test', service, 80).length, { timeout: 8_000, interval: 10 }).toBe(1);
}

/** The one number that a query gives, asked over HTTP; undefined when it gives none. */
async function valueOf(query: string): Promise<number | undefined> {
  const answer = await fetch(`${metrics.url}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
  const text = data.result[0]?.value[1];
  return text === undefined ? undefined : Number(text);
}

/** The built-in query of the agent. Where nothing has ever succeeded there is no series of successes: that is 0 if there was traffic. */
async function ask(metric: BuiltinMetric, proxy: ProxyName, target: string): Promise<number | undefined> {
  // A wide window: on a busy machine this clock runs seconds ahead between two questions.
  const subject = { namespace: 'test', target, service: target, ingress: 'web', interval: '60s' };
  const { query, factor, traffic: any } = builtinQuery(metric, proxy, subject);
  const value = await valueOf(query);
  if (value === undefined && any !== undefined && ((await valueOf(any)) ?? 0) > 0) return 0;
  return value === undefined ? undefined : value * factor;
}

describe('traffic from the load generator to real pods', () => {
  it('tells a good version from one that fails and is slow, in the metrics of every proxy', async () => {
    await run('podinfo-primary', 'podinfo-primary', '3.1.0');
    await run('podinfo', 'podinfo-canary', '3.1.2');
    const services = ['podinfo-primary', 'podinfo-canary'].map((name) => ({ name, port: 80, weight: 50 }));
    const ingress = (name: string, service: string, annotations = {}) => {
      const paths = [{ path: '/', pathType: 'Prefix', backend: { service: { name: service, port: { number: 80 } } } }];
      return routed(
        'networking.k8s.io/v1',
        'Ingress',
        name,
        { rules: [{ host: 'web.example.com', http: { paths } }] },
        annotations,
      );
    };
    const nginx = 'nginx.ingress.kubernetes.io/canary';
    store.create(routed('traefik.io/v1alpha1', 'TraefikService', 'podinfo', { weighted: { services } }));
    store.create(ingress('web', 'podinfo-primary'));
    store.create(ingress('web-canary', 'podinfo-canary', { [nginx]: 'true', [`${nginx}-weight`]: '50' }));

    const loads = ['podinfo.test', 'web.example.com'].map((host) =>
      startLoad({ url: traffic.url, host, perSecond: 10, total: 150, clock }),
    );
    await Promise.all(loads.map(({ done }) => done));
    for (const load of loads) {
      expect(load.counts()).toMatchObject({
        requests: 150,
        statuses: { 200: 75, 500: 75 },
        versions: { '3.1.0': 75, '3.1.2': 75 },
      });
      expect(load.counts().succeeded).toEqual({ '3.1.0': 75 });
    }
    for (const proxy of ['http', 'linkerd', 'istio', 'traefik', 'nginx'] as const) {
      expect(await ask('request-success-rate', proxy, 'podinfo'), proxy).toBe(0);
      expect(await ask('request-duration', proxy, 'podinfo'), proxy).toBeLessThan(500);
    }
    for (const proxy of ['http', 'linkerd', 'istio'] as const) {
      expect(await ask('request-success-rate', proxy, 'podinfo-primary'), proxy).toBe(100);
    }
  });

  it('shows a slow version as slow whatever the speed of the clock', async () => {
    await run('podinfo', 'podinfo-canary', '3.1.3');
    const services = [{ name: 'podinfo-canary', port: 80 }];
    store.create(routed('traefik.io/v1alpha1', 'TraefikService', 'podinfo', { weighted: { services } }));
    const load = startLoad({ url: traffic.url, host: 'podinfo.test', perSecond: 5, total: 60, clock });
    await load.done;
    expect(load.counts().versions).toEqual({ '3.1.3': 60 });
    for (const proxy of ['http', 'linkerd', 'traefik'] as const) {
      expect(await ask('request-duration', proxy, 'podinfo'), proxy).toBeGreaterThan(500);
      expect(await ask('request-success-rate', proxy, 'podinfo'), proxy).toBe(100);
    }
  });
});
