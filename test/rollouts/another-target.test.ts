import { describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createRollout } from '../helpers/rollout.ts';
import { createTargetWorld } from '../helpers/target-world.ts';

const aDeployment = (name: string, image: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'demo' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'app', image }] } },
  },
});
const refOf = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name });

/** A Canary whose Services are called `shop`, whatever its target is called. */
function story(provider: string, analysis: object, metric: () => number = () => 100) {
  const canarySpec = {
    provider,
    targetRef: refOf('shop'),
    progressDeadlineSeconds: 60,
    service: { name: 'shop', port: 80 },
    analysis: {
      interval: '10s',
      threshold: 2,
      metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
      ...analysis,
    },
  };
  const world = createTargetWorld({ canarySpec, target: aDeployment('shop', 'shop:1') });
  const answer = (question: Question): Answer =>
    question.kind === 'hook' ? { kind: 'passed' } : { kind: 'value', value: metric() };
  /** The workload that a Service leads to; `none` where nobody answers there. */
  const behind = (service: string): string => {
    const app = at(world.get('Service', service), 'spec', 'selector', 'app');
    const pods = [...world.objects.values()].filter(
      (object) => at(object, 'spec', 'template', 'metadata', 'labels', 'app') === app && object.kind === 'Deployment',
    );
    const [found] = pods.map(({ metadata }) => world.get('Deployment', metadata.name));
    const available = at(found, 'status', 'availableReplicas');
    return typeof available === 'number' && available > 0 ? (found?.metadata.name ?? 'none') : 'none';
  };
  /** Who answers users now, with shares. */
  const answering = (): string => {
    const weight = world.see().split?.canaryWeight ?? 0;
    if (provider === 'kubernetes') return behind('shop');
    const shares = [[100 - weight, behind('shop-primary')] as const, [weight, behind('shop-canary')] as const];
    return shares.flatMap(([share, who]) => (share > 0 ? [`${who} ${share}`] : [])).join(', ');
  };
  const told: string[] = [];
  const look = (): void => {
    const now = answering();
    if (told.at(-1) !== now) told.push(now);
  };
  let begun = false;
  const rollout = createRollout({ world, answer, onEffect: () => begun && look() });
  const passes = (seconds: number): void => {
    for (let second = 0; second < seconds; second += 1) {
      rollout.run(world.nowMs + 1_000);
      if (begun) look();
    }
  };
  passes(60);
  expect(rollout.status.phase).toBe('Initialized');
  begun = true;
  look();
  const turnTo = (name: string, isThere = true): void => {
    if (isThere) world.put(aDeployment(name, 'shop:2'));
    world.canary = { ...world.canary, spec: { ...(world.canary['spec'] as object), targetRef: refOf(name) } };
  };
  const push = (image: string): void => {
    const before = world.get('Deployment', 'shop');
    const replicas = at(before, 'spec', 'replicas');
    const pushed = aDeployment('shop', image);
    world.put({ ...pushed, spec: { ...(pushed['spec'] as object), replicas } });
  };
  return { world, rollout, passes, turnTo, push, told };
}

describe('a Canary at rest that is given another target', () => {
  const steps = { stepWeights: [10, 50] };

  it('leads its users there in steps, and never to nobody', () => {
    const { rollout, passes, turnTo, told, world } = story('istio', steps);
    turnTo('shop-2');
    passes(120);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(told).toEqual([
      'shop-primary 100',
      'shop-primary 90, shop-2 10',
      'shop-primary 50, shop-2 50',
      'shop-2-primary 50, shop-2 50',
      'shop-2-primary 100',
    ]);
    expect(at(world.get('Deployment', 'shop-2'), 'spec', 'replicas')).toBe(0);
  });

  it('leaves them where they are when that fails', () => {
    const { rollout, passes, turnTo, told, world } = story('istio', steps, () => 10);
    turnTo('shop-2');
    passes(120);
    expect(rollout.status.phase).toBe('Failed');
    expect(told).toEqual(['shop-primary 100', 'shop-primary 90, shop-2 10', 'shop-primary 100']);
    expect(at(world.get('Deployment', 'shop-2'), 'spec', 'replicas')).toBe(0);
  });

  it('turns the apex Service only to pods that answer, where there is nothing else', () => {
    const { rollout, passes, turnTo, told } = story('kubernetes', { iterations: 2 });
    turnTo('shop-2');
    passes(120);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(told).toEqual(['shop-primary', 'shop-2', 'shop-2-primary']);
  });
});

describe('a Canary that is given another target in the middle of a release', () => {
  it('takes the users of the former one home, and begins with the new one', () => {
    const { rollout, passes, push, turnTo, told } = story('istio', { stepWeights: [10, 50] });
    push('shop:2');
    passes(15);
    turnTo('shop-2');
    passes(120);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(told).toEqual([
      'shop-primary 100',
      'shop-primary 90, shop 10',
      'shop-primary 100',
      'shop-primary 90, shop-2 10',
      'shop-primary 50, shop-2 50',
      'shop-2-primary 50, shop-2 50',
      'shop-2-primary 100',
    ]);
  });

  it('takes them home also where there is no such workload', () => {
    const { passes, push, turnTo, told } = story('istio', { stepWeights: [10, 50] });
    push('shop:2');
    passes(15);
    turnTo('shpo', false);
    passes(60);
    expect(told).toEqual(['shop-primary 100', 'shop-primary 90, shop 10', 'shop-primary 100']);
  });
});
