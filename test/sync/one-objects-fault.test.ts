import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../src/cluster/client.ts';
import { AgentError } from '../../src/lib/errors.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { Manifest } from '../../src/manifest/types.ts';
import { planSync } from '../../src/sync/plan.ts';
import { createSyncer } from '../../src/sync/syncer.ts';
import { desired, never, startStage, type SyncStage } from './a-cluster.ts';
import { aConfigMap, aManifest } from './a-manifest.ts';
import { anInput } from './a-plan.ts';

const ours = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: ours }\n';
const config = (value: string, name = 'a'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ours }\ndata: { v: "${value}" }\n`;
const definition = (group: string, kind: string, plural: string, scope: string): string => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: "${plural}.${group}" }
spec:
  group: "${group}"
  scope: ${scope}
  names: { kind: ${kind}, plural: ${plural}, singular: ${kind.toLowerCase()} }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`;
const widget = 'apiVersion: example.test/v1\nkind: Widget\nmetadata: { name: w, namespace: ours }\nspec: { a: 1 }\n';

describe('One object', () => {
  let stage: SyncStage;
  let value = 0;
  beforeAll(async () => {
    stage = await startStage();
    await stage.syncer().sync(desired({ 'ours.yaml': ours, 'a.yaml': config('0') }), never);
  });
  afterAll(() => stage.close());

  const stored = async (name = 'a'): Promise<unknown> => {
    const found = await stage.cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'ours', name }, never);
    return (found?.['data'] as { v?: unknown } | undefined)?.v;
  };
  /** Applies ours with theirs beside it. */
  const syncedWith = async (
    theirs: string,
    cluster: Partial<ClusterClient> = {},
    settings = { namespace: 'serin', prune: false, pruneAnything: false },
  ) => {
    value += 1;
    const syncer = createSyncer({
      cluster: { ...stage.cluster, ...cluster },
      clock: systemClock,
      log: silentLogger,
      settings,
    });
    const tree = desired({ '0/theirs.yaml': theirs, 'a.yaml': config(String(value)), 'ours.yaml': ours });
    const result = await syncer.sync(tree, never).finally(() => syncer.stop());
    expect(await stored()).toBe(String(value));
    return result;
  };

  it.each([
    ['of a group constructor', 'apiVersion: constructor/v1\nkind: Thing\nmetadata: { name: a, namespace: ours }\n'],
    ['of a group toString', 'apiVersion: toString/v1\nkind: valueOf\nmetadata: { name: a, namespace: ours }\n'],
    ['of a kind hasOwnProperty', 'apiVersion: v1\nkind: hasOwnProperty\nmetadata: { name: a, namespace: ours }\n'],
  ])('%s is refused alone', async (_, theirs) => {
    const { failed } = await syncedWith(theirs);
    expect(failed).toMatchObject([{ severity: 'error', path: '0/theirs.yaml' }]);
  });

  it.each([
    ['HelmRepository', 'source.toolkit.fluxcd.io/v1beta2'],
    ['ImagePolicy', 'image.toolkit.fluxcd.io/v1beta1'],
    ['Receiver', 'notification.toolkit.fluxcd.io/v1'],
  ])(
    'that is a %s of Flux is told and keeps nothing else from going, where Flux is not there',
    async (kind, version) => {
      const theirs = `apiVersion: ${version}\nkind: ${kind}\nmetadata: { name: a, namespace: ours }\n`;
      const gone = config('x', 'gone');
      const settings = { namespace: 'serin', prune: true, pruneAnything: true };
      await syncedWith(gone, {}, settings);
      const { failed, pruned, warnings } = await syncedWith(theirs, {}, settings);
      expect(failed).toEqual([]);
      expect(pruned).toMatchObject([{ name: 'gone' }]);
      expect(warnings).toMatchObject([{ severity: 'warning', path: '0/theirs.yaml', line: 1 }]);
    },
  );

  it.each([
    ['ConfigMaps', definition('', 'ConfigMap', 'configmaps', 'Cluster')],
    ['ConfigMaps of a group of its own', definition('x', 'ConfigMap', 'configmaps', 'Cluster')],
    ['Deployments', definition('apps', 'Deployment', 'deployments', 'Cluster')],
  ])('that defines %s as cluster-scoped takes no namespace from others', async (_, theirs) => {
    await syncedWith(theirs);
  });

  it('that defines the kind of somebody else as cluster-scoped takes no namespace from others', async () => {
    await syncedWith(`${definition('example.test', 'Widget', 'widgets', 'Namespaced')}---\n${widget}`);
    const { applied } = await syncedWith(`${definition('example.test', 'Widget', 'others', 'Cluster')}---\n${widget}`);
    expect(applied).toContainEqual(expect.objectContaining({ kind: 'Widget', namespace: 'ours' }));
  });

  it('of a kind that is defined beside it has the scope that the definition gives', async () => {
    const fleet = 'apiVersion: fleets.test/v1\nkind: Fleet\nmetadata: { name: f, namespace: ours }\n';
    const { failed, applied } = await syncedWith(
      `${definition('fleets.test', 'Fleet', 'fleets', 'Cluster')}---\n${fleet}`,
    );
    expect(failed).toEqual([]);
    expect(applied).toContainEqual({ apiVersion: 'fleets.test/v1', kind: 'Fleet', name: 'f' });
  });

  const noAnswer = new AgentError('CLUSTER_UNREACHABLE', 'the Kubernetes API does not answer: no answer within 30 s');

  it('of a group whose server is out of order is refused alone', async () => {
    const broken = new AgentError('CLUSTER_UNREACHABLE', 'the Kubernetes API answers 503', {
      details: { status: 503 },
    });
    const resource: ClusterClient['resource'] = (kind, signal) =>
      kind.apiVersion === 'broken.test/v1' ? Promise.reject(broken) : stage.cluster.resource(kind, signal);
    const theirs = 'apiVersion: broken.test/v1\nkind: Thing\nmetadata: { name: a, namespace: ours }\n';
    const { failed } = await syncedWith(theirs, { resource });
    expect(failed).toHaveLength(1);
  });

  it('that alone gets no answer, as of a webhook that hangs, is told alone', async () => {
    const apply: ClusterClient['apply'] = (object, options, signal) =>
      object.metadata.name === 'slow' ? Promise.reject(noAnswer) : stage.cluster.apply(object, options, signal);
    const { failed } = await syncedWith(config('x', 'slow'), { apply });
    expect(failed).toMatchObject([
      { path: '0/theirs.yaml', message: expect.stringContaining('no answer within 30 s') },
    ]);
  });

  it('ends the sync where nothing else gets an answer either', async () => {
    const apply = () => Promise.reject(noAnswer);
    const version = () => Promise.reject(noAnswer);
    await expect(syncedWith(config('x', 'slow'), { apply, version })).rejects.toThrow('no answer within 30 s');
  });
});

describe('An object that cannot be worked on', () => {
  /** As of a fault of our own: whatever looks into its spec fails. */
  const cursed = (): Manifest => {
    const manifest = aManifest('Widget test/cursed', {}, '0/cursed.yaml');
    Object.defineProperty(manifest.object, 'spec', {
      enumerable: true,
      get: () => {
        throw new TypeError('x is not a function');
      },
    });
    return manifest;
  };

  it('is refused by the plan with its place, and the others are applied', () => {
    const plan = planSync(anInput([cursed(), aConfigMap('a', { v: '1' })]));
    expect(plan.waves.flat().map(({ object }) => object.metadata.name)).toEqual(['a']);
    expect([...plan.refused.values()]).toMatchObject([
      {
        severity: 'error',
        path: '0/cursed.yaml',
        message: 'Widget test/cursed cannot be worked on: x is not a function',
      },
    ]);
  });
});
