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
