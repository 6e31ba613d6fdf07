import { podinfoRepository } from '../helpers/helm.ts';
import { canary, deployment } from './kustomize-trees.ts';

type Files = Readonly<Record<string, string>>;
type Changes = readonly (readonly [from: string, to: string])[];

/** A small repository in which Helm renders `prod/shop`, and a change of it that is a release. */
export interface ChartTree {
  readonly name: string;
  readonly files: Files;
  /** What is written instead of what, by path. */
  readonly release: Readonly<Record<string, Changes>>;
  /** How the same is made by hand of the tree with its release. */
  readonly hand: ByHand;
  /** Why it cannot be taken back. Absent: it is. */
  readonly held?: RegExp;
  /** Comments are content, too, as in a file that a generator reads. */
  readonly hasNoComments?: true;
}

type ByHand =
  | {
      readonly tool: 'helm';
      /** After `template`. */
      readonly args: readonly string[];
      /** Files of values, the last of which wins. */
      readonly values: readonly string[];
      /** Other files than in the tree. */
      readonly files?: Files;
      /** Kustomization by which what it prints is changed. */
      readonly afterwards?: string;
    }
  | {
      readonly tool: 'kustomize';
      /** Of the folder that is built. */
      readonly kustomization: string;
      readonly folder: string;
      /** Filled in afterwards. */
      readonly variables?: Readonly<Record<string, string>>;
    };

const helpers = `{{- define "image" -}}
{{- if kindIs "string" .Values.image -}}
{{ .Values.image }}
{{- else -}}
{{ with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
{{- end -}}
`;
const template = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec:
      containers:
      - name: main
        image: {{ include "image" . | quote }}
        env: {{ .Values.env | toJson }}
        envFrom:
        - configMapRef: { name: {{ .Release.Name }}-config }
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-config
data:
  settings: {{ .Values.settings | toJson | quote }}
{{- range $path, $_ := .Files.Glob "files/*" }}
  {{ base $path }}: {{ $.Files.Get $path | quote }}
{{- end }}
---
${canary('{{ .Release.Name }}')}`;
/** A chart that shows all of its values. */
const chart = (name: string, more: Files = {}): Files => ({
  [`charts/${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 0.1.0\n`,
  [`charts/${name}/values.yaml`]: `# of ${name}\nimage:\n  repository: registry.test/${name}\n  tag: 1.0.0 # moved by releases\nreplicas: 2\nenv: []\nsettings: { mode: calm }\n`,
  [`charts/${name}/templates/_helpers.tpl`]: helpers,
  [`charts/${name}/templates/app.yaml`]: template,
  ...Object.fromEntries(Object.entries(more).map(([path, text]) => [`charts/${name}/${path}`, text])),
});

const indented = (text: string, by = '  '): string => text.replaceAll(/^(?=.)/gm, by);
const helmRelease = (name: string, spec: string, { of = 'web', version = 'v2', namespace = 'prod' } = {}): string =>
  `apiVersion: helm.toolkit.fluxcd.io/${version}
kind: HelmRelease
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  interval: 5m
  chart:
    spec:
      chart: ./charts/${of}
      sourceRef: { kind: GitRepository, name: flux-system, namespace: flux-system }
${indented(spec)}`;
const cart = 'releases/cart.yaml';
const shop = 'releases/shop.yaml';
/** With another app of the same chart beside. */
const shared: Files = { ...chart('web'), [cart]: helmRelease('cart', 'values:\n  image: { tag: 1.0.0 }\n') };
const withShop = (spec: string, more: Files = {}): Files => ({ ...shared, [shop]: helmRelease('shop', spec), ...more });
const withOwn = (spec: string, inChart: Files = {}, more: Files = {}): Files => ({
  ...shared,
  ...chart('own', inChart),
  [shop]: helmRelease('shop', spec, { of: 'own' }),
  ...more,
});
const tag: Changes = [['1.0.0', '1.1.0']];
const calm: Changes = [['calm', 'wild']];
const byHelm = (values: readonly string[] = [], more: Partial<Extract<ByHand, { tool: 'helm' }>> = {}): ByHand => ({
  tool: 'helm',
  args: ['shop', 'charts/web'],
  values,
  ...more,
});
const ofOwn = (values: readonly string[] = [], more: Partial<Extract<ByHand, { tool: 'helm' }>> = {}): ByHand =>
  byHelm(values, { args: ['shop', 'charts/own'], ...more });
/** A release of what stands in `values` alone. */
const inValues = (name: string, values: string, changes: Changes): ChartTree => {
  let after = values;
  for (const [from, to] of changes) after = after.replace(from, to);
  return {
    name,
    files: withShop(`values:\n${indented(values)}`),
    release: { [shop]: changes },
    hand: byHelm([after]),
  };
};
const config = (kind: string, name: string, data: string): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: prod }\n${data}`;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const flux = (spec: string): string =>
  `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: shop, namespace: flux-system }
spec:
  interval: 5m
  path: ./apps/shop
  prune: true
  sourceRef: { kind: GitRepository, name: flux-system }
  targetNamespace: prod
${indented(spec)}`;
const bare: Files = {
  'apps/shop/shop.yaml': deployment('shop'),
  'apps/shop/shop-canary.yaml': canary('shop'),
  'apps/shop/desk.yaml': deployment('desk'),
  'apps/shop/desk-canary.yaml': canary('desk'),
  'apps/shop/kustomization.yaml': 'resources: [shop.yaml, shop-canary.yaml, desk.yaml, desk-canary.yaml]\n',
};
const described = (spec: string, more: Files = {}): Files => ({
  ...shared,
  ...bare,
  'cluster/shop.yaml': flux(spec),
  ...more,
});
const byKustomize = (kustomization: string, variables?: Readonly<Record<string, string>>): ByHand => ({
  tool: 'kustomize',
  kustomization: `namespace: prod\nresources: [../apps/shop]\n${kustomization}`,
  folder: 'by-hand',
  ...(variables ? { variables } : {}),
});

const podinfo = Object.fromEntries(Object.entries(podinfoRepository).filter(([path]) => path.startsWith('charts/')));
/** The chart of a whole application, with a Canary, an autoscaler and flags for both. */
const ofPodinfo = (name: string, flags: string): ChartTree => {
  const values = (version: string): string => `image: { tag: ${version} }\nmessage: hello\ncanary:\n${indented(flags)}`;
  return {
    name,
    files: {
      ...shared,
      ...podinfo,
      [shop]: helmRelease('shop', `values:\n${indented(values('1.0.0'))}`, { of: 'podinfo' }),
    },
    release: { [shop]: [...tag, ['message: hello', 'message: bye']] },
    hand: byHelm([values('1.1.0').replace('hello', 'bye')], { args: ['shop', 'charts/podinfo', '--skip-tests'] }),
  };
};

const operator = (version: string, spec: string): string =>
  `apiVersion: ${version}\nkind: HelmRelease\nmetadata:\n  name: shop\n  namespace: prod\nspec:\n  releaseName: shop\n${indented(spec)}`;
const generator = (more: string): string =>
  `namespace: prod\nresources: [shop.yaml]\nconfigMapGenerator:\n- name: shop-values\n${indented(more)}generatorOptions: { disableNameSuffixHash: true }\n`;
const fromConfigMap = 'valuesFrom:\n- { kind: ConfigMap, name: shop-values }\n';

export const chartTrees: readonly ChartTree[] = [
  ofPodinfo('an application with canary.enabled alone', 'enabled: true\n'),
  ofPodinfo(
    'an application with loadtest.enabled',
    'enabled: true\nloadtest: { enabled: true, url: "http://loadtester.test/" }\n',
  ),
  ofPodinfo(
    'an application with istioIngress.enabled',
    'enabled: true\nistioIngress: { enabled: true, gateway: public.istio-system, host: shop.example.test }\n',
  ),
  inValues('image.tag', 'image:\n  tag: 1.0.0 # now\n', tag),
  inValues('image.repository', 'image:\n  repository: registry.test/a # now\n', [['test/a', 'test/b']]),
  inValues('image: name:tag', 'image: registry.test/shop:1.0.0 # now\nreplicas: 3\n', tag),
  inValues(
    'an image in three parts',
    'image:\n  registry: registry.test\n  repository: shop\n  tag: 1.0.0\nreplicas: 3\n',
    [['registry: registry.test', 'registry: mirror.test'], ['repository: shop', 'repository: team/shop'], ...tag],
  ),
  inValues('a value deep down', 'settings:\n  deep:\n    - name: a\n      version: 1.0.0 # now\n', tag),
  inValues('an item of a list', 'env:\n- { name: MODE, value: calm } # now\n- { name: A, value: b }\n', calm),
  inValues('a value that is used by an anchor', 'image:\n  tag: &tag 1.0.0\nsettings: { version: *tag }\n', tag),
  inValues('a map in a line', 'image: { tag: "1.0.0" } # now\n', tag),
  inValues(
    'a text of several lines',
    'settings:\n  file: |\n    # of the shop\n    MODE=calm\n    COLOUR=blue\n',
    calm,
  ),
  {
    name: 'a value that was a default',
    files: withShop('values:\n  image: { tag: 1.0.0 }\n'),
    release: { [shop]: [['image: { tag: 1.0.0 }', 'image: { tag: 1.0.0 }\n    settings: { mode: wild } # soon']] },
    hand: byHelm(['image: { tag: 1.0.0 }\nsettings: { mode: wild }\n']),
  },
  inValues('a default that is taken away', 'image: { tag: 1.0.0 }\nsettings: { mode: calm }\n', [
    ['settings: { mode: calm }', 'settings: null'],
  ]),
  {
    name: 'a HelmRelease in JSON',
    files: {
      ...shared,
      'releases/shop.json': `${JSON.stringify(
        {
          apiVersion: 'helm.toolkit.fluxcd.io/v2',
          kind: 'HelmRelease',
          metadata: { name: 'shop', namespace: 'prod' },
          spec: {
            chart: { spec: { chart: 'charts/web', sourceRef: { kind: 'GitRepository', name: 'x' } } },
            values: { image: { tag: '1.0.0' }, settings: { mode: 'calm' } },
          },
        },
        undefined,
        2,
      )}\n`,
    },
    release: { 'releases/shop.json': [...tag, ...calm] },
    hand: byHelm(['image: { tag: 1.1.0 }\nsettings: { mode: wild }\n']),
  },
  {
    name: 'a file of values',
    files: {
      ...withOwn('', {
        'prod.yaml':
          '# of production\nimage: &image\n  repository: registry.test/shop\n  tag: 1.0.0\nreplicas: 1\nenv: []\nsettings: {}\n',
      }),
      [shop]: helmRelease('shop', '', { of: 'own' }).replace(
        '      sourceRef',
        '      valuesFiles: [charts/own/prod.yaml]\n      sourceRef',
      ),
    },
    release: { 'charts/own/prod.yaml': tag },
    hand: ofOwn([], {
      args: ['shop', 'charts/own', '-f', 'charts/own/prod.yaml'],
      files: { 'charts/own/values.yaml': '' },
    }),
  },
  {
    name: 'a file of values in JSON',
    files: {
      ...withOwn('', { 'prod.json': '{\n  "image": { "tag": "1.0.0" },\n  "settings": { "mode": "calm" }\n}\n' }),
      [shop]: helmRelease('shop', '', { of: 'own' }).replace(
        '      sourceRef',
        '      valuesFiles: [charts/own/values.yaml, charts/own/prod.json]\n      sourceRef',
      ),
    },
    release: { 'charts/own/prod.json': [...tag, ...calm] },
    hand: ofOwn([], { args: ['shop', 'charts/own', '-f', 'charts/own/prod.json'] }),
  },
  {
    name: 'values of a ConfigMap',
    files: withShop(fromConfigMap, {
      'releases/values.yaml': config(
        'ConfigMap',
        'shop-values',
        'data:\n  values.yaml: |\n    image: { tag: 1.0.0 }\n    settings: { mode: calm }\n',
      ),
    }),
    release: { 'releases/values.yaml': tag },
    hand: byHelm(['image: { tag: 1.1.0 }\nsettings: { mode: calm }\n']),
  },
  {
    name: 'values of a Secret',
    files: withShop('valuesFrom:\n- { kind: Secret, name: shop-values, valuesKey: all }\nvalues: { replicas: 3 }\n', {
      'releases/values.yaml': config('Secret', 'shop-values', 'stringData:\n  all: |\n    settings: { mode: calm }\n'),
    }),
    release: { 'releases/values.yaml': calm },
    hand: byHelm(['settings: { mode: wild }\n', 'replicas: 3\n']),
  },
  {
    name: 'values of a Secret in base64',
    files: withShop('valuesFrom:\n- { kind: Secret, name: shop-values }\n', {
      'releases/values.yaml': config(
        'Secret',
        'shop-values',
        `data:\n  values.yaml: ${base64('settings: { mode: calm }\n')}\n`,
      ),
    }),
    release: {
      'releases/values.yaml': [[base64('settings: { mode: calm }\n'), base64('settings: { mode: wild }\n')]],
    },
    hand: byHelm(['settings: { mode: wild }\n']),
  },
  {
    name: 'a single value of a ConfigMap',
    files: withShop('valuesFrom:\n- { kind: ConfigMap, name: shop-values, valuesKey: tag, targetPath: image.tag }\n', {
      'releases/values.yaml': config('ConfigMap', 'shop-values', 'data:\n  tag: 1.0.0 # now\n  other: x\n'),
    }),
    release: { 'releases/values.yaml': tag },
    hand: byHelm(['image: { tag: 1.1.0 }\n']),
  },
  {
    name: "the chart's own values",
    files: withOwn('values: { replicas: 3 }\n'),
    release: { 'charts/own/values.yaml': [...tag, ...calm] },
    hand: ofOwn(['replicas: 3\n']),
  },
  {
    name: "the chart's template",
    files: withOwn('values: { replicas: 3 }\n'),
    release: { 'charts/own/templates/app.yaml': [['- name: main\n', '- name: main\n        workingDir: /srv\n']] },
    hand: ofOwn(['replicas: 3\n']),
  },
  {
    name: "the chart's helpers",
    files: withOwn('values: { replicas: 3 }\n'),
    release: { 'charts/own/templates/_helpers.tpl': [['}}:{{ .Values.image.tag }}', '}}:v{{ .Values.image.tag }}']] },
    hand: ofOwn(['replicas: 3\n']),
  },
  ...(
    [
      ['.env', 'files/app.env', '# of the shop\nMODE=calm\nCOLOUR=blue\n'],
      ['.properties', 'files/app.properties', '! of the shop\nmode = calm\ncolour = blue\n'],
      ['text', 'files/motd', 'Be calm.\n\nAnd go on.\n'],
    ] as const
  ).map(
    ([kind, path, text]): ChartTree => ({
      name: `a ${kind} file of the chart`,
      files: withOwn('values: { replicas: 3 }\n', { [path]: text }),
      release: { [`charts/own/${path}`]: calm },
      hand: ofOwn(['replicas: 3\n']),
    }),
  ),
  {
    name: 'a chart that the chart depends on',
    files: withOwn('values: { replicas: 3 }\n', {
      'Chart.yaml': 'apiVersion: v2\nname: own\nversion: 0.1.0\ndependencies:\n- { name: part, version: 0.1.0 }\n',
      'templates/_helpers.tpl': '{{- define "image" -}}{{ include "part.image" . }}{{- end -}}\n',
      'charts/part/Chart.yaml': 'apiVersion: v2\nname: part\nversion: 0.1.0\n',
      'charts/part/templates/_image.tpl': '{{- define "part.image" -}}registry.test/part:1.0.0{{- end -}}\n',
    }),
    release: { 'charts/own/charts/part/templates/_image.tpl': tag },
    hand: ofOwn(['replicas: 3\n']),
  },
  {
    name: "a chart's values that two apps have",
    files: withShop('values: { replicas: 3 }\n'),
    release: { 'charts/web/values.yaml': calm },
    hand: byHelm(['replicas: 3\n']),
    held: /cart/,
  },
  {
    name: 'images of a post-renderer',
    files: withShop(
      'postRenderers:\n- kustomize:\n    images:\n    - name: registry.test/web\n      newTag: 1.0.0 # now\nvalues: { replicas: 3 }\n',
    ),
    release: { [shop]: [['newTag: 1.0.0', 'newTag: 1.1.0']] },
    hand: byHelm(['replicas: 3\n'], { afterwards: 'images: [{ name: registry.test/web, newTag: 1.1.0 }]\n' }),
  },
  {
    name: 'a patch of a post-renderer',
    files: withShop(
      'postRenderers:\n- kustomize:\n    patches:\n    - target: { kind: Deployment }\n      patch: |\n        - op: add\n          path: /spec/template/metadata/annotations\n          value: { mode: calm }\n',
    ),
    release: { [shop]: calm },
    hand: byHelm([], {
      afterwards:
        'patches:\n- target: { kind: Deployment }\n  patch: |\n    - op: add\n      path: /spec/template/metadata/annotations\n      value: { mode: wild }\n',
    }),
  },
  {
    name: 'a HelmRelease for another namespace, with a name of its own',
    files: {
      ...shared,
      [shop]: helmRelease('x', 'releaseName: shop\ntargetNamespace: prod\nvalues:\n  image: { tag: 1.0.0 }\n', {
        namespace: 'flux-system',
        version: 'v2beta2',
      }),
    },
    release: { [shop]: tag },
    hand: byHelm(['image: { tag: 1.1.0 }\n']),
  },
  {
    name: 'a HelmRelease of the Helm operator',
    files: {
      ...shared,
      [shop]: operator(
        'helm.fluxcd.io/v1',
        'chart: { git: "https://git.test/x", ref: main, path: charts/web }\nvalues:\n  image: { tag: 1.0.0 }\n',
      ),
    },
    release: { [shop]: tag },
    hand: byHelm(['image: { tag: 1.1.0 }\n']),
  },
  {
    name: 'a HelmRelease of Flux 1, with a file of its chart',
    files: {
      ...shared,
      ...chart('own', { 'prod.yaml': 'image: { tag: 1.0.0 }\n' }),
      [shop]: operator(
        'flux.weave.works/v1beta1',
        'chart: { git: "https://git.test/x", path: charts/own }\nvaluesFrom: [{ chartFileRef: { path: prod.yaml } }]\n',
      ),
    },
    release: { 'charts/own/prod.yaml': tag },
    hand: ofOwn(['image: { tag: 1.1.0 }\n']),
  },
  {
    name: 'one of several HelmReleases of a file',
    files: {
      ...shared,
      [shop]: [
        helmRelease('one', 'values: { settings: { a: b } }\n'),
        helmRelease('shop', 'values:\n  image: { tag: 1.0.0 } # now\n'),
        helmRelease('two', 'values: { settings: { a: b } }\n'),
      ].join('---\n'),
    },
    release: { [shop]: [['tag: 1.0.0 } # now', 'tag: 1.1.0 } # now']] },
    hand: byHelm(['image: { tag: 1.1.0 }\n']),
  },
  {
    name: 'a patch of an overlay on a HelmRelease',
    files: {
      ...shared,
      'base/shop.yaml': helmRelease('shop', 'values:\n  image: { tag: 0.9.0 }\n').replace('  namespace: prod\n', ''),
      'base/kustomization.yaml': 'resources: [shop.yaml]\n',
      'prod/kustomization.yaml':
        'namespace: prod\nresources: [../base]\npatches:\n- target: { kind: HelmRelease, name: shop }\n  patch: |-\n    - op: replace\n      path: /spec/values/image/tag\n      value: 1.0.0 # now\n',
    },
    release: { 'prod/kustomization.yaml': tag },
    hand: byHelm(['image: { tag: 1.1.0 }\n']),
  },
  {
    name: 'values that a generator reads from a file',
    files: {
      ...shared,
      'prod/shop.yaml': helmRelease('shop', fromConfigMap),
      'prod/values.yaml': '# of production\nimage: { tag: 1.0.0 }\nsettings: { mode: calm }\n',
      'prod/kustomization.yaml': generator('files: [values.yaml]\n'),
    },
    release: { 'prod/values.yaml': tag },
    hasNoComments: true,
    hand: byHelm(['image: { tag: 1.1.0 }\nsettings: { mode: calm }\n']),
  },
  {
    name: 'a single value that a generator reads from an .env file',
    files: {
      ...shared,
      'prod/shop.yaml': helmRelease(
        'shop',
        'valuesFrom:\n- { kind: ConfigMap, name: shop-values, valuesKey: MODE, targetPath: settings.mode }\n',
      ),
      'prod/shop.env': '# of production\nMODE=calm\nCOLOUR=blue\n',
      'prod/kustomization.yaml': generator('envs: [shop.env]\n'),
    },
    release: { 'prod/shop.env': calm },
    hand: byHelm(['settings: { mode: wild }\n']),
  },
  {
    name: 'a variable of a Kustomization of Flux in values',
    files: {
      ...shared,
      'cluster/shop.yaml': flux('postBuild:\n  substitute:\n    TAG: 1.0.0 # now\n'),
      'apps/shop/shop.yaml': helmRelease('shop', 'values:\n  image: { tag: "${TAG}" }\n'),
    },
    release: { 'cluster/shop.yaml': tag },
    hand: byHelm(['image: { tag: 1.1.0 }\n']),
  },
  {
    name: 'images of a Kustomization of Flux',
    files: described('images:\n- name: shop\n  newTag: 1.0.0 # now\n- name: desk\n  newTag: 1.0.0\n'),
    release: { 'cluster/shop.yaml': [['newTag: 1.0.0 # now', 'newTag: 1.1.0 # now']] },
    hand: byKustomize('images: [{ name: shop, newTag: 1.1.0 }, { name: desk, newTag: 1.0.0 }]\n'),
  },
  {
    name: 'patches of a Kustomization of Flux',
    files: described(
      'patches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: { name: shop }\n    spec: { template: { metadata: { annotations: { mode: calm } } } }\n',
    ),
    release: { 'cluster/shop.yaml': calm },
    hand: byKustomize(
      'patches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: { name: shop }\n    spec: { template: { metadata: { annotations: { mode: wild } } } }\n',
    ),
  },
  {
    name: 'a variable of a Kustomization of Flux',
    files: described('postBuild:\n  substitute: { TAG: 1.0.0, OTHER: x }\n', {
      'apps/shop/shop.yaml': deployment('shop', 'shop:${TAG}'),
    }),
    release: { 'cluster/shop.yaml': tag },
    hand: byKustomize('', { TAG: '1.1.0' }),
  },
  {
    name: 'a variable of a ConfigMap',
    files: described('postBuild:\n  substituteFrom:\n  - { kind: ConfigMap, name: versions }\n', {
      'apps/shop/shop.yaml': deployment('shop', 'shop:${SHOP:=0.1.0}'),
      'cluster/versions.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: versions, namespace: flux-system }\ndata:\n  SHOP: 1.0.0 # now\n  CART: 1.0.0\n',
    }),
    release: { 'cluster/versions.yaml': [['SHOP: 1.0.0', 'SHOP: 1.1.0']] },
    hand: byKustomize('', { 'SHOP:=0.1.0': '1.1.0' }),
  },
  {
    name: 'a resource in the folder of a Kustomization of Flux',
    files: described('namePrefix: ""\ncommonMetadata: { labels: { team: one } }\n'),
    release: { 'apps/shop/shop.yaml': tag },
    hand: byKustomize('labels: [{ pairs: { team: one } }]\n'),
  },
];

/** The tree with the change of its release. */
export function releasedChart({ files, release }: Pick<ChartTree, 'files' | 'release'>): Files {
  const changed: Record<string, string> = { ...files };
  for (const [path, changes] of Object.entries(release))
    for (const [from, to] of changes) {
      const text = changed[path] ?? '';
      if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
      changed[path] = text.replace(from, to);
    }
  return changed;
}
