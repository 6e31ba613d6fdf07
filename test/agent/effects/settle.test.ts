import { describe, expect, it } from 'vitest';
import { settleMs } from '../../../src/canary/intents.ts';
import { createModelCluster } from '../../helpers/model-cluster.ts';
import { createRollout } from '../../helpers/rollout.ts';
import { hostOf, appFiles, appPath, toTag } from '../../scenario/apps.ts';
import { canary, replicas } from '../../scenario/look.ts';
import { adopted } from '../../scenario/outcomes.ts';
import { onStage, patient } from '../../scenario/stage.ts';

describe('pods that users were led away from', () => {
  it('stay until proxies know, when a version is taken back', patient, async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      let homeMs = 0;
      let goneMs = 0;
      await stage.until('it has users', () => canary(stage).weight > 0);
      stage.sandbox.store.onEvent(({ object: changed }) => {
        const { rules } = (changed['spec'] ?? {}) as { rules?: { backendRefs?: { weight?: number }[] }[] };
        const isHome = rules?.[0]?.backendRefs?.some(({ weight }) => weight === 100) === true;
        if (changed.kind === 'HTTPRoute' && isHome) homeMs ||= stage.clock.now();
        if (changed.kind === 'Deployment' && replicas(stage, 'podinfo') === 0) goneMs ||= stage.clock.now();
      });
      await stage.until('it is rolled back', () => canary(stage).phase === 'Failed');
      expect(homeMs).toBeGreaterThan(0);
      expect(goneMs - homeMs).toBeGreaterThanOrEqual(settleMs - 100);
    });
  });
});

describe('a canary that has just become ready', () => {
  it('gets its first users a moment later, and at once where clocks do not agree', () => {
    const canarySpec = {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      analysis: { interval: '10s', threshold: 2, stepWeight: 50, maxWeight: 50 },
    };
    for (const [readySinceMs, weight, nextMs] of [
      [500, 0, 2_000],
      [3_000, 50, 10_000],
      [-60_000, 50, 10_000],
    ] as const) {
      const world = createModelCluster({ canarySpec });
      const rollout = createRollout({ world, answer: () => ({ kind: 'value', value: 0 }) });
      rollout.run(world.nowMs + 25_000);
      world.setImage('example.org/app:2.0.0');
      rollout.run(world.nowMs + 3_000);
      expect(rollout.status).toMatchObject({ phase: 'Progressing', canaryWeight: 0 });
      const see = world.see.bind(world);
      world.see = () => {
        const seen = see();
        const at = new Date(world.nowMs - readySinceMs).toISOString();
        const conditions = [{ type: 'Available', status: 'True', lastTransitionTime: at }];
        const status = { ...(seen.target?.['status'] as object), conditions };
        return { ...seen, target: seen.target && { ...seen.target, status } };
      };
      const tick = rollout.tick();
      expect(tick?.status.canaryWeight, `ready since ${readySinceMs} ms`).toBe(weight);
      expect(tick?.decision.nextTickMs).toBe(nextMs);
    }
  });
});
