import { describe, expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import { supportedSpec } from '../../src/routers/reconcile.ts';
import { routers } from '../../src/routers/registry.ts';
import type { Router } from '../../src/routers/router.ts';
import { ClusterFailure, createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

type Members = Readonly<Record<string, unknown>>;

const specWith = (analysis: Members, provider = 'istio'): Members => ({
  provider,
  targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
  service: { port: 80, gatewayRefs: [{ name: 'gw' }] },
  analysis: { interval: '10s', threshold: 3, mirror: true, ...analysis },
});
const good = ({ kind }: Question): Answer => (kind === 'metric' ? { kind: 'value', value: 100 } : { kind: 'passed' });

describe('mirroring', () => {
  it('counts no round of a blue/green test whose requests were not mirrored [R25]', () => {
    const world = createModelCluster({ canarySpec: specWith({ iterations: 3 }) });
    let refused = 0;
    const rollout = createRollout({
      world,
      answer: good,
      onEffect(effect) {
        if (effect.kind !== 'set-route' || !effect.split.mirror || refused === 3) return;
        refused += 1;
        throw new ClusterFailure('the API server refuses the route');
      },
    });
    rollout.run(world.nowMs + 20_000);
    world.setImage('example.org/app:2.0.0');
    while (refused < 3) {
      rollout.run(world.nowMs + 1_000);
      expect(rollout.status.iterations).toBe(0);
    }
    rollout.run(world.nowMs + 10_000);
    expect([world.split, rollout.status.iterations]).toEqual([{ canaryWeight: 0, mirror: true }, 1]);
    const mirrored = new Set<number>();
    while (rollout.status.phase !== 'Succeeded') {
      if (world.split?.mirror) mirrored.add(rollout.status.iterations);
      rollout.run(world.nowMs + 1_000);
    }
    expect([...mirrored]).toEqual([1, 2, 3]);
  });

  it.each(Object.values(routers) as readonly Router[])(
    'is one step of a canary with $name where it is possible, and waited for nowhere else [R13]',
    (router) => {
      // The plain provider and Knative's own objects have other ways.
      if (!router.supports.weights || router.name === 'knative') return;
      const canarySpec = specWith({ stepWeight: 50, maxWeight: 50 }, router.name);
      const world = createModelCluster({ canarySpec });
      const parsed = parseCanary(world.canary, { provider: router.name, minIntervalMs: 10_000 });
      const { mirror } = supportedSpec(router, parsed).analysis;
      expect(mirror).toBe(router.supports.mirror);
      world.canary = { ...world.canary, spec: specWith({ stepWeight: 50, maxWeight: 50, mirror }, router.name) };
      const rollout = createRollout({ world, answer: good });
      rollout.run(world.nowMs + 20_000);
      world.setImage('example.org/app:2.0.0');
      rollout.run(world.nowMs + 120_000);
      expect(rollout.status.phase).toBe('Succeeded');
      const splits = rollout.ticks.flatMap(({ effects }) =>
        effects.flatMap((effect) => (effect.kind === 'set-route' ? [effect.split] : [])),
      );
      expect(splits).toEqual([
        ...(mirror ? [{ canaryWeight: 0, mirror: true }] : []),
        { canaryWeight: 50, mirror: false },
        { canaryWeight: 0, mirror: false },
      ]);
    },
  );
});
