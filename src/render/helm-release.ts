import { isList, isObject } from '../manifest/edit-value.ts';
import { groupOf, type KubeObject, type Manifest } from '../manifest/types.ts';
import { sha256Hex } from '../lib/hash.ts';
import { orReason, Unusable } from './described.ts';
import { durationOf, textsOf } from './described-fields.ts';
import { toldOf } from './flux-fields.ts';

/** What a HelmRelease asks for, whichever of its three API groups it is of. */
export interface HelmRelease {
  readonly manifest: Manifest;
  readonly name: string;
  /** Where objects go that name no namespace. */
  readonly namespace: string;
  readonly chart: ChartSource;
  /** From the root of what holds the chart. `replaceOwn`: where there are some, the chart's own values do not count. */
  readonly valuesFiles: {
    readonly paths: readonly string[];
    readonly mayBeMissing: boolean;
    readonly replaceOwn: boolean;
  };
  /** In the order in which each overrules those before it. `values` overrules them all. */
  readonly valuesFrom: readonly ValuesFrom[];
  readonly values: Readonly<Record<string, unknown>>;
  /** Arguments that overrule all values, as `--set=image.tag=1`. Absent: none. */
  readonly parameters?: readonly string[];
  /** For all objects. Absent: none. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** The OCIRepository or HelmChart that said its chart. Absent: none did. */
  readonly named?: SourceRef;
  /** What depends on it waits until its objects are ready. Absent: so it does. */
  readonly isWaitedFor?: boolean;
  /** So long its objects may take to be ready. Absent: nobody asks. */
  readonly timeoutMs?: number;
  /** Its namespace is made where nothing in Git makes it. Absent: it has to be there. */
  readonly makesNamespace?: boolean;
  /** What becomes of the definitions in the chart's folder `crds`. */
  readonly crds: 'Skip' | 'Create' | 'CreateReplace';
  readonly hasHooks: boolean;
  readonly checksSchema: boolean;
  /** Names of HelmReleases, as `namespace/name`. */
  readonly dependsOn: readonly string[];
  /** Kustomizations that change what was rendered, one after the other. */
  readonly postRenderers: readonly Readonly<Record<string, unknown>>[];
  /** Fields that are not followed, and what is done instead, for people. */
  readonly told: readonly string[];
}

export type ChartSource =
  /** What an OCIRepository or a HelmChart in Git says. */
  | { readonly kind: 'named'; readonly source: SourceRef }
  /** A folder of a repository. `url` undefined: of the one that a GitRepository of this name stands for. */
  | {
      readonly kind: 'folder';
      readonly path: string;
      readonly url: string | undefined;
      readonly source: SourceRef | undefined;
      /** Absent: what the branch says. */
      readonly revision?: string;
    }
  /** Of an index or registry. */
  | {
      readonly kind: 'remote';
      readonly name: string;
      readonly version: string;
      readonly url: string | undefined;
      readonly source: SourceRef | undefined;
      /** Name of a Secret beside the HelmRelease with credentials for the URL. Absent: nothing but the source says some. */
      readonly pullSecret?: string;
    };

export interface SourceRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export type ValuesFrom =
  | {
      readonly kind: 'ConfigMap' | 'Secret';
      readonly namespace: string;
      readonly name: string;
      readonly key: string;
      /** Where one value goes. Undefined: the whole is values. */
      readonly targetPath: string | undefined;
      readonly isOptional: boolean;
    }
  /** Of the chart. */
  | { readonly kind: 'file'; readonly path: string; readonly isOptional: boolean };

type Fields = Readonly<Record<string, unknown>>;

const groups = new Set(['flux.weave.works', 'helm.fluxcd.io', 'helm.toolkit.fluxcd.io']);

export const isHelmRelease = ({ apiVersion, kind }: KubeObject): boolean =>
  kind === 'HelmRelease' && groups.has(groupOf(apiVersion));

/** A text says why it is not rendered. Only what stands in its spec counts, so what else changes renders nothing. */
export function readHelmRelease(manifest: Manifest): HelmRelease | string {
  const { object } = manifest;
  const spec = object['spec'];
  if (!isObject(spec)) return 'it has no spec';
  return orReason(() =>
    object.apiVersion.startsWith('helm.toolkit.') ? ofToolkit(manifest, spec) : ofOperator(manifest, spec),
  );
}

/** Flux's own. */
const defaultTimeoutMs = 300_000;

const refuse = (reason: string): never => {
  throw new Unusable(reason);
};

function ofToolkit(manifest: Manifest, spec: Fields): HelmRelease {
  const { metadata } = manifest.object;
  const own = metadata.namespace ?? '';
  const namespace = textOf(spec, 'targetNamespace') ?? own;
  const name =
    textOf(spec, 'releaseName') ??
    shortName(textOf(spec, 'targetNamespace') === undefined ? metadata.name : `${namespace}-${metadata.name}`);
  const { chartRef } = spec;
  const chart = isObject(spec['chart']) ? spec['chart']['spec'] : undefined;
  const from = isObject(chartRef)
    ? { chart: chartNamed(chartRef, own), valuesFiles: noValuesFiles }
    : isObject(chart)
      ? chartAsked(chart, own, 'spec.chart.spec')
      : refuse('spec.chart.spec is missing');
  const [install, upgrade] = [spec['install'], spec['upgrade']].map((moment) => (isObject(moment) ? moment : {})) as [
    Fields,
    Fields,
  ];
  // Whether it is installed or upgraded is one here.
  const timeoutOf = (moment: Fields): number =>
    durationOf(moment['timeout']) ?? durationOf(spec['timeout']) ?? defaultTimeoutMs;
  const isWaitedFor = !(install['disableWait'] === true && upgrade['disableWait'] === true);
  return {
    manifest,
    name: releaseName(name),
    namespace,
    ...from,
    valuesFrom: listIn(spec, 'valuesFrom').map((entry, at): ValuesFrom => {
      const place = `spec.valuesFrom[${at}]`;
      if (!isObject(entry)) return refuse(`${place} is no map`);
      const kind = entry['kind'];
      if (kind !== 'ConfigMap' && kind !== 'Secret') return refuse(`${place}.kind is neither ConfigMap nor Secret`);
      return {
        kind,
        namespace: own,
        name: textOf(entry, 'name') ?? refuse(`${place}.name is missing`),
        key: textOf(entry, 'valuesKey') ?? 'values.yaml',
        targetPath: textOf(entry, 'targetPath'),
        isOptional: entry['optional'] === true,
      };
    }),
    values: valuesIn(spec),
    crds:
      upgrade['crds'] === 'CreateReplace'
        ? 'CreateReplace'
        : crdsOf(install['crds'] ?? (install['skipCRDs'] === true ? 'Skip' : undefined)),
    ...commonOf(spec),
    makesNamespace: install['createNamespace'] === true,
    isWaitedFor,
    ...(isWaitedFor ? { timeoutMs: Math.max(...[install, upgrade].map(timeoutOf)) } : {}),
    hasHooks: !(install['disableHooks'] === true && upgrade['disableHooks'] === true),
    checksSchema: install['disableSchemaValidation'] !== true && upgrade['disableSchemaValidation'] !== true,
    dependsOn: listIn(spec, 'dependsOn').map((entry, at) => {
      const name_ = isObject(entry) ? textOf(entry, 'name') : undefined;
      if (!isObject(entry) || name_ === undefined) return refuse(`spec.dependsOn[${at}].name is missing`);
      return `${textOf(entry, 'namespace') ?? own}/${name_}`;
    }),
    postRenderers: listIn(spec, 'postRenderers').map(postRenderer),
    told: toldOf(manifest.object).map(({ text }) => text),
  };
}

const noValuesFiles: HelmRelease['valuesFiles'] = { paths: [], mayBeMissing: false, replaceOwn: true };

/** The chart of a HelmRelease, or of a HelmChart, that stands in this namespace. Throws Unusable. */
export function chartAsked(
  chart: Fields,
  own: string,
  place: string,
): { readonly chart: ChartSource; readonly valuesFiles: HelmRelease['valuesFiles'] } {
  const sourceRef = isObject(chart['sourceRef']) ? chart['sourceRef'] : {};
  const source = {
    kind: textOf(sourceRef, 'kind') ?? '',
    name: textOf(sourceRef, 'name') ?? '',
    namespace: textOf(sourceRef, 'namespace') ?? own,
  };
  const path = textOf(chart, 'chart') ?? refuse(`${place}.chart is missing`);
  const isFolder = source.kind === 'GitRepository';
  if (!isFolder && source.kind !== 'HelmRepository')
    refuse(
      `its chart comes from a ${source.kind || 'source without a kind'}: GitRepository and HelmRepository are followed`,
    );
  return {
    chart: isFolder
      ? { kind: 'folder', path, url: undefined, source }
      : { kind: 'remote', name: path, version: textOf(chart, 'version') ?? '*', url: undefined, source },
    valuesFiles: {
      paths: [
        ...textsIn(chart, 'valuesFiles', `${place}.valuesFiles`),
        ...(textOf(chart, 'valuesFile') === undefined ? [] : [textOf(chart, 'valuesFile') ?? '']),
      ],
      mayBeMissing: chart['ignoreMissingValuesFiles'] === true,
      replaceOwn: true,
    },
  };
}

function chartNamed(chartRef: Fields, own: string): ChartSource {
  const kind = textOf(chartRef, 'kind') ?? '';
  if (kind !== 'OCIRepository' && kind !== 'HelmChart')
    refuse(`spec.chartRef names a ${kind || 'source without a kind'}: OCIRepository and HelmChart are followed`);
  const name = textOf(chartRef, 'name') ?? refuse('spec.chartRef.name is missing');
  return { kind: 'named', source: { kind, name, namespace: textOf(chartRef, 'namespace') ?? own } };
}

/** What all objects have. */
function commonOf(spec: Fields): Pick<HelmRelease, 'labels' | 'annotations'> {
  const common = isObject(spec['commonMetadata']) ? spec['commonMetadata'] : {};
  return {
    labels: textsOf(common['labels'], 'spec.commonMetadata.labels'),
    annotations: textsOf(common['annotations'], 'spec.commonMetadata.annotations'),
  };
}

function ofOperator(manifest: Manifest, spec: Fields): HelmRelease {
  const { apiVersion, metadata } = manifest.object;
  const own = metadata.namespace ?? '';
  const namespace = textOf(spec, 'targetNamespace') ?? own;
  const isWeave = apiVersion.startsWith('flux.weave.works');
  const prefix = isWeave || namespace === own ? own : `${own}-${namespace}`;
  const chart = spec['chart'];
  if (!isObject(chart)) return refuse('spec.chart is missing');
  const git = textOf(chart, 'git');
  const { chartPullSecret } = chart;
  const pullSecret = isObject(chartPullSecret) ? textOf(chartPullSecret, 'name') : undefined;
  const secrets = listIn(spec, 'valueFileSecrets').map((entry, at): ValuesFrom => {
    const name = isObject(entry) ? textOf(entry, 'name') : undefined;
    const found = name ?? refuse(`spec.valueFileSecrets[${at}].name is missing`);
    return {
      kind: 'Secret',
      namespace: own,
      name: found,
      key: 'values.yaml',
      targetPath: undefined,
      isOptional: false,
    };
  });
  return {
    manifest,
    name: releaseName(textOf(spec, 'releaseName') ?? `${prefix}-${metadata.name}`),
    namespace,
    chart:
      git === undefined
        ? {
            kind: 'remote',
            name: textOf(chart, 'name') ?? refuse('spec.chart.name is missing'),
            version: textOf(chart, 'version') ?? '*',
            url: textOf(chart, 'repository') ?? refuse('spec.chart.repository is missing'),
            source: undefined,
            ...(pullSecret === undefined ? {} : { pullSecret }),
          }
        : {
            kind: 'folder',
            path: textOf(chart, 'path') ?? '',
            url: git,
            source: undefined,
            ...(textOf(chart, 'ref') === undefined ? {} : { revision: textOf(chart, 'ref') ?? '' }),
          },
    valuesFiles: noValuesFiles,
    valuesFrom: [...secrets, ...listIn(spec, 'valuesFrom').map((entry, at) => operatorValues(entry, own, at))],
    values: valuesIn(spec),
    crds: spec['skipCRDs'] === true ? 'Skip' : 'Create',
    hasHooks: true,
    checksSchema: true,
    dependsOn: [],
    postRenderers: [],
    told: toldOf(manifest.object).map(({ text }) => text),
  };
}

function operatorValues(entry: unknown, own: string, at: number): ValuesFrom {
  const place = `spec.valuesFrom[${at}]`;
  if (!isObject(entry)) return refuse(`${place} is no map`);
  for (const [field, kind] of [
    ['configMapKeyRef', 'ConfigMap'],
    ['secretKeyRef', 'Secret'],
  ] as const) {
    const ref = entry[field];
    if (!isObject(ref)) continue;
    return {
      kind,
      namespace: textOf(ref, 'namespace') ?? own,
      name: textOf(ref, 'name') ?? refuse(`${place}.${field}.name is missing`),
      key: textOf(ref, 'key') ?? 'values.yaml',
      targetPath: undefined,
      isOptional: ref['optional'] === true,
    };
  }
  const file = entry['chartFileRef'];
  if (isObject(file)) {
    const path = textOf(file, 'path') ?? refuse(`${place}.chartFileRef.path is missing`);
    return { kind: 'file', path, isOptional: file['optional'] === true };
  }
  return refuse(`${place} is no configMapKeyRef, secretKeyRef or chartFileRef`);
}

function crdsOf(policy: unknown): HelmRelease['crds'] {
  if (policy === undefined || policy === null) return 'Create';
  if (policy === 'Skip' || policy === 'Create' || policy === 'CreateReplace') return policy;
  return refuse('spec.install.crds is none of Skip, Create and CreateReplace');
}

function valuesIn(spec: Fields): Fields {
  const values = spec['values'] ?? {};
  return isObject(values) ? values : refuse('spec.values is no map');
}

function textOf(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return undefined;
  return typeof value === 'string' ? value : refuse(`${name} is no text`);
}

function listIn(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name] ?? [];
  return isList(value) ? value : refuse(`spec.${name} is no list`);
}

function textsIn(fields: Fields, name: string, place: string): readonly string[] {
  const value = fields[name] ?? [];
  if (!isList(value) || value.some((item) => typeof item !== 'string')) return refuse(`${place} is no list of paths`);
  return value as readonly string[];
}

/** As Flux shortens what is composed. */
const shortName = (name: string): string =>
  name.length <= 53 ? name : `${name.slice(0, 40)}-${sha256Hex(name).slice(0, 12)}`;

/** The rules of Helm: it becomes an argument. */
export function releaseName(name: string): string {
  if (name.length <= 53 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) return name;
  return refuse(
    `${JSON.stringify(name.slice(0, 80))} cannot be the name of a release: at most 53 lower case letters, digits, dashes and dots`,
  );
}

const ofPostRenderers = new Set(['patches', 'patchesStrategicMerge', 'patchesJson6902', 'images']);

/** Only what names no file may stand in it. */
function postRenderer(entry: unknown, at: number): Fields {
  const place = `spec.postRenderers[${at}]`;
  const kustomize = isObject(entry) ? entry['kustomize'] : undefined;
  if (!isObject(kustomize)) return refuse(`${place} is no kustomize`);
  for (const [field, list] of Object.entries(kustomize)) {
    if (!ofPostRenderers.has(field)) return refuse(`${place}.kustomize.${field.slice(0, 60)} is unknown`);
    if (!isList(list)) return refuse(`${place}.kustomize.${field} is no list`);
    if (list.some((item) => isObject(item) && Object.hasOwn(item, 'path') && field !== 'images'))
      return refuse(`${place}.kustomize.${field} names a file: write the patch itself`);
  }
  // A patch that is no text there is an object, where kustomize takes a text.
  const merges = kustomize['patchesStrategicMerge'];
  const texts = isList(merges)
    ? merges.map((item) => (isObject(item) ? JSON.stringify(item) : textWith(item, place)))
    : [];
  const json6902 = kustomize['patchesJson6902'];
  const operations = isList(json6902)
    ? json6902.map((item) => (isObject(item) ? { ...item, patch: JSON.stringify(item['patch'] ?? []) } : item))
    : [];
  const { patchesStrategicMerge: _merges, patchesJson6902: _operations, patches = [], images = [] } = kustomize;
  return {
    images,
    patches: [...(isList(patches) ? patches : []), ...texts.map((patch) => ({ patch })), ...operations],
  };
}

/** One line would be the name of a file. */
const textWith = (item: unknown, place: string): string =>
  typeof item === 'string' && item.includes('\n')
    ? item
    : refuse(`${place}.kustomize.patchesStrategicMerge names a file`);
