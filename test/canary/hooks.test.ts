import { describe, expect, it } from 'vitest';
import { textOf } from '../../src/canary/evidence-text.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import { createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';

interface Story {
  readonly world: ModelCluster;
  readonly rollout: Rollout;
  /** Names of hooks that refuse. */
  readonly closed: Set<string>;
  /** Hooks in the order in which they were asked, with the phase that they were told: `start Waiting`. */
  readonly asked: () => string[];
  readonly events: (pattern: RegExp) => string[];
  readonly alerts: (pattern: RegExp) => string[];
  /** Lets seconds pass. */
  readonly wait: (seconds: number) => void;
}

const hook = (name: string, type: string, more: object = {}) => ({ name, type, url: `http://hooks/${name}`, ...more });

/** Initialised with these hooks, and a new image pushed. */
function pushed(webhooks: readonly object[], shut: readonly string[] = []): Story {
  const world = createModelCluster({
    canarySpec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      progressDeadlineSeconds: 60,
      analysis: { interval: '10s', threshold: 3, stepWeight: 20, maxWeight: 40, webhooks },
    },
  });
  const closed = new Set(shut);
  const answer = (question: Question): Answer => {
    if (question.kind !== 'hook') return { kind: 'value', value: 100 };
    return closed.has(question.hook.name) ? { kind: 'rejected', reason: 'Forbidden' } : { kind: 'passed' };
  };
  const rollout = createRollout({ world, answer });
  const wait = (seconds: number): void => rollout.run(world.nowMs + seconds * 1_000);
  wait(20);
  world.setImage('example.org/app:2.0.0');
  const told = (kind: 'event' | 'alert', pattern: RegExp): string[] =>
    rollout.ticks
      .flatMap(({ effects }) => effects)
      .flatMap((effect) => {
        if (effect.kind !== kind) return [];
        return effect.kind === 'event' ? [effect.event.message] : effect.kind === 'alert' ? [effect.message] : [];
      })
      .filter((text) => pattern.test(text));
  return {
    world,
    rollout,
    closed,
    wait,
    asked: () =>
      rollout.ticks.flatMap(({ asked }) =>
        asked.flatMap((question) => (question.kind === 'hook' ? [`${question.hook.name} ${question.phase}`] : [])),
      ),
    events: (pattern) => told('event', pattern),
    alerts: (pattern) => told('alert', pattern),
  };
}

describe('a release that waits to be let in', () => {
  const hooks = [hook('start', 'confirm-rollout'), hook('back', 'rollback')];

  it('is called back by its rollback hook there, too [R9]', () => {
    const { rollout, closed, wait, asked, events } = pushed(hooks, ['start', 'back']);
    wait(25);
    expect(rollout.status.phase).toBe('Waiting');
    expect(asked()).toContain('back Waiting');
    closed.delete('back');
    wait(10);
    expect(rollout.status.phase).toBe('Failed');
    expect(events(/^Rolling back|^Rollback check|^Canary failed/)).toEqual([
      'Rollback check back passed',
      'Rolling back app.demo manual webhook invoked',
      'Canary failed! Scaling down app.demo',
    ]);
  });

  it('is asked for at every tick, told once, and tells the hook the phase that it is in', () => {
    const { wait, asked, events, alerts } = pushed([hook('start', 'confirm-rollout')], ['start']);
    wait(35);
    expect(asked().slice(0, 3)).toEqual(['start Initialized', 'start Waiting', 'start Waiting']);
    expect(events(/^Halt/)).toEqual(['Halt app.demo advancement waiting for approval start']);
    expect(alerts(/waiting/)).toEqual(['Canary is waiting for approval.']);
  });

  it('alerts nobody where the hook is mute', () => {
    const { wait, events, alerts } = pushed([hook('start', 'confirm-rollout', { muteAlert: true })], ['start']);
    wait(15);
    expect(events(/^Halt/)).toHaveLength(1);
    expect(alerts(/waiting/)).toEqual([]);
  });
});

describe('a gate in front of more traffic', () => {
  const hooks = [
    hook('smoke', 'pre-rollout'),
    hook('load', 'rollout'),
    hook('more', 'confirm-traffic-increase'),
    hook('promote', 'confirm-promotion'),
  ];

  it('runs the tests before the first traffic once, however long it stays closed [R24]', () => {
    const { wait, asked, events, closed, rollout } = pushed(hooks, ['more']);
    wait(60);
    expect(asked().filter((name) => name.startsWith('smoke'))).toEqual(['smoke Progressing']);
    expect(events(/^Starting canary analysis/)).toHaveLength(1);
    expect(rollout.status).toMatchObject({ phase: 'Progressing', canaryWeight: 0, failedChecks: 0 });
    closed.delete('more');
    wait(10);
    expect(rollout.status.canaryWeight).toBe(20);
  });

  it('is told once for each time that it is found closed, with an event and an alert [R64]', () => {
    const { wait, closed, events, alerts, rollout, asked } = pushed(hooks, ['more']);
    const halts = (): string[] => events(/^Halt/);
    wait(50);
    const text = 'Halt app.demo advancement waiting for traffic increase approval more';
    expect(halts()).toEqual([text]);
    expect(alerts(/traffic increase/)).toEqual(['Canary traffic increase is waiting for approval.']);
    closed.delete('more');
    wait(10);
    expect(rollout.status.canaryWeight).toBe(20);
    closed.add('more');
    wait(40);
    expect(rollout.status.canaryWeight).toBe(20);
    expect(halts()).toEqual([text, text]);
    expect(alerts(/traffic increase/)).toHaveLength(2);
    // The hook itself is asked every time.
    expect(asked().filter((name) => name.startsWith('more')).length).toBeGreaterThan(6);
    closed.delete('more');
    wait(60);
    expect(rollout.status).toMatchObject({ phase: 'Succeeded', iterations: 0 });
  });

  it('counts as no round, should the Canary become a blue/green release while it waits', () => {
    const { world, wait, rollout, asked } = pushed(hooks, ['more']);
    wait(25);
    const { analysis, ...spec } = world.canary['spec'] as { analysis: Readonly<Record<string, unknown>> };
    const { stepWeight: _step, maxWeight: _max, ...others } = analysis;
    world.canary = { ...world.canary, spec: { ...spec, analysis: { ...others, iterations: 2 } } };
    const checks = (): number => asked().filter((name) => name.startsWith('load')).length;
    const before = checks();
    wait(20);
    expect(rollout.status).toMatchObject({ phase: 'Progressing', iterations: 2 });
    expect(checks() - before).toBe(2);
  });

  it('holds neither checks nor a rollback up while it is closed', () => {
    const { wait, closed, rollout, events } = pushed(hooks);
    wait(15);
    expect(rollout.status.canaryWeight).toBe(20);
    closed.add('more').add('load');
    wait(50);
    expect(rollout.status.phase).toBe('Failed');
    expect(events(/^Rolling back/)).toEqual(['Rolling back app.demo failed checks threshold reached 3']);
  });
});

describe('a suspended canary', () => {
  it('says so once, and once more when it is suspended again [R66]', () => {
    const { world, wait, events, rollout } = pushed([]);
    const suspend = (value: boolean): void => {
      world.canary = { ...world.canary, spec: { ...(world.canary['spec'] as object), suspend: value } };
    };
    wait(25);
    const { canaryWeight } = rollout.status;
    expect(canaryWeight).toBeGreaterThan(0);
    suspend(true);
    wait(60);
    expect(events(/suspended/)).toEqual(['skipping canary run as object is suspended']);
    expect(rollout.status.canaryWeight).toBe(canaryWeight);
    suspend(false);
    wait(10);
    suspend(true);
    wait(30);
    expect(events(/suspended/)).toHaveLength(2);
  });
});

describe('a canary whose pods do not get ready in time', () => {
  it('is rolled back with an alert [R60]', () => {
    const { world, wait, alerts, rollout } = pushed([]);
    world.brokenImages.add('example.org/app:2.0.0');
    wait(90);
    expect(rollout.status.phase).toBe('Failed');
    expect(alerts(/deadline/)).toEqual([
      expect.stringMatching(/^Progress deadline exceeded canary deployment app\.demo not ready: /),
    ]);
  });
});

describe('the approval of a promotion', () => {
  const approvals = (story: Story): readonly string[] =>
    story.rollout.ticks.flatMap(({ decision }) =>
      (decision.evidence?.checks ?? []).flatMap((check) =>
        textOf(check) === 'promotion approved' ? [check.name] : [],
      ),
    );

  it('is evidence of the release, once for each gate, when all of them have opened', () => {
    const story = pushed([hook('qa', 'confirm-promotion'), hook('boss', 'confirm-promotion')], ['qa']);
    story.wait(100);
    expect(story.rollout.status.phase).toBe('WaitingPromotion');
    expect(approvals(story)).toEqual([]);
    story.closed.clear();
    story.wait(60);
    expect(story.rollout.status.phase).toBe('Succeeded');
    expect(approvals(story)).toEqual(['qa', 'boss']);
  });

  it('is none where nobody had to approve, and none of a gate at the beginning', () => {
    const story = pushed([hook('start', 'confirm-rollout'), hook('more', 'confirm-traffic-increase')]);
    story.wait(160);
    expect(story.rollout.status.phase).toBe('Succeeded');
    expect(approvals(story)).toEqual([]);
  });
});
