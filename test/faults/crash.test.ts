import { describe, expect, it } from 'vitest';
import type { Effect } from '../../src/canary/types.ts';
import { createStory, type Story } from './a-story.ts';

/** The API server goes away at this effect, once. */
function refuseOnce(story: Story, kind: Effect['kind']): void {
  story.refuses = (effect) => {
    if (effect.kind !== kind) return false;
    story.refuses = () => false;
    return true;
  };
}

describe('a tick that ends in the middle', () => {
  it.each(['set-route', 'write', 'end-release', 'scale-target'] as const)(
    'at %s is taken up by the next one, and every step is told once [R47]',
    (kind) => {
      const story = createStory();
      refuseOnce(story, kind);
      story.push('2.0.0');
      story.until(({ status }) => status.phase === 'Succeeded');
      expect([story.weight, story.image('app-primary'), story.replicas('app')]).toEqual([0, '2.0.0', 0]);
      const advanced = story.events.filter((message) => message.startsWith('Advance'));
      expect(advanced).toEqual(['Advance app.demo canary weight 50']);
      expect(story.events.filter((message) => message.startsWith('Promotion completed!'))).toHaveLength(1);
    },
  );

  it('leaves no outcome untold: it stands before the status that says so [R48]', () => {
    const story = createStory();
    story.successRate = 42;
    story.push('2.0.0');
    story.until(({ weight }) => weight === 50);
    refuseOnce(story, 'scale-target');
    story.until(() => story.done.some(({ kind }) => kind === 'end-release'));
    // The outcome is recorded, the pods are not gone, and the status still says that the release is under way.
    expect(story.status.phase).toBe('Progressing');
    story.until(({ status }) => status.phase === 'Failed');
    expect([story.weight, story.replicas('app')]).toEqual([0, 0]);
    expect(story.events.at(-1)).toBe('Canary failed! Scaling down app.demo');
  });

  it('has brought its users home before anything else of a rollback can fail', () => {
    const story = createStory();
    story.successRate = 42;
    story.push('2.0.0');
    story.until(({ weight }) => weight === 50);
    story.refuses = ({ kind }) => kind === 'end-release' || kind === 'scale-target';
    story.until(({ weight }) => weight === 0);
    expect(story.status.phase).toBe('Progressing');
  });
});

describe('a clock that jumps', () => {
  it.each([-3_600_000, 3_600_000])('by %i ms ends no release: pods that are up have no deadline', (jumpMs) => {
    const story = createStory();
    story.push('2.0.0');
    story.until(({ weight }) => weight === 50);
    story.world.nowMs += jumpMs;
    story.rollout.tick();
    expect(['Progressing', 'Promoting']).toContain(story.status.phase);
    expect(story.weight).toBe(50);
  });
});
