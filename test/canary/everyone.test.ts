import { describe, expect, it } from 'vitest';
import { parseCanary } from '../../src/canary/parse.ts';
import { forEveryone, isForEveryone } from '../../src/canary/strategy.ts';
import type { Answer, Effect, Question } from '../../src/canary/types.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

const canarySpec = {
  provider: 'istio',
  targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
  progressDeadlineSeconds: 30,
  service: { port: 80 },
  analysis: { interval: '10s', threshold: 3, iterations: 2, match: [{ headers: { x: { exact: '1' } } }] },
};
const good = ({ kind }: Question): Answer => (kind === 'metric' ? { kind: 'value', value: 100 } : { kind: 'passed' });
type Move = Extract<Effect, { kind: 'set-route' }>;

function play(spec: Readonly<Record<string, unknown>> = canarySpec) {
  const world = createModelCluster({ canarySpec: spec });
  const moves: Move[] = [];
  const rollout = createRollout({
    world,
    answer: good,
    onEffect: (effect) => {
      if (effect.kind === 'set-route') moves.push(effect);
    },
  });
  rollout.run(world.nowMs + 20_000);
  const state = () => ({
    spec: parseCanary(world.canary, { provider: 'istio', minIntervalMs: 10_000 }),
    status: rollout.status,
  });
  return { world, rollout, moves, isForAll: () => isForEveryone(state()) };
}

describe('an A/B test', () => {
  it('moves only users under test while the primary answers', () => {
    const { world, rollout, moves, isForAll } = play();
    world.setImage('example.org/app:2.0.0');
    while (rollout.status.phase !== 'Succeeded') {
      rollout.run(world.nowMs + 1_000);
      expect(isForAll()).toBe(false);
    }
    expect(moves.map(({ split, everyone }) => [split.canaryWeight, everyone])).toEqual([
      [100, undefined],
      [0, undefined],
    ]);
  });

  it('takes all users to the canary when the primary does not come up with what was promoted, and home later', () => {
    const { world, rollout, moves, isForAll } = play();
    world.brokenDeployments.add('app-primary');
    world.setImage('example.org/app:2.0.0');
    while (rollout.status.phase !== 'Failed') rollout.run(world.nowMs + 1_000);
    expect(moves.at(-1)).toEqual({
      kind: 'set-route',
      split: { canaryWeight: 100, mirror: false },
      everyone: true,
      moves: 'users',
    });
    expect(isForAll()).toBe(true);
    world.brokenDeployments.delete('app-primary');
    rollout.run(world.nowMs + 60_000);
    expect(moves.at(-1)).toEqual({ kind: 'set-route', split: { canaryWeight: 0, mirror: false }, moves: 'users' });
    expect(isForAll()).toBe(false);
  });

  it('with steps moves only users under test, and all of them when the primary is gone for good', () => {
    const { iterations: _none, ...analysis } = canarySpec.analysis;
    const steps = { ...canarySpec, analysis: { ...analysis, stepWeight: 50, maxWeight: 50 } };
    const { world, rollout, moves, isForAll } = play(steps);
    world.setImage('example.org/app:2.0.0');
    while (rollout.status.phase !== 'Failed') {
      if (rollout.status.phase === 'Promoting') world.brokenDeployments.add('app-primary');
      expect(isForAll()).toBe(false);
      rollout.run(world.nowMs + 1_000);
    }
    expect(moves.map(({ split, everyone }) => [split.canaryWeight, everyone])).toEqual([
      [50, undefined],
      [100, true],
    ]);
    expect(isForAll()).toBe(true);
  });

  it('with steps leaves nobody with a primary that stopped to answer under way', () => {
    const { iterations: _none, ...analysis } = canarySpec.analysis;
    const { world, rollout, moves, isForAll } = play({
      ...canarySpec,
      analysis: { ...analysis, stepWeights: [20, 40] },
    });
    world.setImage('example.org/app:2.0.0');
    while (world.split?.canaryWeight !== 20) rollout.run(world.nowMs + 1_000);
    world.downDeployments.add('app-primary');
    rollout.run(world.nowMs + 11_000);
    expect(moves.at(-1)).toEqual({
      kind: 'set-route',
      split: { canaryWeight: 100, mirror: false },
      everyone: true,
      moves: 'users',
    });
    expect([rollout.status.phase, isForAll()]).toEqual(['Progressing', true]);
  });

  it('has nobody told apart then', () => {
    const spec = parseCanary(play().world.canary, { provider: 'istio', minIntervalMs: 10_000 });
    expect(forEveryone(spec).analysis.strategy.kind).toBe('canary');
    expect(forEveryone(forEveryone(spec))).toEqual(forEveryone(spec));
  });
});
