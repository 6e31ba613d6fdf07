import { createServer, type IncomingHttpHeaders, type IncomingMessage, request as open, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../src/lib/clock.ts';
import { createStore } from '../../../src/sandbox/api/store.ts';
import type { IngressLabels, Proxied } from '../../../src/sandbox/metrics/families.ts';
import type { Backend, SandboxStore } from '../../../src/sandbox/types.ts';
import type { ProxyCounts } from '../../../src/sandbox/traffic/gateway.ts';
import { startTraffic, type Traffic } from '../../../src/sandbox/traffic/traffic.ts';

/** What an echoing pod tells of the request that it got. */
interface Echo {
  readonly service: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly echo: Echo;
}

export interface TestGateway {
  readonly traffic: Traffic;
  readonly store: SandboxStore;
  /** What the proxies counted, in order. */
  readonly counted: (({ service: string } | IngressLabels) & Proxied)[];
  readonly echoes: Echo[];
  readonly forgotten: string[];
  apply(...objects: readonly Record<string, unknown>[]): void;
  /** A Service in the namespace `test` with an echoing pod behind each; no ready pod with `pods: 0`. */
  service(name: string, options?: { port?: number; pods?: number; handle?: PodHandler }): Promise<void>;
  ask(host: string, path?: string, init?: Init): Promise<Answered>;
  /** How many of `count` requests reach which service, or end with which status when none. */
  spread(host: string, count: number, path?: string, init?: Init): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

interface Init {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

type PodHandler = (
  request: IncomingMessage,
  respond: (status: number, headers: Record<string, string>) => void,
) => void;

/** A gateway on a store that knows the routing kinds, and real servers for pods. */
export async function aGateway(metrics: Partial<ProxyCounts> = {}): Promise<TestGateway> {
  const store = createStore(systemClock);
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'test' } });
  for (const definition of definitions) store.create(definition);
  const servers: Server[] = [];
  const pods = new Map<string, Backend[]>();
  const counted: TestGateway['counted'] = [];
  const echoes: Echo[] = [];
  const forgotten: string[] = [];
  const traffic = await startTraffic({
    store,
    clock: systemClock,
    backends: { podBackends: (namespace, service, port) => pods.get(`${namespace}/${service}:${port}`) ?? [] },
    metrics: {
      countTraefik: (service, request) => counted.push({ service, ...request }),
      countIngress: (ingress, request) => counted.push({ ...ingress, ...request }),
      countEnvoy: () => undefined,
      countSkipper: () => undefined,
      countApisix: () => undefined,
      ...metrics,
      forgetPod: (namespace, name) => forgotten.push(`${namespace}/${name}`),
    },
  });
  const ask: TestGateway['ask'] = (host, path = '/', { method = 'GET', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const request = open(new URL(path, traffic.url), { method, headers: { ...headers, host } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const echo = (text.startsWith('{') ? JSON.parse(text) : {}) as Echo;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, echo });
        });
      });
      request.once('error', reject);
      request.end(body);
    });
  return {
    traffic,
    store,
    counted,
    echoes,
    forgotten,
    apply: (...objects) => {
      for (const object of objects) store.create(object);
    },
    async service(name, { port = 80, pods: count = 1, handle } = {}) {
      store.create({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'test' },
        spec: { selector: { app: name }, ports: [{ name: 'http', port, targetPort: 9898 }] },
      });
      const backends: Backend[] = [];
      for (let index = 0; index < count; index += 1) {
        const server = await echoServer(name, echoes, handle);
        servers.push(server);
        const { port: own } = server.address() as AddressInfo;
        backends.push({
          host: '127.0.0.1',
          port: own,
          pod: { namespace: 'test', name: `${name}-${index}`, labels: {} },
        });
      }
      pods.set(`test/${name}:${port}`, backends);
    },
    ask,
    async spread(host, count, path, init) {
      const found: Record<string, number> = {};
      for (let turn = 0; turn < count; turn += 1) {
        const { status, echo } = await ask(host, path, init);
        const key = echo.service ?? String(status);
        found[key] = (found[key] ?? 0) + 1;
      }
      return found;
    },
    async stop() {
      await traffic.stop();
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

async function echoServer(service: string, echoes: Echo[], handle: PodHandler | undefined): Promise<Server> {
  const server = createServer((request, response) => {
    if (handle) {
      handle(request, (status, headers) => response.writeHead(status, headers).end('handled'));
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const headers = request.headers as Record<string, string>;
      const { method = '', url = '' } = request;
      const echo = { service, method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
      echoes.push(echo);
      response.writeHead(200, {
        'content-type': 'application/json',
        'x-version': service,
        'set-cookie': ['a=1', 'b=2'],
      });
      response.end(JSON.stringify(echo));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

export function routed(
  apiVersion: string,
  kind: string,
  name: string,
  spec: unknown,
  annotations = {},
): Record<string, unknown> {
  return { apiVersion, kind, metadata: { name, namespace: 'test', annotations }, spec };
}

export function httpRoute(name: string, spec: Record<string, unknown>): Record<string, unknown> {
  const parentRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge', namespace: 'infra' }];
  return routed('gateway.networking.k8s.io/v1', 'HTTPRoute', name, { parentRefs, ...spec });
}

export function backend(name: string, weight?: number): Record<string, unknown> {
  return { group: '', kind: 'Service', name, port: 80, ...(weight === undefined ? {} : { weight }) };
}

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

function definition(group: string, versions: readonly string[], kind: string, plural: string, scope = 'Namespaced') {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope,
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema: { ...anything, properties: { spec: anything, status: anything } } },
        subresources: { status: {} },
      })),
    },
  };
}

export const definitions = [
  definition('gateway.networking.k8s.io', ['v1', 'v1beta1'], 'HTTPRoute', 'httproutes'),
  definition('gateway.networking.k8s.io', ['v1'], 'GRPCRoute', 'grpcroutes'),
  definition('gateway.networking.k8s.io', ['v1', 'v1beta1'], 'Gateway', 'gateways'),
  definition('gateway.networking.k8s.io', ['v1', 'v1beta1'], 'GatewayClass', 'gatewayclasses', 'Cluster'),
  definition('traefik.io', ['v1alpha1'], 'IngressRoute', 'ingressroutes'),
  definition('traefik.io', ['v1alpha1'], 'TraefikService', 'traefikservices'),
  definition('apisix.apache.org', ['v2'], 'ApisixRoute', 'apisixroutes'),
  definition('gateway.solo.io', ['v1'], 'VirtualService', 'virtualservices'),
  definition('gateway.solo.io', ['v1'], 'RouteTable', 'routetables'),
  definition('gloo.solo.io', ['v1'], 'Upstream', 'upstreams'),
  definition('kuma.io', ['v1alpha1'], 'TrafficRoute', 'trafficroutes', 'Cluster'),
  definition('appmesh.k8s.aws', ['v1beta2', 'v1beta1'], 'VirtualService', 'virtualservices'),
  definition('appmesh.k8s.aws', ['v1beta2', 'v1beta1'], 'VirtualNode', 'virtualnodes'),
  definition('appmesh.k8s.aws', ['v1beta2'], 'VirtualRouter', 'virtualrouters'),
  definition('split.smi-spec.io', ['v1alpha1', 'v1alpha2', 'v1alpha3'], 'TrafficSplit', 'trafficsplits'),
];
