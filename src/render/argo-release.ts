import { own } from '../lib/own.ts';
import { isObject } from '../manifest/edit-value.ts';
import { readYaml, valueOf } from '../manifest/read-yaml.ts';
import type { Manifest } from '../manifest/types.ts';
import type { ArgoSource } from './argo-application.ts';
import { isApplication, readApplication } from './argo-application.ts';
import { type Fields, orReason, type Told, Unusable } from './described.ts';
import { isNothing, mapsOf, textOf, textsIn } from './described-fields.ts';
import { pathIn } from './helm-chart.ts';
import { type HelmRelease, readHelmRelease, releaseName } from './helm-release.ts';

/** What of `helm` has no effect, or another one. An empty text: it changes nothing of what is applied. */
const fields: Readonly<Record<string, string>> = {
  valueFiles: '',
  ignoreMissingValueFiles: '',
  values: '',
  valuesObject: '',
  parameters: '',
  releaseName: '',
  namespace: '',
  skipCrds: '',
  skipSchemaValidation: '',
  skipTests: '',
  version: '',
  passCredentials: '',
  kubeVersion: "has no effect: the cluster's own counts",
  apiVersions: "has no effect: the cluster's own count",
};

/** What Helm is asked for by a source of an Application. A text says why it cannot be. */
export const releaseOf = (source: ArgoSource): ArgoRelease | string => orReason(() => read(source));

export interface ArgoRelease {
  readonly release: HelmRelease;
  readonly told: readonly Told[];
}

/** All that Helm is asked for by a HelmRelease, or by an Application of Argo CD. */
export function releasesIn(manifest: Manifest): readonly HelmRelease[] {
  if (!isApplication(manifest.object)) {
    const release = readHelmRelease(manifest);
    return typeof release === 'string' ? [] : [release];
  }
  const application = readApplication(manifest);
  if (typeof application === 'string') return [];
  return application.sources.flatMap((source) => {
    const made = releaseOf(source);
    return typeof made === 'string' ? [] : [made.release];
  });
}

function read(source: ArgoSource): ArgoRelease {
  const { manifest, folder, chart, destination, at, url, revision } = source;
  const helm = source.helm ?? {};
  const place = `spec.${at === undefined ? 'source' : `sources[${at}]`}.helm`;
  const told: Told[] = [];
  for (const [field, value] of Object.entries(helm)) {
    if (isNothing(value)) continue;
    if (field === 'fileParameters')
      throw new Unusable(`${place}.fileParameters are not followed: write them into values`);
    const why = own(fields, field) ?? 'has no effect: it is not known here';
    if (why !== '') told.push({ field: 'source', text: `${place}.${field.slice(0, 60)} ${why}` });
  }
  if (helm['version'] === 'v2') throw new Unusable(`${place}.version: Helm 2 is not run`);
  const namespace = textOf(helm['namespace'], `${place}.namespace`) ?? destination.namespace;
  if (namespace === undefined) throw new Unusable('spec.destination.namespace is missing, in which its chart goes');
  const { name } = manifest.object.metadata;
  const filled = (text: string, where: string): string => withEnvironment(text, where, source);
  const parameters = mapsOf(helm['parameters'], `${place}.parameters`).map((one) => {
    const key = textOf(one['name'], `${place}.parameters.name`) ?? '';
    const said = one['value'] ?? '';
    if (typeof said === 'object') throw new Unusable(`${place}.parameters: ${key.slice(0, 60)} is no text`);
    const value = filled(`${said as string | number | boolean}`, `${place}.parameters`);
    if (!/^[^\s=,{}]+$/.test(key))
      throw new Unusable(`${place}.parameters: ${JSON.stringify(key.slice(0, 60))} is no name`);
    // Argo CD lets a comma be part of the value.
    return `--set${one['forceString'] === true ? '-string' : ''}=${key}=${value.replaceAll(/(?<!\\),/g, '\\,')}`;
  });
  return {
    told,
    release: {
      manifest,
      name: releaseName(textOf(helm['releaseName'], `${place}.releaseName`) ?? name),
      namespace,
      chart:
        chart === undefined
          ? { kind: 'folder', path: folder ?? '', url: undefined, source: undefined }
          : { kind: 'remote', name: chart, version: revision ?? '*', url: registryOf(url), source: undefined },
      valuesFiles: {
        paths: textsIn(helm['valueFiles'], `${place}.valueFiles`).map((file) =>
          valuesFile(filled(file, `${place}.valueFiles`), source, `${place}.valueFiles`),
        ),
        mayBeMissing: helm['ignoreMissingValueFiles'] === true,
        replaceOwn: false,
      },
      valuesFrom: [],
      values: valuesIn(helm, place),
      parameters,
      annotations: keeping(source),
      crds: helm['skipCrds'] === true ? 'Skip' : 'CreateReplace',
      hasHooks: true,
      checksSchema: helm['skipSchemaValidation'] !== true,
      dependsOn: [],
      postRenderers: [],
      told: [],
    },
  };
}

/** They say on the objects themselves that these stay when they leave Git. */
export const keeping = ({ prunes }: Pick<ArgoSource, 'prunes'>): Readonly<Record<string, string>> =>
  prunes ? {} : { 'serin.dev/prune': 'disabled' };

/** A registry is named without the scheme. */
const registryOf = (url: string): string => (url.includes('://') ? url : `oci://${url}`);

/** From the repository's root. */
function valuesFile(file: string, { folder, lent }: ArgoSource, place: string): string {
  if (/^[a-z+]+:\/\//i.test(file)) throw new Unusable(`${place}: ${file.slice(0, 200)} is fetched by nobody here`);
  if (/[*?[\]{}]/.test(file))
    throw new Unusable(`${place}: write the files one by one, ${file.slice(0, 200)} is a pattern`);
  const [ref = '', ...below] = file.split('/');
  if (ref.startsWith('$')) {
    if (!lent.has(ref.slice(1))) throw new Unusable(`${place}: no source has the ref ${ref.slice(1, 100)}`);
    return below.join('/');
  }
  if (file.startsWith('/')) return file.replace(/^\/+/, '');
  if (folder === undefined)
    throw new Unusable(`${place}: ${file.slice(0, 200)} is a file of the chart, which is not followed`);
  const path = pathIn(folder, file);
  if (path === undefined) throw new Unusable(`${place}: ${file.slice(0, 200)} is not in the repository`);
  return path;
}

/** `valuesObject` counts where both are there. */
function valuesIn(helm: Fields, place: string): Fields {
  const { valuesObject, values } = helm;
  if (!isNothing(valuesObject)) {
    if (!isObject(valuesObject)) throw new Unusable(`${place}.valuesObject is no map`);
    return valuesObject;
  }
  const text = textOf(values, `${place}.values`);
  if (text === undefined) return {};
  try {
    const [document, ...more] = readYaml(text);
    const value = document && document.errors.length === 0 && more.length === 0 ? valueOf(document) : undefined;
    if (isObject(value)) return value;
    if (text.split('\n').every((line) => /^\s*(?:#|$)/.test(line))) return {};
  } catch {
    // Told below.
  }
  throw new Unusable(`${place}.values is no YAML of a map`);
}

/** As Argo CD fills in what is known beforehand. */
export function withEnvironment(
  text: string,
  place: string,
  { manifest, destination, url, folder }: ArgoSource,
): string {
  const known: Readonly<Record<string, string | undefined>> = {
    ARGOCD_APP_NAME: manifest.object.metadata.name,
    ARGOCD_APP_NAMESPACE: destination.namespace,
    ARGOCD_APP_SOURCE_REPO_URL: url,
    ARGOCD_APP_SOURCE_PATH: folder,
  };
  return text.replaceAll(/\$(?:\{(\w+)\}|(ARGOCD_\w+|KUBE_\w+))/g, (whole, braced?: string, bare?: string) => {
    const name = braced ?? bare ?? '';
    if (!/^(?:ARGOCD|KUBE)_/.test(name)) return whole;
    const value = Object.hasOwn(known, name) ? known[name] : undefined;
    if (value === undefined) throw new Unusable(`${place}: ${name.slice(0, 60)} is not known here`);
    return value;
  });
}
