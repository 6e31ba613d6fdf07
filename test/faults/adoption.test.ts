import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/lib/json.ts';
import { at } from '../../src/lib/json.ts';
import type { Phase } from '../../src/canary/types.ts';
import { createStory, type Story } from './a-story.ts';

/** What another program, or another release of it, wrote: its hashes say nothing about today's template. */
function writtenByFlagger(story: Story, hash = '5d7f8c9b64'): void {
  const { world } = story;
  const status = { ...(world.canary['status'] as Json), lastAppliedSpec: hash, lastPromotedSpec: hash };
  world.canary = { ...world.canary, status };
  const primary = world.objects.get('Deployment/app-primary');
  if (!primary) throw new Error('there is no primary');
  const spec = primary['spec'] as { template: { metadata: { annotations: Record<string, string> } } };
  const annotations = {
    ...spec.template.metadata.annotations,
    'flagger-id': '0f4bcbf3-6d21-4a53-b1c9-3c1df0b5ad8e',
  };
  const template = { ...spec.template, metadata: { ...spec.template.metadata, annotations } };
  world.objects.set('Deployment/app-primary', { ...primary, spec: { ...spec, template } });
}

describe('an upgrade, or the change from Flagger', () => {
  const rested: readonly (readonly [Phase, (story: Story) => void])[] = [
    ['Initialized', () => undefined],
    ['Succeeded', (story) => story.push('2.0.0')],
    [
      'Failed',
      (story) => {
        story.successRate = 42;
        story.push('2.0.0');
      },
    ],
  ];

  it.each(rested)('starts no canary that rests in %s, whatever its hashes say [R30]', (phase, reach) => {
    const story = createStory();
    reach(story);
    story.until(({ status }) => status.phase === phase);
    const image = story.image('app-primary');
    writtenByFlagger(story);
    const before = story.done.length;
    story.wait(120);
    const done = story.done.slice(before).filter(({ kind }) => kind !== 'log');
    expect([done, story.status.phase, story.image('app-primary')]).toEqual([[], phase, image]);
  });

  it('knows a push after it for what it is [R30]', () => {
    const story = createStory();
    writtenByFlagger(story);
    story.wait(30);
    expect(story.status.lastAppliedSpec).toMatch(/^v1-/);
    story.push('2.0.0');
    story.until(({ status }) => status.phase === 'Succeeded');
  });

  it('in the middle of a run goes on from the weight that the routes have [R30]', () => {
    const story = createStory({ analysis: { stepWeights: [10, 20, 80] } });
    story.push('2.0.0');
    story.until(({ weight }) => weight === 20);
    writtenByFlagger(story);
    story.until(({ weight }) => weight !== 20);
    expect(story.weight).toBe(80);
    story.until(({ status }) => status.phase === 'Succeeded');
  });

  it('takes the same template for the same, in whatever order its members stand [R30]', () => {
    const story = createStory();
    const target = story.world.objects.get('Deployment/app');
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([name, member]) => [name, reversed(member)]),
      );
    };
    const spec = target?.['spec'] as Json;
    if (target)
      story.world.objects.set('Deployment/app', {
        ...target,
        spec: { ...spec, template: reversed(at(spec, 'template')) },
      });
    const before = story.done.length;
    story.wait(60);
    expect(story.done.length).toBe(before);
  });
});
