import { describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';
import { createTargetWorld, type TargetWorld } from '../helpers/target-world.ts';

type Spec = Record<string, unknown>;
const pin = 'flagger.app/primary-revision';

const target: KubeObject = {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'podinfo' },
  spec: {
    template: { spec: { containers: [{ image: 'podinfo:1' }] } },
    traffic: [{ latestRevision: true, percent: 100 }],
  },
};

interface Staged {
  readonly world: TargetWorld;
  readonly rollout: Rollout;
  readonly step: (times?: number) => void;
}

function stage(spec: Spec = {}, answer: (question: Question) => Answer = () => ({ kind: 'passed' })): Staged {
  const world = createTargetWorld({
    target,
    canarySpec: {
      provider: 'knative',
      targetRef: { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'podinfo' },
      analysis: {
        interval: '15s',
        threshold: 2,
        stepWeight: 10,
        maxWeight: 50,
        metrics: [{ name: 'request-duration', thresholdRange: { max: 500 } }],
      },
      ...spec,
    },
  });
  const rollout = createRollout({ world, answer });
  return {
    world,
    rollout,
    step(times = 1) {
      for (let count = 0; count < times; count += 1) {
        world.nowMs += 15_000;
        rollout.tick();
      }
    },
  };
}
/** A push of a new image, of which Knative makes a Revision. */
const release = (world: TargetWorld, image: string): void => {
  world.push((spec) => ({ ...spec, template: { spec: { containers: [{ image }] } } }));
  world.revise();
};
const fast = (question: Question): Answer =>
  question.kind === 'metric' ? { kind: 'value', value: 20 } : { kind: 'passed' };
const slow = (question: Question): Answer =>
  question.kind === 'metric' ? { kind: 'value', value: 1_200 } : { kind: 'passed' };

const pinOf = ({ world }: Staged): string | undefined => world.get('Service', 'podinfo')?.metadata.annotations?.[pin];
const trafficOf = ({ world }: Staged): unknown => at(world.get('Service', 'podinfo'), 'spec', 'traffic');
const traffic = (latest: number, primary: string): unknown[] => [
  { latestRevision: true, percent: latest },
  { revisionName: primary, percent: 100 - latest },
];
const messagesOf = (rollout: Rollout): string[] =>
  rollout.ticks.flatMap(({ effects }) =>
    effects.flatMap((effect) => (effect.kind === 'event' ? effect.event.message : [])),
  );

function initialised(...options: Parameters<typeof stage>): Staged {
  const staged = stage(...options);
  staged.step(3);
  expect(staged.rollout.status.phase).toBe('Initialized');
  return staged;
}

describe('a Knative Service', () => {
  it('is pinned to its Revision with all traffic, and only once [WN02] [E40]', () => {
    const staged = initialised();
    expect(pinOf(staged)).toBe('podinfo-00001');
    expect(trafficOf(staged)).toEqual(traffic(0, 'podinfo-00001'));
    const before = staged.world.get('Service', 'podinfo');
    staged.step(3);
    expect(staged.world.get('Service', 'podinfo')).toEqual(before);
    const kinds = staged.rollout.ticks.flatMap(({ effects }) => effects.map(({ kind }) => kind));
    expect(kinds).not.toContain('scale-target');
  });

  it('is tried step by step and promoted by its annotation [WN01] [WN03] [E40]', () => {
    const staged = initialised({}, fast);
    const { world, rollout, step } = staged;
    release(world, 'podinfo:2');
    step();
    expect(rollout.status.phase).toBe('Progressing');
    step(5);
    expect(trafficOf(staged)).toEqual(traffic(50, 'podinfo-00001'));
    step();
    expect(rollout.status.phase).toBe('Promoting');
    expect(pinOf(staged)).toBe('podinfo-00002');
    step(2);
    expect(rollout.status.phase).toBe('Succeeded');
    expect(trafficOf(staged)).toEqual(traffic(0, 'podinfo-00002'));
  });

  it('goes back to the promoted Revision when it is too slow [E41]', () => {
    const staged = initialised({}, slow);
    release(staged.world, 'podinfo:2');
    staged.step(6);
    expect(staged.rollout.status.phase).toBe('Failed');
    expect(pinOf(staged)).toBe('podinfo-00001');
    expect(trafficOf(staged)).toEqual(traffic(0, 'podinfo-00001'));
  });

  it('waits for a Revision that is not ready, however long', () => {
    const { world, rollout, step } = initialised({ progressDeadlineSeconds: 30 }, fast);
    world.broken.add('podinfo-00002');
    release(world, 'podinfo:2');
    step(8);
    expect(rollout.status).toMatchObject({ phase: 'Progressing', canaryWeight: 0 });
    expect(messagesOf(rollout)).toContain('Knative Revision podinfo-00002.demo is not ready');
  });

  it('that goes back to what was promoted is no new release, although Knative makes a Revision of it', () => {
    const staged = initialised({}, slow);
    const { world, rollout, step } = staged;
    release(world, 'podinfo:2');
    step(6);
    expect(rollout.status.phase).toBe('Failed');
    release(world, 'podinfo:1');
    step(3);
    expect(rollout.status.phase).toBe('Failed');
    expect(pinOf(staged)).toBe('podinfo-00001');
    const begun = rollout.ticks.flatMap(({ effects }) => effects.filter(({ kind }) => kind === 'begin-release'));
    expect(begun).toHaveLength(1);
  });

  it('is not pinned before its first Revision is there', () => {
    const staged = stage();
    const live = staged.world.get('Service', 'podinfo');
    if (live) staged.world.put({ ...live, status: {} });
    staged.step(2);
    expect(pinOf(staged)).toBeUndefined();
    expect(trafficOf(staged)).toEqual([{ latestRevision: true, percent: 100 }]);
    expect(messagesOf(staged.rollout)).toContain('Knative Service podinfo.demo has no Revision yet');
  });

  it('is set free when its Canary goes, and its users stay where they are [R84]', () => {
    const staged = initialised({ revertOnDeletion: true }, slow);
    const { world, step } = staged;
    const remove = (): void => {
      world.canary = {
        ...world.canary,
        metadata: { ...world.canary.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      };
    };
    step();
    release(world, 'podinfo:2');
    step(6);
    remove();
    step(2);
    expect(pinOf(staged)).toBeUndefined();
    expect(trafficOf(staged)).toEqual(traffic(0, 'podinfo-00001'));

    const promoted = initialised({ revertOnDeletion: true });
    promoted.step();
    promoted.world.canary = {
      ...promoted.world.canary,
      metadata: { ...promoted.world.canary.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    };
    promoted.step(2);
    expect(trafficOf(promoted)).toEqual([{ latestRevision: true, percent: 100 }]);
  });
});
