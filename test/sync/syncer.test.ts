import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import type { KubeObject, ObjectRef } from '../../src/manifest/types.ts';
import { managerOf } from '../../src/sync/installation.ts';
import { desired, eventually, never, startStage, type SyncStage } from './a-cluster.ts';
import { named } from './a-manifest.ts';

const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
const config = (place: string, value = '1', annotations = '{}'): string => {
  const [space, name] = place.split('/');
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${space}, annotations: ${annotations} }\ndata: { a: "${value}" }\n`;
};
const deployment = (place: string, replicas: number): string => {
  const [space, name] = place.split('/');
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${space} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: app, image: "ghcr.io/stefanprodan/podinfo:6.0.0" }] }
`;
};
const service = (place: string): string => {
  const [space, name] = place.split('/');
  return `apiVersion: v1\nkind: Service\nmetadata: { name: ${name}, namespace: ${space} }\nspec: { selector: { app: ${name} }, ports: [{ port: 80 }] }\n`;
};
const canary = (place: string): string => {
  const [space, name] = place.split('/');
  return `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: ${name}, namespace: ${space} }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: ${name} }
  service: { port: 80 }
  analysis: { interval: 1m, threshold: 5, stepWeight: 10, maxWeight: 50 }
`;
};
const crds = ['canaries', 'metrictemplates', 'alertproviders']
  .map((plural) => readFileSync(new URL(`../../manifests/crds/${plural}.flagger.app.yaml`, import.meta.url), 'utf8'))
  .join('\n---\n')
  // What is to be kept for good would never be pruned.
  .replaceAll('helm.sh/resource-policy: keep', 'example.test/note: none');

const configMap = (place: string): ObjectRef => {
  const [space = '', name = ''] = place.split('/');
  return { apiVersion: 'v1', kind: 'ConfigMap', namespace: space, name };
};
const replicasOf = (object: KubeObject | undefined): unknown =>
  (object?.['spec'] as { replicas?: number } | undefined)?.replicas;

describe('the syncer on a cluster', () => {
  let stage: SyncStage;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage.close());
  const data = async (place: string): Promise<unknown> => (await stage.cluster.get(configMap(place), never))?.['data'];

  it('applies a new tree in order, kinds and their objects in one go, and nothing the second time', async () => {
    const syncer = stage.syncer({ namespace: 'agent-a' });
    const tree = desired({
      'a/canary.yaml': canary('one/web'),
      'b.yaml': deployment('one/web', 2),
      'crds.yaml': crds,
      'z.yaml': namespace('one'),
    });
    const first = await syncer.sync(tree, never);
    expect(first.failed).toEqual([]);
    expect(first.applied.map(({ kind }) => kind)).toEqual([
      'Namespace',
      ...Array<string>(3).fill('CustomResourceDefinition'),
      'Deployment',
      'Canary',
    ]);
    const second = await syncer.sync(tree, never);
    expect(second).toMatchObject({ applied: [], unchanged: 6, pruned: [], failed: [] });
    // A restarted agent applies once more, which changes nothing, and knows what was applied before.
    const again = await stage.syncer({ namespace: 'agent-a' }).sync({ ...tree, everything: true }, never);
    expect(again.applied).toHaveLength(6);
    const inventory = await stage.cluster.get({ ...configMap('agent-a/serin-inventory') }, never);
    expect(inventory?.['data']).toMatchObject({ revision: tree.revision });
  });

  it('forgets what the server never made when it leaves Git, and keeps in mind what it made before', async () => {
    const syncer = stage.syncer({ namespace: 'agent-never' });
    const files = { 'ns.yaml': namespace('never'), 'a.yaml': config('never/a'), 'b.yaml': config('never/b') };
    await syncer.sync(desired(files), never);
    const wrong = (place: string): string => config(place).replace('a: "1"', 'a: [1]');
    const refused = {
      'ns.yaml': namespace('never'),
      'a.yaml': config('never/a'),
      'b.yaml': wrong('never/b'),
      'c.yaml': wrong('never/c'),
      'd.yaml': config('nowhere/d'),
      'e.yaml': service('never/e').replace('port: 80', 'port: 99999999'),
    };
    expect((await syncer.sync(desired(refused), never)).failed).toHaveLength(4);
    const noted = async (): Promise<string[]> => {
      const inventory = await stage.cluster.get(configMap('agent-never/serin-inventory'), never);
      const { objects = '' } = (inventory?.['data'] ?? {}) as { objects?: string };
      return objects.split('\n').map((line) => line.split('\t').slice(1, 4).join(' '));
    };
    expect(await noted()).toEqual(['ConfigMap never a', 'ConfigMap never b', 'Namespace  never']);
    const left = await syncer.sync(desired({ 'ns.yaml': namespace('never'), 'a.yaml': config('never/a') }), never);
    expect(left).toMatchObject({ failed: [], held: undefined });
    expect(left.pruned.map(named)).toEqual(['ConfigMap never/b']);
  });

  it('watches more than ten kinds without a word of a leak', async () => {
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`);
    process.on('warning', note);
    try {
      const kinds = {
        v1: ['Namespace', 'ConfigMap', 'Secret', 'ServiceAccount', 'LimitRange', 'ResourceQuota'],
        'rbac.authorization.k8s.io/v1': ['Role', 'ClusterRole', 'RoleBinding'],
        'batch/v1': ['CronJob'],
        'policy/v1': ['PodDisruptionBudget'],
        'networking.k8s.io/v1': ['NetworkPolicy', 'IngressClass'],
      };
      const files = Object.entries(kinds).flatMap(([apiVersion, names]) =>
        names.map(
          (kind) =>
            [
              `${kind}.yaml`,
              `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: kinds, namespace: kinds }\n`,
            ] as const,
        ),
      );
      await stage.syncer({ namespace: 'agent-kinds' }).sync(desired(Object.fromEntries(files)), never);
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toEqual([]);
    } finally {
      process.off('warning', note);
    }
  });

  it('goes on after an object that is refused, says where it stands, and deletes nothing meanwhile', async () => {
    const syncer = stage.syncer({ namespace: 'agent-b' });
    const files = {
      'ns.yaml': namespace('two'),
      'a.yaml': config('two/a'),
      'old.yaml': config('two/old'),
      'old2.yaml': config('two/old2'),
    };
    await syncer.sync(desired(files), never);
    const bad = `---\n# a comment\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: bad, namespace: two }\ndata: { a: [1] }\n`;
    const { 'old.yaml': _gone, ...left } = files;
    const result = await syncer.sync(
      desired({ ...left, 'bad.yaml': bad, 'b.yaml': config('two/b'), 'c.yaml': config('missing/c') }),
      never,
    );
    expect(result.applied.map(named)).toEqual(['ConfigMap two/b']);
    expect(result.failed.map(({ path, line }) => `${path}:${line}`).sort()).toEqual(['bad.yaml:3', 'c.yaml:1']);
    expect(result.failed.find(({ path }) => path === 'c.yaml')?.hint).toContain('commit a Namespace missing');
    expect(result.pruned).toEqual([]);
    expect(result.held).toContain('1 gone from Git');
    const fixed = await syncer.sync(desired({ ...left, 'b.yaml': config('two/b') }), never);
    expect(fixed.pruned.map(named)).toEqual(['ConfigMap two/old']);
    expect(await data('two/old')).toBeUndefined();
  });

  it('never empties a cluster because a tree is empty or small, until a person allows it for that commit', async () => {
    const syncer = stage.syncer({ namespace: 'agent-c' });
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const all = Object.fromEntries(names.map((name) => [`${name}.yaml`, config(`three/${name}`)]));
    await syncer.sync(desired({ 'ns.yaml': namespace('three'), ...all }), never);
    const small = desired({ 'ns.yaml': namespace('three'), 'a.yaml': config('three/a') });
    for (const tree of [small, desired({})]) {
      const { pruned, held } = await syncer.sync(tree, never);
      expect(pruned).toEqual([]);
      expect(held).toMatch(/nothing is deleted.*serin\.dev\/prune-anything=/);
    }
    const annotations = { 'serin.dev/prune-anything': small.revision.slice(0, 10) };
    await stage.cluster.mergePatch(
      configMap('agent-c/serin-inventory'),
      { metadata: { annotations } },
      { manager: 'kubectl' },
      never,
    );
    expect((await syncer.sync(desired({}), never)).pruned).toEqual([]);
    expect((await syncer.sync(small, never)).pruned).toHaveLength(5);
    expect(await data('three/a')).toEqual({ a: '1' });
  });

  it('names what the guard holds, and lets go what a person has agreed to: these objects, at later commits too, and no others', async () => {
    const syncer = stage.syncer({ namespace: 'agent-guard' });
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const tree = (...left: string[]) =>
      desired({
        'ns.yaml': namespace('guarded'),
        ...Object.fromEntries(left.map((name) => [`${name}.yaml`, config(`guarded/${name}`)])),
      });
    await syncer.sync(tree(...names), never);
    const { held = '', guarded = '' } = await syncer.sync(tree('a', 'b'), never);
    expect(held).toContain('ConfigMap guarded/c, ');
    const [, command] =
      /(kubectl -n agent-guard annotate --overwrite configmap serin-inventory (\S+))$/.exec(held) ?? [];
    expect(command).toContain(`serin.dev/prune-anything=${guarded}`);
    const annotations = { 'serin.dev/prune-anything': guarded };
    expect(await syncer.mayPrune('0'.repeat(40), guarded, never)).toBe(false);
    await stage.cluster.mergePatch(
      configMap('agent-guard/serin-inventory'),
      { metadata: { annotations } },
      { manager: 'kubectl' },
      never,
    );
    expect(await syncer.mayPrune('0'.repeat(40), guarded, never)).toBe(true);
    expect((await syncer.sync(tree('a'), never)).pruned).toEqual([]);
    expect((await syncer.sync(tree('a', 'b', 'new'), never)).pruned).toHaveLength(6);
  });

  it('keeps what an annotation in the cluster keeps, and what somebody else made anew', async () => {
    const syncer = stage.syncer({ namespace: 'agent-d' });
    const others = {
      'ns.yaml': namespace('four'),
      'x.yaml': config('four/x'),
      'y.yaml': config('four/y'),
      'z.yaml': config('four/z'),
    };
    await syncer.sync(
      desired({ ...others, 'kept.yaml': config('four/kept'), 'mine.yaml': config('four/mine') }),
      never,
    );
    const annotations = { 'kustomize.toolkit.fluxcd.io/prune': 'disabled' };
    await stage.cluster.mergePatch(
      configMap('four/kept'),
      { metadata: { annotations } },
      { manager: 'kubectl' },
      never,
    );
    await stage.cluster.remove(configMap('four/mine'), {}, never);
    const mine = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'mine', namespace: 'four' },
      data: { a: 'mine' },
    };
    await stage.cluster.create(mine, { manager: 'somebody' }, never);
    const { pruned } = await syncer.sync(desired(others), never);
    expect(pruned).toEqual([]);
    expect(await data('four/kept')).toEqual({ a: '1' });
    expect(await data('four/mine')).toEqual({ a: 'mine' });
  });

  it('leaves alone what an annotation in the cluster says, also with a new commit', async () => {
    const syncer = stage.syncer({ namespace: 'agent-e' });
    const tree = (value: string) => desired({ 'ns.yaml': namespace('five'), 'a.yaml': config('five/a', value) });
    await syncer.sync(tree('1'), never);
    const patch = { metadata: { annotations: { 'fluxcd.io/ignore': 'true' } } };
    await stage.cluster.mergePatch(configMap('five/a'), patch, { manager: 'kubectl' }, never);
    await eventually(
      async () => (await syncer.sync(tree('2'), never)).unchanged,
      (unchanged) => unchanged === 1,
    );
    await syncer.sync(tree('3'), never);
    expect(await data('five/a')).not.toEqual({ a: '3' });
  });

  it('notices what others change and remove, but not what they add', async () => {
    const syncer = stage.syncer({ namespace: 'agent-f' });
    const tree = desired({ 'ns.yaml': namespace('six'), 'a.yaml': config('six/a'), 'b.yaml': config('six/b') });
    const drifts: string[] = [];
    syncer.onDrift((refs) => drifts.push(...refs.map(named)));
    await syncer.sync(tree, never);
    await stage.cluster.mergePatch(
      configMap('six/a'),
      { data: { other: 'x' }, metadata: { labels: { a: 'b' } } },
      { manager: 'kubectl' },
      never,
    );
    await stage.cluster.mergePatch(configMap('six/b'), { data: { a: 'changed' } }, { manager: 'kubectl' }, never);
    await eventually(
      () => drifts,
      (seen) => seen.includes('ConfigMap six/b'),
    );
    await syncer.sync(tree, never);
    expect(await data('six/b')).toEqual({ a: '1' });
    expect(stage.lines.join('\n')).toContain('ConfigMap six/b: fields that somebody else had set are taken over');
    await stage.cluster.remove(configMap('six/a'), {}, never);
    await eventually(
      () => drifts,
      (seen) => seen.includes('ConfigMap six/a'),
    );
    await syncer.sync(tree, never);
    expect(await data('six/a')).toEqual({ a: '1' });
    expect(drifts.filter((name) => name === 'ConfigMap six/a')).toHaveLength(1);
  });

  it('stops when somebody keeps changing an object back, until Git changes', async () => {
    const syncer = stage.syncer({ namespace: 'agent-g' });
    const tree = desired({ 'ns.yaml': namespace('seven'), 'a.yaml': config('seven/a') });
    let count = 0;
    syncer.onDrift(() => (count += 1));
    await syncer.sync(tree, never);
    for (let round = 1; round <= 6; round += 1) {
      await stage.cluster.mergePatch(
        configMap('seven/a'),
        { data: { a: `other ${round}` } },
        { manager: 'operator' },
        never,
      );
      await eventually(
        () => count,
        (seen) => seen === round,
      );
      if (round <= 5) expect((await syncer.sync(tree, never)).applied).toHaveLength(1);
    }
    const stopped = await syncer.sync({ ...tree, everything: true }, never);
    expect(stopped.warnings).toMatchObject([{ path: 'a.yaml', message: expect.stringContaining('keeps changing') }]);
    expect(await data('seven/a')).toEqual({ a: 'other 6' });
    expect(stage.lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
    const changed = await syncer.sync(
      desired({ 'ns.yaml': namespace('seven'), 'a.yaml': config('seven/a', '2') }),
      never,
    );
    expect(changed.applied).toHaveLength(1);
  });

  it('goes on where it was after the cluster did not answer, and sees drift again', async () => {
    const syncer = stage.syncer({ namespace: 'agent-h' });
    const tree = desired({ 'ns.yaml': namespace('eight'), 'a.yaml': config('eight/a') });
    await syncer.sync(tree, never);
    const drifts: string[] = [];
    syncer.onDrift((refs) => drifts.push(...refs.map(named)));
    const back = stage.sandbox.faults.restart(300);
    const more = desired({ 'ns.yaml': namespace('eight'), 'a.yaml': config('eight/a'), 'b.yaml': config('eight/b') });
    await expect(syncer.sync(more, never)).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    await back;
    const result = await eventually(
      () => syncer.sync(more, never).catch(() => undefined),
      (value) => value !== undefined,
    );
    expect(result?.applied.map(named)).toEqual(['ConfigMap eight/b']);
    stage.sandbox.faults.resetWatches();
    await stage.cluster.remove(configMap('eight/b'), {}, never);
    await eventually(
      () => drifts,
      (seen) => seen.includes('ConfigMap eight/b'),
    );
  });
});

describe('the syncer and canaries', () => {
  let stage: SyncStage;
  const target: ObjectRef = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name: 'web' };
  const files = {
    'ns.yaml': namespace('test'),
    'web.yaml': deployment('test/web', 3),
    'service.yaml': service('test/web'),
  };
  const withCanary = { ...files, 'canary.yaml': canary('test/web'), 'crds.yaml': crds };
  const patch = (ref: ObjectRef, change: Record<string, unknown>) =>
    stage.cluster.mergePatch(ref, change, { manager: 'serin-canary' }, never);
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage.close());

  it("gives a new target Git's replicas once, and does not scale it again", async () => {
    const syncer = stage.syncer();
    await syncer.sync(desired(withCanary), never);
    expect(replicasOf(await stage.cluster.get(target, never))).toBe(3);
    await patch(target, { spec: { replicas: 0 } });
    const more = desired({ ...withCanary, 'web.yaml': deployment('test/web', 5) });
    await syncer.sync({ ...more, everything: true }, never);
    expect(replicasOf(await stage.cluster.get(target, never))).toBe(0);
  });

  it('does not scale a running workload to one when it gets a Canary', async () => {
    const syncer = stage.syncer({ namespace: 'agent-2' });
    const before = { 'api.yaml': deployment('test/api', 4) };
    await syncer.sync(desired(before), never);
    await syncer.sync(desired({ ...before, 'canary.yaml': canary('test/api') }), never);
    const api = { ...target, name: 'api' };
    expect(replicasOf(await stage.cluster.get(api, never))).toBe(4);
    const entries = (await stage.cluster.get(api, never))?.metadata['managedFields'] as {
      manager: string;
      fieldsV1: object;
    }[];
    expect(JSON.stringify(entries.find(({ manager }) => manager === managerOf('agent-2'))?.fieldsV1)).not.toContain(
      'f:replicas',
    );
  });

  it('asks only once what was there, and gives a target that was deleted its replicas again', async () => {
    const syncer = stage.syncer({ namespace: 'agent-4' });
    const own = { ...target, name: 'once' };
    const at = (replicas: number) => ({
      'once.yaml': deployment('test/once', replicas),
      'canary.yaml': canary('test/once'),
    });
    const sync = async (replicas: number): Promise<number> => {
      const before = stage.cluster.statistics.requests;
      await syncer.sync(desired(at(replicas), { drifted: [own], everything: true }), never);
      return stage.cluster.statistics.requests - before;
    };
    const first = await sync(3);
    await patch(own, { spec: { replicas: 0 } });
    expect(await sync(3)).toBeLessThan(first);
    expect(replicasOf(await stage.cluster.get(own, never))).toBe(0);
    await stage.cluster.remove(own, {}, never);
    await sync(3);
    expect(replicasOf(await stage.cluster.get(own, never))).toBe(3);
  });

  it('leaves selector and ports of a service to the canary that took it over', async () => {
    const syncer = stage.syncer();
    const apex: ObjectRef = { apiVersion: 'v1', kind: 'Service', namespace: 'test', name: 'web' };
    await patch(apex, {
      spec: { selector: { app: 'web-primary' }, ports: [{ port: 80, name: 'http', targetPort: 9898 }] },
    });
    const result = await syncer.sync(
      desired(withCanary, { takenOver: new Set(['v1/Service/test/web']), everything: true }),
      never,
    );
    expect(result.failed).toEqual([]);
    expect((await stage.cluster.get(apex, never))?.['spec']).toMatchObject({
      selector: { app: 'web-primary' },
      ports: [{ port: 80, name: 'http', targetPort: 9898 }],
    });
    // Not yet known to be taken over: it is not fought for either.
    await patch(apex, { spec: { selector: { app: 'web-primary' } } });
    const unaware = await stage.syncer().sync(desired(withCanary, { everything: true }), never);
    expect(unaware.failed).toMatchObject([
      { path: 'service.yaml', message: expect.stringContaining('belongs to its Canary') },
    ]);
    expect((await stage.cluster.get(apex, never))?.['spec']).toMatchObject({ selector: { app: 'web-primary' } });
  });

  it('neither applies nor deletes what a Canary has made', async () => {
    const live = await stage.cluster.get(
      { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'test', name: 'web' },
      never,
    );
    const owner = {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      name: 'web',
      uid: live?.metadata.uid ?? '',
      controller: true,
    };
    const made = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c-primary', namespace: 'test', ownerReferences: [owner] },
      data: { a: 'made' },
    };
    await stage.cluster.create(made, { manager: 'serin-canary' }, never);
    const { warnings } = await stage
      .syncer()
      .sync(
        desired({ ...withCanary, 'c.yaml': config('test/c-primary') }, { takenOver: new Set(['v1/Service/test/web']) }),
        never,
      );
    expect(warnings).toMatchObject([{ path: 'c.yaml', message: expect.stringContaining('made by the Canary web') }]);
    expect((await stage.cluster.get(configMap('test/c-primary'), never))?.['data']).toEqual({ a: 'made' });
  });

  it('leaves traffic and replicas to a Canary whose file cannot be read any more', async () => {
    const syncer = stage.syncer();
    const apex: ObjectRef = { apiVersion: 'v1', kind: 'Service', namespace: 'test', name: 'web' };
    await patch(target, { spec: { replicas: 0 } });
    const broken = desired({
      ...withCanary,
      'canary.yaml': `${canary('test/web')}  oops: [`,
      'web.yaml': deployment('test/web', 7),
    });
    const { pruned, failed } = await syncer.sync({ ...broken, everything: true }, never);
    expect({ pruned, failed }).toEqual({ pruned: [], failed: [] });
    expect(replicasOf(await stage.cluster.get(target, never))).toBe(0);
    expect((await stage.cluster.get(apex, never))?.['spec']).toMatchObject({ selector: { app: 'web-primary' } });
  });

  it('leaves pods and Services to a Canary that hands them back until it has gone, and then follows Git', async () => {
    const syncer = stage.syncer();
    const ref: ObjectRef = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'test', name: 'web' };
    const apex: ObjectRef = { apiVersion: 'v1', kind: 'Service', namespace: 'test', name: 'web' };
    await syncer.sync(desired(withCanary, { takenOver: new Set(['v1/Service/test/web']) }), never);
    await patch(ref, { spec: { revertOnDeletion: true }, metadata: { finalizers: ['finalizer.flagger.app'] } });
    await patch(target, { spec: { replicas: 0 } });
    await patch(apex, { spec: { selector: { app: 'web-primary' } } });
    const { 'canary.yaml': _canary, ...gone } = withCanary;
    const state = async () => [
      replicasOf(await stage.cluster.get(target, never)),
      (await stage.cluster.get(apex, never))?.['spec'],
    ];
    for (const replicas of [0, 10]) {
      await patch(target, { spec: { replicas } });
      expect(await syncer.sync({ ...desired(gone), everything: true }, never)).toMatchObject({
        failed: [],
        isHandingBack: true,
      });
      expect(await state()).toMatchObject([replicas, { selector: { app: 'web-primary' } }]);
    }
    await patch(ref, { metadata: { finalizers: null } });
    expect(await syncer.sync(desired(gone), never)).toMatchObject({ failed: [], isHandingBack: false });
    expect(await state()).toMatchObject([3, { selector: { app: 'web' } }]);
    await syncer.sync(desired(withCanary), never);
  });

  it('keeps the pods that a Canary left its target, until Git asks for another number than it did then', async () => {
    const syncer = stage.syncer();
    const ref: ObjectRef = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'test', name: 'web' };
    const live = await stage.cluster.get(target, never);
    const { spec } = live as unknown as { spec: object };
    const metadata = { name: 'web-primary', namespace: 'test' };
    await stage.cluster.create(
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { ...spec, replicas: 8 } },
      { manager: 'test' },
      never,
    );
    await patch(ref, { spec: { revertOnDeletion: true }, metadata: { finalizers: ['finalizer.flagger.app'] } });
    const { 'canary.yaml': _canary, ...gone } = withCanary;
    const inGit = (replicas: number) => desired({ ...gone, 'web.yaml': deployment('test/web', replicas) });
    await syncer.sync(inGit(3), never);
    await patch(target, { spec: { replicas: 8 } });
    await patch(ref, { metadata: { finalizers: null } });
    await stage.cluster.remove({ apiVersion: 'apps/v1', kind: 'Deployment', ...metadata }, {}, never);
    const after = async (replicas: number, by = syncer) => {
      const { warnings, failed } = await by.sync(inGit(replicas), never);
      const now = await stage.cluster.get(target, never);
      return {
        replicas: replicasOf(now),
        warnings,
        failed,
        note: now?.metadata.annotations?.['serin.dev/kept-replicas'],
      };
    };
    const kept = { path: 'web.yaml', message: expect.stringContaining('keeps the pods that its primary had') };
    expect(await after(3)).toMatchObject({ replicas: 8, warnings: [kept], failed: [], note: '3' });
    // An agent that starts anew knows of it, too.
    expect(await after(3, stage.syncer())).toMatchObject({ replicas: 8, warnings: [kept], note: '3' });
    expect(await after(5)).toEqual({ replicas: 5, warnings: [], failed: [], note: undefined });
    await eventually(
      async () => (await after(3)).warnings,
      (warnings) => warnings.length === 0,
    );
    expect(await after(3)).toMatchObject({ replicas: 3, warnings: [] });
    await syncer.sync(desired(withCanary), never);
  });

  it('lets a Canary go only when its target has its pods back, and asks it to hand over what it made [R6]', async () => {
    const syncer = stage.syncer();
    const ref: ObjectRef = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'test', name: 'web' };
    await patch(target, { spec: { replicas: 0 } });
    const gone = desired({ ...files, 'crds.yaml': crds, 'c.yaml': config('test/other') });
    const first = await syncer.sync(gone, never);
    expect(first.failed).toMatchObject([
      { severity: 'warning', path: 'canary.yaml', message: expect.stringContaining('stays until Deployment test/web') },
    ]);
    expect(await stage.cluster.get(ref, never)).toBeDefined();
    await eventually(
      async () => (await syncer.sync(gone, never)).failed,
      (failed) => failed.length === 0,
    );
    const leaving = await stage.cluster.get(ref, never);
    expect(leaving?.['spec']).toMatchObject({ revertOnDeletion: true });
    expect(leaving?.metadata.finalizers).toEqual(['finalizer.flagger.app']);
    expect(leaving?.metadata.deletionTimestamp).toBeDefined();
    await patch(ref, { metadata: { finalizers: null } });
    expect(await stage.cluster.get(ref, never)).toBeUndefined();
    expect(replicasOf(await stage.cluster.get(target, never))).toBe(3);
  });

  it('lets a Canary go at once that it cannot understand, which would never end', async () => {
    const syncer = stage.syncer();
    const ref: ObjectRef = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'test', name: 'web' };
    await syncer.sync(desired(withCanary), never);
    const sameCookies = { sessionAffinity: { cookieName: 'a', primaryCookieName: 'a' } };
    await stage.cluster.mergePatch(ref, { spec: { analysis: sameCookies } }, { manager: 'hand' }, never);
    const gone = desired({ ...files, 'crds.yaml': crds, 'c.yaml': config('test/other') });
    await eventually(
      async () => (await syncer.sync(gone, never)).failed,
      (failed) => failed.length === 0,
    );
    expect(await stage.cluster.get(ref, never)).toBeUndefined();
  });

  it('keeps a definition while somebody else has objects of its kind', async () => {
    const syncer = stage.syncer();
    const ref = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'test', name: 'foreign' };
    const spec = desired({ 'x.yaml': canary('test/x') }).manifests[0]?.object['spec'];
    const foreign = {
      apiVersion: ref.apiVersion,
      kind: ref.kind,
      metadata: { name: ref.name, namespace: 'test' },
      spec,
    };
    await stage.cluster.create(foreign, { manager: 'somebody' }, never);
    const { failed } = await syncer.sync(desired({ ...files, 'c.yaml': config('test/other') }), never);
    expect(failed).toMatchObject([{ message: expect.stringMatching(/canaries\.flagger\.app .*stays: \d+ objects/) }]);
    expect(await stage.cluster.get(ref, never)).toBeDefined();
  });
});
