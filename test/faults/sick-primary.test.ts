import { describe, expect, it } from 'vitest';
import { createStory, type Story } from './a-story.ts';

/** Version 2 passes its analysis, and its pods do not come up as the primary. */
function failedPromotion(): Story {
  const story = createStory();
  story.push('2.0.0');
  story.until(({ status }) => status.phase === 'Promoting');
  story.world.brokenDeployments.add('app-primary');
  story.world.downDeployments.add('app-primary');
  story.until(({ status }) => status.phase === 'Failed');
  return story;
}

describe('after a failed promotion', () => {
  it('users are on the canary, which is the only one that answers', () => {
    const story = failedPromotion();
    expect([story.weight, story.replicas('app')]).toEqual([100, 2]);
    expect(story.events).toContain(
      'Promotion of app.demo failed, primary not ready: app-primary.demo not ready: deployment "app-primary" exceeded its progress deadline',
    );
  });

  it('a fix goes forward, and no user is sent to the primary that does not answer [R2] [R4]', () => {
    const story = failedPromotion();
    const from = story.weights.length;
    story.push('3.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    expect(new Set(story.weights.slice(from))).toEqual(new Set([100]));
    expect(story.replicas('app')).toBe(2);
    // The fix is one of the primary as well.
    story.world.brokenDeployments.clear();
    story.world.downDeployments.clear();
    story.until(({ status }) => status.phase === 'Succeeded');
    expect([story.weight, story.image('app-primary')]).toEqual([0, '3.0.0']);
  });

  it('going back to the version of before is a release, so the rejected one does not stay on the primary [R3]', () => {
    const story = failedPromotion();
    expect(story.image('app-primary')).toBe('2.0.0');
    story.push('1.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    story.world.brokenDeployments.clear();
    story.world.downDeployments.clear();
    story.until(({ status }) => status.phase === 'Succeeded');
    expect([story.weight, story.image('app-primary')]).toEqual([0, '1.0.0']);
  });

  it('says so in a text of its own, and counts as rolled back [R19] [R39]', () => {
    const story = failedPromotion();
    expect(story.events.join('\n')).not.toMatch(/Canary failed! Scaling down/);
    expect(story.done).toContainEqual(expect.objectContaining({ kind: 'end-release', verdict: 'rolled-back' }));
    expect(story.alerts.at(-1)).toMatch(/^Promotion failed, primary not ready: /);
  });

  it('users come home as soon as the primary answers', () => {
    const story = failedPromotion();
    story.world.brokenDeployments.clear();
    story.world.downDeployments.clear();
    story.until(({ weight }) => weight === 0);
    expect(story.replicas('app')).toBe(0);
  });
});

describe('a primary that fell ill long ago', () => {
  const ill = (): Story => {
    const story = createStory();
    story.world.downDeployments.add('app-primary');
    story.wait(90);
    return story;
  };

  it('does not have its remedy rolled back and remembered as bad [R4]', () => {
    const story = ill();
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Promoting');
    expect(story.weight).toBe(100);
    story.world.downDeployments.clear();
    story.until(({ status }) => status.phase === 'Succeeded');
    expect(story.events.join('\n')).not.toMatch(/Canary failed/);
  });

  it('gets no users back by a rollback: the canary has them until it answers', () => {
    const story = ill();
    story.push('2.0.0');
    story.until(({ weight }) => weight === 100);
    story.successRate = 42;
    story.until(({ status }) => status.phase === 'Failed');
    expect([story.weight, story.replicas('app')]).toEqual([100, 2]);
    expect(story.events.at(-1)).toBe('Canary failed! app.demo has all traffic because the primary does not answer');
    story.world.downDeployments.clear();
    story.until(({ weight }) => weight === 0);
    expect(story.replicas('app')).toBe(0);
  });
});

describe('a primary that somebody deletes', () => {
  it('is made again from what was promoted', () => {
    const story = createStory();
    story.world.objects.delete('Deployment/app-primary');
    story.until(({ world }) => world.objects.has('Deployment/app-primary'));
    expect(story.image('app-primary')).toBe('1.0.0');
  });

  it('in the middle of a release leaves its users to the canary, which is judged on and becomes the primary', () => {
    const story = createStory({ analysis: { stepWeight: 10, maxWeight: 50 } });
    story.push('2.0.0');
    story.until(({ weight }) => weight === 20);
    story.world.objects.delete('Deployment/app-primary');
    story.until(({ weight }) => weight === 100);
    story.until(({ status }) => status.phase === 'Succeeded');
    expect([story.weight, story.image('app-primary')]).toEqual([0, '2.0.0']);
  });

  it('together with a push is no reason to wait for ever', () => {
    const story = createStory();
    story.world.objects.delete('Deployment/app-primary');
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Succeeded');
    expect([story.weight, story.image('app-primary')]).toEqual([0, '2.0.0']);
  });

  it('after a rejected config is not made again with it', () => {
    const story = createStory();
    story.world.setConfig('bad');
    story.successRate = 42;
    story.until(({ status }) => status.phase === 'Failed');
    story.world.objects.delete('Deployment/app-primary');
    story.wait(60);
    expect(story.world.objects.has('Deployment/app-primary')).toBe(false);
    expect(story.world.objects.get('ConfigMap/app-config-primary')?.['data']).toEqual({ message: 'one' });
  });
});

describe('a primary that does not come up at the start', () => {
  const start = (spec: object): Story =>
    createStory({ spec: { ...spec }, before: (world) => world.brokenDeployments.add('app-primary') });

  it.each(['istio', 'kubernetes'])(
    'costs the target, the only working copy, none of its pods or users (%s) [R5]',
    (provider) => {
      const story = start({
        provider,
        ...(provider === 'kubernetes' ? { analysis: { iterations: 2, threshold: 2 } } : {}),
      });
      story.wait(120);
      expect(story.status.phase).toBe('Initializing');
      expect(story.replicas('app')).toBe(2);
      expect(story.world.split).toBeUndefined();
      expect(story.done.some(({ kind }) => kind === 'scale-target' || kind === 'set-route')).toBe(false);
      expect(story.events.join('\n')).toContain('exceeded its progress deadline');
    },
  );

  it('is awaited without an analysis, too [R20]', () => {
    const story = start({ skipAnalysis: true });
    expect(story.world.objects.has('Service/app')).toBe(false);
    story.world.brokenDeployments.clear();
    story.until(({ status }) => status.phase === 'Initialized');
    expect(story.world.objects.has('Service/app')).toBe(true);
  });
});
