import { describe, expect, it } from 'vitest';
import { initialised, podinfo } from './podinfo.ts';

const steps = { stepWeight: 10, maxWeight: 50 };

describe('a Deployment', () => {
  it('gets its primary in the first tick, and rests at zero [SD01] [SD02]', () => {
    const { step, until, replicas, image, setImage, rollout } = podinfo({ analysis: steps });
    step();
    expect(image('podinfo-primary')).toBe('podinfo:1');
    until('Initialized');
    expect(replicas('podinfo')).toBe(0);
    setImage('2');
    step();
    expect(replicas('podinfo')).toBe(1);
    expect(rollout.status.phase).toBe('Progressing');
  });

  it('is rolled back once the checks failed as often as the threshold says [SD03]', () => {
    const { setImage, until, step, rollout, split, replicas, image } = initialised({
      analysis: steps,
      answer: ({ kind }) => ({ kind: 'value', value: kind === 'metric' ? 42 : 1 }),
    });
    setImage('2');
    until('Progressing');
    step(4);
    expect(rollout.status).toMatchObject({ phase: 'Progressing', failedChecks: 3, canaryWeight: 10 });
    step();
    expect(rollout.status.phase).toBe('Failed');
    expect(split()).toBe('100/0');
    expect(replicas('podinfo')).toBe(0);
    expect(image('podinfo-primary')).toBe('podinfo:1');
  });

  it('keeps its users and its pods when the primary cannot follow while promoting [SD04]', () => {
    const { world, setImage, step, until, rollout, split, replicas } = initialised({ analysis: steps });
    setImage('2');
    step(6);
    world.brokenDeployments.add('podinfo-primary');
    until('Promoting');
    expect(split()).toBe('50/50');
    until('Failed');
    expect(replicas('podinfo')).toBe(1);
    expect(split()).toBe('0/100');
    expect(rollout.status.canaryWeight).toBe(100);
  });

  it('gets its users back when the primary dies after it took them all [SD05]', () => {
    const { world, setImage, until, rollout, split, replicas } = initialised({ analysis: steps });
    setImage('2');
    until('Finalising');
    expect(split()).toBe('100/0');
    world.downDeployments.add('podinfo-primary');
    until('Failed');
    expect(replicas('podinfo')).toBe(1);
    expect(split()).toBe('0/100');
    expect(rollout.status.canaryWeight).toBe(100);
  });

  it('is promoted without analysis as soon as the primary has followed [SD06] [R20]', () => {
    const { setImage, step, rollout, image, phases } = initialised({
      canary: { skipAnalysis: true },
      analysis: steps,
    });
    setImage('2');
    step(3);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(image('podinfo-primary')).toBe('podinfo:2');
    // Flagger needs no Promoting: it does not look whether the primary is there.
    expect(phases().slice(-4)).toEqual(['Initialized 0', 'Progressing 0', 'Promoting 0', 'Succeeded 0']);
  });

  it('goes through all phases, back in steps, too [SD07]', () => {
    const { setImage, until, phases } = initialised({ analysis: { stepWeight: 100, stepWeightPromotion: 50 } });
    setImage('2');
    until('Succeeded');
    expect(phases().slice(phases().indexOf('Initialized 0'))).toEqual([
      'Initialized 0',
      'Progressing 0',
      'Progressing 100',
      'Promoting 100',
      'Promoting 50',
      'Finalising 0',
      'Succeeded 0',
    ]);
  });

  it('goes through all phases of a blue/green release [SD08]', () => {
    const { setImage, until, rollout } = initialised({ analysis: { iterations: 1 } });
    const first = rollout.ticks.length;
    setImage('2');
    until('Succeeded');
    expect(rollout.ticks.slice(first).map(({ status }) => status.phase)).toEqual([
      'Progressing',
      'Progressing',
      'Progressing',
      'Promoting',
      'Finalising',
      'Succeeded',
    ]);
  });

  it('tells times as RFC 3339 has them, in UTC', () => {
    const { setImage, step, rollout } = initialised({ analysis: steps });
    setImage('2');
    step(2);
    expect(rollout.status.lastTransitionTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it('sends its users home when it changes again [SD09]', () => {
    const { setImage, step, split, rollout } = initialised({ analysis: steps });
    setImage('2');
    step(2);
    expect(split()).toBe('90/10');
    setImage('3');
    step();
    expect(split()).toBe('100/0');
    expect(rollout.status).toMatchObject({ phase: 'Progressing', canaryWeight: 0 });
  });

  it('sends its users home and copies no requests when it changes again after copies [SD09]', () => {
    const { setImage, step, split } = initialised({ analysis: { ...steps, mirror: true } });
    setImage('2');
    step(2);
    expect(split()).toBe('100/0 mirrored');
    setImage('3');
    step();
    expect(split()).toBe('100/0');
  });

  it('starts anew for a config, and is promoted with all of it [SD10]', () => {
    const { setImage, setConfig, config, step, until, split, image, messages } = initialised({
      analysis: { stepWeight: 20, maxWeight: 40 },
    });
    setImage('2');
    step(2);
    expect(split()).toBe('80/20');
    setConfig('ConfigMap', 'two');
    setConfig('Secret', 'dHdv');
    step();
    expect(split()).toBe('100/0');
    step(3);
    expect(split()).toBe('60/40');
    until('Promoting');
    until('Finalising');
    expect(split()).toBe('100/0');
    expect(image('podinfo-primary')).toBe('podinfo:2');
    expect(config('ConfigMap', 'podinfo-config-primary')).toBe('two');
    expect(config('Secret', 'podinfo-secret-primary')).toBe('dHdv');
    until('Succeeded');
    expect(messages().at(-1)).toBe('Promotion completed! Scaling down podinfo.demo');
  });

  it('gets copies of requests before it gets users [SD11]', () => {
    const { setImage, step, split } = initialised({ analysis: { ...steps, mirror: true } });
    setImage('2');
    step(2);
    expect(split()).toBe('100/0 mirrored');
    step();
    expect(split()).toBe('90/10');
  });

  it('is tried by some users for as many rounds as there are [SD12]', () => {
    const match = [{ headers: { 'x-user-type': { exact: 'test' } } }];
    const { setImage, step, until, split, rollout, image } = initialised({ analysis: { iterations: 2, match } });
    setImage('2');
    step(2);
    expect(split()).toBe('0/100');
    step();
    expect(rollout.status.iterations).toBe(2);
    until('Promoting');
    until('Finalising');
    expect(split()).toBe('100/0');
    expect(image('podinfo-primary')).toBe('podinfo:2');
    until('Succeeded');
  });
});
