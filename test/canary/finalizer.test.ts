import { describe, expect, it } from 'vitest';
import { hasFinalizer, isDeleted } from '../../src/canary/phases/terminate.ts';
import { beginTick } from '../../src/canary/phases/stage.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { parseStatus } from '../../src/canary/status.ts';
import type { Effect } from '../../src/canary/types.ts';
import { ClusterFailure, createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, decideSettings, type Rollout } from '../helpers/rollout.ts';

const finalizer = 'finalizer.flagger.app';
const isFinalizerWrite = (effect: Effect): boolean => effect.kind === 'write' && effect.object.kind === 'Canary';

interface Story {
  readonly world: ModelCluster;
  readonly rollout: Rollout;
  readonly wait: (seconds: number) => void;
  readonly finalizers: () => readonly string[];
  readonly remove: () => void;
  readonly messages: () => string[];
}

function story({ revertOnDeletion = true, refuse = (_effect: Effect): boolean => false } = {}): Story {
  const world = createModelCluster({
    canarySpec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      progressDeadlineSeconds: 30,
      revertOnDeletion,
      analysis: { interval: '10s', threshold: 3, stepWeight: 20, maxWeight: 40 },
    },
  });
  const rollout = createRollout({
    world,
    answer: () => ({ kind: 'value', value: 100 }),
    onEffect: (effect) => {
      if (refuse(effect)) throw new ClusterFailure('the API server refuses');
    },
  });
  return {
    world,
    rollout,
    wait: (seconds) => rollout.run(world.nowMs + seconds * 1_000),
    finalizers: () => world.canary.metadata.finalizers ?? [],
    remove: () => {
      const metadata = { ...world.canary.metadata, deletionTimestamp: new Date(world.nowMs).toISOString() };
      world.canary = { ...world.canary, metadata };
    },
    messages: () =>
      rollout.ticks.flatMap(({ effects }) =>
        effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : [])),
      ),
  };
}

describe('the finalizer of a Canary with revertOnDeletion', () => {
  it('is told from those of others [CF01]', () => {
    const { world } = story();
    const has = (finalizers: readonly string[]): boolean => {
      const canary = { ...world.canary, metadata: { ...world.canary.metadata, finalizers: [...finalizers] } };
      const spec = parseCanary(canary, { provider: 'traefik', minIntervalMs: 10_000 });
      const tick = beginTick(spec, parseStatus(canary), { ...world.see(), canary, answers: new Map() }, decideSettings);
      expect(isDeleted(tick)).toBe(false);
      return hasFinalizer(tick);
    };
    expect(has([finalizer])).toBe(true);
    expect(has(['somebody.else/theirs', finalizer])).toBe(true);
    expect(has(['somebody.else/theirs'])).toBe(false);
    expect(has([])).toBe(false);
  });

  it('is added before anything else, and added later where the API server refuses [CF02]', () => {
    let refusing = true;
    const { wait, finalizers, rollout } = story({ refuse: (effect) => refusing && isFinalizerWrite(effect) });
    wait(30);
    expect(finalizers()).toEqual([]);
    // A Canary that could not be reverted is not begun with.
    expect(rollout.status.phase).toBe('');
    refusing = false;
    wait(30);
    expect(finalizers()).toEqual([finalizer]);
    expect(rollout.status.phase).toBe('Initialized');
  });

  it('is removed at the end, and tried again where the API server refuses [CF03]', () => {
    let refusing = false;
    const { wait, finalizers, remove, messages } = story({ refuse: (effect) => refusing && isFinalizerWrite(effect) });
    wait(30);
    refusing = true;
    remove();
    wait(30);
    expect(finalizers()).toEqual([finalizer]);
    refusing = false;
    wait(30);
    expect(finalizers()).toEqual([]);
    expect(messages()).toEqual(expect.arrayContaining(['Terminating canary app.demo', 'Terminated canary app.demo']));
  });

  it('is removed where the Canary no longer asks for it [CF03]', () => {
    const { world, wait, finalizers } = story();
    wait(30);
    world.canary = { ...world.canary, spec: { ...(world.canary['spec'] as object), revertOnDeletion: false } };
    wait(15);
    expect(finalizers()).toEqual([]);
  });

  it('stays while the target is not ready although the primary serves: users keep what answers [CF04]', () => {
    const { world, wait, finalizers, remove, messages } = story();
    wait(30);
    world.brokenDeployments.add('app');
    remove();
    wait(60);
    expect(messages()).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^canary not ready during finalizing: canary deployment app\.demo/),
      ]),
    );
    expect(finalizers()).toEqual([finalizer]);
    world.brokenDeployments.delete('app');
    wait(30);
    expect(finalizers()).toEqual([]);
  });
});
