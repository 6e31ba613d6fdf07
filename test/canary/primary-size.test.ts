import { describe, expect, it } from 'vitest';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

describe('the size of a primary without an autoscaler', () => {
  const start = () => {
    const canarySpec = {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      analysis: { interval: '10s', threshold: 2, stepWeight: 25, maxWeight: 50 },
    };
    const world = createModelCluster({ canarySpec, replicas: 2 });
    const rollout = createRollout({ world, answer: () => ({ kind: 'value', value: 0 }) });
    const run = (seconds: number): void => rollout.run(world.nowMs + seconds * 1_000);
    run(25);
    const primary = (): number | undefined =>
      (world.deployment('app-primary')?.['spec'] as { replicas: number } | undefined)?.replicas;
    return { world, rollout, run, primary };
  };

  it('follows what Git asks of the target without a release', () => {
    const { world, rollout, run, primary } = start();
    world.desiredReplicas = 5;
    run(5);
    expect(primary()).toBe(5);
    expect(rollout.status.phase).toBe('Initialized');
    // Nothing at all is never carried over, and not told is not changed.
    world.desiredReplicas = 0;
    run(15);
    world.desiredReplicas = undefined;
    run(15);
    expect(primary()).toBe(5);
  });

  it('is left to whoever else has set it, by a promotion too', () => {
    const { world, rollout, run, primary } = start();
    const live = world.objects.get('Deployment/app-primary');
    if (!live) throw new Error('no primary');
    const managedFields = [{ manager: 'kube-controller-manager', fieldsV1: { 'f:spec': { 'f:replicas': {} } } }];
    world.objects.set('Deployment/app-primary', { ...live, metadata: { ...live.metadata, managedFields } });
    world.setReplicas('app-primary', 9);
    run(30);
    expect(primary()).toBe(9);
    world.setImage('example.org/app:2.0.0');
    run(100);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(primary()).toBe(9);
  });

  const byOthers = (world: ReturnType<typeof start>['world'], manager: string, replicas: number): void => {
    const live = world.objects.get('Deployment/app-primary');
    if (!live) throw new Error('no primary');
    const managedFields = [{ manager, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }];
    world.objects.set('Deployment/app-primary', { ...live, metadata: { ...live.metadata, managedFields } });
    world.setReplicas('app-primary', replicas);
  };

  it.each([
    ['by a person, to one', 'kubectl', 1],
    ['by a person, to three', 'kubectl-edit', 3],
    ['by an autoscaler that is gone since', 'kube-controller-manager', 2],
  ])('is what Git asks again when it gets a version, also where it was made smaller %s', (_how, manager, small) => {
    const { world, rollout, run, primary } = start();
    world.desiredReplicas = 5;
    run(15);
    world.setImage('example.org/app:2.0.0');
    run(11);
    byOthers(world, manager, small);
    run(100);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(primary()).toBe(5);
    const told = rollout.ticks.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : [])),
    );
    expect(told).toContain(
      `app-primary.demo goes from ${small} to 5 replicas with this version: somebody had set ${small}, and it gets all users`,
    );
  });

  it('stays what somebody has set as long as nothing is released', () => {
    const { world, run, primary } = start();
    byOthers(world, 'kubectl', 1);
    run(60);
    expect(primary()).toBe(1);
  });

  it('is not made smaller by a canary that somebody has made smaller', () => {
    const { world, rollout, run, primary } = start();
    world.desiredReplicas = 5;
    run(15);
    world.setImage('example.org/app:2.0.0');
    run(11);
    world.setReplicas('app', 1);
    run(100);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(primary()).toBe(5);
  });

  it('follows a target of which Git says nothing, and that is told where it takes pods', () => {
    const { world, rollout, run, primary } = start();
    world.desiredReplicas = undefined;
    world.setImage('example.org/app:2.0.0');
    run(11);
    world.setReplicas('app', 1);
    run(100);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(primary()).toBe(1);
    const told = JSON.stringify(rollout.ticks.map(({ effects }) => effects));
    expect(told).toContain('app-primary.demo goes from 2 to 1 replicas with this version, as app.demo has');
  });

  it('waits for the end of a release', () => {
    const { world, rollout, run, primary } = start();
    world.setImage('example.org/app:2.0.0');
    run(11);
    world.desiredReplicas = 6;
    run(15);
    expect(rollout.status.phase).toBe('Progressing');
    expect(primary()).toBe(2);
    run(60);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(primary()).toBe(6);
  });
});
