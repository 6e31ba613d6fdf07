import { parse } from 'yaml';
import { canary } from '../render/kustomize-trees.ts';
import { type Chance, chanceOf } from './a-kustomized-shop.ts';

type Files = Record<string, string>;

/** A commit that changes the values of two HelmReleases of one chart. */
export interface ChartStory {
  readonly before: Readonly<Files>;
  readonly judged: Readonly<Files>;
  /** What was changed, for who looks into a failure. */
  readonly told: readonly string[];
}

export const chartApps = ['ant', 'bee'] as const;

const template = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec:
      containers:
      - name: main
        image: "web:{{ .Values.image.tag }}"
        env: {{ .Values.env | toJson }}
        args: [{{ .Values.text | quote }}, {{ .Values.deep.down | quote }}]
---
${canary('{{ .Release.Name }}')}`;

/** The same number gives the same story. */
export function chartStoryOf(seed: number): ChartStory {
  const chance: Chance = chanceOf(seed);
  const told: string[] = [];
  const places: { readonly apps: readonly string[]; readonly path: string; readonly mark: string }[] = [];
  const value = (path: string, ...apps: readonly string[]): string => {
    const mark = `v${places.length}x`;
    places.push({ apps, path, mark });
    return `${mark}1`;
  };
  const chartValues = 'charts/web/values.yaml';
  const files: Files = {
    'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
    'charts/web/templates/app.yaml': template,
    [chartValues]: `# of all\nimage: { tag: none }\nenv: []\ntext: ""\ndeep:\n  down: ${value(chartValues, ...chartApps)} # moved\n`,
  };
  const isTogether = chance.flip(0.4);
  const documents: string[] = [];
  for (const app of chartApps) {
    const path = isTogether ? 'releases/all.yaml' : `releases/${app}.yaml`;
    const lines: string[] = [];
    if (chance.flip(0.8)) lines.push(`image:\n  tag: ${value(path, app)} # of ${app}`);
    if (chance.flip(0.4)) lines.push(`env:\n- { name: A, value: a }\n- { name: B, value: ${value(path, app)} }`);
    if (chance.flip(0.4)) lines.push(`text: |\n  # said by ${app}\n  ${value(path, app)}`);
    if (chance.flip(0.3)) lines.push(`deep: { down: ${value(path, app)} }`);
    const from = chance.flip(0.4);
    const config = `releases/${app}-values.yaml`;
    if (from)
      files[config] =
        `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${app}-values, namespace: prod }\ndata:\n  values.yaml: |\n    text: ${value(config, app)}\n`;
    if (lines.length === 0) lines.push(`image: { tag: ${value(path, app)} }`);
    documents.push(
      `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: ${app}\n  namespace: prod\nspec:\n  chart: { spec: { chart: ./charts/web, sourceRef: { kind: GitRepository, name: x } } }\n${from ? `  valuesFrom: [{ kind: ConfigMap, name: ${app}-values }]\n` : ''}  values:\n${lines.join('\n').replaceAll(/^(?=.)/gm, '    ')}\n`,
    );
  }
  if (isTogether) files['releases/all.yaml'] = documents.join('---\n');
  else for (const [at, app] of chartApps.entries()) files[`releases/${app}.yaml`] = documents[at] ?? '';

  const judged = { ...files };
  for (const app of chartApps) {
    const own = places.filter(({ apps }) => apps.includes(app) && (apps.length === 1 || chance.flip(0.3)));
    for (let left = 1 + chance.upTo(2); left > 0; left -= 1) {
      const { path, mark } = chance.one(own);
      told.push(`${app}: ${mark} in ${path}`);
      judged[path] = (judged[path] ?? '').replace(`${mark}1`, `${mark}2`);
    }
  }
  return { before: files, judged, told };
}

/** The files of values of a HelmRelease of a story, the last of which wins. */
export function valuesIn(files: Readonly<Files>, app: string): readonly string[] {
  const text = files['releases/all.yaml'] ?? files[`releases/${app}.yaml`] ?? '';
  const found = text.split('---\n').find((document) => document.includes(`name: ${app}\n`)) ?? '';
  const { values } = (parse(found) as { spec: { values: unknown } }).spec;
  const config = files[`releases/${app}-values.yaml`];
  const shared =
    config === undefined ? [] : [(parse(config) as { data: Record<string, string> }).data['values.yaml'] ?? ''];
  return [...shared, JSON.stringify(values)];
}
