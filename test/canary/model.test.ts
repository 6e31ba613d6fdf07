import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { at } from '../../src/canary/json.ts';
import { templateHash } from '../../src/canary/template-hash.ts';
import { deployment } from '../../src/canary/targets/deployment.ts';
import type { Answer, Effect, Question } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { ClusterFailure, createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout, type TickRecord } from '../helpers/rollout.ts';

const serves = (object: KubeObject | undefined): boolean => deployment.serves(object);

/** What happens around a Canary between two ticks. */
type Happening =
  | { readonly kind: 'push'; readonly image: number }
  | { readonly kind: 'config'; readonly text: number }
  | { readonly kind: 'metrics'; readonly are: Metrics }
  | { readonly kind: 'gate'; readonly open: boolean }
  | { readonly kind: 'recall'; readonly open: boolean }
  | { readonly kind: 'pods'; readonly of: 'app' | 'app-primary'; readonly down: boolean }
  | { readonly kind: 'spec'; readonly member: 'skipAnalysis' | 'suspend'; readonly value: boolean }
  | { readonly kind: 'scale'; readonly replicas: number }
  | { readonly kind: 'route'; readonly to: 'drifts' | 'vanishes' | 'is refused' | 'is accepted' }
  | { readonly kind: 'crash'; readonly after: number }
  | { readonly kind: 'wait' };
type Metrics = 'good' | 'bad' | 'silent' | 'unreachable';

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Happening>({ kind: 'wait' }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('push' as const), image: fc.integer({ min: 1, max: 5 }) }) },
  fc.record({ kind: fc.constant('config' as const), text: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    kind: fc.constant('metrics' as const),
    are: fc.constantFrom<Metrics>('good', 'good', 'bad', 'silent', 'unreachable'),
  }),
  fc.record({ kind: fc.constant('gate' as const), open: fc.boolean() }),
  fc.record({ kind: fc.constant('recall' as const), open: fc.boolean() }),
  fc.record({
    kind: fc.constant('pods' as const),
    of: fc.constantFrom('app' as const, 'app-primary' as const),
    down: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('spec' as const),
    member: fc.constantFrom('skipAnalysis' as const, 'suspend' as const),
    value: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('scale' as const), replicas: fc.integer({ min: 0, max: 3 }) }),
  fc.record({
    kind: fc.constant('route' as const),
    to: fc.constantFrom('drifts' as const, 'vanishes' as const, 'is refused' as const, 'is accepted' as const),
  }),
  fc.record({ kind: fc.constant('crash' as const), after: fc.integer({ min: 0, max: 5 }) }),
);

const hook = (name: string, type: string): Record<string, string> => ({ name, type, url: `http://hooks/${name}` });
const strategies: readonly Record<string, unknown>[] = [
  { stepWeight: 20, maxWeight: 40 },
  { stepWeight: 50, maxWeight: 50, stepWeightPromotion: 30 },
  { stepWeights: [5, 60] },
  { iterations: 2 },
];
const setting = fc.record({
  provider: fc.constantFrom('traefik', 'traefik', 'kubernetes'),
  strategy: fc.constantFrom(...strategies),
  hooks: fc.subarray([
    hook('start', 'confirm-rollout'),
    hook('more', 'confirm-traffic-increase'),
    hook('promote', 'confirm-promotion'),
    hook('recall', 'rollback'),
    hook('test', 'pre-rollout'),
  ]),
});
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

const brokenImage = 'example.org/app:4';

class History {
  readonly world: ModelCluster;
  readonly rollout: Rollout;
  metrics: Metrics = 'good';
  isGateOpen = true;
  isRecallOpen = false;
  crashAfter: number | undefined;
  release: 'none' | 'open' = 'none';

  constructor({ provider, strategy, hooks }: Setting) {
    const analysis = {
      interval: '10s',
      threshold: 2,
      ...(provider === 'kubernetes' ? { iterations: 2 } : strategy),
      metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }],
      webhooks: hooks,
    };
    const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' };
    const canarySpec = { provider, progressDeadlineSeconds: 60, targetRef: target, service: { port: 80 }, analysis };
    this.world = createModelCluster({ canarySpec, replicas: 2 });
    this.world.brokenImages.add(brokenImage);
    this.rollout = createRollout({
      world: this.world,
      answer: (question) => this.answer(question),
      onEffect: (effect, index) => this.watch(effect, index),
    });
  }

  answer(question: Question): Answer {
    if (question.kind === 'hook') {
      const isOpen = question.hook.type === 'rollback' ? this.isRecallOpen : this.isGateOpen;
      return isOpen ? { kind: 'passed' } : { kind: 'rejected', reason: 'closed' };
    }
    if (question.kind === 'metrics-online') return { kind: 'value', value: 1 };
    if (this.metrics === 'unreachable')
      return { kind: 'unreachable', text: 'Prometheus query failed: connection refused' };
    if (this.metrics === 'silent') return { kind: 'no-data', cause: 'noSeries', reason: 'no values found' };
    return { kind: 'value', value: this.metrics === 'good' ? 100 : 42 };
  }

  get weight(): number {
    const { provider } = this.world.canary['spec'] as { provider: string };
    if (provider !== 'kubernetes') return this.world.split?.canaryWeight ?? 0;
    const apex = this.world.objects.get('Service/app') as { spec?: { selector?: { app?: string } } } | undefined;
    return apex?.spec?.selector?.app === 'app' ? 100 : 0;
  }

  /** Before each effect: what must never be done. */
  watch(effect: Effect, index: number): void {
    if (index === this.crashAfter) throw new ClusterFailure('crash');
    const canary = this.world.deployment('app');
    const primary = this.world.deployment('app-primary');
    if (effect.kind === 'set-route') this.watchTraffic(effect.split.canaryWeight);
    if (effect.kind === 'write' && effect.object.kind === 'Service' && effect.object.metadata.name === 'app') {
      const { selector } = effect.object['spec'] as { selector: { app: string } };
      this.watchTraffic(selector.app === 'app' ? 100 : 0);
    }
    if (effect.kind === 'scale-target' && effect.replicas === 0) {
      expect(this.weight, 'users have left before pods go').toBe(0);
      expect(serves(primary) || !serves(canary), 'the last pods that answer stay').toBe(true);
    }
    if (
      effect.kind === 'write' &&
      effect.object.metadata.name === 'app-primary' &&
      effect.object.kind === 'Deployment'
    ) {
      this.watchPrimary(effect.object);
    }
  }

  watchTraffic(canaryWeight: number): void {
    expect(canaryWeight).toBeGreaterThanOrEqual(0);
    expect(canaryWeight).toBeLessThanOrEqual(100);
    const canaryAnswers = serves(this.world.deployment('app'));
    const primaryAnswers = serves(this.world.deployment('app-primary'));
    if (canaryWeight > 0 && !canaryAnswers)
      expect(primaryAnswers, 'no users on a dead canary beside a living primary').toBe(false);
    if (canaryWeight < 100 && !primaryAnswers)
      expect(canaryAnswers, 'no users on a dead primary beside a living canary').toBe(false);
  }

  watchPrimary(object: KubeObject): void {
    const before = this.world.objects.get('Deployment/app-primary');
    if (before && imageOf(before) === imageOf(object)) return;
    const status = this.rollout.status;
    const hash = templateHash(at(this.world.objects.get('Deployment/app'), 'spec', 'template'));
    const isFirst = status.phase === '' || status.phase === 'Initializing';
    if (isFirst) return expect(serves(this.world.deployment('app-primary'))).toBe(false);
    const wasJudged =
      ['Progressing', 'WaitingPromotion', 'Promoting', 'Finalising'].includes(status.phase) &&
      status.lastAppliedSpec === hash;
    expect(wasJudged, `phase ${status.phase}: the primary only gets what was analysed`).toBe(true);
    const { skipAnalysis } = this.world.canary['spec'] as { skipAnalysis?: boolean };
    // Who skips the analysis overrules what it found.
    if (!skipAnalysis) expect(status.failedChecks).toBeLessThan(2);
  }

  happen(event: Happening): void {
    const { world } = this;
    switch (event.kind) {
      case 'push':
        return world.setImage(`example.org/app:${event.image}`);
      case 'config':
        return world.setConfig(`text ${event.text}`);
      case 'metrics':
        this.metrics = event.are;
        return;
      case 'gate':
        this.isGateOpen = event.open;
        return;
      case 'recall':
        this.isRecallOpen = event.open;
        return;
      case 'pods':
        if (event.down) world.downDeployments.add(event.of);
        else world.downDeployments.delete(event.of);
        return;
      case 'spec':
        return this.setSpec(event.member, event.value);
      case 'scale':
        return world.setReplicas('app', event.replicas);
      case 'route':
        if (event.to === 'drifts') world.routeDrift = world.split !== undefined;
        else if (event.to === 'vanishes') world.split = undefined;
        else world.routeTrouble = event.to === 'is refused' ? 'the route was not accepted' : undefined;
        return;
      case 'crash':
        this.crashAfter = event.after;
        return;
      case 'wait':
    }
  }

  setSpec(member: string, value: boolean): void {
    const { canary } = this.world;
    this.world.canary = { ...canary, spec: { ...(canary['spec'] as object), [member]: value } };
  }

  tick(): TickRecord | undefined {
    this.world.nowMs += 10_000;
    const record = this.rollout.tick();
    this.crashAfter = undefined;
    for (const effect of record?.effects ?? []) {
      if (effect.kind === 'begin-release') this.release = 'open';
      if (effect.kind === 'end-release') {
        expect(this.release, 'an outcome belongs to a release that has none yet').toBe('open');
        this.release = 'none';
      }
    }
    if (record)
      expect(
        ['Progressing', 'WaitingPromotion', 'Promoting', 'Finalising'].includes(record.status.phase)
          ? this.release
          : 'open',
      ).toBe('open');
    return record;
  }

  /** Everything works again and nobody interferes. */
  calm(): void {
    const { world } = this;
    Object.assign(this, { metrics: 'good', isGateOpen: true, isRecallOpen: false });
    world.downDeployments.clear();
    world.brokenImages.clear();
    world.routeTrouble = undefined;
    this.setSpec('suspend', false);
    this.setSpec('skipAnalysis', false);
  }
}

function imageOf(deployment: KubeObject): string {
  const { template } = deployment['spec'] as { template: { spec: { containers: { image: string }[] } } };
  return template.spec.containers[0]?.image ?? '';
}

describe('any history', () => {
  it('keeps users on pods that answer, promotes only what was analysed, tells each outcome once, and comes to rest', () => {
    fc.assert(
      fc.property(setting, fc.array(happening, { minLength: 5, maxLength: 40 }), (settings, happenings) => {
        const history = new History(settings);
        for (let i = 0; i < 3; i += 1) history.tick();
        for (const event of happenings) {
          history.happen(event);
          history.tick();
        }
        history.calm();
        for (let i = 0; i < 30; i += 1) history.tick();
        const { status } = history.rollout;
        expect(['Initialized', 'Succeeded', 'Failed']).toContain(status.phase);
        expect(history.weight).toBe(0);
        expect(serves(history.world.deployment('app-primary'))).toBe(true);
        if (status.phase !== 'Failed') {
          const { objects } = history.world;
          const [target, primary] = [objects.get('Deployment/app'), objects.get('Deployment/app-primary')];
          expect(primary && imageOf(primary)).toBe(target && imageOf(target));
        }
        const idle = history.tick();
        expect({ effects: idle?.effects, status: idle?.decision.status }).toEqual({ effects: [], status: undefined });
      }),
      { numRuns: 300 },
    );
  });
});
