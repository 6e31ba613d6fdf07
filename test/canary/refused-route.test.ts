import { expect, it } from 'vitest';
import type { Answer, Question } from '../../src/canary/types.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

const hook = (type: string): Record<string, unknown> => ({ type, name: type, url: `http://hooks.test/${type}` });

/** A release at its first step. */
function underWay(answer: (question: Question) => Answer) {
  const analysis = {
    interval: '10s',
    threshold: 3,
    stepWeight: 20,
    metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }],
    webhooks: [hook('rollback')],
  };
  const canarySpec = {
    provider: 'contour',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis,
  };
  const world = createModelCluster({ canarySpec });
  const rollout = createRollout({ world, answer });
  const step = (times = 1): void => {
    for (let count = 0; count < times; count += 1) {
      world.nowMs += 10_000;
      rollout.tick();
    }
  };
  const until = (done: () => boolean): void => {
    for (let count = 0; !done() && count < 40; count += 1) step();
    expect(done()).toBe(true);
  };
  until(() => rollout.status.phase === 'Initialized');
  world.setImage('app:2');
  until(() => world.split?.canaryWeight === 20);
  return { world, rollout, step, until };
}

it('a route that its controller refuses keeps the users that it has, and says so', () => {
  const { world, rollout, step } = underWay(({ kind }) =>
    kind === 'hook' ? { kind: 'rejected', reason: 'closed' } : { kind: 'value', value: 100 },
  );
  world.routeTrouble = 'HTTPProxy app.demo is not taken by Contour: no root includes it';
  step(4);
  expect([rollout.status.phase, world.split?.canaryWeight]).toEqual(['Progressing', 20]);
  const said = rollout.ticks
    .at(-1)
    ?.effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : []));
  expect(said).toContain('HTTPProxy app.demo is not taken by Contour: no root includes it');
  world.routeTrouble = undefined;
  step();
  expect(world.split?.canaryWeight).toBe(40);
});

it('does not keep a release from being called back', () => {
  let isOpen = false;
  const { world, rollout, step, until } = underWay((question) => {
    if (question.kind === 'hook') return isOpen ? { kind: 'passed' } : { kind: 'rejected', reason: 'closed' };
    return { kind: 'value', value: 100 };
  });
  world.routeTrouble = 'the route was not accepted';
  step(2);
  isOpen = true;
  until(() => rollout.status.phase === 'Failed');
  expect(world.split?.canaryWeight).toBe(0);
});
