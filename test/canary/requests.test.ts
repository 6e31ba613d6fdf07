import { describe, expect, it } from 'vitest';
import { textOf } from '../../src/canary/evidence-text.ts';
import {
  type PersonRequest,
  readRequest,
  renderRequest,
  type RequestName,
  requestAnnotations,
} from '../../src/canary/requests.ts';
import { parseStatus } from '../../src/canary/status.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import { createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';

interface Story {
  readonly world: ModelCluster;
  readonly rollout: Rollout;
  readonly weight: () => number;
  readonly phase: () => string;
  readonly events: (pattern: RegExp) => readonly string[];
  readonly wait: (seconds: number) => void;
  /** Writes what a person asks of what the status names now. */
  readonly ask: (name: RequestName, more?: Partial<PersonRequest>) => void;
  readonly evidence: () => readonly string[];
}

function pushed(webhooks: readonly object[] = [], value = 100): Story {
  const world = createModelCluster({
    canarySpec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      progressDeadlineSeconds: 60,
      analysis: {
        interval: '10s',
        threshold: 3,
        stepWeight: 20,
        maxWeight: 40,
        webhooks,
        metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
      },
    },
  });
  const answer = (question: Question): Answer =>
    question.kind === 'hook' ? { kind: 'rejected', reason: 'Forbidden' } : { kind: 'value', value };
  const rollout = createRollout({ world, answer });
  const wait = (seconds: number): void => rollout.run(world.nowMs + seconds * 1_000);
  wait(20);
  world.setImage('example.org/app:2.0.0');
  return {
    world,
    rollout,
    wait,
    weight: () => rollout.status.canaryWeight,
    phase: () => rollout.status.phase,
    events: (pattern) =>
      rollout.ticks
        .flatMap(({ effects }) => effects)
        .flatMap((effect) =>
          effect.kind === 'event' && pattern.test(effect.event.message) ? [effect.event.message] : [],
        ),
    ask(name, more = {}) {
      const { lastAppliedSpec } = rollout.status;
      const request = { release: lastAppliedSpec, by: 'jane', reason: 'logs', atMs: world.nowMs, ...more };
      const { annotations = {}, ...metadata } = world.canary.metadata;
      const value = renderRequest(request);
      world.canary = {
        ...world.canary,
        metadata: { ...metadata, annotations: { ...annotations, [requestAnnotations[name]]: value } },
      };
    },
    evidence: () => rollout.ticks.flatMap(({ decision }) => (decision.evidence?.checks ?? []).map(textOf)),
  };
}

const gate = (type: string) => ({ name: 'boss', type, url: 'http://hooks/boss' });

describe('a hold', () => {
  it('keeps the weight where it is, says so in the status, and ends where it was taken back', () => {
    const { ask, wait, weight, world, events, phase } = pushed();
    wait(15);
    expect(weight()).toBe(20);
    ask('hold');
    wait(60);
    expect([weight(), phase()]).toEqual([20, 'Progressing']);
    const { onHold } = parseStatus(world.canary);
    expect(onHold?.told).toBe('by jane: logs');
    expect(JSON.stringify(world.canary['status'])).toContain('"type":"OnHold"');
    expect(events(/^Hold /)).toEqual(['Hold app.demo at weight 20, asked for by jane: logs']);
    ask('hold', { isOver: true, by: 'joe', reason: '' });
    wait(12);
    expect(weight()).toBe(40);
    expect(events(/resumed/)).toEqual(['app.demo goes on from weight 20, resumed by joe']);
    wait(60);
    expect(phase()).toBe('Succeeded');
    expect(JSON.stringify(world.canary['status'])).not.toContain('OnHold');
  });

  it('does not keep what fails', () => {
    const { ask, wait, phase } = pushed([], 40);
    wait(12);
    ask('hold');
    wait(60);
    expect(phase()).toBe('Failed');
  });

  it('keeps a release that waits for approval from beginning', () => {
    const { ask, wait, phase } = pushed([gate('confirm-rollout')]);
    wait(15);
    ask('hold');
    ask('approve', { gate: 'confirm-rollout' });
    wait(30);
    expect(phase()).toBe('Waiting');
  });

  it('of another release is not obeyed', () => {
    const { ask, wait, phase, events } = pushed();
    wait(12);
    ask('hold', { release: 'another' });
    wait(100);
    expect(phase()).toBe('Succeeded');
    expect(events(/^Hold /)).toEqual([]);
  });
});

describe('a promotion that a person asks for', () => {
  it('goes the rest of the way at once, and the evidence names who and why', () => {
    const { ask, wait, phase, evidence, weight } = pushed();
    wait(15);
    ask('promote', { reason: 'hotfix' });
    wait(2);
    expect(phase()).toBe('Promoting');
    expect(evidence()).toContain('promoted before the end of its analysis by jane: hotfix');
    wait(40);
    expect([phase(), weight()]).toEqual(['Succeeded', 0]);
  });

  it('does not come while somebody holds it', () => {
    const { ask, wait, phase } = pushed();
    wait(12);
    ask('hold');
    ask('promote');
    wait(60);
    expect(phase()).toBe('Progressing');
  });

  it('goes past a gate that is closed', () => {
    const { ask, wait, phase } = pushed([gate('confirm-rollout')]);
    wait(15);
    expect(phase()).toBe('Waiting');
    ask('promote');
    wait(60);
    expect(phase()).toBe('Succeeded');
  });

  it('of a version that came before is not obeyed when it comes again', () => {
    const { ask, wait, phase, world } = pushed();
    wait(12);
    ask('abort');
    wait(10);
    expect(phase()).toBe('Failed');
    world.setImage('example.org/app:1.0.0');
    wait(30);
    world.setImage('example.org/app:2.0.0');
    wait(90);
    expect(phase()).toBe('Succeeded');
  });
});

describe('an abort', () => {
  it('brings users home at once, with the reason', () => {
    const { ask, wait, phase, weight, events, rollout } = pushed();
    wait(15);
    ask('abort');
    wait(2);
    expect([phase(), weight()]).toEqual(['Failed', 0]);
    expect(events(/^Rolling back/)).toEqual(['Rolling back app.demo rollback asked for by jane: logs']);
    const ended = rollout.ticks.flatMap(({ effects }) => effects).find(({ kind }) => kind === 'end-release');
    expect(ended).toMatchObject({ verdict: 'rolled-back', failedCheck: { name: 'abort' } });
  });

  it('ends a release that waits to be let in', () => {
    const { ask, wait, phase } = pushed([gate('confirm-rollout')]);
    wait(15);
    ask('abort');
    wait(2);
    expect(phase()).toBe('Failed');
  });
});

describe('an approval', () => {
  it.each(['confirm-rollout', 'confirm-promotion'] as const)('opens %s for this release', (type) => {
    const { ask, wait, phase, evidence } = pushed([gate(type)]);
    wait(60);
    expect(phase()).toBe(type === 'confirm-rollout' ? 'Waiting' : 'WaitingPromotion');
    ask('approve', { gate: type, reason: 'ok' });
    wait(80);
    expect(phase()).toBe('Succeeded');
    expect(evidence()).toContain('approved by jane: ok');
  });

  it('of more traffic counts for one step', () => {
    const { ask, wait, weight } = pushed([gate('confirm-traffic-increase')]);
    wait(40);
    expect(weight()).toBe(0);
    ask('approve', { gate: 'confirm-traffic-increase', weight: 0 });
    wait(60);
    expect(weight()).toBe(20);
  });

  it('of another gate opens none', () => {
    const { ask, wait, phase } = pushed([gate('confirm-rollout')]);
    wait(15);
    ask('approve', { gate: 'confirm-promotion' });
    wait(40);
    expect(phase()).toBe('Waiting');
  });
});

describe('what stands in an annotation', () => {
  it('is a release alone, or what says more, and nothing else', () => {
    expect(readRequest(' 0a1b ')).toEqual({ release: '0a1b', by: 'somebody', reason: '' });
    const refused = [
      '',
      'a b',
      '{',
      '[]',
      '5 5',
      '{"release":""}',
      '{"release":{}}',
      'x'.repeat(81),
      ' '.repeat(3_000),
    ];
    for (const text of [...refused, '{"release":"a","gate":"all"}']) expect(readRequest(text)).toBeUndefined();
  });

  it('is cut and plain', () => {
    const text = JSON.stringify({
      release: 'a',
      by: `j\u202Eane\n${'x'.repeat(500)}`,
      reason: `a\u001B[31m\nb${'😀'.repeat(400)}`,
    });
    const read = readRequest(text);
    expect(Array.from(read?.by ?? '').length).toBeLessThanOrEqual(80);
    expect(Array.from(read?.reason ?? '').length).toBeLessThanOrEqual(300);
    // oxlint-disable-next-line no-control-regex
    expect(`${read?.by}${read?.reason}`).not.toMatch(/[\u0000-\u001F\u202E]/);
  });

  it('is read as it was written', () => {
    const request = {
      release: 'a',
      by: 'jane',
      reason: 'why',
      atMs: 1_000,
      gate: 'confirm-promotion',
      weight: 5,
    } as const;
    expect(readRequest(renderRequest(request))).toEqual(request);
  });
});
