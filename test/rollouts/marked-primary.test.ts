import { describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { mergePatch } from '../helpers/target-world.ts';
import { imageOf, initialised, mark, messagesOf, selectorOf, type Spec, stage, type Staged } from './on-all-nodes.ts';

describe('a primary that has the mark of its target, as Flagger makes them', () => {
  const freed = 'podinfo-primary.demo was kept off all nodes by a mark of its target, which is removed';
  const theirId = '9b2d3a54-1c1f-4a8e-9d0e-2f8f3a6c7b10';

  /** `id`: as Flagger's primaries have it; absent: the primary was ours, and somebody marked it. */
  function marked(initial: Staged, id?: string): Staged {
    const primary = initial.world.get('DaemonSet', 'podinfo-primary');
    if (!primary) throw new Error('no primary');
    const annotations = id === undefined ? {} : { annotations: { 'flagger-id': id } };
    const patch = { spec: { template: { metadata: annotations, spec: { nodeSelector: { [mark]: 'true' } } } } };
    initial.world.put(mergePatch(primary, patch) as KubeObject);
    return initial;
  }
  const answers = ({ world }: Staged): unknown =>
    at(world.get('DaemonSet', 'podinfo-primary'), 'status', 'numberAvailable');

  it('gets its nodes back while nothing is released: the outage is one that nobody tells of [R8]', () => {
    const staged = marked(initialised(), theirId);
    const { world, rollout } = staged;
    expect(answers(staged)).toBe(0);
    rollout.run(world.nowMs + 2_000);
    expect(selectorOf(world.get('DaemonSet', 'podinfo-primary'))).toBeUndefined();
    expect(selectorOf(world.get('DaemonSet', 'podinfo'))).toEqual({ [mark]: 'true' });
    expect(answers(staged)).toBe(2);
    rollout.run(world.nowMs + 30_000);
    expect(rollout.status.phase).toBe('Initialized');
    expect(messagesOf(rollout).filter((message) => message === freed)).toHaveLength(1);
  });

  it('holds no release up: the outage is that its remedy waits for ever [R8]', () => {
    const { rollout, step, setImage, world } = marked(initialised(), theirId);
    setImage('podinfo:2');
    step(11);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(imageOf(world.get('DaemonSet', 'podinfo-primary'))).toBe('podinfo:2');
    expect(messagesOf(rollout)).toContain(freed);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('is written once in a tick, %i ticks after a new image', (ticks) => {
    const staged = initialised();
    staged.setImage('podinfo:2');
    staged.step(ticks);
    marked(staged);
    staged.step();
    const effects = staged.rollout.ticks.at(-1)?.effects ?? [];
    const written = effects.flatMap((effect) => (effect.kind === 'write' ? [effect.object.metadata.name] : []));
    expect(written.filter((name) => name === 'podinfo-primary')).toHaveLength(1);
    staged.step(9);
    expect(staged.rollout.status.phase).toBe('Succeeded');
    expect(answers(staged)).toBe(2);
  });

  it('is made again where it is not initialised yet', () => {
    const staged = stage();
    staged.step();
    marked(staged);
    staged.step(3);
    expect(staged.rollout.status.phase).toBe('Initialized');
    expect(answers(staged)).toBe(2);
  });

  it('is left alone while its Canary is suspended', () => {
    const staged = marked(initialised(), theirId);
    const { world, step } = staged;
    world.canary = { ...world.canary, spec: { ...(world.canary['spec'] as Spec), suspend: true } };
    step(3);
    expect(selectorOf(world.get('DaemonSet', 'podinfo-primary'))).toEqual({ [mark]: 'true' });
  });
});
