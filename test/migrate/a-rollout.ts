import { parse } from 'yaml';

const template = `  template:
    metadata:
      labels:
        app: shop
    spec:
      containers:
        - name: shop
          image: registry.test/podinfo:3.1.0 # the release
          ports:
            - name: http
              containerPort: 9898
`;

/** A Rollout as its owners keep it, with a comment; `strategy` at the depth of `spec.strategy`. */
export const rolloutYaml = (strategy: string, more = ''): string => `# The shop.
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: shop
  namespace: test
spec:
  replicas: 2 # enough
  selector:
    matchLabels:
      app: shop
${template}${more}  strategy:
${strategy}`;

export const serviceYaml = (name: string): string => `apiVersion: v1
kind: Service
metadata:
  name: ${name}
  namespace: test
spec:
  selector:
    app: shop
  ports:
    - name: http
      port: 80
      targetPort: http
`;

export const namespaceYaml = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: test\n';

/** One metric that Prometheus is asked for. */
export const analysisYaml = (metric = '', kind = 'AnalysisTemplate'): string => `apiVersion: argoproj.io/v1alpha1
kind: ${kind}
metadata:
  name: errors${kind === 'AnalysisTemplate' ? '\n  namespace: test' : ''}
spec:
  args:
    - name: service-name
    - name: bound
      value: "5.."
  metrics:
    - name: errors
      interval: 30s
${metric === '' ? '      successCondition: result[0] >= 0.95\n      failureLimit: 2\n' : metric}      provider:
        prometheus:
          address: http://prometheus.monitoring:9090
          query: sum(rate(requests{service="{{args.service-name}}",code!~"{{ args.bound }}"}[1m]))
`;

export const joined = (...documents: readonly string[]): string => documents.join('---\n');

export const ofKind = (text: string, kind: string): Record<string, unknown> | undefined =>
  text
    .split(/^---\n/m)
    .map((part) => parse(part) as Record<string, unknown> | null)
    .find((object) => object?.['kind'] === kind) ?? undefined;
