import type { RequestSeen } from '../types.ts';
import type { Labels } from './labels.ts';
import type { Registry } from './registry.ts';

/** The default buckets of the Prometheus clients, in seconds: applications and ingress-nginx. */
const CLIENT_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const TRAEFIK_BUCKETS_S = [0.1, 0.3, 1.2, 5];
const LINKERD_BUCKETS_MS = [1, 10, 100, 1_000, 10_000].flatMap((ten) => [1, 2, 3, 4, 5].map((one) => one * ten));
const ENVOY_BUCKETS_MS = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
const APISIX_BUCKETS_MS = [
  1, 2, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100, 200, 300, 400, 500, 1_000, 2_000, 5_000, 10_000,
];
const ISTIO_BUCKETS_MS = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];

/** A request as the proxy in front of the pods saw it. */
export interface Proxied {
  readonly method: string;
  readonly status: number;
  readonly durationMs: number;
}

/** `service` is what Traefik calls a server pool: `namespace-service-port@kubernetescrd`. */
export function recordTraefik(registry: Registry, service: string, { method, status, durationMs }: Proxied): void {
  const labels = { code: String(status), method, protocol: 'http', service };
  registry.increase('traefik_service_requests_total', labels);
  registry.observe('traefik_service_request_duration_seconds', TRAEFIK_BUCKETS_S, labels, durationMs / 1000);
}

/** What ingress-nginx knows of a request: the main Ingress, and the canary's upstream where that was taken. */
export interface IngressLabels {
  readonly namespace: string;
  readonly ingress: string;
  readonly service: string;
  /** `namespace-service-port` of the canary; empty when the main backend was taken. */
  readonly canary: string;
  readonly host: string;
  readonly path: string;
}

export function recordNginx(registry: Registry, ingress: IngressLabels, { method, status, durationMs }: Proxied): void {
  const labels = { ...ingress, method, status: String(status), controller_class: 'k8s.io/ingress-nginx' };
  registry.increase('nginx_ingress_controller_requests', labels);
  const name = 'nginx_ingress_controller_response_duration_seconds';
  registry.observe(name, CLIENT_BUCKETS_S, labels, durationMs / 1000);
}

/** An Envoy that tells of one cluster. `labels` name it as this mesh or ingress does. */
export function recordEnvoy(registry: Registry, labels: Labels, { status, durationMs }: Proxied): void {
  const code = { envoy_response_code: String(status) };
  registry.increase('envoy_cluster_upstream_rq', { ...labels, ...code });
  registry.observe('envoy_cluster_upstream_rq_time', ENVOY_BUCKETS_MS, labels, durationMs);
}

/** `route` is Skipper's: `kube_NAMESPACE__INGRESS__HOST__PATH__SERVICE`, every other sign an underscore. */
export function recordSkipper(registry: Registry, route: string, { method, status, durationMs }: Proxied): void {
  const labels = { code: String(status), method, route };
  registry.observe('skipper_response_duration_seconds', CLIENT_BUCKETS_S, labels, durationMs / 1000);
  registry.observe('skipper_serve_route_duration_seconds', CLIENT_BUCKETS_S, labels, durationMs / 1000);
}

/** `route` is APISIX's: `NAMESPACE_APISIXROUTE_RULE`. */
export function recordApisix(registry: Registry, route: string, { status, durationMs }: Proxied): void {
  registry.increase('apisix_http_status', { code: String(status), route });
  registry.observe('apisix_http_latency', APISIX_BUCKETS_MS, { type: 'request', route }, durationMs);
}

/**
 * What is scraped from the pod itself and from a mesh's proxy beside it (Linkerd, Istio, OSM, App Mesh): every pod of the embedded cluster
 * counts as meshed. Labels of the pod are taken over as scrape configurations of Kubernetes do.
 */
export function recordPod(registry: Registry, { pod, workload, method, path, status, durationMs }: RequestSeen): void {
  const place = { namespace: pod.namespace, pod: pod.name };
  const scraped = {
    ...labelMap(pod.labels),
    ...place,
    kubernetes_namespace: pod.namespace,
    kubernetes_pod_name: pod.name,
  };
  const code = String(status);
  registry.increase('http_requests_total', { ...scraped, status: code });
  const request = { ...scraped, method, path: handlerOf(path), status: code };
  registry.observe('http_request_duration_seconds', CLIENT_BUCKETS_S, request, durationMs / 1000);
  if (workload === undefined) return;

  const inbound = { ...place, deployment: workload, direction: 'inbound', tls: 'true' };
  const classification = status >= 500 ? 'failure' : 'success';
  registry.increase('response_total', { ...inbound, classification, status_code: code });
  registry.observe('response_latency_ms', LINKERD_BUCKETS_MS, { ...inbound, status_code: code }, durationMs);

  const destination = {
    ...place,
    reporter: 'destination',
    destination_workload: workload,
    destination_workload_namespace: pod.namespace,
    request_protocol: 'http',
    response_code: code,
  };
  registry.increase('istio_requests_total', destination);
  registry.observe('istio_request_duration_milliseconds', ISTIO_BUCKETS_MS, destination, durationMs);

  const toDeployment = {
    ...place,
    destination_kind: 'Deployment',
    destination_name: workload,
    destination_namespace: pod.namespace,
  };
  registry.increase('osm_request_total', { ...toDeployment, response_code: code });
  registry.observe('osm_request_duration_ms', ISTIO_BUCKETS_MS, toDeployment, durationMs);

  const envoyOfPod = { ...place, kubernetes_namespace: pod.namespace, kubernetes_pod_name: pod.name };
  recordEnvoy(registry, { ...envoyOfPod, envoy_cluster_name: 'cds_ingress' }, { method, status, durationMs });
}

/** Whether a series came from this pod. */
export function isFromPod(labels: Labels, namespace: string, name: string): boolean {
  return labels.namespace === namespace && labels.pod === name;
}

/** `app.kubernetes.io/name` becomes `app_kubernetes_io_name`. */
function labelMap(labels: Readonly<Record<string, string>>): Labels {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name.replace(/\W/g, '_'), value]));
}

/** The first step of the path names the handler, so that `/status/500` and `/status/404` are one series and series stay few. */
function handlerOf(path: string): string {
  const step = path.split('/')[1] ?? '';
  if (step === '') return 'root';
  return /^[a-z]{1,16}$/.test(step) ? step : 'other';
}
