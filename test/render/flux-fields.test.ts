import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { orReason } from '../../src/render/described.ts';
import { toldOf } from '../../src/render/flux-fields.ts';

/**
 * Every field of `spec` in the definitions of Flux (2.8) and of Helm's operator (1.4). `f`: it is followed, or refused where it is read; `h`: it changes nothing of what
 * is applied; `t`: it has no effect, and that is told; `r`: nothing is applied with it.
 */
const fields: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'kustomize.toolkit.fluxcd.io/v1 Kustomization': {
    f: 'timeout commonMetadata.annotations commonMetadata.labels components[] decryption.provider decryption.secretRef.name decryption.serviceAccountName dependsOn[].name dependsOn[].namespace images[].digest images[].name images[].newName images[].newTag namePrefix nameSuffix patches[].patch patches[].target.annotationSelector patches[].target.group patches[].target.kind patches[].target.labelSelector patches[].target.name patches[].target.namespace patches[].target.version path postBuild.substitute postBuild.substituteFrom[].kind postBuild.substituteFrom[].name postBuild.substituteFrom[].optional postBuild.substituteStrategy prune sourceRef.apiVersion sourceRef.kind sourceRef.name sourceRef.namespace suspend targetNamespace wait healthChecks[].apiVersion healthChecks[].kind healthChecks[].name healthChecks[].namespace',
    h: 'interval retryInterval',
    t: 'buildMetadata[] deletionPolicy dependsOn[].readyExpr force healthCheckExprs[].current ignore[].paths[] ignoreMissingComponents',
    r: 'kubeConfig.configMapRef.name kubeConfig.secretRef.key kubeConfig.secretRef.name serviceAccountName patches[].options',
  },
  'helm.toolkit.fluxcd.io/v2 HelmRelease': {
    f: 'timeout install.timeout upgrade.timeout install.disableWait upgrade.disableWait chart.spec.chart chart.spec.ignoreMissingValuesFiles chart.spec.sourceRef.apiVersion chart.spec.sourceRef.kind chart.spec.sourceRef.name chart.spec.sourceRef.namespace chart.spec.valuesFiles[] chart.spec.version chartRef.apiVersion chartRef.kind chartRef.name chartRef.namespace commonMetadata.annotations commonMetadata.labels dependsOn[].name dependsOn[].namespace install.crds install.createNamespace install.disableHooks install.disableSchemaValidation install.skipCRDs postRenderers[].kustomize.images[].digest postRenderers[].kustomize.patches[].patch releaseName suspend targetNamespace upgrade.crds upgrade.disableHooks upgrade.disableSchemaValidation values valuesFrom[].kind valuesFrom[].name valuesFrom[].optional valuesFrom[].targetPath valuesFrom[].valuesKey',
    h: 'chart.metadata.annotations chart.metadata.labels chart.spec.interval chart.spec.reconcileStrategy driftDetection.mode install.disableOpenAPIValidation install.disableTakeOwnership install.disableWaitForJobs install.remediation.ignoreTestFailures install.remediation.remediateLastFailure install.remediation.retries install.replace install.serverSideApply install.strategy.name install.strategy.retryInterval interval maxHistory persistentClient rollback.cleanupOnFail rollback.force rollback.recreate storageNamespace test.filters[].name test.ignoreFailures test.timeout uninstall.deletionPropagation uninstall.keepHistory upgrade.chartNameChangeStrategy upgrade.cleanupOnFail upgrade.disableOpenAPIValidation upgrade.disableTakeOwnership upgrade.disableWaitForJobs upgrade.remediation.retries upgrade.serverSideApply upgrade.strategy.name waitStrategy.name',
    t: 'dependsOn[].readyExpr driftDetection.ignore[].paths[] healthCheckExprs[].current postRenderStrategy serviceAccountName test.enable upgrade.force upgrade.preserveValues',
    r: 'chart.spec.verify.provider kubeConfig.configMapRef.name kubeConfig.secretRef.name valuesFrom[].literal',
  },
  'helm.fluxcd.io/v1 HelmRelease': {
    f: 'chart.chartPullSecret.name chart.git chart.name chart.path chart.ref chart.repository chart.version releaseName skipCRDs targetNamespace valueFileSecrets[].name values valuesFrom[].chartFileRef.optional valuesFrom[].chartFileRef.path valuesFrom[].configMapKeyRef.key valuesFrom[].configMapKeyRef.name valuesFrom[].configMapKeyRef.namespace valuesFrom[].configMapKeyRef.optional valuesFrom[].externalSourceRef.url valuesFrom[].secretKeyRef.key valuesFrom[].secretKeyRef.name valuesFrom[].secretKeyRef.optional',
    h: 'chart.secretRef.name chart.secretRef.namespace chart.skipDepUpdate disableOpenAPIValidation helmVersion maxHistory resetValues rollback.disableHooks rollback.enable rollback.force rollback.maxRetries rollback.retry test.cleanup test.ignoreFailures test.timeout timeout wait',
    t: 'forceUpgrade test.enable',
    r: '',
  },
  'flux.weave.works/v1beta1 HelmRelease': {
    f: 'releaseName targetNamespace valueFileSecrets[].name valuesFrom[].configMapKeyRef.name valuesFrom[].secretKeyRef.key valuesFrom[].externalSourceRef.url valuesFrom[].chartFileRef.path values chart.git',
    h: 'timeout resetValues rollback.enable rollback.force rollback.recreate rollback.disableHooks rollback.timeout rollback.wait',
    t: 'forceUpgrade',
    r: '',
  },
  'source.toolkit.fluxcd.io/v1 GitRepository': {
    f: 'ref.branch ref.commit ref.name ref.semver ref.tag secretRef.name url',
    h: 'interval provider proxySecretRef.name serviceAccountName timeout',
    t: 'ignore recurseSubmodules sparseCheckout[] suspend verify.mode',
    r: 'include[].fromPath include[].repository.name include[].toPath',
  },
  'source.toolkit.fluxcd.io/v1 HelmRepository': {
    f: 'certSecretRef.name insecure passCredentials secretRef.name type url',
    h: 'accessFrom.namespaceSelectors[].matchLabels interval provider timeout',
    t: 'suspend',
    r: '',
  },
  'source.toolkit.fluxcd.io/v1 OCIRepository': {
    f: 'certSecretRef.name insecure ref.digest ref.semver ref.tag secretRef.name url',
    h: 'ignore interval layerSelector.mediaType layerSelector.operation provider timeout',
    t: 'proxySecretRef.name serviceAccountName suspend',
    r: 'ref.semverFilter verify.matchOIDCIdentity[].issuer verify.provider',
  },
  'source.toolkit.fluxcd.io/v1 HelmChart': {
    f: 'chart version sourceRef.kind valuesFiles[] valuesFile ignoreMissingValuesFiles',
    h: 'interval reconcileStrategy',
    t: 'suspend',
    r: 'verify.provider',
  },
};

/** An object that says this field and nothing else. */
function saying(of: string, field: string): KubeObject {
  const [apiVersion = '', kind = ''] = of.split(' ');
  let value: unknown = 'x';
  for (const part of field.split('.').toReversed())
    value = part.endsWith('[]') ? { [part.slice(0, -2)]: [value] } : { [part]: value };
  return { apiVersion, kind, metadata: { name: 'one', namespace: 'test' }, spec: value };
}

describe.each(Object.entries(fields))('%s', (of, kinds) => {
  const all = Object.entries(kinds).flatMap(([what, names]) =>
    names.split(' ').flatMap((field) => (field === '' ? [] : [[what, field] as const])),
  );
  it.each(all)('%s %s', (what, field) => {
    const said = orReason(() => toldOf(saying(of, field)));
    const plain = field.replace(/\[\]$/, '');
    if (what === 'r') expect(said).toMatch(/^spec\.[\w.[\]]+ is not followed: /);
    else if (what === 't') {
      expect(said).toHaveLength(1);
      const { text = '' } = Array.isArray(said) ? (said[0] ?? {}) : {};
      const [, shown = ''] = /^spec\.(\S+) ha(?:s|ve) no effect: ./.exec(text) ?? [];
      expect(shown).not.toBe('');
      expect(plain.startsWith(shown)).toBe(true);
    } else expect(said).toEqual([]);
  });

  it('tells of a field that it does not know, wherever it stands', () => {
    const [first = ''] = all.map(([, field]) => field).filter((field) => field.includes('.'));
    const beside = first.replace(/[^.]+$/, 'strange');
    for (const field of ['strange', 'strange.below', ...(first === '' ? [] : [beside])]) {
      const said = orReason(() => toldOf(saying(of, field)));
      const isCovered = field === beside && Array.isArray(said) && said.length === 0;
      if (!isCovered) expect(JSON.stringify(said)).toMatch(/strange has no effect: it is not known here/);
    }
  });
});

it('takes bounded time for a field that is written many thousand times', () => {
  const images = Array.from({ length: 300_000 }, (_, at) => ({ name: 'a', strange: at }));
  const started = performance.now();
  const said = toldOf({ ...saying('kustomize.toolkit.fluxcd.io/v1 Kustomization', 'x'), spec: { images } });
  expect(said.length).toBeLessThan(50);
  expect(performance.now() - started).toBeLessThan(500);
});
