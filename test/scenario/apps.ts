/** An app as a team would commit it: namespace, Deployment, ConfigMap, Canary. */
export interface AppOptions {
  readonly name?: string;
  readonly namespace?: string;
  /** podinfo's: 3.1.0 and 3.1.1 are good, 3.1.2 answers 500, 3.1.4 never gets ready. */
  readonly tag?: string;
  readonly message?: string;
  readonly provider?: string;
  readonly interval?: string;
  readonly steps?: string;
  readonly threshold?: number;
  readonly progressDeadlineSeconds?: number;
}

export const namespaceYaml = (name = 'test'): string => `apiVersion: v1
kind: Namespace
metadata:
  name: ${name}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: public
  namespace: ${name}
spec:
  gatewayClassName: demo
  listeners:
    - name: http
      protocol: HTTP
      port: 80
`;

export const deploymentYaml = ({
  name = 'podinfo',
  namespace = 'test',
  tag = '3.1.0',
}: AppOptions = {}): string => `# What the ${name} team runs.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  namespace: ${namespace}
  labels: { app: ${name} }
spec:
  replicas: 2
  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        app: ${name}
    spec:
      containers:
        - name: podinfod
          image: "registry.test/podinfo:${tag}" # moved by releases
          ports:
            - name: http
              containerPort: 9898
          envFrom:
            - configMapRef:
                name: ${name}-settings
          readinessProbe:
            httpGet:
              path: /readyz
              port: http
            periodSeconds: 1
`;

export const configYaml = ({
  name = 'podinfo',
  namespace = 'test',
  message = 'hello',
}: AppOptions = {}): string => `apiVersion: v1
kind: ConfigMap
metadata:
  name: ${name}-settings
  namespace: ${namespace}
data:
  PODINFO_UI_MESSAGE: ${message}
`;

export const canaryYaml = ({
  name = 'podinfo',
  namespace = 'test',
  provider = 'gatewayapi:v1',
  interval = '10s',
  steps = '[20, 40]',
  threshold = 2,
  progressDeadlineSeconds = 60,
}: AppOptions = {}): string => `apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  provider: ${provider}
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: ${name}
  progressDeadlineSeconds: ${progressDeadlineSeconds}
  service:
    port: 9898
    hosts: [${hostOf({ name, namespace })}]
    gatewayRefs:
      - name: public
        namespace: ${namespace}
  analysis:
    interval: ${interval}
    threshold: ${threshold}
    stepWeights: ${steps}
    metrics:
      - name: request-success-rate
        thresholdRange:
          min: 99
        interval: 30s
`;

/** Where people ask for the app. */
export const hostOf = ({ name = 'podinfo', namespace = 'test' }: AppOptions = {}): string =>
  `${name}.${namespace}.example.test`;

/** All files of one app in a folder of its own. */
export const appFiles = (app: AppOptions = {}): Record<string, string> => ({
  [`apps/namespaces/${app.namespace ?? 'test'}.yaml`]: namespaceYaml(app.namespace),
  [`apps/${app.name ?? 'podinfo'}/app.yaml`]: `${deploymentYaml(app)}---\n${configYaml(app)}`,
  [`apps/${app.name ?? 'podinfo'}/canary.yaml`]: canaryYaml(app),
});

/** Where `appFiles` puts the Deployment. */
export const appPath = (name = 'podinfo'): string => `apps/${name}/app.yaml`;

export const toTag =
  (tag: string) =>
  (text: string): string =>
    text.replace(/podinfo:[\w.-]+"/, `podinfo:${tag}"`);
