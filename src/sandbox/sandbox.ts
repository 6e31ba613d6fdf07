import { parseAllDocuments } from 'yaml';
import { systemClock } from '../lib/clock.ts';
import { perText } from '../lib/memo.ts';
import { startServer } from './api/http/server.ts';
import { createStore } from './api/store.ts';
import { startMetrics } from './metrics/metrics.ts';
import { startTraffic } from './traffic/traffic.ts';
import type { Address, Sandbox, SandboxOptions, SandboxStore, World } from './types.ts';
import { startProxy } from './world/proxy.ts';
import { startWorld } from './world/world.ts';

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Names under which people's configuration looks for Prometheus, and ingress controllers' services. */
const prometheusNames = ['prometheus', 'prometheus.monitoring', 'prometheus.istio-system', 'prometheus.linkerd-viz'];
const gatewayNames = ['traefik.traefik', 'ingress-nginx-controller.ingress-nginx'];

/** Starts the embedded cluster: API server, controllers with running pods, gateway, metrics. Loopback only. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const clock = options.clock ?? systemClock;
  const store = createStore(clock);
  seed(store);
  const stops: (() => Promise<void>)[] = [];
  const started = <T extends { stop(): Promise<void> }>(part: T): T => {
    stops.unshift(() => part.stop());
    return part;
  };
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0)) await one();
  };
  try {
    const metrics = started(await startMetrics({ clock }));
    // The gateway sends to pods and pods may send to the gateway, so one of them has to come first.
    let world: World | undefined;
    const backends: Pick<World, 'podBackends'> = {
      podBackends: (namespace, service, port) => world?.podBackends(namespace, service, port) ?? [],
    };
    const traffic = started(await startTraffic({ store, backends, metrics, clock }));
    const known = wellKnown(new URL(metrics.url), new URL(traffic.url));
    const route = (host: string, port: number, from?: string): Address | undefined =>
      known.get(`${host}:${port}`) ?? traffic.route(host, port, from);
    world = started(
      startWorld({
        store,
        clock,
        podStartMs: options.podStartMs ?? 1_000,
        standIns: options.standIns ?? false,
        onRequest: (seen) => metrics.countPod(seen),
        route,
      }),
    );
    const running = world;
    const proxy = started(
      await startProxy({ resolve: (host, port) => route(host, port) ?? running.resolve(host, port), extra: known }),
    );
    const server = started(
      await startServer(store, (namespace, name) => running.pod(namespace, name), options.apiPort),
    );
    const apiUrl = `http://127.0.0.1:${server.port}`;
    return {
      apiUrl,
      kubeconfig: kubeconfigFor(apiUrl),
      proxyUrl: proxy.url,
      gatewayUrl: traffic.url,
      prometheusUrl: metrics.url,
      faults: server.faults,
      metricsFaults: metrics.faults,
      store,
      watches: () => server.watches(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What stands in a cluster before anybody has used it. */
function seed(store: SandboxStore): void {
  for (const name of systemNamespaces) store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  store.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }] },
  });
}

function wellKnown(prometheus: URL, gateway: URL): ReadonlyMap<string, Address> {
  const addressOf = (url: URL): Address => ({ host: url.hostname, port: Number(url.port) });
  const spellings = (name: string): readonly string[] => [name, `${name}.svc`, `${name}.svc.cluster.local`];
  return new Map([
    ...prometheusNames.flatMap(spellings).map((name) => [`${name}:9090`, addressOf(prometheus)] as const),
    ...gatewayNames.flatMap(spellings).map((name) => [`${name}:80`, addressOf(gateway)] as const),
  ]);
}

function kubeconfigFor(apiUrl: string): string {
  return `apiVersion: v1
kind: Config
current-context: sandbox
clusters:
- name: sandbox
  cluster:
    server: ${apiUrl}
    insecure-skip-tls-verify: true
contexts:
- name: sandbox
  context:
    cluster: sandbox
    user: sandbox
users:
- name: sandbox
  user: {}
`;
}

/** Definitions are large, and those who begin clusters give each of them the same ones. */
const definitionsIn = perText(32, (yamlText) =>
  parseAllDocuments(yamlText).flatMap((document) => {
    const object = document.toJS() as { kind?: string; metadata?: { name?: string } } | null;
    const { kind, metadata } = object ?? {};
    return kind === 'CustomResourceDefinition' ? [{ name: metadata?.name, body: JSON.stringify(object) }] : [];
  }),
);

/** Applies CustomResourceDefinitions of a multi-document YAML text, as a user would. */
export async function installCrds(apiUrl: string, yamlText: string): Promise<void> {
  for (const { name, body } of definitionsIn(yamlText)) {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name ?? ''}`;
    const response = await fetch(`${apiUrl}${path}?fieldManager=kubectl&force=true`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body,
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${name ?? 'a definition'} was refused: ${answer}`);
  }
}
