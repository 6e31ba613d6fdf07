import { describe, expect, it } from 'vitest';
import { initialised } from './podinfo.ts';

describe('a primary whose rollout ends all its pods first', () => {
  it('leaves its users to the canary until its new pods answer', () => {
    const { world, rollout, setImage, until, step, split } = initialised({
      analysis: { stepWeight: 20, maxWeight: 40 },
    });
    setImage('2');
    until('Promoting');
    expect(split()).toBe('60/40');
    world.downDeployments.add('podinfo-primary');
    step();
    expect(split()).toBe('0/100');
    expect(rollout.status).toMatchObject({ phase: 'Promoting', canaryWeight: 100 });
    world.downDeployments.delete('podinfo-primary');
    until('Succeeded');
    expect(split()).toBe('100/0');
  });

  it('is gone back to in steps where the Canary asks for them', () => {
    const analysis = { stepWeight: 20, maxWeight: 40, stepWeightPromotion: 50 };
    const { world, setImage, until, step, split } = initialised({ analysis });
    setImage('2');
    until('Promoting');
    world.downDeployments.add('podinfo-primary');
    step();
    world.downDeployments.delete('podinfo-primary');
    step();
    expect(split()).toBe('50/50');
    until('Succeeded');
    expect(split()).toBe('100/0');
  });

  it('leaves nobody to a canary that does not answer either, and none of the others of an A/B test', () => {
    const match = [{ headers: { 'x-user': { exact: 'insider' } } }];
    for (const [analysis, isUp] of [
      [{ stepWeight: 20, maxWeight: 40 }, false],
      [{ stepWeights: [20, 40], match }, true],
    ] as const) {
      const { world, setImage, until, step, split } = initialised({ analysis });
      setImage('2');
      until('Promoting');
      world.downDeployments.add('podinfo-primary');
      if (!isUp) world.downDeployments.add('podinfo');
      step();
      expect(split()).toBe('60/40');
    }
  });
});
