import { describe, expect, it } from 'vitest';
import { targets } from '../../src/canary/targets/registry.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

const workload = (kind: 'Deployment' | 'DaemonSet', spec: object, status: object = {}): KubeObject =>
  ({ apiVersion: 'apps/v1', kind, metadata: { name: 'app-primary', namespace: 'demo' }, spec, status }) as KubeObject;
const rolling = (replicas: number, maxUnavailable?: number | string): KubeObject =>
  workload('Deployment', {
    replicas,
    strategy: { type: 'RollingUpdate', rollingUpdate: maxUnavailable === undefined ? {} : { maxUnavailable } },
  });
const onNodes = (nodes: number, rollingUpdate: object = {}): KubeObject =>
  workload('DaemonSet', { updateStrategy: { rollingUpdate } }, { desiredNumberScheduled: nodes });

describe('a rollout may end all pods of a primary', () => {
  it.each([
    ['a Deployment that is recreated', workload('Deployment', { replicas: 3, strategy: { type: 'Recreate' } }), true],
    ['a Deployment of one pod that may be missing', rolling(1, 1), true],
    ['a Deployment all of whose pods may be missing', rolling(3, '100%'), true],
    ['a Deployment of one pod as usual', rolling(1), false],
    ['a Deployment of three pods one of which may be missing', rolling(3, 1), false],
    ['a DaemonSet on one node', onNodes(1), true],
    ['a DaemonSet on one node that starts the next pod first', onNodes(1, { maxSurge: 1, maxUnavailable: 0 }), false],
    ['a DaemonSet on three nodes', onNodes(3), false],
    ['a DaemonSet on three nodes all of which may be missing', onNodes(3, { maxUnavailable: '70%' }), true],
    ['a DaemonSet on no node', onNodes(0), false],
  ])('of %s: %3$s', (_what, object, mayEnd) => {
    const kind = object.kind === 'DaemonSet' ? targets.DaemonSet : targets.Deployment;
    expect(kind.mayEndAll?.(object)).toBe(mayEnd);
  });
});

describe('users of a primary that has no pod for a while', () => {
  const start = (kind: 'Deployment' | 'DaemonSet', strategy?: object) => {
    const canarySpec = {
      provider: 'traefik',
      targetRef: { apiVersion: 'apps/v1', kind, name: 'app' },
      service: { port: 80 },
      analysis: { interval: '10s', threshold: 2, stepWeight: 25, maxWeight: 50 },
    };
    const world = createModelCluster({ canarySpec, replicas: 2 });
    const target = world.objects.get(`${kind}/app`);
    if (!target) throw new Error('no target');
    if (strategy)
      world.objects.set(`${kind}/app`, { ...target, spec: { ...(target['spec'] as object), strategy } } as KubeObject);
    const rollout = createRollout({ world, answer: () => ({ kind: 'value', value: 0 }) });
    const run = (seconds: number): void => rollout.run(world.nowMs + seconds * 1_000);
    run(25);
    world.setImage('example.org/app:2.0.0');
    run(120);
    const messages = rollout.ticks.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : [])),
    );
    return { rollout, messages: messages.slice(messages.findIndex((message) => message.startsWith('New revision'))) };
  };

  it.each([
    ['a DaemonSet on one node', 'DaemonSet', undefined],
    ['a Deployment that is recreated', 'Deployment', { type: 'Recreate' }],
    ['a Deployment all of whose pods may go', 'Deployment', { rollingUpdate: { maxUnavailable: '100%' } }],
  ] as const)('are with the canary before its rollout begins: %s', (_what, kind, strategy) => {
    const { rollout, messages } = start(kind, strategy);
    expect(rollout.status.phase).toBe('Succeeded');
    const [led, copied] = ['Routing all traffic to canary', 'Copying app.demo template spec to app-primary.demo'].map(
      (message) => messages.indexOf(message),
    );
    expect(led).toBeGreaterThan(0);
    expect(copied).toBe((led ?? 0) + 1);
    expect(messages.filter((message) => message === 'Routing all traffic to canary')).toHaveLength(1);
  });

  it('stay where they are when some of its pods are left', () => {
    const { rollout, messages } = start('Deployment', { rollingUpdate: { maxUnavailable: 1 } });
    expect(rollout.status.phase).toBe('Succeeded');
    expect(messages).not.toContain('Routing all traffic to canary');
  });
});

describe('a primary that somebody has given another image', () => {
  const start = () => {
    const canarySpec = {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      analysis: { interval: '10s', threshold: 2, stepWeight: 25, maxWeight: 50 },
    };
    const world = createModelCluster({ canarySpec });
    const rollout = createRollout({ world, answer: () => ({ kind: 'value', value: 0 }) });
    const run = (seconds: number): void => rollout.run(world.nowMs + seconds * 1_000);
    run(25);
    const give = (change: (container: Record<string, unknown>) => Record<string, unknown>[]): void => {
      const live = structuredClone(world.objects.get('Deployment/app-primary')) as unknown as {
        spec: { template: { spec: { containers: Record<string, unknown>[] } } };
      };
      const pod = live.spec.template.spec;
      pod.containers = pod.containers.flatMap(change);
      world.objects.set('Deployment/app-primary', live as unknown as KubeObject);
    };
    return { rollout, run, give, notice: () => rollout.ticks.at(-1)?.decision.notice };
  };

  it('is told, and kept', () => {
    const { rollout, run, give, notice } = start();
    expect(notice()).toBeUndefined();
    give((container) => [{ ...container, image: 'example.org/app:0.9.0' }]);
    run(25);
    expect(notice()).toMatch(
      /^app-primary\.demo runs \S+ example\.org\/app:0\.9\.0 instead of example\.org\/app:1\.0\.0, which was promoted: somebody has changed it by hand/,
    );
    expect(rollout.status.phase).toBe('Initialized');
    expect(rollout.ticks.at(-1)?.effects).toEqual([]);
  });

  it('is another one than a primary with a sidecar of its own, of which nothing is told', () => {
    const { run, give, notice } = start();
    give((container) => [container, { name: 'proxy', image: 'example.org/proxy:1' }]);
    run(25);
    expect(notice()).toBeUndefined();
  });
});
