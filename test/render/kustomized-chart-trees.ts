import { canary, deployment, type SmallTree } from './kustomize-trees.ts';

/** A chart of an app with its Canary, and what a release of it changes. */
const shopTemplate = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec:
      containers:
      - name: main
        image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
        args: {{ .Values.args | toJson }}
---
${canary('{{ .Release.Name }}').replace('metadata:\n', 'metadata:\n  namespace: {{ .Release.Namespace }}\n')}`;
const configTemplate = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-info
  namespace: {{ .Release.Namespace }}
data:
  cluster: {{ .Capabilities.KubeVersion.Version | quote }}
  hasGateways: {{ .Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1" | quote }}
`;
export const chartIn = (folder: string, version = '1.0.0'): Readonly<Record<string, string>> => ({
  [`${folder}/Chart.yaml`]: `apiVersion: v2\nname: shop\nversion: ${version}\n`,
  [`${folder}/values.yaml`]: '# of the chart\nimage:\n  repository: shop\n  tag: 1.0.0\nreplicas: 2\nargs: [a, b]\n',
  [`${folder}/templates/app.yaml`]: shopTemplate,
  [`${folder}/templates/config.yaml`]: configTemplate,
  [`${folder}/templates/hook.yaml`]:
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ .Release.Name }}-hook, annotations: { helm.sh/hook: pre-install } }\n',
  [`${folder}/crds/kinds.yaml`]:
    'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: { name: things.example.org }\nspec: { group: example.org, names: { kind: Thing, plural: things }, scope: Namespaced, versions: [{ name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } }] }\n',
});
const cart = {
  'prod/cart.yaml': deployment('cart').replace('metadata:\n', 'metadata:\n  namespace: prod\n'),
  'prod/cart-canary.yaml': canary('cart').replace('metadata:\n', 'metadata:\n  namespace: prod\n'),
};
const listed = 'resources: [cart.yaml, cart-canary.yaml]\n';
const charts = (more: string, first = ''): string =>
  `${first}${listed}helmCharts:\n- name: shop\n  releaseName: shop\n  namespace: prod\n${more}`;
const inProd = (more: string, first = ''): Readonly<Record<string, string>> => ({
  ...chartIn('prod/charts/shop'),
  ...cart,
  'prod/kustomization.yaml': charts(more, first),
});
const tag = [['tag: 1.0.0', 'tag: 1.1.0']] as const;
const inline = '  valuesInline:\n    image:\n      tag: 1.0.0 # moved\n';

export const kustomizedChartTrees: readonly SmallTree[] = [
  {
    name: 'values within the kustomization',
    folder: 'prod',
    files: inProd(inline),
    release: { 'prod/kustomization.yaml': tag },
  },
  {
    name: "values within it that yield to the chart's own",
    folder: 'prod',
    files: inProd('  valuesMerge: merge\n  valuesInline: { image: { tag: never }, extra: 1 }\n'),
    release: { 'prod/charts/shop/values.yaml': tag },
  },
  {
    name: 'values within it in the place of all others',
    folder: 'prod',
    files: inProd(`  valuesMerge: replace\n${inline}`),
    release: { 'prod/kustomization.yaml': tag },
  },
  {
    name: "the chart's own values",
    folder: 'prod',
    files: inProd(''),
    release: { 'prod/charts/shop/values.yaml': tag },
  },
  {
    name: 'a file of values',
    folder: 'prod',
    files: {
      ...inProd('  valuesFile: shop-values.yaml\n'),
      'prod/shop-values.yaml': '# prod\nimage: { tag: 1.0.0 }\n',
    },
    release: { 'prod/shop-values.yaml': tag },
  },
  {
    name: 'more files of values, of which the last counts',
    folder: 'prod',
    files: {
      ...inProd('  additionalValuesFiles: [one.yaml, two.yaml]\n'),
      'prod/one.yaml': 'image: { tag: none }\n',
      'prod/two.yaml': 'image:\n  tag: 1.0.0\n',
    },
    release: { 'prod/two.yaml': tag },
  },
  {
    name: 'a template of the chart',
    folder: 'prod',
    files: inProd(inline),
    release: { 'prod/charts/shop/templates/app.yaml': [['- name: main', '- name: main\n        tty: true']] },
  },
  {
    name: 'a chart in a home of its own',
    folder: 'prod',
    files: {
      ...cart,
      ...chartIn('prod/vendor/helm/shop'),
      'prod/kustomization.yaml': charts(inline, 'helmGlobals: { chartHome: vendor/helm }\n'),
    },
    release: { 'prod/kustomization.yaml': tag },
  },
  {
    name: 'a chart that was fetched into the repository, by its version',
    folder: 'prod',
    files: {
      ...cart,
      ...chartIn('prod/charts/shop-1.2.3/shop', '1.2.3'),
      'prod/kustomization.yaml': charts(`  version: 1.2.3\n  repo: https://charts.example.org\n${inline}`),
    },
    release: { 'prod/kustomization.yaml': tag },
  },
  {
    name: 'definitions, and no hooks',
    folder: 'prod',
    files: inProd(`  includeCRDs: true\n  skipHooks: true\n  skipTests: true\n${inline}`),
    release: { 'prod/kustomization.yaml': tag },
  },
  {
    name: 'what it says of the cluster',
    folder: 'prod',
    files: inProd(`  kubeVersion: "1.31.4"\n  apiVersions: [gateway.networking.k8s.io/v1]\n${inline}`),
    release: { 'prod/kustomization.yaml': tag },
  },
  {
    name: 'an image of a chart that the kustomization moves',
    folder: 'prod',
    files: inProd('', 'images:\n- name: shop\n  newTag: 1.0.0\n- name: cart\n  newTag: 1.0.0\n'),
    release: { 'prod/kustomization.yaml': [['name: shop\n  newTag: 1.0.0', 'name: shop\n  newTag: 1.1.0']] },
  },
  {
    name: 'a patch of what a chart makes',
    folder: 'prod',
    files: inProd(
      inline,
      'patches:\n- target: { kind: Deployment, name: shop }\n  patch: |-\n    - { op: add, path: /spec/template/spec/containers/0/tty, value: true }\n',
    ),
    release: { 'prod/kustomization.yaml': [['value: true', 'value: false']] },
  },
  {
    name: 'a base with a chart, under an overlay',
    folder: 'over',
    files: {
      ...inProd(inline),
      'over/kustomization.yaml': 'resources: [../prod]\nreplicas:\n- { name: shop, count: 3 }\n',
    },
    release: { 'prod/kustomization.yaml': tag },
  },
  {
    name: 'a component with a chart',
    folder: 'prod',
    files: {
      ...chartIn('parts/charts/shop'),
      ...cart,
      'prod/kustomization.yaml': `${listed}components: [../parts]\n`,
      'parts/kustomization.yaml': `apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nhelmCharts:\n- name: shop\n  releaseName: shop\n  namespace: prod\n${inline}`,
    },
    release: { 'parts/kustomization.yaml': tag },
  },
  {
    name: 'two releases of one chart',
    folder: 'prod',
    files: inProd(
      `${inline}- name: shop\n  releaseName: tea\n  namespace: prod\n  valuesInline: { image: { tag: 1.0.0 } }\n`,
    ),
    release: { 'prod/kustomization.yaml': [['tag: 1.0.0 # moved', 'tag: 1.1.0 # moved']] },
  },
];
