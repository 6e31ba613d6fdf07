/** A repository of units that are rendered: overlays on bases, and releases of charts. None of their Deployments has pods. */
const bases = 30;
export const overlays = 300;
const charts = 4;
export const releases = 200;
export const unitNamespace = 'units';

const digits = (at: number): string => String(at).padStart(3, '0');
export const overlayFolder = (at: number): string => `overlays/o-${digits(at)}`;
export const overlayPath = (at: number): string => `${overlayFolder(at)}/kustomization.yaml`;
export const releaseName = (at: number): string => `r-${digits(at)}`;
export const releasePath = (at: number): string => `releases/${releaseName(at)}.yaml`;
export const basePath = (at: number): string => `bases/b-${digits(at)}/app.yaml`;
export const chartFolder = (at: number): string => `charts/c-${at % charts}`;

const app = (name: string, image: string): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  replicas: 0
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
      - name: app
        image: ${image}
        envFrom:
        - configMapRef: { name: ${name} }
---
apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  selector: { app: ${name} }
  ports: [{ port: 80 }]
`;

export const base = (at: number, version: number): string => app('app', `registry.test/b-${digits(at)}:${version}`);

export const overlay = (at: number, version: number): string => `namespace: ${unitNamespace}
namePrefix: o-${digits(at)}-
resources:
- ../../bases/b-${digits(at % bases)}
images:
- name: registry.test/b-${digits(at % bases)}
  newTag: 1.0.${version}
`;

/** Values of a release, as YAML. */
export const valuesOf = (version: number): string => `image: { tag: 1.0.${version} }\nmessage: hello\n`;

export const release = (at: number, version: number): string => `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: ${releaseName(at)}
  namespace: ${unitNamespace}
spec:
  interval: 5m
  chart:
    spec:
      chart: ./${chartFolder(at)}
      sourceRef: { kind: GitRepository, name: flux-system, namespace: flux-system }
  values:
${valuesOf(version).replaceAll(/^(?=.)/gm, '    ')}`;

/** All of its files, by path. */
export function unitFiles(): Record<string, string> {
  const files: Record<string, string> = {
    'README.md': 'Five hundred units.\n',
    'namespaces.yaml': `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${unitNamespace} }\n`,
  };
  for (let at = 0; at < bases; at += 1) {
    files[basePath(at)] = base(at, 0);
    files[`bases/b-${digits(at)}/kustomization.yaml`] =
      'resources: [app.yaml]\nconfigMapGenerator:\n- name: app\n  literals: [MODE=production, COLOUR=blue]\n';
  }
  for (let at = 0; at < overlays; at += 1) files[overlayPath(at)] = overlay(at, 0);
  for (let at = 0; at < charts; at += 1) {
    const folder = chartFolder(at);
    files[`${folder}/Chart.yaml`] = `apiVersion: v2\nname: c-${at}\nversion: 0.1.0\n`;
    files[`${folder}/values.yaml`] = 'image: { repository: registry.test/app, tag: latest }\nmessage: ""\n';
    files[`${folder}/templates/app.yaml`] = app(
      '{{ .Release.Name }}',
      '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"',
    );
    files[`${folder}/templates/config.yaml`] =
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  MESSAGE: {{ .Values.message | quote }}\n';
  }
  for (let at = 0; at < releases; at += 1) files[releasePath(at)] = release(at, 0);
  return files;
}

/** Objects that are made of it, with the namespace. */
export const unitObjects = 1 + (overlays + releases) * 3;
