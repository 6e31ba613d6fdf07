import type { Way } from './ways.ts';

export interface AppOptions {
  readonly namespace: string;
  readonly host: string;
  /** By which users come in. */
  readonly way: Way;
  /** What the Canary is to do after `interval: 3s`, at the depth of `analysis`. Absent: two steps, judged by metrics. */
  readonly analysis?: string;
  /** It greets from a ConfigMap. Absent: no. */
  readonly hasConfig?: boolean;
  /** Users are told apart before they come to the app. Absent: no. */
  readonly isTestedByUsers?: boolean;
}

export const requestMetrics = `    metrics:
      - name: request-success-rate
        thresholdRange:
          min: 99
        interval: 10s
      - name: request-duration
        thresholdRange:
          # A busy machine is slow to answer, and that is no fault of a version.
          max: 10000
        interval: 10s
`;

const twoSteps = `    # Failed checks before a rollback: a new pod's first numbers take Prometheus some seconds, and silence counts as failure.
    threshold: 5
    stepWeight: 25
    maxWeight: 50
${requestMetrics}`;

export const configYaml = (namespace: string, message: string): string => `apiVersion: v1
kind: ConfigMap
metadata:
  name: podinfo-settings
  namespace: ${namespace}
data:
  PODINFO_UI_MESSAGE: ${message}
`;

export const image = (version: string): string => `registry.test:5000/podinfo:${version}`;

/** The app as its owners would keep it in Git, one file each, comments and all. */
export function podinfoApp({
  namespace,
  host,
  way,
  analysis = twoSteps,
  hasConfig = false,
  isTestedByUsers = false,
}: AppOptions): Readonly<Record<string, string>> {
  return {
    'namespace.yaml': `apiVersion: v1
kind: Namespace
metadata:
  name: ${namespace}
`,
    'deployment.yaml': `# podinfo, the demo app
apiVersion: apps/v1
kind: Deployment
metadata:
  name: podinfo
  namespace: ${namespace}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: podinfo
  template:
    metadata:
      labels:
        app: podinfo
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9898"
    spec:
      terminationGracePeriodSeconds: 20
      containers:
        - name: podinfod
          image: ${image('3.1.0')} # the release
          imagePullPolicy: IfNotPresent${hasConfig ? '\n          envFrom: [{ configMapRef: { name: podinfo-settings } }]' : ''}
          ports:
            - name: http
              containerPort: 9898
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            periodSeconds: 1
          # It is told to stop when proxies are told to forget it; the slowest of them still send requests for a while.
          lifecycle:
            preStop: { sleep: { seconds: 8 } }
`,
    ...(hasConfig ? { 'config.yaml': configYaml(namespace, 'hello') } : {}),
    ...routeOf(way, namespace, host),
    'canary.yaml': `apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: podinfo
  namespace: ${namespace}
spec:
  provider: ${way.provider}
  metricsServer: http://prometheus.monitoring:9090
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: podinfo
${isTestedByUsers && way.provider === 'traefik' ? ingressRef : ''}  progressDeadlineSeconds: 60
  service:
    port: 80
    targetPort: 9898
${way.gateway ? gatewayService(host, way.gateway) : ''}  analysis:
    interval: 3s
${analysis}`,
  };
}

const ingressRef = `  ingressRef:
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    name: podinfo
`;

const ingressRoute = (namespace: string, host: string): string => `apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: podinfo
  namespace: ${namespace}
spec:
  entryPoints: [web]
  routes:
    - kind: Rule
      match: Host(\`${host}\`)
      services:
        - kind: TraefikService
          name: podinfo
          port: 80
`;

/** Contour's object of the app is included by one that its owners keep. */
const rootProxy = (namespace: string, host: string): string => `apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata:
  name: podinfo-entrance
  namespace: ${namespace}
spec:
  ingressClassName: contour
  virtualhost:
    fqdn: ${host}
  includes:
    - name: podinfo
`;

/** What users come in by, where the app's owners make it themselves. */
function routeOf({ provider }: Way, namespace: string, host: string): Readonly<Record<string, string>> {
  if (provider === 'traefik') return { 'route.yaml': ingressRoute(namespace, host) };
  return provider === 'contour' ? { 'route.yaml': rootProxy(namespace, host) } : {};
}

const gatewayService = (host: string, gateway: NonNullable<Way['gateway']>): string => `    hosts: [${host}]
    gatewayRefs:
      - name: ${gateway.name}
        namespace: ${gateway.namespace}
`;
