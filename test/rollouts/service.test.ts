import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';
import { createTargetWorld, type TargetWorld } from '../helpers/target-world.ts';

type Spec = Record<string, unknown>;

const target: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'podinfo',
    labels: { team: 'rig' },
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'example.org/owner': 'rig' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'whoever', uid: 'u0' }],
  },
  spec: {
    type: 'NodePort',
    clusterIP: '10.72.0.7',
    clusterIPs: ['10.72.0.7'],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    selector: { app: 'podinfo-v1' },
    ports: [{ name: 'http', port: 80, targetPort: 9898, protocol: 'TCP', nodePort: 30_080 }],
  },
};

interface Staged {
  readonly world: TargetWorld;
  readonly rollout: Rollout;
  readonly step: (times?: number) => void;
  readonly turnTo: (app: string) => void;
}

function stage(analysis: Spec, spec: Spec = {}): Staged {
  const world = createTargetWorld({
    target,
    canarySpec: {
      provider: 'istio',
      targetRef: { apiVersion: 'v1', kind: 'Service', name: 'podinfo' },
      service: { port: 80 },
      analysis: { interval: '10s', threshold: 3, ...analysis },
      ...spec,
    },
  });
  const rollout = createRollout({ world, answer: () => ({ kind: 'passed' }) });
  return {
    world,
    rollout,
    step(times = 1) {
      for (let count = 0; count < times; count += 1) {
        world.nowMs += 10_000;
        rollout.tick();
      }
    },
    turnTo: (app) => world.push((live) => ({ ...live, selector: { app } })),
  };
}
function initialised(...options: Parameters<typeof stage>): Staged {
  const staged = stage(...options);
  staged.step(2);
  expect(staged.rollout.status.phase).toBe('Initialized');
  return staged;
}
const selectorOf = (object: KubeObject | undefined): unknown =>
  (object?.['spec'] as { selector?: unknown } | undefined)?.selector;
const v1 = { app: 'podinfo-v1' };
const v2 = { app: 'podinfo-v2' };

/** The primary's share after each tick, until it stays. */
function primaryShares({ world, rollout, step }: Staged): number[] {
  const shares: number[] = [];
  while (rollout.status.phase !== 'Promoting' && shares.length < 20) {
    step();
    const share = 100 - (world.see().split?.canaryWeight ?? 0);
    if (share !== shares.at(-1)) shares.push(share);
  }
  return shares;
}

describe('a Service whose workloads are the user’s', () => {
  it.each([
    ['[SS13]', { stepWeight: 20, maxWeight: 50 }, [100, 80, 60, 40]],
    ['[SS14]', { stepWeight: 50, maxWeight: 100 }, [100, 50, 0]],
    ['[SS15]', { stepWeights: [1, 2, 10, 80] }, [100, 99, 98, 90, 20]],
    ['[SS16]', { stepWeights: [1, 2, 10, 200] }, [100, 99, 98, 90, 0]],
  ])('gets its traffic step by step, and is promoted %s', (_id, analysis, shares) => {
    const staged = initialised(analysis);
    const { world, rollout, step, turnTo } = staged;
    turnTo('podinfo-v2');
    expect(primaryShares(staged)).toEqual(shares);
    expect(selectorOf(world.get('Service', 'podinfo-primary'))).toEqual(v2);
    step(2);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(world.see().split).toEqual({ canaryWeight: 0, mirror: false });
  });

  it('gets two copies and is not touched itself', () => {
    const { world, rollout, step } = initialised({ stepWeight: 20, maxWeight: 50 });
    const before = world.get('Service', 'podinfo');
    step(5);
    expect(world.get('Service', 'podinfo')).toEqual(before);
    expect(selectorOf(world.get('Service', 'podinfo-primary'))).toEqual(v1);
    expect(selectorOf(world.get('Service', 'podinfo-canary'))).toEqual(v1);
    const kinds = rollout.ticks.flatMap(({ effects }) => effects.map(({ kind }) => kind));
    expect(kinds).not.toContain('scale-target');
    expect(rollout.status).not.toHaveProperty('trackedConfigs');
  });

  it('follows the target at once while nobody uses the canary', () => {
    const { world, step, turnTo } = initialised({ stepWeight: 20, maxWeight: 50 });
    turnTo('podinfo-v2');
    step();
    expect(selectorOf(world.get('Service', 'podinfo-canary'))).toEqual(v2);
    expect(selectorOf(world.get('Service', 'podinfo-primary'))).toEqual(v1);
  });

  it('takes users home before the canary turns to what nobody has judged', () => {
    const { world, rollout, step, turnTo } = initialised({ stepWeight: 20, maxWeight: 50 });
    turnTo('podinfo-v2');
    step(3);
    expect(world.see().split?.canaryWeight).toBe(40);
    turnTo('podinfo-v3');
    step();
    const done = rollout.ticks.at(-1)?.effects.filter(({ kind }) => kind === 'set-route' || kind === 'write');
    expect(done?.map(({ kind }) => kind)).toEqual(['set-route', 'write']);
    expect(selectorOf(world.get('Service', 'podinfo-canary'))).toEqual({ app: 'podinfo-v3' });
    expect(rollout.status).toMatchObject({ phase: 'Progressing', canaryWeight: 0 });
  });

  it('that turns back to what was promoted ends the analysis', () => {
    const { rollout, world, step, turnTo } = initialised({ stepWeight: 20, maxWeight: 50 });
    turnTo('podinfo-v2');
    step(3);
    turnTo('podinfo-v1');
    step(2);
    expect(rollout.status.phase).toBe('Initialized');
    expect(world.see().split?.canaryWeight).toBe(0);
    expect(selectorOf(world.get('Service', 'podinfo-canary'))).toEqual(v1);
  });

  it('leads a -canary that somebody else made to the target, and keeps the rest of it', () => {
    const staged = stage({ stepWeight: 20, maxWeight: 50 });
    staged.world.put({
      ...target,
      metadata: { name: 'podinfo-canary', namespace: 'demo', labels: { mine: 'yes' } },
      spec: { selector: { app: 'x' } },
    });
    staged.step(4);
    const canary = staged.world.get('Service', 'podinfo-canary');
    expect(selectorOf(canary)).toEqual(v1);
    expect(canary?.metadata.labels).toEqual({ mine: 'yes' });
  });
});

describe('the primary of a Service', () => {
  it('belongs to the Canary, also after a promotion: the outage is a primary that goes with somebody else [R43]', () => {
    const { world, rollout, step, turnTo } = initialised({ stepWeight: 50, maxWeight: 50 });
    const owners = () => world.get('Service', 'podinfo-primary')?.metadata.ownerReferences;
    const own = [{ kind: 'Canary', name: 'podinfo', uid: 'uid-of-canary', controller: true }];
    expect(owners()).toMatchObject(own);
    expect(owners()).toHaveLength(1);
    turnTo('podinfo-v2');
    step(6);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(owners()).toMatchObject(own);
    expect(owners()).toHaveLength(1);
  });

  it('takes no address of the target: the outage is a Service that the API server refuses [R44]', () => {
    const { world, rollout, step, turnTo } = initialised({ stepWeight: 50, maxWeight: 50 });
    const copied = {
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      selector: v1,
      ports: [{ name: 'http', port: 80, targetPort: 9898, protocol: 'TCP' }],
    };
    for (const name of ['podinfo-primary', 'podinfo-canary'])
      expect(world.get('Service', name)?.['spec']).toEqual(copied);
    // As the API server fills it in.
    for (const name of ['podinfo-primary', 'podinfo-canary']) {
      const made = world.get('Service', name);
      const given = { type: 'ClusterIP', clusterIP: '10.72.0.8', clusterIPs: ['10.72.0.8'] };
      if (made) world.put({ ...made, spec: { ...(made['spec'] as Spec), ...given } });
    }
    step(3);
    const writes = rollout.ticks.slice(-3).flatMap(({ effects }) => effects.filter(({ kind }) => kind === 'write'));
    expect(writes).toEqual([]);
    turnTo('podinfo-v2');
    step(6);
    expect(world.get('Service', 'podinfo-primary')?.['spec']).toEqual({
      ...copied,
      type: 'ClusterIP',
      clusterIP: '10.72.0.8',
      clusterIPs: ['10.72.0.8'],
      selector: v2,
    });
  });

  it('stays without an address where the target has none', () => {
    const { world } = initialised({ stepWeight: 50, maxWeight: 50 });
    expect(world.get('Service', 'podinfo-primary')?.['spec']).not.toHaveProperty('clusterIP');
    const headless = stage({ stepWeight: 50, maxWeight: 50 });
    headless.world.push((spec) => ({ ...spec, type: 'ClusterIP', clusterIP: 'None', clusterIPs: ['None'] }));
    headless.step(2);
    expect(headless.world.get('Service', 'podinfo-primary')?.['spec']).toMatchObject({ clusterIP: 'None' });
  });
});
