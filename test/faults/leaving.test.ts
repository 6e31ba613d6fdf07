import { describe, expect, it } from 'vitest';
import { type Json, jsonOf } from '../../src/lib/json.ts';
import { pausedReplicas } from '../../src/canary/scalers/scaled-object.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createStory, type Story } from './a-story.ts';

const steps = { stepWeight: 10, maxWeight: 50 };

/** A Canary with revertOnDeletion and ten pods of its primary. */
function start(spec: Json = {}, scaler?: KubeObject): Story {
  const story = createStory({
    analysis: steps,
    spec: { revertOnDeletion: true, ...spec },
    before: ({ objects }) => scaler && objects.set(`${scaler.kind}/app`, scaler),
  });
  story.world.setReplicas('app-primary', 10);
  return story;
}

function remove({ world }: Story): void {
  const metadata = { ...world.canary.metadata, deletionTimestamp: new Date(world.nowMs).toISOString() };
  world.canary = { ...world.canary, metadata };
}

const isGone = ({ world }: Story): boolean => (world.canary.metadata.finalizers ?? []).length === 0;
/** Whom the apex Service leads to. */
const led = ({ world }: Story): unknown =>
  (world.objects.get('Service/app')?.['spec'] as { selector?: { app?: string } } | undefined)?.selector?.app;
const answering = (story: Story): number =>
  (story.world.deployment('app')?.['status'] as { availableReplicas?: number } | undefined)?.availableReplicas ?? 0;

/** Ticks until the Canary is gone; says how many pods of the target answered when its users came. */
function watched(story: Story, meanwhile: () => void = () => undefined): number {
  let found = -1;
  for (let tick = 0; tick < 60 && !isGone(story); tick += 1) {
    meanwhile();
    const before = led(story);
    story.wait(5);
    if (led(story) !== before && led(story) === 'app') found = answering(story);
  }
  return found;
}

describe('a Canary that leaves', () => {
  it.each([
    ['at rest', () => undefined],
    ['in the middle of a release', (story: Story) => (story.push('2.0.0'), story.until(({ weight }) => weight === 20))],
    ['with a target that somebody has scaled', (story: Story) => (story.world.setReplicas('app', 3), story.wait(10))],
  ])('gives its target as many pods as its primary has before users come, %s', (_, prepare) => {
    const story = start();
    prepare(story);
    remove(story);
    expect(watched(story)).toBe(10);
    expect(isGone(story)).toBe(true);
    expect(story.replicas('app')).toBe(10);
  });

  it('waits for pods of a primary that grows meanwhile, and takes none from a larger target', () => {
    const story = start();
    story.world.downDeployments.add('app');
    remove(story);
    story.wait(5);
    story.world.setReplicas('app-primary', 14);
    story.world.downDeployments.delete('app');
    expect(watched(story)).toBe(14);
    const larger = start();
    larger.world.setReplicas('app', 20);
    larger.wait(10);
    remove(larger);
    expect(watched(larger)).toBe(20);
  });

  it('stays, with its users on the primary, while the version that it was judging does not answer', () => {
    const story = start();
    story.push('2.0.0');
    story.until(({ weight }) => weight === 20);
    story.world.downDeployments.add('app');
    remove(story);
    story.wait(120);
    expect(isGone(story)).toBe(false);
    expect([led(story), story.weight]).toEqual(['app-primary', 0]);
    expect(story.events.at(-1)).toMatch(/^canary not ready during finalizing: /);
    story.world.downDeployments.delete('app');
    expect(watched(story)).toBe(10);
  });

  it('stays while a broken image is what Git asks for, and goes with the one that mends it', () => {
    const story = start();
    story.world.brokenImages.add('example.org/app:2.0.0');
    story.push('2.0.0');
    story.wait(20);
    remove(story);
    story.wait(300);
    expect([isGone(story), led(story), story.weight]).toEqual([false, 'app-primary', 0]);
    story.push('2.0.1');
    expect(watched(story)).toBe(10);
  });

  it('does not wait for a primary that does not answer', () => {
    const story = start();
    story.world.downDeployments.add('app-primary');
    remove(story);
    expect(watched(story)).toBeGreaterThanOrEqual(0);
    expect(isGone(story)).toBe(true);
  });

  it('waits for all pods, whatever its ready threshold lets pass, as long as the primary has them', () => {
    const story = createStory({ analysis: { ...steps, canaryReadyThreshold: 10 }, spec: { revertOnDeletion: true } });
    story.world.setReplicas('app-primary', 10);
    const see = story.world.see.bind(story.world);
    let available = 4;
    story.world.see = () => {
      const seen = see();
      const status = { ...jsonOf(seen.target?.['status']), availableReplicas: available };
      return seen.target && story.replicas('app') === 10 ? { ...seen, target: { ...seen.target, status } } : seen;
    };
    remove(story);
    story.wait(60);
    expect(led(story)).toBe('app-primary');
    expect(story.events.at(-1)).toBe(
      'canary not ready during finalizing: 4 pods of app.demo answer, and 10 of app-primary.demo',
    );
    available = 10;
    watched(story);
    expect(isGone(story)).toBe(true);
  });
});

describe('a Canary that leaves with an autoscaler', () => {
  const metadata = { name: 'app', namespace: 'demo', uid: 'uid-of-scaler' };
  const hpa = (spec: Json = {}): KubeObject => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata,
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'app' }, minReplicas: 2, maxReplicas: 12, ...spec },
  });
  const scaledObject: KubeObject = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata,
    spec: { scaleTargetRef: { name: 'app' }, minReplicaCount: 2, maxReplicaCount: 12, triggers: [] },
  };
  const scalerOf = ({ world }: Story, kind: string): KubeObject | undefined => world.objects.get(`${kind}/app`);
  const policyOf = (story: Story): unknown =>
    jsonOf(jsonOf(jsonOf(scalerOf(story, 'HorizontalPodAutoscaler')?.['spec'])['behavior'])['scaleDown'])[
      'selectPolicy'
    ];
  const started = (kind: string, scaler: KubeObject): Story =>
    start({ autoscalerRef: { apiVersion: scaler.apiVersion, kind, name: 'app' } }, scaler);

  it.each([
    ['at rest', false],
    ['in the middle of a release', true],
  ])('keeps a HorizontalPodAutoscaler from taking pods without load until it knows the load, %s', (_, isMidRun) => {
    const story = started('HorizontalPodAutoscaler', hpa());
    if (isMidRun) {
      story.push('2.0.0');
      story.until(({ weight }) => weight === 20);
    }
    remove(story);
    // Its pods have no load: without the hold two are enough.
    const scale = (): void => {
      if (story.replicas('app') > 0 && policyOf(story) !== 'Disabled') story.world.setReplicas('app', 2);
    };
    expect(watched(story, scale)).toBe(10);
    expect(story.replicas('app')).toBe(10);
    expect(isGone(story)).toBe(true);
    const left = scalerOf(story, 'HorizontalPodAutoscaler');
    expect([policyOf(story), left?.metadata.annotations]).toEqual(['Max', {}]);
    const atMs = (phase: string): number =>
      story.rollout.ticks.find(({ status }) => status.phase === phase)?.atMs ?? Number.NaN;
    const lastMs = story.rollout.ticks.at(-1)?.atMs ?? 0;
    expect(lastMs - atMs('Terminated')).toBeGreaterThanOrEqual(60_000);
  });

  it.each(['Min', 'Disabled'])('leaves what it says itself about taking pods away: %s', (selectPolicy) => {
    const behavior = { scaleDown: { selectPolicy, policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] } };
    const story = started('HorizontalPodAutoscaler', hpa({ behavior }));
    remove(story);
    watched(story);
    expect(isGone(story)).toBe(true);
    expect(jsonOf(scalerOf(story, 'HorizontalPodAutoscaler')?.['spec'])['behavior']).toEqual(behavior);
  });

  it('asks for no more pods than it allows, and says so', () => {
    const story = started('HorizontalPodAutoscaler', hpa({ maxReplicas: 6 }));
    remove(story);
    expect(watched(story)).toBe(6);
    expect(story.events).toContain('app.demo gets 6 replicas, its autoscaler allows no more; app-primary.demo has 10');
  });

  it('keeps a ScaledObject at the size of the primary, and lets it go with the last step', () => {
    const story = started('ScaledObject', scaledObject);
    const pause = (): string | undefined => scalerOf(story, 'ScaledObject')?.metadata.annotations?.[pausedReplicas];
    story.wait(10);
    expect(pause()).toBe('0');
    story.world.downDeployments.add('app');
    remove(story);
    const scale = (): void => story.world.setReplicas('app', Number(pause() ?? 2));
    story.wait(5);
    expect([pause(), led(story)]).toEqual(['10', 'app-primary']);
    story.world.downDeployments.delete('app');
    expect(watched(story, scale)).toBe(10);
    expect([isGone(story), pause()]).toEqual([true, undefined]);
  });
});
