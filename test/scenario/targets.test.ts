import { describe, expect, it } from 'vitest';
import type { StoredObject } from '../../src/sandbox/types.ts';
import { appFiles, appPath, canaryYaml, configYaml, deploymentYaml, hostOf, namespaceYaml, toTag } from './apps.ts';
import { canary, object, weights } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const mark = { 'flagger.app/scale-to-zero': 'true' };
const onLinux = { 'kubernetes.io/os': 'linux' };

/** The app's documents with a DaemonSet instead of the Deployment. */
const daemonFiles = (canaryText = canaryYaml()): Record<string, string> => ({
  ...appFiles(),
  [appPath()]: `${deploymentYaml()
    .replace('kind: Deployment', 'kind: DaemonSet')
    .replace('  replicas: 2\n', '')
    .replace(
      '      containers:',
      '      nodeSelector: { kubernetes.io/os: linux }\n      containers:',
    )}---\n${configYaml()}`,
  'apps/podinfo/canary.yaml': canaryText.replace('kind: Deployment', 'kind: DaemonSet'),
});

interface Workload {
  readonly template: {
    readonly spec: { readonly nodeSelector?: object; readonly containers: { readonly image: string }[] };
  };
}
const podsOf = (workload: StoredObject | undefined): Workload['template']['spec'] | undefined =>
  (workload?.['spec'] as Workload | undefined)?.template.spec;
const imageOf = (stage: Stage, name: string): string | undefined =>
  podsOf(object(stage, 'DaemonSet', name))?.containers[0]?.image.replace(/^.*\//, '');
const nodesOf = (stage: Stage, name: string): object | undefined =>
  podsOf(object(stage, 'DaemonSet', name))?.nodeSelector;
const readyPods = ({ sandbox }: Stage, app: string): number =>
  sandbox.store.list('v1', 'Pod', 'test').filter(({ metadata, ...rest }) => {
    const { conditions = [] } = (rest['status'] ?? {}) as { conditions?: { type: string; status: string }[] };
    const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
    return metadata.labels?.['app'] === app && metadata.deletionTimestamp === undefined && isReady;
  }).length;
const selectorOf = (stage: Stage, name: string): object | undefined =>
  (object(stage, 'Service', name)?.['spec'] as { selector?: object } | undefined)?.selector;

describe('a DaemonSet', patient, () => {
  it('is promoted, taken back in Git, and keeps its nodes and its mark whoever writes', async () => {
    await onStage({ files: daemonFiles(), hosts: [hostOf()] }, async (stage) => {
      await adopted(stage);
      await stage.until('it is at zero', () => readyPods(stage, 'podinfo') === 0);
      expect(nodesOf(stage, 'podinfo')).toEqual({ ...onLinux, ...mark });
      expect(nodesOf(stage, 'podinfo-primary')).toEqual(onLinux);

      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      expect(imageOf(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      await stage.until('the status', () => canary(stage).phase === 'Succeeded');
      expect(weights(stage)).toEqual([100, 0]);
      expect(nodesOf(stage, 'podinfo-primary')).toEqual(onLinux);
      await stage.until('it is at zero again', () => readyPods(stage, 'podinfo') === 0);

      const before = await stage.file(appPath());
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      const { subject } = await outcome(stage, 2);
      expect(subject).toBe('rollback test/podinfo 3.1.2: success rate 0.00% < 99%');
      expect(await stage.file(appPath())).toBe(before);
      await stage.until('Git’s image is back', () => imageOf(stage, 'podinfo') === 'podinfo:3.1.1');
      await stage.until('the status', () => canary(stage).phase === 'Failed');
      expect(nodesOf(stage, 'podinfo')).toEqual({ ...onLinux, ...mark });
      // Scaling it is no drift, and nobody fights over the node selector.
      expect(stage.log.filter(({ msg }) => /DaemonSet.*(drifted|keeps changing|taken over)/.test(msg))).toEqual([]);
      await expectSound(stage);
    });
  });

  it('goes blue/green without a mesh, and has its pods back when the Canary goes [E37]', async () => {
    const plain = canaryYaml({ provider: 'kubernetes' })
      .replace('    stepWeights: [20, 40]\n', '    iterations: 2\n')
      .replace(/ {4}metrics:[^]*$/, '')
      .replace('  progressDeadlineSeconds', '  revertOnDeletion: true\n  progressDeadlineSeconds');
    await onStage({ files: daemonFiles(plain) }, async (stage) => {
      await adopted(stage);
      expect(object(stage, 'Canary', 'podinfo')?.metadata.finalizers).toEqual(['finalizer.flagger.app']);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await outcome(stage, 1);
      expect(imageOf(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      expect(selectorOf(stage, 'podinfo')).toEqual({ app: 'podinfo-primary' });
      await stage.push('no canary any more', { 'apps/podinfo/canary.yaml': null });
      await stage.until('the Canary is gone', () => object(stage, 'Canary', 'podinfo') === undefined);
      expect(nodesOf(stage, 'podinfo')).toEqual(onLinux);
      expect(selectorOf(stage, 'podinfo')).toEqual({ app: 'podinfo' });
      await stage.until('its primary is gone', () => object(stage, 'DaemonSet', 'podinfo-primary') === undefined);
      await stage.until('it has its pods', () => readyPods(stage, 'podinfo') === 1);
    });
  });
});

describe('a Service', patient, () => {
  const serviceYaml = (version: string): string => `apiVersion: v1
kind: Service
metadata:
  name: podinfo
  namespace: test
spec:
  type: NodePort
  selector:
    app: podinfo-${version} # moved by releases
  ports:
    - name: http
      port: 9898
      targetPort: http
`;
  const appOf = (version: string, tag: string): string =>
    deploymentYaml({ name: `podinfo-${version}`, tag }).replace('replicas: 2', 'replicas: 1');
  const files = {
    'apps/namespaces/test.yaml': namespaceYaml('test'),
    'apps/podinfo/apps.yaml': ['v1', 'v2', 'v3']
      .flatMap((version, at) => [appOf(version, `3.1.${at}`), configYaml({ name: `podinfo-${version}` })])
      .join('---\n'),
    'apps/podinfo/service.yaml': serviceYaml('v1'),
    'apps/podinfo/canary.yaml': canaryYaml()
      .replace(/apiVersion: apps\/v1\n {4}kind: Deployment/, 'apiVersion: v1\n    kind: Service')
      .replace(
        'name: request-success-rate',
        `name: success
        query: sum(rate(http_request_duration_seconds_count{kubernetes_pod_name=~"podinfo-v[23]-.*",status!~"5.*"}[30s])) / sum(rate(http_request_duration_seconds_count{kubernetes_pod_name=~"podinfo-v[23]-.*"}[30s])) * 100`,
      ),
  };
  const path = 'apps/podinfo/service.yaml';
  const turnTo = (version: string) => (text: string) => text.replace(/podinfo-v\d/, `podinfo-${version}`);

  it('that turns to other pods is promoted, or turned back in Git', async () => {
    await onStage({ files, hosts: [hostOf()] }, async (stage) => {
      await adopted(stage);
      expect(selectorOf(stage, 'podinfo-primary')).toEqual({ app: 'podinfo-v1' });
      await stage.edit('to v2', path, turnTo('v2'));
      const promoted = await outcome(stage, 1);
      expect(promoted.trailers).toMatchObject({ Verdict: 'promoted' });
      expect(selectorOf(stage, 'podinfo-primary')).toEqual({ app: 'podinfo-v2' });
      expect(weights(stage)).toEqual([100, 0]);

      const before = await stage.file(path);
      await stage.edit('to v3', path, turnTo('v3'));
      const { trailers } = await outcome(stage, 2);
      expect(trailers).toMatchObject({ Verdict: 'rolled-back' });
      expect(await stage.file(path)).toBe(before);
      await stage.until('the Service is back', () => JSON.stringify(selectorOf(stage, 'podinfo')).includes('v2'));
      expect(selectorOf(stage, 'podinfo-primary')).toEqual({ app: 'podinfo-v2' });
      await stage.until('its copy follows', () => JSON.stringify(selectorOf(stage, 'podinfo-canary')).includes('v2'));
      expect(object(stage, 'Service', 'podinfo-primary')?.metadata.ownerReferences).toMatchObject([{ kind: 'Canary' }]);
      await expectSound(stage);
    });
  });
});

describe('a Deployment without a mesh', patient, () => {
  it('takes an existing Service over, goes blue/green, and shows its labels on the primary [E36]', async () => {
    const files = {
      ...appFiles(),
      [appPath()]: `${deploymentYaml().replace(
        'labels: { app: podinfo }',
        'labels: { app: podinfo, app.kubernetes.io/part-of: shop }\n  annotations: { app.kubernetes.io/note: ours, other: theirs }',
      )}---\n${configYaml()}---
apiVersion: v1
kind: Service
metadata:
  name: podinfo
  namespace: test
  labels: { mine: "yes" }
spec:
  selector: { app: podinfo }
  ports: [{ name: http, port: 9898, targetPort: http }]
`,
      'apps/podinfo/canary.yaml': canaryYaml({ provider: 'kubernetes' })
        .replace('    stepWeights: [20, 40]\n', '    iterations: 2\n')
        .replace(/ {4}metrics:[^]*$/, ''),
    };
    const flags = { 'include-label-prefix': 'app.kubernetes.io' };
    await onStage({ files, flags }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await outcome(stage, 1);
      const service = object(stage, 'Service', 'podinfo');
      expect(service?.metadata.labels).toMatchObject({ mine: 'yes' });
      expect(service?.metadata.annotations).toMatchObject({
        'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
        'helm.toolkit.fluxcd.io/driftDetection': 'disabled',
      });
      expect(selectorOf(stage, 'podinfo')).toEqual({ app: 'podinfo-primary' });
      const primary = object(stage, 'Deployment', 'podinfo-primary');
      expect(primary?.metadata.labels).toEqual({ app: 'podinfo-primary', 'app.kubernetes.io/part-of': 'shop' });
      expect(primary?.metadata.annotations).toMatchObject({ 'app.kubernetes.io/note': 'ours' });
      expect(primary?.metadata.annotations).not.toHaveProperty('other');
      expect(podsOf(primary)?.containers[0]?.image).toContain('podinfo:3.1.1');
      await expectSound(stage);
    });
  });
});
