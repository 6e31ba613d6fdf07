import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { close, listen } from '../metrics/loopback.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Backend, SandboxStore, World } from '../types.ts';
import { parseClusterHost } from './cluster-host.ts';
import { decideMesh } from './cluster-name.ts';
import { decide, decideByHost } from './decide.ts';
import { answerPlainly, forward, mirror, type Outcome } from './forward.ts';
import { toldDurationMs } from './headers.ts';
import type { ServicePort } from './service-port.ts';
import type { Account, RouteRequest, Surroundings } from './route.ts';
import { portNumber, watchRoutingObjects } from './routing-objects.ts';
import { createWeightedChoice } from './weighted-choice.ts';

export interface GatewayOptions {
  readonly store: SandboxStore;
  readonly backends: Pick<World, 'podBackends'>;
  readonly metrics: ProxyCounts;
  readonly clock: Clock;
  readonly port?: number;
}

/** What proxies count. */
export type ProxyCounts = Pick<
  Metrics,
  'countTraefik' | 'countIngress' | 'countEnvoy' | 'countSkipper' | 'countApisix'
>;

/** One listener that stands for Traefik, ingress-nginx, a Gateway and the mesh's proxies. */
export interface Gateway {
  readonly url: string;
  /** Whether a routing object, not only a Service, speaks of this host, so that callers in the cluster have to come here. */
  routes(host: string, port: number, from?: string): boolean;
  stop(): Promise<void>;
}

/** Names under which proxies are reached in real clusters; they lead here when no Service has the name. */
const PROXY_NAMES: readonly string[] = [
  'traefik.traefik',
  'envoy.projectcontour',
  'ingress-nginx-controller.ingress-nginx',
  'nginx-ingress-controller.ingress-nginx',
];

export async function startGateway({ store, backends, metrics, clock, port = 0 }: GatewayOptions): Promise<Gateway> {
  const watched = watchRoutingObjects(store);
  const pick = createWeightedChoice();
  const turns = new Map<string, number>();
  const agent = new Agent({ keepAlive: true, maxSockets: 256, keepAliveMsecs: 30_000 });

  const readyPods = (to: ServicePort): readonly Backend[] => {
    const number = portNumber(watched.current(), to);
    return number === undefined ? [] : backends.podBackends(to.namespace, to.service, number);
  };
  const nextPod = (to: ServicePort): Backend | undefined => {
    const pods = readyPods(to);
    const key = `${to.namespace}/${to.service}:${to.port}`;
    const turn = turns.get(key) ?? 0;
    turns.set(key, turn + 1);
    return pods[turn % pods.length];
  };
  const surroundings = (): Surroundings => ({
    objects: watched.current(),
    isReady: (to) => readyPods(to).length > 0,
    pick,
  });
  const account = (of: Account | undefined, method: string, outcome: Outcome, elapsedMs: number): void => {
    const durationMs = toldDurationMs(outcome.headers['server-timing']) ?? elapsedMs;
    const request = { method, status: outcome.status, durationMs };
    if (of?.proxy === 'traefik') metrics.countTraefik(of.service, request);
    if (of?.proxy === 'nginx') metrics.countIngress(of.ingress, request);
    if (of?.proxy === 'envoy') metrics.countEnvoy(of.labels, request);
    if (of?.proxy === 'skipper') metrics.countSkipper(of.route, request);
    if (of?.proxy === 'apisix') metrics.countApisix(of.route, request);
  };

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const startedMs = performance.now();
    const request = requestOf(incoming);
    const decision = decide(request, surroundings());
    if (decision.kind === 'answer') {
      for (const [name, value] of Object.entries(decision.headers ?? {})) outgoing.setHeader(name, value);
      answerPlainly(outgoing, decision.status, `${decision.reason}\n`);
      return;
    }
    const { to, edits } = decision;
    const timeout = edits.timeoutMs === undefined ? undefined : new AbortController();
    const cancel =
      edits.timeoutMs === undefined ? () => undefined : clock.after(edits.timeoutMs, () => timeout?.abort());
    for (const copyTo of edits.mirrors) {
      const pod = nextPod(copyTo);
      if (pod) mirror(incoming, agent, { ...edits, mirrors: [] }, pod);
    }
    const nextAddress = (): Backend | undefined => nextPod(to);
    const outcome = await forward({ agent, incoming, outgoing, edits, nextAddress, timeout: timeout?.signal });
    cancel();
    account(decision.account, request.method, outcome, performance.now() - startedMs);
  };

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  // Clients keep connections; the gateway must not be the one that ends them between two requests.
  server.keepAliveTimeout = 60_000;
  const url = await listen(server, port);
  return {
    url,
    routes: (host, asked, from) => speaksOf(watched.current(), host, asked, from),
    async stop() {
      watched.stop();
      await close(server);
      agent.destroy();
    },
  };
}

function speaksOf(objects: Surroundings['objects'], name: string, port: number, from = 'default'): boolean {
  const host = name.toLowerCase();
  // Nothing is sent, so no turn of the weighted choice may be used up.
  const around: Surroundings = { objects, isReady: () => true, pick: (_key, choices) => choices[0] };
  const request = { method: 'GET', host, port, path: '/', query: new URLSearchParams(), headers: {} };
  if (['exact', 'wildcard'].some((rank) => decideByHost(request, rank === 'exact' ? 'exact' : 'wildcard', around)))
    return true;
  const parsed = parseClusterHost(host.includes('.') ? host : `${host}.${from}`);
  if (!parsed) return false;
  const { name: service, namespace } = parsed;
  if (objects.services.has(`${namespace}/${service}`))
    return decideMesh(request, namespace, service, around) !== undefined;
  return PROXY_NAMES.includes(`${service}.${namespace}`);
}

function requestOf(incoming: IncomingMessage): RouteRequest {
  const [, host = '', port] = /^(.*?)(?::(\d+))?$/.exec((incoming.headers.host ?? '').toLowerCase()) ?? [];
  const [path = '/', query = ''] = (incoming.url ?? '/').split(/\?(.*)/s);
  return {
    method: incoming.method ?? 'GET',
    host,
    ...(port === undefined ? {} : { port: Number(port) }),
    path: path === '' ? '/' : path,
    query: new URLSearchParams(query),
    headers: incoming.headers,
  };
}
