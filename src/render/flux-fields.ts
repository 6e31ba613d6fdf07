import { isList, isObject } from '../manifest/edit-value.ts';
import { groupOf, type KubeObject } from '../manifest/types.ts';
import { own } from '../lib/own.ts';
import { type Told, Unusable } from './described.ts';
import { isNothing } from './described-fields.ts';

/**
 * What becomes of a field: it is followed (also where it is refused by whoever reads it), it changes nothing of what is applied, or its text says to
 * people why it has no effect. `!`: nothing is applied with it.
 */
const followed = '';
const controllers = '';
type Fields = Readonly<Record<string, string>>;

const waitsForNothing = 'has no effect: nothing is asked but whether the objects are ready';
const notVerified = '!no signatures are verified here, so what asks for it is not taken';

/** By path: `.` into maps, `[]` into lists; a field stands for all that is in it. */
const kustomization: Fields = {
  path: followed,
  'sourceRef.apiVersion': followed,
  'sourceRef.kind': followed,
  'sourceRef.name': followed,
  'sourceRef.namespace': followed,
  prune: followed,
  suspend: followed,
  'dependsOn[].name': followed,
  'dependsOn[].namespace': followed,
  'dependsOn[].readyExpr': waitsForNothing,
  targetNamespace: followed,
  namePrefix: followed,
  nameSuffix: followed,
  components: followed,
  'images[].name': followed,
  'images[].newName': followed,
  'images[].newTag': followed,
  'images[].digest': followed,
  'patches[].patch': followed,
  'patches[].target': followed,
  'patches[].options': '!what it allows a patch to change is not known here',
  patchesStrategicMerge: followed,
  patchesJson6902: followed,
  postBuild: followed,
  'commonMetadata.labels': followed,
  'commonMetadata.annotations': followed,
  decryption: followed,
  interval: controllers,
  retryInterval: controllers,
  timeout: followed,
  validation: controllers,
  buildMetadata: 'has no effect: objects do not say in the cluster what made them',
  kubeConfig: '!it names another cluster',
  serviceAccountName:
    '!nothing is applied here in the name of a service account that Git names: bound it by tenants in the settings',
  ignoreMissingComponents: 'has no effect: a component that is missing is an error',
  ignore: 'has no effect: leave such fields out of Git, or annotate the objects with serin.dev/ignore',
  wait: followed,
  'healthChecks[].apiVersion': followed,
  'healthChecks[].kind': followed,
  'healthChecks[].name': followed,
  'healthChecks[].namespace': followed,
  healthCheckExprs: waitsForNothing,
  force: 'has no effect: annotate the objects with kustomize.toolkit.fluxcd.io/force: enabled',
  deletionPolicy: 'has no effect: what is gone from Git goes with it, unless spec.prune is false',
};

const ofMoment: Fields = {
  disableHooks: followed,
  disableSchemaValidation: followed,
  disableOpenAPIValidation: controllers,
  disableTakeOwnership: controllers,
  disableWait: followed,
  disableWaitForJobs: controllers,
  remediation: controllers,
  serverSideApply: controllers,
  strategy: controllers,
  timeout: followed,
  crds: followed,
};
const under = (name: string, fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).map(([field, what]) => [`${name}.${field}`, what]));

const ofChart: Fields = {
  chart: followed,
  version: followed,
  'sourceRef.apiVersion': followed,
  'sourceRef.kind': followed,
  'sourceRef.name': followed,
  'sourceRef.namespace': followed,
  valuesFiles: followed,
  valuesFile: followed,
  ignoreMissingValuesFiles: followed,
  interval: controllers,
  reconcileStrategy: controllers,
  verify: notVerified,
};

const helmRelease: Fields = {
  'chart.metadata': controllers,
  ...under('chart.spec', ofChart),
  'chartRef.apiVersion': followed,
  'chartRef.kind': followed,
  'chartRef.name': followed,
  'chartRef.namespace': followed,
  releaseName: followed,
  targetNamespace: followed,
  values: followed,
  'valuesFrom[].kind': followed,
  'valuesFrom[].name': followed,
  'valuesFrom[].valuesKey': followed,
  'valuesFrom[].targetPath': followed,
  'valuesFrom[].optional': followed,
  'valuesFrom[].literal': '!a value that is to be taken literally is not: write it into spec.values',
  ...under('install', {
    ...ofMoment,
    createNamespace: followed,
    skipCRDs: followed,
    replace: controllers,
  }),
  ...under('upgrade', {
    ...ofMoment,
    cleanupOnFail: controllers,
    chartNameChangeStrategy: controllers,
    force: 'has no effect: annotate the objects with kustomize.toolkit.fluxcd.io/force: enabled',
    preserveValues: 'has no effect: only the values that Git says count',
  }),
  'dependsOn[].name': followed,
  'dependsOn[].namespace': followed,
  'dependsOn[].readyExpr': waitsForNothing,
  suspend: followed,
  postRenderers: followed,
  postRenderStrategy: 'has no effect: hooks are changed like all other objects',
  kubeConfig: '!it names another cluster',
  commonMetadata: followed,
  serviceAccountName: 'has no effect: objects are applied with the rights of the agent, or of their tenant',
  'driftDetection.mode': controllers,
  'driftDetection.ignore':
    'has no effect: leave such fields out of the chart, or annotate the objects with serin.dev/ignore',
  'test.enable': 'has no effect: tests of charts are not run',
  'test.ignoreFailures': controllers,
  'test.filters': controllers,
  'test.timeout': controllers,
  interval: controllers,
  timeout: followed,
  maxHistory: controllers,
  rollback: controllers,
  uninstall: controllers,
  persistentClient: controllers,
  storageNamespace: controllers,
  waitStrategy: controllers,
  healthCheckExprs: waitsForNothing,
};

/** Of Helm's own operator, in both of its groups. */
const operatorRelease: Fields = {
  'chart.git': followed,
  'chart.path': followed,
  'chart.name': followed,
  'chart.repository': followed,
  'chart.version': followed,
  'chart.ref': followed,
  'chart.skipDepUpdate': controllers,
  'chart.secretRef': controllers,
  'chart.chartPullSecret': followed,
  releaseName: followed,
  targetNamespace: followed,
  values: followed,
  'valuesFrom[].configMapKeyRef': followed,
  'valuesFrom[].secretKeyRef': followed,
  'valuesFrom[].chartFileRef': followed,
  'valuesFrom[].externalSourceRef': followed,
  'valueFileSecrets[].name': followed,
  skipCRDs: followed,
  'test.enable': 'has no effect: tests of charts are not run',
  'test.ignoreFailures': controllers,
  'test.timeout': controllers,
  'test.cleanup': controllers,
  timeout: controllers,
  resetValues: controllers,
  forceUpgrade: 'has no effect: annotate the objects with kustomize.toolkit.fluxcd.io/force: enabled',
  rollback: controllers,
  wait: controllers,
  maxHistory: controllers,
  helmVersion: controllers,
  force: 'has no effect: annotate the objects with kustomize.toolkit.fluxcd.io/force: enabled',
  reuseValues: 'has no effect: only the values that Git says count',
  disableOpenAPIValidation: controllers,
};

const access: Fields = {
  interval: controllers,
  timeout: controllers,
  provider: controllers,
  secretRef: followed,
  certSecretRef: followed,
  proxySecretRef: 'has no effect: the agent has a proxy of its own, or none',
  serviceAccountName: 'has no effect: nobody is asked in its name',
  suspend: 'has no effect: suspend what refers to it',
};

const gitRepository: Fields = {
  ...access,
  // The agent has the repository by its own settings.
  proxySecretRef: controllers,
  serviceAccountName: controllers,
  url: followed,
  ref: followed,
  ignore: 'has no effect: write what is to be left out into .serinignore',
  include: '!files of other repositories are not put into this one',
  recurseSubmodules: 'has no effect: submodules are not read',
  sparseCheckout: 'has no effect: all of the repository may be read',
  verify: 'has no effect: no signatures of commits are verified here',
};

const helmRepository: Fields = {
  ...access,
  url: followed,
  type: followed,
  insecure: followed,
  passCredentials: followed,
  accessFrom: controllers,
};

const ociRepository: Fields = {
  ...access,
  url: followed,
  'ref.tag': followed,
  'ref.semver': followed,
  'ref.digest': followed,
  'ref.semverFilter': '!versions of its chart are not filtered',
  layerSelector: controllers,
  ignore: controllers,
  insecure: followed,
  verify: notVerified,
};

const tables: Readonly<Record<string, Fields>> = {
  'kustomize.toolkit.fluxcd.io/Kustomization': kustomization,
  'helm.toolkit.fluxcd.io/HelmRelease': helmRelease,
  'helm.fluxcd.io/HelmRelease': operatorRelease,
  'flux.weave.works/HelmRelease': operatorRelease,
  'source.toolkit.fluxcd.io/GitRepository': gitRepository,
  'source.toolkit.fluxcd.io/HelmRepository': helmRepository,
  'source.toolkit.fluxcd.io/OCIRepository': ociRepository,
  'source.toolkit.fluxcd.io/HelmChart': { ...ofChart, suspend: 'has no effect: suspend what refers to it' },
};

const mostTold = 20;
const mostLooked = 2_000;

/**
 * Fields of the `spec` of an object of Flux that have no effect here, or another one, with what is said of it to people. Throws Unusable where
 * there is one without which applying means another thing.
 */
export function toldOf({ apiVersion, kind, ...object }: KubeObject): readonly Told[] {
  const table = own(tables, `${groupOf(apiVersion)}/${kind}`);
  const told = new Map<string, Told>();
  if (!table) return [];
  const names = Object.keys(table);
  let looked = 0;
  const look = (value: unknown, path: string, top: string): void => {
    looked += 1;
    if (isNothing(value) || looked > mostLooked) return;
    const what = own(table, path);
    if (what !== undefined) {
      if (what.startsWith('!')) throw new Unusable(`spec.${path} is not followed: ${what.slice(1)}`);
      if (what !== '') told.set(path, { field: top, text: `spec.${path} ${what}` });
      return;
    }
    const isAbove = (one: string): boolean => names.some((name) => name.startsWith(one));
    if (isList(value) && isAbove(`${path}[]`))
      for (const item of value.slice(0, mostLooked)) look(item, `${path}[]`, top);
    else if (isObject(value) && isAbove(`${path}.`))
      for (const [name, member] of Object.entries(value).slice(0, mostLooked)) look(member, `${path}.${name}`, top);
    // Whoever reads it says that it is written as something else.
    else if (!isAbove(`${path}.`) && !isAbove(`${path}[]`)) {
      const shown = path.slice(0, 100);
      told.set(shown, { field: top, text: `spec.${shown} has no effect: it is not known here` });
    }
  };
  const spec = object['spec'];
  if (!isObject(spec)) return [];
  for (const [name, value] of Object.entries(spec)) {
    look(value, name, name);
    if (told.size >= mostTold) break;
  }
  return [...told.values()];
}
