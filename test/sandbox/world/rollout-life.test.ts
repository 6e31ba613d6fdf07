import { afterEach, describe, expect, it } from 'vitest';
import type { Deployment, DeploymentStatus } from '../../../src/sandbox/world/kinds.ts';
import { fastClock } from '../../helpers/fast-clock.ts';
import { aDeployment, aService, aWorld, conditionOf, isRolledOut, scale, setImage, type TestWorld } from './a-world.ts';

let world: TestWorld;
afterEach(() => world.stop());

const rolledOut = (name = 'podinfo') => world.until(`${name} rolled out`, () => isRolledOut(world.deployment(name)));

describe('a Deployment', () => {
  it('gets a ReplicaSet, pods, a revision, and conditions that say so', async () => {
    world = aWorld();
    world.store.create(aDeployment({ replicas: 2 }));
    await rolledOut();
    const deployment = world.deployment('podinfo');
    const [set] = world.objects.list('ReplicaSet', 'test');
    const hash = set?.metadata.labels?.['pod-template-hash'];
    expect(hash).toMatch(/^[4-9b-df]+$/);
    expect(set?.metadata.name).toBe(`podinfo-${hash}`);
    expect(set?.metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '1',
      'deployment.kubernetes.io/desired-replicas': '2',
      'deployment.kubernetes.io/max-replicas': '3',
    });
    expect(deployment.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('1');
    expect(deployment.status).toMatchObject({
      observedGeneration: 1,
      replicas: 2,
      updatedReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
    });
    expect(deployment.status).not.toHaveProperty('unavailableReplicas');
    expect(conditionOf(deployment, 'Available')).toMatchObject({ status: 'True', reason: 'MinimumReplicasAvailable' });
    expect(conditionOf(deployment, 'Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "podinfo-${hash}" has successfully progressed.`,
    });
    const [pod] = world.pods();
    expect(pod?.metadata.name).toMatch(new RegExp(`^podinfo-${hash}-[a-z0-9]{5}$`));
    expect(pod?.metadata.labels).toEqual({ app: 'podinfo', 'pod-template-hash': hash });
    expect(pod?.status).toMatchObject({ phase: 'Running', containerStatuses: [{ name: 'app', ready: true }] });
    expect(world.events()).toEqual(
      expect.arrayContaining([
        `ScalingReplicaSet: Scaled up replica set podinfo-${hash} from 0 to 2`,
        `SuccessfulCreate: Created pod: ${pod?.metadata.name}`,
        `Scheduled: Successfully assigned test/${pod?.metadata.name} to sandbox`,
        'Started: Started container app',
      ]),
    );
  });

  it('has events that are listed in the order in which they happened', async () => {
    world = aWorld();
    world.store.create(aDeployment());
    await rolledOut();
    const [pod] = world.pods();
    const ofPod = world.objects
      .list('Event', 'test')
      .filter((event) => (event['involvedObject'] as { uid: string }).uid === pod?.metadata.uid)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .map((event) => event['reason']);
    expect(ofPod).toEqual(['Scheduled', 'Pulling', 'Pulled', 'Created', 'Started']);
  });

  it('passes through the states that a rollout has on a real cluster', async () => {
    world = aWorld();
    const history: DeploymentStatus[] = [];
    world.store.onEvent(({ object }) => {
      if (object.kind === 'Deployment') history.push((object as Deployment).status ?? {});
    });
    world.store.create(aDeployment());
    await rolledOut();
    const reasons = history.flatMap(({ conditions = [] }) =>
      conditions.filter(({ type }) => type === 'Progressing').map(({ reason }) => reason),
    );
    expect([...new Set(reasons)]).toEqual(['NewReplicaSetCreated', 'ReplicaSetUpdated', 'NewReplicaSetAvailable']);
    const available = history.flatMap(({ conditions = [] }) =>
      conditions.filter(({ type }) => type === 'Available').map(({ reason }) => reason),
    );
    expect([...new Set(available)]).toEqual(['MinimumReplicasUnavailable', 'MinimumReplicasAvailable']);
  });

  it('replaces pods step by step without ever falling below its minimum', async () => {
    world = aWorld();
    world.store.create(
      aDeployment({ replicas: 3, spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } } }),
    );
    world.store.create(aService('podinfo'));
    await rolledOut();
    let fewest = 99;
    let most = 0;
    world.store.onEvent(({ object }) => {
      if (object.kind !== 'Deployment') return;
      const { availableReplicas = 0, replicas = 0 } = (object as Deployment).status ?? {};
      fewest = Math.min(fewest, availableReplicas);
      most = Math.max(most, replicas);
    });
    setImage(world, 'podinfo', 'podinfo:3.1.1');
    await rolledOut();
    expect({ fewest, most }).toEqual({ fewest: 3, most: 4 });
    expect(world.deployment('podinfo').metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2');
    await world.until('only new pods', () => world.pods().length === 3);
    expect((await world.ask('http://podinfo:9898/')).version).toBe('3.1.1');
  });

  it('goes back to an old ReplicaSet with a new revision when the old template returns', async () => {
    world = aWorld();
    world.store.create(aDeployment());
    await rolledOut();
    const first = world.objects.list('ReplicaSet', 'test')[0]?.metadata.name;
    setImage(world, 'podinfo', 'podinfo:3.1.1');
    await rolledOut();
    setImage(world, 'podinfo', 'registry.test:5000/podinfo:3.1.0');
    await rolledOut();
    expect(world.objects.list('ReplicaSet', 'test')).toHaveLength(2);
    const revision = world.objects.get('ReplicaSet', 'test', first ?? '')?.metadata.annotations;
    expect(revision?.['deployment.kubernetes.io/revision']).toBe('3');
  });

  it('keeps no more old ReplicaSets than revisionHistoryLimit', async () => {
    world = aWorld();
    world.store.create(aDeployment({ spec: { revisionHistoryLimit: 1 } }));
    for (const tag of ['3.1.1', '3.1.5', '3.1.6']) {
      await rolledOut();
      setImage(world, 'podinfo', `podinfo:${tag}`);
    }
    await rolledOut();
    await world.until('one old set', () => world.objects.list('ReplicaSet', 'test').length === 2);
  });

  it('scales to zero and back and stays a finished rollout', async () => {
    world = aWorld();
    world.store.create(aDeployment({ replicas: 2 }));
    await rolledOut();
    scale(world, 'podinfo', 0);
    await world.until('no pods', () => world.pods().length === 0 && isRolledOut(world.deployment('podinfo')));
    const { status } = world.deployment('podinfo');
    expect(status).not.toHaveProperty('replicas');
    expect(conditionOf(world.deployment('podinfo'), 'Progressing')?.reason).toBe('NewReplicaSetAvailable');
    scale(world, 'podinfo', 1);
    const unavailable = await world.until('unavailable', () => {
      const condition = conditionOf(world.deployment('podinfo'), 'Available');
      return condition?.status === 'False' && condition;
    });
    expect(unavailable.reason).toBe('MinimumReplicasUnavailable');
    await rolledOut();
    expect(world.events().filter((event) => event.includes('from 0 to 1'))).toHaveLength(1);
  });

  it('of type Recreate ends all old pods before it starts a new one', async () => {
    world = aWorld();
    world.store.create(aDeployment({ replicas: 2, spec: { strategy: { type: 'Recreate' } } }));
    await rolledOut();
    const hashes = new Set<string>();
    world.store.onEvent(() => {
      hashes.add([...new Set(world.pods().map(({ metadata }) => metadata.labels?.['pod-template-hash']))].join('+'));
    });
    setImage(world, 'podinfo', 'podinfo:3.1.1');
    await rolledOut();
    expect([...hashes].filter((both) => both.includes('+'))).toEqual([]);
  });

  it('does nothing with a new template while it is paused', async () => {
    world = aWorld();
    world.store.create(aDeployment());
    await rolledOut();
    world.objects.change<'Deployment'>(world.deployment('podinfo'), (draft) => {
      draft.spec.paused = true;
    });
    setImage(world, 'podinfo', 'podinfo:3.1.1');
    await world.until('observed', () => world.deployment('podinfo').status?.observedGeneration === 3);
    expect(conditionOf(world.deployment('podinfo'), 'Progressing')).toMatchObject({
      status: 'Unknown',
      reason: 'DeploymentPaused',
    });
    expect(world.objects.list('ReplicaSet', 'test')).toHaveLength(1);
    expect(world.deployment('podinfo').status).not.toHaveProperty('updatedReplicas');
    world.objects.change<'Deployment'>(world.deployment('podinfo'), (draft) => {
      draft.spec.paused = false;
    });
    await rolledOut();
  });

  it('that makes no progress says so after its deadline', async () => {
    world = aWorld({ clock: fastClock(20) });
    world.store.create(aDeployment({ image: 'podinfo:3.1.4', spec: { progressDeadlineSeconds: 2 }, container: ready }));
    const progressing = await world.until('deadline', () => {
      const condition = conditionOf(world.deployment('podinfo'), 'Progressing');
      return condition?.reason === 'ProgressDeadlineExceeded' && condition;
    });
    expect(progressing).toMatchObject({
      status: 'False',
      message: expect.stringContaining('has timed out progressing.'),
    });
    setImage(world, 'podinfo', 'podinfo:3.1.1');
    await rolledOut();
    expect(conditionOf(world.deployment('podinfo'), 'Progressing')?.reason).toBe('NewReplicaSetAvailable');
  });

  it('counts pods as available only after minReadySeconds', async () => {
    world = aWorld({ clock: fastClock(10) });
    world.store.create(aDeployment({ spec: { minReadySeconds: 4 } }));
    await world.until('ready', () => world.deployment('podinfo').status?.readyReplicas === 1);
    expect(world.deployment('podinfo').status).not.toHaveProperty('availableReplicas');
    await rolledOut();
  });

  it('that is deleted takes its ReplicaSets and pods with it', async () => {
    world = aWorld();
    world.store.create(aDeployment());
    await rolledOut();
    world.store.remove('apps/v1', 'Deployment', 'test', 'podinfo');
    await world.until(
      'all gone',
      () => world.pods().length === 0 && world.objects.list('ReplicaSet', 'test').length === 0,
    );
  });

  it('replaces a pod that somebody deletes or takes out of its selector', async () => {
    world = aWorld();
    world.store.create(aDeployment());
    await rolledOut();
    const [first] = world.pods();
    if (first) world.objects.remove(first);
    await world.until('only another pod', () => {
      const pods = world.pods();
      return pods.length === 1 && pods[0]?.metadata.uid !== first?.metadata.uid;
    });
    await rolledOut();
    const [second] = world.pods({ app: 'podinfo' });
    if (second) world.objects.change<'Pod'>(second, (draft) => (draft.metadata.labels = { app: 'quarantine' }));
    await world.until('released', () => {
      const [released] = world.pods({ app: 'quarantine' });
      return released && (released.metadata.ownerReferences ?? []).length === 0;
    });
    await rolledOut();
    expect(world.pods({ app: 'quarantine' })[0]?.status?.phase).toBe('Running');
  });
});

const ready = { readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 1 } };
