import { namespacedName } from '../lib/key.ts';
import { own } from '../lib/own.ts';
import { isObject } from '../manifest/edit-value.ts';
import { groupOf, type KubeObject, type Manifest } from '../manifest/types.ts';
import { type Description, type Fields, orReason, type Told, Unusable } from './described.ts';
import { folderIn, isNothing, listOf, mapOf, textOf, textsIn, textsOf } from './described-fields.ts';

/** What an Application of Argo CD says. */
export interface ArgoApplication {
  readonly manifest: Manifest;
  readonly key: string;
  /** What is rendered; those that only lend files to others stand in `lent`. */
  readonly sources: readonly ArgoSource[];
  readonly told: readonly Told[];
  /** Why it is left alone although nothing is wrong with it. Undefined: it is followed. */
  readonly leftAlone: string | undefined;
}

/** One of the sources of an Application. */
export interface ArgoSource extends Description {
  /** Its place among several; undefined: it is the only one. */
  readonly at: number | undefined;
  readonly url: string;
  /** Undefined: what the branch says. */
  readonly revision: string | undefined;
  /** Of an index or registry. Undefined: the folder is rendered. */
  readonly chart: string | undefined;
  /** Undefined: it names none. */
  readonly helm: Fields | undefined;
  readonly kustomize: Fields | undefined;
  readonly directory: ArgoDirectory | undefined;
  /** URL and revision of other sources, by the name under which values files are named: `$values/shop.yaml`. */
  readonly lent: ReadonlyMap<string, Pick<ArgoSource, 'url' | 'revision'>>;
  readonly destination: ArgoDestination;
  /** What is gone from Git stays in the cluster otherwise. */
  readonly prunes: boolean;
}

interface ArgoDirectory {
  readonly isRecursive: boolean;
  /** Undefined: every file. */
  readonly include: string | undefined;
  readonly exclude: string | undefined;
}

interface ArgoDestination {
  /** For objects that name none. */
  readonly namespace: string | undefined;
  /** It is made where it is missing, with this metadata. Undefined: it has to be there. */
  readonly made:
    | { readonly labels: Readonly<Record<string, string>>; readonly annotations: Readonly<Record<string, string>> }
    | undefined;
}

const group = 'argoproj.io';

export const isApplication = ({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean =>
  kind === 'Application' && groupOf(apiVersion) === group;

export const isApplicationSet = ({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean =>
  kind === 'ApplicationSet' && groupOf(apiVersion) === group;

/** An object that only tells Argo CD what to do. */
export const isArgoDescription = (object: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean =>
  isApplication(object) || isApplicationSet(object);

/** `Application/NAMESPACE/NAME`: no Kustomization of Flux is called so. */
export const keyOfApplication = ({ kind, metadata }: KubeObject): string => `${kind}/${namespacedName(metadata)}`;

/** As `serin.dev/render: "true"` has one followed that Argo CD would sync by hand only. */
const choice = 'serin.dev/render';

/** Each says why it has no effect; an empty text: it changes nothing of what is applied. */
const specFields: Readonly<Record<string, string>> = {
  source: '',
  sources: '',
  destination: '',
  syncPolicy: '',
  info: '',
  revisionHistoryLimit: '',
  project: 'has no effect: what the AppProject forbids is not forbidden here, bound it by tenants in the settings',
  ignoreDifferences:
    'has no effect: what Git says is applied and drift is corrected, so leave such fields out of Git, or annotate the object with serin.dev/ignore',
};
const sourceFields = 'repoURL path targetRevision helm kustomize directory plugin chart ref name'.split(' ');
const policyFields = 'automated syncOptions retry managedNamespaceMetadata'.split(' ');
const automatedFields = 'prune selfHeal allowEmpty enabled'.split(' ');
/** They say how Argo CD goes about it, or what is done here always. */
const harmlessOptions = new Set(
  'Validate=false SkipDryRunOnMissingResource=true PruneLast=true ApplyOutOfSyncOnly=true ServerSideApply=true FailOnSharedResource=true Delete=false RespectIgnoreDifferences=true Force=false Replace=false CreateNamespace=false Prune=true PrunePropagationPolicy=foreground PrunePropagationPolicy=background'
    .toLowerCase()
    .split(' '),
);

/** A text says why it cannot be followed. */
export const readApplication = (manifest: Manifest): ArgoApplication | string => orReason(() => read(manifest));

function read(manifest: Manifest): ArgoApplication {
  const spec = mapOf(manifest.object['spec'], 'spec');
  const told: Told[] = [];
  const tell = (field: string, text: string): void => void told.push({ field: field.split('.')[0] ?? '', text });
  const check = (fields: Fields, names: readonly string[], place: string): void => {
    for (const field of Object.keys(fields))
      if (!names.includes(field) && !isNothing(fields[field]))
        tell(place, `spec.${place}${field.slice(0, 60)} has no effect: it is not known here`);
  };
  if (!isNothing(spec['sourceHydrator'])) throw new Unusable('spec.sourceHydrator is not followed');
  for (const [field, value] of Object.entries(spec)) {
    const why = own(specFields, field) ?? 'has no effect: it is not known here';
    if (why !== '' && !isNothing(value) && !(field === 'project' && value === 'default'))
      tell(field, `spec.${field.slice(0, 60)} ${why}`);
  }
  const policy = mapOf(spec['syncPolicy'], 'spec.syncPolicy');
  check(policy, policyFields, 'syncPolicy.');
  const automated = mapOf(policy['automated'], 'spec.syncPolicy.automated');
  check(automated, automatedFields, 'syncPolicy.automated.');
  const options = optionsOf(policy, tell);
  const destination = mapOf(spec['destination'], 'spec.destination');
  check(destination, ['server', 'name', 'namespace'], 'destination.');
  const metadata = mapOf(policy['managedNamespaceMetadata'], 'spec.syncPolicy.managedNamespaceMetadata');
  const namespace = textOf(destination['namespace'], 'spec.destination.namespace');
  const common = {
    manifest,
    key: keyOfApplication(manifest.object),
    dependsOn: [],
    told: [],
    destination: {
      namespace,
      made: options.makesNamespace
        ? {
            labels: textsOf(metadata['labels'], 'spec.syncPolicy.managedNamespaceMetadata.labels'),
            annotations: textsOf(metadata['annotations'], 'spec.syncPolicy.managedNamespaceMetadata.annotations'),
          }
        : undefined,
    },
    prunes: automated['prune'] === true && options.prunes,
  };
  const several = listOf(spec['sources'], 'spec.sources').map((one, at) => mapOf(one, `spec.sources[${at}]`));
  const all = several.length > 0 ? several : [mapOf(spec['source'], 'spec.source')];
  const shown = (at: number): string => (several.length > 0 ? `sources[${at}]` : 'source');
  all.forEach((one, at) => check(one, sourceFields, `${shown(at)}.`));
  const places = all.map((one, at) => ({ ...placeOf(one, `spec.${shown(at)}`), fields: one, at }));
  const lent = new Map(places.flatMap((one) => (one.ref === undefined ? [] : [[one.ref, one] as const])));
  const rendered = places.filter(
    ({ ref, fields }) => ref === undefined || !isNothing(fields['path'] ?? fields['chart']),
  );
  const sources = rendered.map(({ ref: _ref, fields, at, ...place }) => ({
    ...common,
    ...place,
    ...toolsOf(fields, `spec.${shown(at)}`, tell),
    at: several.length > 1 ? at : undefined,
    lent,
  }));
  if (sources.length === 0) throw new Unusable('spec.source is missing');
  const isForced = manifest.object.metadata.annotations?.[choice] === 'true';
  const isAutomated = isObject(policy['automated']) && automated['enabled'] !== false;
  return {
    manifest,
    key: common.key,
    sources,
    told,
    leftAlone:
      otherCluster(destination) ??
      (isAutomated || isForced
        ? undefined
        : `has no syncPolicy.automated, so somebody would sync it by hand: give it one, or annotate it with ${choice}: "true"`),
  };
}

const ownServers = new Set(['https://kubernetes.default.svc', 'https://kubernetes.default.svc.cluster.local']);

/** Undefined: it is the cluster in which Argo CD would run, and so the agent. */
function otherCluster({ server, name }: Fields): string | undefined {
  const said = textOf(server, 'spec.destination.server') ?? textOf(name, 'spec.destination.name');
  if (said === undefined) throw new Unusable('spec.destination names no cluster: write server or name');
  const isOwn =
    server === undefined || server === '' ? name === 'in-cluster' : ownServers.has(said.replace(/:443$/, ''));
  return isOwn ? undefined : `is for another cluster, ${said.slice(0, 100)}`;
}

function placeOf(
  fields: Fields,
  place: string,
): Pick<ArgoSource, 'url' | 'revision' | 'chart' | 'folder'> & { readonly ref: string | undefined } {
  const url = textOf(fields['repoURL'], `${place}.repoURL`);
  if (url === undefined) throw new Unusable(`${place}.repoURL is missing`);
  const chart = textOf(fields['chart'], `${place}.chart`);
  const path = textOf(fields['path'], `${place}.path`);
  const ref = textOf(fields['ref'], `${place}.ref`);
  if (path === undefined && chart === undefined && ref === undefined)
    throw new Unusable(`${place} names neither a path nor a chart`);
  if (!isNothing(fields['plugin'])) throw new Unusable(`${place}.plugin is not followed: no plug-ins are run`);
  return {
    url,
    ref,
    chart,
    revision: textOf(fields['targetRevision'], `${place}.targetRevision`),
    folder: chart === undefined && path !== undefined ? folderIn(path, `${place}.path`) : undefined,
  };
}

function toolsOf(
  fields: Fields,
  place: string,
  tell: (field: string, text: string) => void,
): Pick<ArgoSource, 'helm' | 'kustomize' | 'directory'> {
  const [helm, kustomize, directory] = ['helm', 'kustomize', 'directory'].map((tool) =>
    fields[tool] === undefined || fields[tool] === null ? undefined : mapOf(fields[tool], `${place}.${tool}`),
  );
  const named = Object.entries({ helm, kustomize, directory }).filter(([, one]) => !isNothing(one));
  if (named.length > 1)
    throw new Unusable(
      `${place} names several tools (${named.map(([tool]) => tool).join(', ')}): only one can render it`,
    );
  for (const field of Object.keys(directory ?? {}))
    if (!['recurse', 'include', 'exclude', 'jsonnet'].includes(field))
      tell(place.slice('spec.'.length), `${place}.directory.${field.slice(0, 60)} has no effect: it is not known here`);
  const jsonnet = mapOf(directory?.['jsonnet'], `${place}.directory.jsonnet`);
  if (Object.values(jsonnet).some((one) => !isNothing(one)))
    throw new Unusable(`${place}.directory.jsonnet is not followed: commit what Jsonnet makes`);
  return {
    helm: isNothing(helm) ? undefined : helm,
    kustomize: isNothing(kustomize) ? undefined : kustomize,
    directory:
      directory && ['recurse', 'include', 'exclude'].some((field) => !isNothing(directory[field]))
        ? {
            isRecursive: directory['recurse'] === true,
            include: textOf(directory['include'], `${place}.directory.include`),
            exclude: textOf(directory['exclude'], `${place}.directory.exclude`),
          }
        : undefined,
  };
}

function optionsOf(
  policy: Fields,
  tell: (field: string, text: string) => void,
): { readonly makesNamespace: boolean; readonly prunes: boolean } {
  let makesNamespace = false;
  let prunes = true;
  for (const option of textsIn(policy['syncOptions'], 'spec.syncPolicy.syncOptions')) {
    const said = option.toLowerCase().replaceAll(/\s/g, '');
    if (said === 'createnamespace=true') makesNamespace = true;
    else if (said === 'prune=false' || said === 'prune=confirm') prunes = false;
    else if (!harmlessOptions.has(said))
      tell('syncPolicy', `spec.syncPolicy.syncOptions ${option.slice(0, 60)} has no effect`);
  }
  return { makesNamespace, prunes };
}
