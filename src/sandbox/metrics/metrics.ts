import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import type { MetricsFaults, RequestSeen } from '../types.ts';
import { answerApi } from './api.ts';
import { exposition } from './exposition.ts';
import {
  type IngressLabels,
  isFromPod,
  type Proxied,
  recordApisix,
  recordEnvoy,
  recordNginx,
  recordPod,
  recordSkipper,
  recordTraefik,
} from './families.ts';
import type { Labels } from './labels.ts';
import { currentRules, type Rules } from './promql/evaluate.ts';
import { close, listen } from './loopback.ts';
import { createQueryEngine, type QueryEngine } from './query.ts';
import { createRegistry } from './registry.ts';
import { createSeriesStore, type SeriesStore } from './series-store.ts';

export interface MetricsOptions {
  /** Times of samples and of queries without `time` are this clock's. */
  readonly clock: Clock;
  /** How often the counters are sampled, as a Prometheus scrapes; absent: 1 s. */
  readonly sampleEveryMs?: number;
  /** How long samples are kept; absent: 15 minutes. */
  readonly retentionMs?: number;
  /** Absent: those of Prometheus 3. */
  readonly rules?: Rules;
  /** 0 or absent: any free port. */
  readonly port?: number;
}

/** What the embedded cluster's proxies and pods have counted, and a Prometheus-compatible API over its history. */
export interface Metrics {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly engine: QueryEngine;
  readonly series: Pick<SeriesStore, 'named'>;
  readonly faults: MetricsFaults;
  countTraefik(service: string, request: Proxied): void;
  countIngress(ingress: IngressLabels, request: Proxied): void;
  countEnvoy(labels: Labels, request: Proxied): void;
  countSkipper(route: string, request: Proxied): void;
  countApisix(route: string, request: Proxied): void;
  countPod(seen: RequestSeen): void;
  /** The pod is gone: its series end now, as when a scrape target disappears. */
  forgetPod(namespace: string, name: string): void;
  stop(): Promise<void>;
}

export async function startMetrics(options: MetricsOptions): Promise<Metrics> {
  const { clock, sampleEveryMs = 1_000, retentionMs = 900_000, rules = currentRules } = options;
  const registry = createRegistry();
  const store = createSeriesStore(retentionMs);
  const engine = createQueryEngine(store, rules);
  let sampled = 0;
  const sample = (): void => {
    const nowMs = clock.now();
    for (const { labels, value, key } of registry.cells()) store.append(labels, nowMs, value, key);
    sampled += 1;
    if (sampled % 60 === 0) store.prune(nowMs);
  };
  let cancel = clock.after(sampleEveryMs, function again() {
    cancel = clock.after(sampleEveryMs, again);
    sample();
  });
  const server = createServer((request, response) => {
    void serve(request, response, engine, clock.now(), () => exposition(registry));
  });
  const url = await listen(server, options.port ?? 0);
  return {
    url,
    engine,
    series: store,
    faults: {
      down: () => close(server),
      up: async () => void (await listen(server, Number(new URL(url).port))),
    },
    countTraefik: (service, request) => recordTraefik(registry, service, request),
    countIngress: (ingress, request) => recordNginx(registry, ingress, request),
    countEnvoy: (labels, request) => recordEnvoy(registry, labels, request),
    countSkipper: (route, request) => recordSkipper(registry, route, request),
    countApisix: (route, request) => recordApisix(registry, route, request),
    countPod: (seen) => recordPod(registry, seen),
    forgetPod(namespace, name) {
      const nowMs = clock.now();
      const gone = registry.forget((labels) => isFromPod(labels, namespace, name));
      for (const { labels, key } of gone) store.append(labels, nowMs, null, key);
    },
    async stop() {
      cancel();
      if (server.listening) await close(server);
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  engine: QueryEngine,
  nowMs: number,
  expose: () => string,
): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const body = request.method === 'POST' ? await readText(request) : '';
    const parameters = new URLSearchParams([...url.searchParams, ...new URLSearchParams(body)]);
    const answer = answerApi({ path: url.pathname, parameters }, engine, nowMs);
    if (answer) send(response, answer.status, 'application/json', JSON.stringify(answer.json));
    else if (url.pathname === '/metrics') send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', expose());
    else if (url.pathname === '/-/healthy') send(response, 200, 'text/plain', 'Prometheus Server is Healthy.\n');
    else if (url.pathname === '/-/ready') send(response, 200, 'text/plain', 'Prometheus Server is Ready.\n');
    else send(response, 404, 'text/plain', '404 page not found\n');
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const json = { status: 'error', errorType: 'internal', error: message };
    if (response.headersSent) response.destroy();
    else send(response, 500, 'application/json', JSON.stringify(json));
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

const MAX_BODY_BYTES = 1_000_000;

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Error('the request is too large');
  }
  return Buffer.concat(chunks).toString('utf8');
}
