import { describe, expect, it } from 'vitest';
import { paceOf } from '../../../src/canary/pace.ts';
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
      expect(goneMs - homeMs).toBeGreaterThanOrEqual(paceOf('gatewayapi:v1').forgetsMs - 100);
    });
  });

  it('stay for spec.scaleDownDelay after a promotion, though nothing else happens, and go then', patient, async () => {
    const files = appFiles();
    const path = Object.keys(files).find((name) => files[name]?.includes('kind: Canary')) ?? '';
    const withDelay = (files[path] ?? '').replace(/(kind: Canary[^]*?\nspec:\n)/, '$1  scaleDownDelay: 60s\n');
    await onStage({ files: { ...files, [path]: withDelay }, hosts: [hostOf()] }, async (stage) => {
      await adopted(stage);
      expect(replicas(stage, 'podinfo')).toBeGreaterThan(0);
      await stage.until('the pods of the target that was taken over go', () => replicas(stage, 'podinfo') === 0);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('it is promoted', () => canary(stage).phase === 'Succeeded');
      const promotedMs = stage.clock.now();
      expect(replicas(stage, 'podinfo')).toBeGreaterThan(0);
      await stage.until('its pods go', () => replicas(stage, 'podinfo') === 0);
      expect(stage.clock.now() - promotedMs).toBeGreaterThanOrEqual(55_000);
    });
  });
});

/** The first look at a canary of this provider whose pods answer since then. */
function firstLook(
  readySinceMs: number,
  { endpoints = {}, provider = 'traefik', webhooks }: { endpoints?: Endpoints; provider?: string; webhooks?: unknown },
) {
  const canarySpec = {
    provider,
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: { interval: '10s', threshold: 2, stepWeight: 50, maxWeight: 50, ...(webhooks ? { webhooks } : {}) },
  };
  const world = createModelCluster({ canarySpec });
  let asked = 0;
  const rollout = createRollout({
    world,
    answer(question) {
      if (question.kind === 'hook') return { kind: 'passed' };
      if (question.kind !== 'endpoints') return { kind: 'value', value: 0 };
      asked += 1;
      return { kind: 'endpoints', ...endpoints };
    },
  });
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
  const told = (tick?.effects ?? []).flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : []));
  return { weight: tick?.status.canaryWeight, nextMs: tick?.decision.nextTickMs, asked, told };
}

interface Endpoints {
  readonly ready?: number;
  readonly knownMs?: number;
  readonly unknownMs?: number;
}

describe('a canary that has just become ready', () => {
  it('gets its first users a moment later, and at once where clocks do not agree', () => {
    for (const [readySinceMs, weight, nextMs] of [
      [500, 0, 2_000],
      [3_000, 50, 10_000],
      [-60_000, 50, 10_000],
    ] as const) {
      const look = firstLook(readySinceMs, {});
      expect([look.weight, look.nextMs], `ready since ${readySinceMs} ms`).toEqual([weight, nextMs]);
    }
  });

  it.each<[string, Endpoints, number, number]>([
    ['that tell of its pods for a while', { ready: 1, knownMs: 300 }, 50, 10_000],
    ['that have only just told of them', { ready: 1, knownMs: 0 }, 0, 300],
    ['that do not tell of them yet', { ready: 0, unknownMs: 0 }, 0, 150],
  ])('gets them as soon as it has EndpointSlices %s', (_what, endpoints, weight, nextMs) => {
    const look = firstLook(500, { endpoints });
    expect([look.weight, look.nextMs]).toEqual([weight, nextMs]);
  });

  it.each([
    [
      'before its pre-rollout tests, which come by kube-proxy',
      { webhooks: [{ name: 'smoke', type: 'pre-rollout', url: 'http://tester.test/' }] },
    ],
    ['with a mesh that tells its proxies of pods and of routes each for themselves', { provider: 'linkerd' }],
    ['without a mesh', { provider: 'kubernetes' }],
  ])('is given all the time %s', (_what, options) => {
    const look = firstLook(500, { ...options, endpoints: { ready: 1, knownMs: 1_000 } });
    expect(look).toMatchObject({ weight: 0, nextMs: 2_000, asked: 0 });
  });

  it('gets nobody, and says why, where EndpointSlices go on telling of no pod that is ready', () => {
    const look = firstLook(30_000, { endpoints: { ready: 0, unknownMs: 2_600 } });
    expect(look).toMatchObject({ weight: 0, nextMs: 2_500 });
    expect(look.told).toEqual([
      'Halt app.demo advancement, no EndpointSlice of Service app-canary tells of a pod that is ready',
    ]);
  });

  it('goes on with some of its pods known, when it has waited for the others', () => {
    expect(firstLook(30_000, { endpoints: { ready: 1, unknownMs: 2_600 } }).weight).toBe(50);
  });
});

describe('what leads users', () => {
  it.each([
    ['traefik', 300, 2_500],
    ['gatewayapi:v1beta1', 1_000, 2_500],
    ['nginx', 1_000, 4_000],
    ['skipper', undefined, 4_000],
    ['smi:v1alpha2:linkerd', undefined, 2_500],
    ['constructor', undefined, 2_500],
  ])('%s learns and forgets at its own pace', (provider, knowsMs, forgetsMs) => {
    expect(paceOf(provider)).toEqual({ knowsMs, forgetsMs });
  });
});
