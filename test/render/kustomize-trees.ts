/** A small repository, and a change of it that a release of `prod/shop` makes. */
export interface SmallTree {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** Of the kustomization that is rendered. */
  readonly folder: string;
  /** What is written instead of what, by path. */
  readonly release: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>;
  /** Why it cannot be taken back. Absent: it is, and then every file is as before. */
  readonly held?: RegExp;
}

const labels = (name: string): string => `{ app: ${name} }`;
export const deployment = (name: string, image = `${name}:1.0.0`, more = ''): string =>
  `# the ${name}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  replicas: 2
  selector: { matchLabels: ${labels(name)} }
  template:
    metadata: { labels: ${labels(name)} }
    spec:
      containers:
      - name: main
        image: ${image} # moved by releases
${more}`;
export const canary = (name: string): string =>
  `apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: ${name}
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: ${name} }
  service: { port: 80 }
  analysis: { interval: 10s, threshold: 2, stepWeight: 20 }
`;
const configured = (name: string): string =>
  deployment(name, undefined, `        envFrom:\n        - configMapRef: { name: ${name}-config }\n`);
const withSecret = (name: string): string =>
  deployment(name, undefined, `        envFrom:\n        - secretRef: { name: ${name}-secret }\n`);

const base = {
  'base/kustomization.yaml':
    'resources: # all of them\n- shop.yaml\n- shop-canary.yaml\n- cart.yaml\n- cart-canary.yaml\n',
  'base/shop.yaml': deployment('shop'),
  'base/shop-canary.yaml': canary('shop'),
  'base/cart.yaml': deployment('cart'),
  'base/cart-canary.yaml': canary('cart'),
};
const prod = (more: string): string => `namespace: prod\nresources:\n- ../base\n${more}`;
const overlay = (more: string): Readonly<Record<string, string>> => ({
  ...base,
  'prod/kustomization.yaml': prod(more),
});
/** With names changed, also where a Canary names its target. */
const named = (more: string): Readonly<Record<string, string>> => ({
  ...overlay(`${more}configurations: [names.yaml]\n`),
  'prod/names.yaml':
    'nameReference:\n- kind: Deployment\n  fieldSpecs: [{ kind: Canary, path: spec/targetRef/name }]\n',
});
const tag = [['1.0.0', '1.1.0']] as const;
const inProd = (...changes: readonly (readonly [string, string])[]): SmallTree['release'] => ({
  'prod/kustomization.yaml': changes,
});

export const smallTrees: readonly SmallTree[] = [
  { name: 'an image of the base', folder: 'prod', files: overlay(''), release: { 'base/shop.yaml': tag } },
  {
    name: "a tag of an overlay's images",
    folder: 'prod',
    files: overlay('images:\n- name: shop\n  newTag: 1.0.0 # now\n- name: cart\n  newTag: 1.0.0\n'),
    release: inProd(['newTag: 1.0.0 # now', 'newTag: 1.1.0 # now']),
  },
  {
    name: 'images added to an overlay',
    folder: 'prod',
    files: overlay('commonAnnotations: { a: b }\n'),
    release: inProd(['commonAnnotations', 'images:\n- name: shop\n  newTag: 1.1.0\ncommonAnnotations']),
  },
  {
    name: 'a digest in the place of a tag',
    folder: 'prod',
    files: overlay('images:\n- name: shop\n  newTag: 1.0.0\n'),
    release: inProd([
      'newTag: 1.0.0',
      'digest: "sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3"',
    ]),
  },
  {
    name: 'a strategic merge patch in a file',
    folder: 'prod',
    files: {
      ...overlay('patches:\n- path: shop-patch.yaml\n'),
      'prod/shop-patch.yaml':
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: shop }\nspec:\n  template:\n    spec:\n      containers:\n      - name: main\n        env: [{ name: MODE, value: calm }] # how it runs\n',
    },
    release: { 'prod/shop-patch.yaml': [['calm', 'wild']] },
  },
  {
    name: 'a strategic merge patch in the kustomization',
    folder: 'prod',
    files: overlay(
      'patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: { name: shop }\n    spec:\n      template:\n        spec:\n          containers:\n          - { name: main, image: "shop:1.0.0" }\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: { name: cart }\n    spec: { replicas: 3 }\n',
    ),
    release: inProd(['shop:1.0.0', 'shop:1.1.0']),
  },
  {
    name: 'a JSON 6902 patch in the kustomization',
    folder: 'prod',
    files: overlay(
      'patches:\n- target: { kind: Deployment, name: shop }\n  patch: |-\n    - op: add\n      path: /spec/template/spec/containers/0/env\n      value: [{ name: MODE, value: calm }]\n',
    ),
    release: inProd(['value: calm', 'value: wild']),
  },
  {
    name: 'a JSON 6902 patch in a file of JSON',
    folder: 'prod',
    files: {
      ...overlay('patches:\n- target: { kind: Deployment, name: shop }\n  path: shop.json\n'),
      'prod/shop.json':
        '[\n  { "op": "add", "path": "/spec/template/metadata/annotations", "value": { "mode": "calm" } }\n]\n',
    },
    release: { 'prod/shop.json': [['calm', 'wild']] },
  },
  {
    name: 'patchesStrategicMerge and patchesJson6902, as they were called before',
    folder: 'prod',
    files: {
      ...overlay(
        'patchesStrategicMerge:\n- mode.yaml\npatchesJson6902:\n- target: { group: apps, version: v1, kind: Deployment, name: cart }\n  path: cart.yaml\n',
      ),
      'prod/mode.yaml':
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: shop }\nspec: { template: { metadata: { annotations: { mode: calm } } } }\n',
      'prod/cart.yaml': '- { op: replace, path: /spec/replicas, value: 4 }\n',
    },
    release: { 'prod/mode.yaml': [['calm', 'wild']] },
  },
  {
    name: 'a patch for all workloads, which two apps share',
    folder: 'prod',
    files: overlay(
      'patches:\n- target: { kind: Deployment }\n  patch: |-\n    - { op: add, path: /spec/template/metadata/annotations, value: { mode: calm } }\n',
    ),
    release: inProd(['calm', 'wild']),
    held: /cart/,
  },
  {
    name: 'a patch that is new',
    folder: 'prod',
    files: overlay('labels: [{ pairs: { team: a } }]\n'),
    release: inProd([
      'labels:',
      'patches:\n- target: { kind: Deployment, name: shop }\n  patch: |-\n    - { op: add, path: /spec/template/metadata/annotations, value: { mode: calm } }\nlabels:',
    ]),
  },
  {
    name: 'a component',
    folder: 'prod',
    files: {
      ...overlay('components: [../components/trace]\n'),
      'components/trace/kustomization.yaml':
        'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: { kind: Deployment, name: shop }\n  path: trace.yaml\n',
      'components/trace/trace.yaml':
        '- op: add\n  path: /spec/template/metadata/annotations\n  value: { trace: some }\n',
    },
    release: { 'components/trace/trace.yaml': [['trace: some', 'trace: all']] },
  },
  {
    name: 'a component that sets images',
    folder: 'prod',
    files: {
      ...overlay('components: [../components/versions]\n'),
      'components/versions/kustomization.yaml':
        'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n- { name: shop, newTag: 1.0.0 }\n- { name: cart, newTag: 1.0.0 }\n',
    },
    release: { 'components/versions/kustomization.yaml': [['shop, newTag: 1.0.0', 'shop, newTag: 1.1.0']] },
  },
  {
    name: 'a file of variables that a generator reads',
    folder: 'prod',
    files: {
      ...overlay('configMapGenerator:\n- name: shop-config\n  envs: [shop.env]\n'),
      'base/shop.yaml': configured('shop'),
      'prod/shop.env': '# of the shop\nMODE=calm\nCOLOUR=blue\n',
    },
    release: { 'prod/shop.env': [['calm', 'wild']] },
  },
  {
    name: 'a file of properties, under another key',
    folder: 'prod',
    files: {
      ...overlay('configMapGenerator:\n- name: shop-config\n  files: [application.properties=etc/shop.properties]\n'),
      'base/shop.yaml': configured('shop'),
      'prod/etc/shop.properties': 'mode = calm\ncolour = blue\n',
    },
    release: { 'prod/etc/shop.properties': [['calm', 'wild']] },
  },
  {
    name: 'a text of any kind',
    folder: 'prod',
    files: {
      ...overlay('configMapGenerator:\n- name: shop-config\n  files: [nginx.conf]\n'),
      'base/shop.yaml': configured('shop'),
      'prod/nginx.conf': 'server {\n  listen 80;\n  # grüezi\n  return 200;\n}\n',
    },
    release: { 'prod/nginx.conf': [['return 200', 'return 500']] },
  },
  {
    name: 'a literal of a generator',
    folder: 'prod',
    files: {
      ...overlay('configMapGenerator:\n- name: shop-config\n  literals:\n  - MODE=calm # as ever\n  - COLOUR=blue\n'),
      'base/shop.yaml': configured('shop'),
    },
    release: inProd(['MODE=calm', 'MODE=wild']),
  },
  {
    name: 'a generator that merges into the one of the base',
    folder: 'prod',
    files: {
      ...overlay('configMapGenerator:\n- name: shop-config\n  behavior: merge\n  literals: [MODE=calm]\n'),
      'base/kustomization.yaml': `${base['base/kustomization.yaml']}configMapGenerator:\n- name: shop-config\n  literals: [MODE=none, COLOUR=blue]\n`,
      'base/shop.yaml': configured('shop'),
    },
    release: inProd(['MODE=calm', 'MODE=wild']),
  },
  {
    name: 'a generator of Secrets',
    folder: 'prod',
    files: {
      ...overlay('secretGenerator:\n- name: shop-secret\n  type: Opaque\n  envs: [secret.env]\n'),
      'base/shop.yaml': withSecret('shop'),
      'prod/secret.env': 'PASSWORD=first\n',
    },
    release: { 'prod/secret.env': [['first', 'second']] },
  },
  {
    name: 'a literal of a generator of Secrets, without a hash in its name',
    folder: 'prod',
    files: {
      ...overlay(
        'secretGenerator:\n- name: shop-secret\n  literals: [PASSWORD=first]\ngeneratorOptions: { disableNameSuffixHash: true, labels: { made: here } }\n',
      ),
      'base/shop.yaml': withSecret('shop'),
    },
    release: inProd(['first', 'second']),
  },
  {
    name: 'a prefix and a suffix',
    folder: 'prod',
    files: named('namePrefix: a-\nnameSuffix: -b\nimages:\n- { name: shop, newTag: 1.0.0 }\n'),
    release: inProd(['1.0.0', '1.1.0']),
  },
  {
    name: 'a prefix, and the resource of the base itself',
    folder: 'prod',
    files: named('namePrefix: a-\n'),
    release: { 'base/shop.yaml': tag },
  },
  {
    name: 'labels on templates',
    folder: 'prod',
    files: overlay(
      'labels:\n- pairs: { team: a }\n  includeTemplates: true\nimages:\n- { name: shop, newTag: 1.0.0 }\n',
    ),
    release: inProd(['1.0.0', '1.1.0']),
  },
  {
    name: 'common labels and annotations',
    folder: 'prod',
    files: overlay('commonLabels: { team: a }\ncommonAnnotations: { owner: b }\n'),
    release: { 'base/shop.yaml': tag },
  },
  {
    name: 'replacements of one object into another',
    folder: 'prod',
    files: {
      ...overlay(
        'replacements:\n- source: { kind: ConfigMap, name: versions, fieldPath: data.mode }\n  targets:\n  - select: { kind: Deployment, name: shop }\n    fieldPaths: [spec.template.metadata.annotations.mode]\n    options: { create: true }\n',
      ),
      'base/kustomization.yaml': `${base['base/kustomization.yaml']}- versions.yaml\n`,
      'base/versions.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: versions }\ndata:\n  mode: calm\n',
    },
    release: { 'base/versions.yaml': [['calm', 'wild']] },
    held: /./,
  },
  {
    name: 'replacements in a file',
    folder: 'prod',
    files: {
      ...overlay('replacements:\n- path: replace.yaml\n'),
      'prod/replace.yaml':
        'source: { kind: Deployment, name: shop, fieldPath: metadata.name }\ntargets:\n- select: { kind: Deployment, name: shop }\n  fieldPaths: [spec.template.metadata.annotations.first]\n  options: { create: true }\n',
    },
    release: { 'prod/replace.yaml': [['annotations.first', 'annotations.second']] },
  },
  {
    name: 'replicas, beside an image',
    folder: 'prod',
    files: overlay('replicas:\n- { name: shop, count: 5 }\nimages:\n- { name: shop, newTag: 1.0.0 }\n'),
    release: inProd(['1.0.0', '1.1.0']),
  },
  {
    name: 'three layers',
    folder: 'clusters/prod',
    files: {
      ...overlay('images:\n- { name: shop, newTag: 1.0.0 }\n'),
      'clusters/prod/kustomization.yaml': 'resources: [../../prod]\nlabels: [{ pairs: { cluster: one } }]\n',
    },
    release: inProd(['1.0.0', '1.1.0']),
  },
  {
    name: 'a kustomization that lists only what stands elsewhere',
    folder: 'clusters/prod',
    files: {
      ...overlay('images:\n- { name: shop, newTag: 1.0.0 }\n'),
      'clusters/prod/kustomization.yml': 'resources:\n- ../../prod\n',
    },
    release: inProd(['1.0.0', '1.1.0']),
  },
  {
    name: 'several objects in one file',
    folder: 'prod',
    files: {
      'base/kustomization.yaml': 'resources: [all.yaml]\n',
      'base/all.yaml': [deployment('shop'), canary('shop'), deployment('cart'), canary('cart')].join('---\n'),
      'prod/kustomization.yaml': prod(''),
    },
    release: { 'base/all.yaml': [['shop:1.0.0', 'shop:1.1.0']] },
  },
  {
    name: 'JSON',
    folder: 'prod',
    files: {
      ...base,
      'base/kustomization.yaml': base['base/kustomization.yaml'].replace('shop.yaml', 'shop.json'),
      'base/shop.json': `{
  "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "shop" },
  "spec": {
    "selector": { "matchLabels": { "app": "shop" } },
    "template": {
      "metadata": { "labels": { "app": "shop" } },
      "spec": { "containers": [{ "name": "main", "image": "shop:1.0.0" }] }
    }
  }
}
`,
      'prod/kustomization.yaml': prod(''),
    },
    release: { 'base/shop.json': tag },
  },
  {
    name: 'anchors',
    folder: 'prod',
    files: {
      ...base,
      'prod/kustomization.yaml': prod(
        'images:\n- name: shop\n  newTag: &version 1.0.0\n- name: sidecar\n  newTag: *version\n',
      ),
    },
    release: inProd(['1.0.0', '1.1.0']),
  },
  {
    name: 'an image, a patch and a generated file at once',
    folder: 'prod',
    files: {
      ...overlay(
        'images:\n- { name: shop, newTag: 1.0.0 }\npatches:\n- target: { kind: Deployment, name: shop }\n  patch: |-\n    - { op: add, path: /spec/template/metadata/annotations, value: { mode: calm } }\nconfigMapGenerator:\n- name: shop-config\n  envs: [shop.env]\n',
      ),
      'base/shop.yaml': configured('shop'),
      'prod/shop.env': 'MODE=calm\n',
    },
    release: {
      'prod/kustomization.yaml': [
        ['1.0.0', '1.1.0'],
        ['mode: calm', 'mode: wild'],
      ],
      'prod/shop.env': [['calm', 'wild']],
    },
  },
  {
    name: 'built-in transformers in files',
    folder: 'prod',
    files: {
      ...overlay('transformers: [note.yaml]\n'),
      'prod/note.yaml':
        'apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: { name: note }\nannotations: { mode: calm }\nfieldSpecs:\n- { kind: Deployment, path: spec/template/metadata/annotations, create: true }\n',
    },
    release: { 'prod/note.yaml': [['calm', 'wild']] },
    held: /cart/,
  },
  {
    name: 'configurations and crds',
    folder: 'prod',
    files: {
      ...overlay('configurations: [names.yaml]\nimages:\n- { name: shop, newTag: 1.0.0 }\n'),
      'prod/names.yaml': 'images:\n- { kind: Deployment, path: spec/template/spec/containers/image }\n',
    },
    release: inProd(['newTag: 1.0.0', 'newTag: 1.1.0']),
  },
  {
    name: 'an old base and vars',
    folder: 'prod',
    files: {
      ...base,
      'prod/kustomization.yaml':
        'namespace: prod\nbases: [../base]\nvars:\n- name: SHOP\n  objref: { apiVersion: apps/v1, kind: Deployment, name: shop }\nimages: [{ name: shop, newTag: 1.0.0 }]\n',
    },
    release: inProd(['1.0.0', '1.1.0']),
  },
];

/** The tree with the change of its release. */
export function released({ files, release }: SmallTree): Readonly<Record<string, string>> {
  const changed: Record<string, string> = { ...files };
  for (const [path, changes] of Object.entries(release)) {
    for (const [from, to] of changes) {
      const text = changed[path] ?? '';
      if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
      changed[path] = text.replace(from, to);
    }
  }
  return changed;
}
