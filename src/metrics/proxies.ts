/** What the queries are about. */
export interface QuerySubject {
  readonly namespace: string;
  /** Name of the workload: the target, or its primary. */
  readonly target: string;
  /** Name of the apex service. */
  readonly service: string;
  /** Name of the user's Ingress, or of the target. */
  readonly ingress: string;
  /** Names of all entrances where there are several. Absent: `ingress`, or `route`, is the only one. */
  readonly entrances?: readonly string[];
  /** Knative's latest Revision. Absent: the target's name. */
  readonly route?: string;
  /** Pods of a DaemonSet have one random part in their names, those of a Deployment two. Absent: no. */
  readonly isDaemonSet?: boolean;
  /** Whose routes are meant where series bear a route's name. Absent: the canary's. */
  readonly side?: 'canary' | 'primary';
  /** Window, e.g. `1m`. */
  readonly interval: string;
}

/** One proxy's metrics: requests by their outcome, and how long they take. */
export interface ProxyMetrics {
  /** Counter of requests. */
  readonly requests: string;
  /** Selects the canary's series. */
  readonly labels: (subject: QuerySubject) => string;
  /** Only in the counter's selectors. */
  readonly counterLabels?: string;
  /** What the successful ones have in addition. */
  readonly ok: string;
  /** Histogram without `_bucket`, `_sum` and `_count`. */
  readonly duration: string;
  /** Only in the histogram's selectors. */
  readonly durationLabels?: string;
  readonly statistic: 'p99' | 'mean';
  /** Part of the query. */
  readonly factorInQuery?: 1000;
  /** What one of the result is in milliseconds. */
  readonly unitMs: 1 | 1000;
}

/** A name inside a regular expression inside a PromQL string. */
const literal = (name: string): string => name.replaceAll('.', '\\\\.');

/** Flagger takes two parts for all: of a DaemonSet it sees the primary's pods and judges them for the canary's. */
const podOf = ({ target, isDaemonSet }: QuerySubject): string =>
  `${literal(target)}-[0-9a-zA-Z]+${isDaemonSet ? '' : '(-[0-9a-zA-Z]+)'}`;

/** Envoy's statistics of one cluster, as several meshes and ingresses have them. */
const envoy = {
  requests: 'envoy_cluster_upstream_rq',
  ok: 'envoy_response_code!~"5.*"',
  duration: 'envoy_cluster_upstream_rq_time',
  statistic: 'p99',
  unitMs: 1,
} as const satisfies Omit<ProxyMetrics, 'labels'>;

/** Skipper writes names with every other character as an underscore. */
const skipperName = (name: string): string => name.replaceAll(/\W/g, '_');

const oneOf = (names: readonly string[]): string => names.map(literal).join('|');

/**
 * Flagger's table (flagger.app/v1beta1, built-in metrics). With Apisix, Gloo, Kuma and Traefik it takes the target's name, though what routes bear is the
 * Service's: its queries find nothing where the two differ.
 */
export const proxies = {
  istio: {
    requests: 'istio_requests_total',
    labels: ({ namespace, target }) =>
      `reporter="destination",destination_workload_namespace="${namespace}",destination_workload=~"${literal(target)}"`,
    ok: 'response_code!~"5.*"',
    duration: 'istio_request_duration_milliseconds',
    statistic: 'p99',
    unitMs: 1,
  },
  linkerd: {
    requests: 'response_total',
    labels: ({ namespace, target }) => `namespace="${namespace}",deployment=~"${literal(target)}",direction="inbound"`,
    ok: 'classification!="failure"',
    duration: 'response_latency_ms',
    statistic: 'p99',
    unitMs: 1,
  },
  http: {
    requests: 'http_request_duration_seconds_count',
    labels: (subject) => `kubernetes_namespace="${subject.namespace}",kubernetes_pod_name=~"${podOf(subject)}"`,
    ok: 'status!~"5.*"',
    duration: 'http_request_duration_seconds',
    statistic: 'p99',
    unitMs: 1000,
  },
  knative: {
    ...envoy,
    labels: ({ namespace, target, route = target }) => `envoy_cluster_name=~"${namespace}/${literal(route)}"`,
  },
  appmesh: {
    ...envoy,
    labels: (subject) => `kubernetes_namespace="${subject.namespace}",kubernetes_pod_name=~"${podOf(subject)}"`,
  },
  contour: {
    ...envoy,
    labels: ({ namespace, service, side = 'canary' }) =>
      `envoy_cluster_name=~"${namespace}_${literal(service)}-${side}_[0-9a-zA-Z-]+"`,
  },
  gloo: {
    ...envoy,
    labels: ({ namespace, service }) =>
      `envoy_cluster_name=~"${namespace}-${literal(service)}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+"`,
  },
  kuma: {
    ...envoy,
    labels: ({ namespace, service, side = 'canary' }) =>
      `service=~"${literal(service)}-${side}_${namespace}_svc_[0-9a-zA-Z-]+"`,
  },
  nginx: {
    requests: 'nginx_ingress_controller_requests',
    labels: ({ namespace, ingress, entrances }) =>
      `namespace="${namespace}",ingress${entrances ? `=~"${oneOf(entrances)}"` : `="${ingress}"`},canary!=""`,
    ok: 'status!~"5.*"',
    duration: 'nginx_ingress_controller_response_duration_seconds',
    statistic: 'mean',
    factorInQuery: 1000,
    unitMs: 1,
  },
  traefik: {
    requests: 'traefik_service_request_duration_seconds_bucket',
    labels: ({ namespace, service, side = 'canary' }) =>
      `service=~"${namespace}-${literal(service)}-${side}-[0-9a-zA-Z-]+@kubernetescrd"`,
    counterLabels: 'le="+Inf"',
    ok: 'code!~"5.."',
    duration: 'traefik_service_request_duration_seconds',
    statistic: 'p99',
    factorInQuery: 1000,
    unitMs: 1,
  },
  skipper: {
    requests: 'skipper_response_duration_seconds_bucket',
    labels: ({ namespace, ingress, entrances, service }) => {
      const [inside, apex] = [namespace, service].map(skipperName);
      const name = entrances ? `(${entrances.map(skipperName).join('|')})` : skipperName(ingress);
      return `route=~"kube(ew)?_${inside}__${name}_canary__.*__${apex}_canary(_[0-9]+)?"`;
    },
    counterLabels: 'le="+Inf"',
    ok: 'code!~"5.."',
    duration: 'skipper_serve_route_duration_seconds',
    statistic: 'mean',
    factorInQuery: 1000,
    unitMs: 1,
  },
  apisix: {
    requests: 'apisix_http_status',
    labels: ({ namespace, target, service, route = target, entrances }) =>
      `route=~"${namespace}_${entrances ? `(${oneOf(entrances)})` : literal(route)}-${literal(service)}-canary_.+"`,
    ok: 'code!~"5.."',
    duration: 'apisix_http_latency',
    durationLabels: 'type=~"request"',
    statistic: 'p99',
    unitMs: 1,
  },
  osm: {
    requests: 'osm_request_total',
    labels: ({ namespace, target }) =>
      `destination_namespace="${namespace}",destination_kind="Deployment",destination_name="${target}"`,
    ok: 'response_code!~"5.*"',
    duration: 'osm_request_duration_ms',
    statistic: 'p99',
    unitMs: 1,
  },
} as const satisfies Record<string, ProxyMetrics>;

export type ProxyName = keyof typeof proxies;

const isProxy = (name: string): name is ProxyName => Object.hasOwn(proxies, name);

/**
 * Whose metrics tell about canaries of this provider. A mesh that is Linkerd counts for all of them, as in Flagger.
 * What is released, a workload or a Service, makes no difference; Flagger asks Istio for all Services.
 */
export function proxyOf(provider: string, meshProvider: string): ProxyName {
  if (meshProvider.includes('linkerd')) return 'linkerd';
  if (provider === 'kubernetes' || provider.startsWith('gatewayapi')) return 'http';
  // `appmesh:v1beta2` is App Mesh.
  const [name = ''] = provider.split(':');
  if (isProxy(name)) return name;
  return 'istio';
}

/** Proxies whose series tell the old version's requests from the new one's. */
const tellingPrimary: ReadonlySet<ProxyName> = new Set([
  'istio',
  'linkerd',
  'http',
  'appmesh',
  'osm',
  'contour',
  'traefik',
  'kuma',
]);

/** The same question about the old version. Undefined: the proxy's series do not tell it by name. `primary`: name of its workload. */
export function ofPrimary(proxy: ProxyName, subject: QuerySubject, primary: string): QuerySubject | undefined {
  return tellingPrimary.has(proxy) ? { ...subject, target: primary, side: 'primary' } : undefined;
}
