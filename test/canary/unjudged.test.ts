import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/lib/json.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import { createRollout } from '../helpers/rollout.ts';
import { createStory, type Story } from '../faults/a-story.ts';

const gate = (name: string, type: string): object => ({ name, type, url: `http://hooks/${name}` });
const stepped = { stepWeight: 10, maxWeight: 50, threshold: 5 };

/** A release of 2.0.0 that has come to a weight of 20. */
function under(analysis: Json = stepped, spec: Json = {}): Story {
  const story = createStory({ analysis, spec });
  story.push('2.0.0');
  story.until(({ weight }) => weight === 20);
  return story;
}
const set = (story: Story, canaryWeight: number): void => {
  story.world.split = { canaryWeight, mirror: false };
};

describe('users of a canary that stands still', () => {
  it('go home when the target is given another version while it is suspended, and the new one is judged when it goes on', () => {
    const story = under();
    story.edit({ suspend: true });
    story.wait(30);
    expect(story.weight).toBe(20);
    story.push('3.0.0');
    // At once, not at the next interval.
    story.wait(5);
    expect(story.weight).toBe(0);
    expect(story.status).toMatchObject({ phase: 'Progressing', canaryWeight: 0 });
    expect(story.events).toContain(
      'app.demo has changed: the users of app.demo go to the primary, because nobody has judged what it is now',
    );
    story.wait(60);
    expect(story.weight).toBe(0);
    const before = story.done.length;
    story.edit({ suspend: false });
    story.until(({ status }) => status.phase === 'Succeeded');
    expect(story.image('app-primary')).toBe('3.0.0');
    const begun = story.done.slice(before).filter(({ kind }) => kind === 'begin-release');
    expect(begun).toHaveLength(1);
  });

  it('go home when a config changes while it is suspended', () => {
    const story = under();
    story.edit({ suspend: true });
    story.wait(15);
    story.world.setConfig('two');
    story.wait(5);
    expect(story.weight).toBe(0);
  });

  it('go home when the target is deleted, or its pods die, while it is suspended', () => {
    for (const harm of [
      (story: Story) => story.world.objects.delete('Deployment/app'),
      (story: Story) => story.world.downDeployments.add('app'),
    ]) {
      const story = under();
      story.edit({ suspend: true });
      story.wait(15);
      harm(story);
      story.wait(15);
      expect(story.weight).toBe(0);
    }
  });

  it('go home when a version is pushed between the rounds of blue/green and its promotion', () => {
    const story = createStory({ analysis: { iterations: 2, threshold: 5 } });
    story.push('2.0.0');
    story.until(({ weight }) => weight === 100);
    story.edit({ suspend: true });
    story.wait(15);
    story.push('3.0.0');
    story.wait(5);
    expect(story.weight).toBe(0);
    // And the version that was judged, should it come back, is given to them after its rounds, not at once promoted.
    story.push('2.0.0');
    story.edit({ suspend: false });
    story.wait(5);
    expect(story.status).toMatchObject({ phase: 'Progressing', iterations: 3 });
    expect(story.weight).toBe(100);
  });

  it('go home when what is being promoted is replaced before the primary has come up', () => {
    const story = under({ stepWeight: 20, maxWeight: 20, threshold: 5 });
    story.until(({ status }) => status.phase === 'Promoting');
    // Its new pods do not come up; those of before still answer.
    story.world.brokenDeployments.add('app-primary');
    expect(story.weight).toBe(20);
    story.push('3.0.0');
    story.wait(5);
    expect([story.weight, story.status.phase]).toEqual([0, 'Promoting']);
  });

  it('stay where they are while the version is the one that they were given', () => {
    const story = under();
    story.edit({ suspend: true });
    story.wait(15);
    const before = story.done.length;
    story.wait(120);
    expect(story.weight).toBe(20);
    expect(story.done.slice(before)).toEqual([]);
    story.edit({ suspend: false });
    story.until(({ weight }) => weight === 30);
  });

  it('stay with the canary when nobody else answers them', () => {
    const story = under();
    story.edit({ suspend: true });
    story.wait(15);
    story.world.downDeployments.add('app-primary');
    story.push('3.0.0');
    story.wait(15);
    expect(story.weight).toBe(20);
  });
});

describe('users who are left on the canary by a failed promotion', () => {
  const failed = (webhooks: readonly object[]): Story => {
    const story = createStory({ analysis: { stepWeight: 50, maxWeight: 50, threshold: 5, webhooks } });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    story.world.brokenDeployments.add('app-primary');
    story.until(({ status }) => status.phase === 'Failed');
    return story;
  };

  it('do not get the next version while that waits at its gate', () => {
    const story = failed([gate('start', 'confirm-rollout')]);
    if (story.weight === 0) throw new Error('nobody was left there');
    story.closed.add('start');
    story.world.brokenDeployments.clear();
    story.push('3.0.0');
    story.wait(30);
    expect(story.status.phase).toBe('Waiting');
    expect(story.weight).toBe(0);
  });

  it('do not get the next version while a config that it needs is missing', () => {
    const story = failed([]);
    story.world.brokenDeployments.clear();
    story.world.objects.delete('ConfigMap/app-config');
    story.push('3.0.0');
    story.wait(30);
    expect(story.weight).toBe(0);
  });
});

describe('a weight that somebody edits in the routes', () => {
  it('is set back to what was judged when it is more, and the release takes every step', () => {
    const story = under();
    set(story, 45);
    story.wait(5);
    expect(story.weight).toBe(20);
    expect(story.events).toContain('The routes give app.demo weight 45, only 20 was judged: it is set back');
    const from = story.weights.length;
    story.until(({ status }) => status.phase === 'Succeeded');
    expect([...new Set(story.weights.slice(from - 1))]).toEqual([20, 30, 40, 50, 0]);
  });

  it('is set back also beyond the last step, before the first one, while it waits, and while it goes home', () => {
    const beyond = under();
    set(beyond, 100);
    beyond.wait(5);
    expect([beyond.weight, beyond.status.phase]).toEqual([20, 'Progressing']);

    const first = createStory({ analysis: { ...stepped, webhooks: [gate('test', 'pre-rollout')] } });
    first.closed.add('test');
    first.push('2.0.0');
    first.until(({ status }) => status.failedChecks > 0);
    set(first, 10);
    first.wait(5);
    expect(first.weight).toBe(0);

    const waiting = createStory({ analysis: { ...stepped, webhooks: [gate('more', 'confirm-traffic-increase')] } });
    waiting.push('2.0.0');
    waiting.until(({ weight }) => weight === 20);
    waiting.closed.add('more');
    waiting.wait(30);
    set(waiting, 90);
    waiting.wait(5);
    expect(waiting.weight).toBe(20);

    const home = under({ stepWeight: 20, maxWeight: 20, stepWeightPromotion: 5, threshold: 5 });
    home.until(({ status, weight }) => status.phase === 'Promoting' && weight === 10);
    set(home, 80);
    home.wait(5);
    expect(home.weight).toBeLessThanOrEqual(10);
  });

  it.each([
    ['weights', stepped],
    ['blue/green', { iterations: 2, threshold: 5 }],
    ['an A/B test', { iterations: 2, threshold: 5, match: [{ headers: { x: { exact: 'y' } } }] }],
  ])('is set back while the primary is made of a version whose analysis is skipped: with %s', (_what, analysis) => {
    const story = createStory({ analysis, spec: { skipAnalysis: true } });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    expect(story.weight).toBe(0);
    // Its pods could not be started anew, so the phase lasts.
    story.world.objects.delete('ConfigMap/app-config');
    set(story, 35);
    story.wait(15);
    expect([story.status.phase, story.weight]).toEqual(['Promoting', 0]);
    expect(story.events).toContain('The routes give app.demo weight 35, only 0 was judged: it is set back');
  });

  it('is all of it while the primary is made of a version that has passed its rounds', () => {
    const story = createStory({ analysis: { iterations: 2, threshold: 5 } });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    expect(story.weight).toBe(100);
    story.world.objects.delete('ConfigMap/app-config');
    story.wait(15);
    expect([story.status.phase, story.weight]).toEqual(['Promoting', 100]);
  });

  it('is that of a step whose status got lost, and stays', () => {
    const story = under();
    const before = story.world.canary['status'];
    story.until(({ weight }) => weight === 30);
    story.world.canary = { ...story.world.canary, status: before as Json };
    story.wait(5);
    expect([story.weight, story.status.canaryWeight]).toEqual([30, 20]);
    story.wait(5);
    expect(story.weight).toBe(40);
    expect(story.events.filter((text) => text.startsWith('The routes give'))).toEqual([]);
  });

  it.each([
    ['is believed where it is the next step: the agent before may have died between its two writes', 30, [40, 50]],
    ['is set back where it is more than that', 45, [30, 40]],
  ])('found by an agent that has just started %s', (_what, found, steps) => {
    const story = under();
    const answer = (question: Question): Answer =>
      question.kind === 'metric' ? { kind: 'value', value: 100 } : { kind: 'passed' };
    set(story, found);
    const next = createRollout({ world: story.world, answer });
    next.run(story.world.nowMs + 1_000);
    next.run(story.world.nowMs + 11_000);
    const led = next.ticks.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.kind === 'set-route' ? [effect.split.canaryWeight] : [])),
    );
    expect(led).toEqual(steps);
  });

  it('gives a blue/green canary nobody before its rounds are over', () => {
    const story = createStory({ analysis: { iterations: 4, threshold: 5 } });
    story.push('2.0.0');
    story.until(({ status }) => status.iterations === 2);
    set(story, 60);
    story.wait(5);
    expect(story.weight).toBe(0);
    expect(story.status.iterations).toBeLessThanOrEqual(3);
    story.until(({ status }) => status.phase === 'Succeeded');
  });

  it('is believed when it is less: the steps go on from there', () => {
    for (const less of [5, 0]) {
      const story = under();
      set(story, less);
      story.until(({ weight }) => weight > less);
      expect(story.weight).toBe(10);
      expect(story.events).toContain(`The routes give app.demo weight ${less} instead of 20: it goes on from there`);
      story.until(({ status }) => status.phase === 'Succeeded');
    }
  });

  it('is left alone while the Canary is suspended: whoever suspends it may lead users by hand', () => {
    const story = under();
    story.edit({ suspend: true });
    story.wait(15);
    set(story, 35);
    story.wait(60);
    expect(story.weight).toBe(35);
    story.edit({ suspend: false });
    story.wait(5);
    story.until(({ weight }) => weight === 20 || weight === 30);
  });
});

describe('users who have gone home to the new primary', () => {
  it.each<[string, Json]>([
    ['steps', stepped],
    ['blue/green', { iterations: 2, threshold: 5 }],
    ['an A/B test', { iterations: 2, threshold: 5, match: [{ headers: { insider: { exact: 'yes' } } }] }],
  ])('are not led back to the canary by hand: %s', (_how, analysis) => {
    const story = createStory({ analysis, spec: {} });
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Finalising');
    set(story, 35);
    story.wait(1);
    expect(story.weight).toBe(0);
  });
});
