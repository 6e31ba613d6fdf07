import { describe, expect, it } from 'vitest';
import { decide } from '../../src/canary/decide.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { parseStatus, renderStatus } from '../../src/canary/status.ts';
import type { Question } from '../../src/canary/types.ts';
import { at } from '../../src/lib/json.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

const bad = 'example.org/app:3.0.0';

/** An app that has been released once; `2.0.0` is good, `3.0.0` is not. */
function stage({ scaleDownDelay = '30s', more = {} }: { scaleDownDelay?: string; more?: object } = {}) {
  const canarySpec = {
    provider: 'istio',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    scaleDownDelay,
    analysis: {
      interval: '10s',
      threshold: 1,
      stepWeight: 50,
      maxWeight: 50,
      metrics: [{ name: 'errors', query: 'x', thresholdRange: { max: 1 } }],
    },
    ...more,
  };
  const world = createModelCluster({ canarySpec, replicas: 2 });
  let isBad = false;
  let isClosed = false;
  const answer = (question: Question) => {
    if (question.kind === 'hook')
      return isClosed ? { kind: 'rejected' as const, reason: 'closed' } : { kind: 'passed' as const };
    return { kind: 'value' as const, value: question.kind === 'metric' && isBad ? 100 : 0 };
  };
  const rollout = createRollout({ world, answer });
  const pods = (): unknown => at(world.deployment('app'), 'spec', 'replicas');
  return {
    world,
    rollout,
    pods,
    push: (image: string): void => {
      isBad = image === bad;
      world.setImage(image);
    },
    close: () => void (isClosed = true),
    /** Ticks until it is so; gives the time. */
    until: (isSo: () => boolean): number => {
      for (let left = 600; !isSo(); left -= 1) {
        if (left === 0) throw new Error(`never; it is ${JSON.stringify(rollout.status)} with ${String(pods())} pods`);
        rollout.run(world.nowMs + 500);
      }
      return world.nowMs;
    },
  };
}

describe('spec.scaleDownDelay', () => {
  it('keeps the pods of the canary after a promotion, which is told in its time', () => {
    const { rollout, pods, push, until } = stage();
    until(() => rollout.status.phase === 'Initialized' && pods() === 0);
    push('example.org/app:2.0.0');
    const promotedMs = until(() => rollout.status.phase === 'Succeeded');
    expect(pods()).toBe(2);
    const goneMs = until(() => pods() === 0);
    expect(goneMs - promotedMs).toBeGreaterThanOrEqual(29_000);
    expect(goneMs - promotedMs).toBeLessThanOrEqual(32_000);
    expect(rollout.status).toMatchObject({ phase: 'Succeeded', canaryWeight: 0 });
    expect(rollout.status.analysis?.drainsSinceMs).toBeUndefined();
  });

  it('keeps those of a target that was taken over, too, and takes none twice', () => {
    const { rollout, pods, until, world } = stage();
    const initialisedMs = until(() => rollout.status.phase === 'Initialized');
    expect(pods()).toBe(2);
    expect(until(() => pods() === 0) - initialisedMs).toBeGreaterThanOrEqual(29_000);
    // What somebody wants afterwards stays.
    world.setReplicas('app', 1);
    rollout.run(world.nowMs + 120_000);
    expect(pods()).toBe(1);
  });

  it('keeps those of a version that was rolled back until another one stands in its place', () => {
    const { rollout, pods, push, until } = stage();
    until(() => rollout.status.phase === 'Initialized' && pods() === 0);
    push(bad);
    const failedMs = until(() => rollout.status.phase === 'Failed');
    expect(pods()).toBe(2);
    push('example.org/app:1.0.0');
    expect(until(() => pods() === 0) - failedMs).toBeLessThanOrEqual(12_000);
  });

  it('gives the pods that stay to the next release, and takes them from one that waits to be let in', () => {
    const { rollout, pods, push, until } = stage();
    until(() => rollout.status.phase === 'Initialized');
    push('example.org/app:2.0.0');
    until(() => rollout.status.phase === 'Progressing');
    expect(pods()).toBe(2);
    expect(rollout.status.analysis?.drainsSinceMs).toBeUndefined();
    until(() => rollout.status.phase === 'Succeeded');
    expect(until(() => pods() === 0)).toBeGreaterThan(0);

    const webhooks = [{ name: 'gate', type: 'confirm-rollout', url: 'http://gate.test/' }];
    const gated = stage({
      more: { analysis: { interval: '10s', threshold: 1, stepWeight: 50, maxWeight: 50, webhooks } },
    });
    gated.until(() => gated.rollout.status.phase === 'Initialized');
    gated.close();
    gated.push('example.org/app:2.0.0');
    gated.until(() => gated.rollout.status.phase === 'Waiting');
    gated.until(() => gated.pods() === 0);
  });

  it('is remembered by the status, and is over at once where the field is taken away', () => {
    const { rollout, pods, until, world } = stage();
    until(() => rollout.status.phase === 'Initialized');
    const status = parseStatus({ ...world.canary, status: renderStatus(rollout.status) });
    expect(status.analysis?.drainsSinceMs).toBe(rollout.status.analysis?.drainsSinceMs);
    expect(pods()).toBe(2);
    const { scaleDownDelay: _gone, ...spec } = world.canary['spec'] as { scaleDownDelay: string };
    world.canary = { ...world.canary, spec };
    until(() => pods() === 0);
  });

  it('changes nothing where it is absent or 0s', () => {
    for (const scaleDownDelay of ['0s', '']) {
      const { rollout, pods, until } = stage({ scaleDownDelay });
      until(() => rollout.status.phase === 'Initialized');
      expect(pods()).toBe(0);
    }
  });

  it.each(['soon', '-5s', '30'])('says what is wrong with %s', (scaleDownDelay) => {
    const { world } = stage();
    const canary = { ...world.canary, spec: { ...(world.canary['spec'] as object), scaleDownDelay } };
    expect(() => parseCanary(canary, { provider: 'istio', minIntervalMs: 10_000 })).toThrow(/spec\.scaleDownDelay/);
  });

  it('is over where a clock was set back', () => {
    const { rollout, until, world } = stage();
    until(() => rollout.status.phase === 'Initialized');
    world.nowMs -= 3_600_000;
    const { spec } = { spec: parseCanary(world.canary, { provider: 'istio', minIntervalMs: 10_000 }) };
    const settings = { selectorLabels: ['app'], includeLabelPrefix: [], configTracking: true };
    const step = decide(spec, rollout.status, { ...world.see(), answers: new Map() }, settings);
    const effects = step.kind === 'done' ? step.decision.effects : [];
    expect(effects.map(({ kind }) => kind)).toContain('scale-target');
  });
});
