import type { Files } from '../../src/render/tree-files.ts';

export interface AppShape {
  readonly name: string;
  readonly namespace?: string;
  readonly image?: string;
  readonly replicas?: number;
  /** ConfigMap data; absent: the app has no ConfigMap. */
  readonly config?: Readonly<Record<string, string>>;
  /** Name of the ConfigMap; absent: `<app>-config`. */
  readonly configName?: string;
  readonly sidecar?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A Deployment as people write it: with comments, and lists that are not indented. */
export function deploymentText(app: AppShape): string {
  const {
    name,
    namespace = 'test',
    image = `${name}:1.0.0`,
    replicas = 2,
    config,
    configName = `${name}-config`,
    sidecar,
    env = {},
  } = app;
  const variables = Object.entries(env).flatMap(([key, value]) => [
    `        - name: ${key}`,
    `          value: "${value}" # set for ${name}`,
  ]);
  return `${[
    'apiVersion: apps/v1',
    'kind: Deployment',
    'metadata:',
    `  name: ${name}`,
    `  namespace: ${namespace}`,
    'spec:',
    `  replicas: ${replicas} # ${name} runs often`,
    '  selector:',
    `    matchLabels: {app: ${name}}`,
    '  template:',
    '    metadata:',
    '      labels:',
    `        app: ${name}`,
    '    spec:',
    '      containers:',
    ...(sidecar === undefined ? [] : ['      - name: sidecar', `        image: ${sidecar}`]),
    `      - name: ${name}d`,
    `        image: ${image} # the image of ${name}`,
    ...(variables.length === 0 ? [] : ['        env:', ...variables]),
    ...(config === undefined ? [] : ['        envFrom:', '        - configMapRef:', `            name: ${configName}`]),
  ].join('\n')}\n`;
}

export function configText({ name, namespace = 'test', config = {}, configName = `${name}-config` }: AppShape): string {
  const data = Object.entries(config).map(([key, value]) => `  ${key}: '${value}'`);
  return `${['# settings', 'apiVersion: v1', 'kind: ConfigMap', 'metadata:', `  name: ${configName}`, `  namespace: ${namespace}`, 'data:', ...data].join('\n')}\n`;
}

export function canaryText({ name, namespace = 'test' }: AppShape): string {
  return `apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: ${name}
  service:
    port: 9898
  analysis:
    interval: 1m
    threshold: 5
    stepWeight: 10
`;
}

export const joined = (...documents: readonly string[]): string => documents.join('---\n');

/** One file for each object, in a folder for each app. */
export function appTree(...apps: readonly AppShape[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const app of apps) {
    files.set(`${app.name}/deployment.yaml`, deploymentText(app));
    files.set(`${app.name}/canary.yaml`, canaryText(app));
    if (app.config) files.set(`${app.name}/config.yaml`, configText(app));
  }
  return files;
}

/** All objects of all apps in one file. */
export function oneFile(...apps: readonly AppShape[]): Map<string, string> {
  return new Map([['all.yaml', joined(...appTree(...apps).values())]]);
}

export function withFiles(files: Files, changes: Readonly<Record<string, string | null>>): Map<string, string> {
  const changed = new Map(files);
  for (const [path, text] of Object.entries(changes)) {
    if (text === null) changed.delete(path);
    else changed.set(path, text);
  }
  return changed;
}
