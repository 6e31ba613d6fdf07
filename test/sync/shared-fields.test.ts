import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import { type KubeObject, type ObjectRef, refKey } from '../../src/manifest/types.ts';
import type { Syncer } from '../../src/sync/syncer.ts';
import { desired, eventually, never, startStage, type SyncStage } from './a-cluster.ts';

const markKey = 'flagger.app/scale-to-zero';
const daemon: ObjectRef = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'default', name: 'web' };
const knative: ObjectRef = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', namespace: 'default', name: 'web' };

const daemonYaml = (image: string, nodeSelector = ''): string => `apiVersion: apps/v1
kind: DaemonSet
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      ${nodeSelector}
      containers: [{ name: app, image: "${image}" }]
`;
const knativeYaml = (image: string, traffic = ''): string => `apiVersion: serving.knative.dev/v1
kind: Service
metadata: { name: web }
spec:
  template: { spec: { containers: [{ image: "${image}" }] } }
  ${traffic}
`;
const definitionYaml = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: services.serving.knative.dev }
spec:
  group: serving.knative.dev
  scope: Namespaced
  names: { kind: Service, plural: services, singular: service, listKind: ServiceList }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true }
`;

describe('what canaries write into their targets', () => {
  let stage: SyncStage;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage.close());

  const sync = async (syncer: Syncer, files: Record<string, string>, target: ObjectRef): Promise<void> => {
    const canaryTargets = new Set([refKey(target)]);
    const { failed } = await syncer.sync(desired(files, { canaryTargets, everything: true }), never);
    expect(failed).toEqual([]);
  };
  const byCanary = (ref: ObjectRef, patch: Record<string, unknown>): Promise<KubeObject> =>
    stage.cluster.mergePatch(ref, patch, { manager: 'serin-canary' }, never);
  const marked = (value: 'true' | null): Record<string, unknown> => ({
    spec: { template: { spec: { nodeSelector: { [markKey]: value } } } },
  });
  const nodesOf = async (): Promise<unknown> =>
    at(await stage.cluster.get(daemon, never), 'spec', 'template', 'spec', 'nodeSelector');
  const imageOf = async (): Promise<unknown> =>
    (at(await stage.cluster.get(daemon, never), 'spec', 'template', 'spec', 'containers') as { image: string }[])[0]
      ?.image;

  it('stays in the node selector of a DaemonSet, whose other labels are Git’s', async () => {
    const syncer = stage.syncer();
    const drifted: ObjectRef[] = [];
    syncer.onDrift((refs) => drifted.push(...refs));
    const linux = 'nodeSelector: { kubernetes.io/os: linux }';
    await sync(syncer, { 'a.yaml': daemonYaml('a:1', linux) }, daemon);
    await byCanary(daemon, marked('true'));

    await sync(syncer, { 'a.yaml': daemonYaml('a:2', linux) }, daemon);
    expect(await imageOf()).toBe('a:2');
    expect(await nodesOf()).toEqual({ 'kubernetes.io/os': 'linux', [markKey]: 'true' });

    await sync(syncer, { 'a.yaml': daemonYaml('a:2', 'nodeSelector: { disk: ssd }') }, daemon);
    expect(await nodesOf()).toEqual({ disk: 'ssd', [markKey]: 'true' });

    await sync(syncer, { 'a.yaml': daemonYaml('a:2') }, daemon);
    expect(await nodesOf()).toEqual({ [markKey]: 'true' });

    await byCanary(daemon, marked(null));
    await sync(syncer, { 'a.yaml': daemonYaml('a:3', linux) }, daemon);
    expect(await nodesOf()).toEqual({ 'kubernetes.io/os': 'linux' });

    await byCanary(daemon, marked('true'));
    await byCanary(daemon, marked(null));
    await sync(syncer, { 'a.yaml': daemonYaml('a:3', 'nodeSelector: { disk: ssd }') }, daemon);
    expect(await nodesOf()).toEqual({ disk: 'ssd' });
    expect(drifted).toEqual([]);
  });

  it('is noticed where somebody else changes the rest', async () => {
    const syncer = stage.syncer({ namespace: 'agent-2' });
    const drifted: ObjectRef[] = [];
    syncer.onDrift((refs) => drifted.push(...refs));
    await sync(syncer, { 'a.yaml': daemonYaml('a:4') }, daemon);
    await stage.cluster.mergePatch(
      daemon,
      {
        spec: {
          template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image: 'x' }] } },
        },
      },
      { manager: 'kubectl-edit' },
      never,
    );
    await eventually(
      () => drifted.length,
      (count) => count > 0,
    );
  });

  it('stays in the traffic of a Knative Service, also when it gets a Canary', async () => {
    const syncer = stage.syncer({ namespace: 'agent-3' });
    const files = (image: string): Record<string, string> => ({
      'crd.yaml': definitionYaml,
      'a.yaml': knativeYaml(image, 'traffic: [{ latestRevision: true, percent: 100 }]'),
    });
    const trafficOf = async (): Promise<unknown> => at(await stage.cluster.get(knative, never), 'spec', 'traffic');
    const none: ObjectRef = { ...knative, name: 'none' };
    await sync(syncer, files('a:1'), none);
    expect(await trafficOf()).toEqual([{ latestRevision: true, percent: 100 }]);
    // Nothing is lost on the way to the canary, or Knative would choose by itself.
    await sync(syncer, files('a:1'), knative);
    expect(await trafficOf()).toEqual([{ latestRevision: true, percent: 100 }]);
    const pinned = [
      { latestRevision: true, percent: 0 },
      { revisionName: 'web-00001', percent: 100 },
    ];
    await byCanary(knative, { spec: { traffic: pinned } });
    await sync(syncer, files('a:2'), knative);
    expect(await trafficOf()).toEqual(pinned);
    expect(JSON.stringify(await stage.cluster.get(knative, never))).toContain('a:2');
  });
});
