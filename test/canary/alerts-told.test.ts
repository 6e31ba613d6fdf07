import { describe, expect, it } from 'vitest';
import type { Hold } from '../../src/canary/analysis-state.ts';
import type { Finding } from '../../src/canary/evidence.ts';
import { rollbackText } from '../../src/canary/evidence-text.ts';
import type { Answer, Effect, Question } from '../../src/canary/types.ts';
import { createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

/** A release that something happens to, and who is told of it. */
interface Way {
  readonly analysis?: Readonly<Record<string, unknown>>;
  readonly answer?: (question: Question) => Answer | undefined;
  /** At the first step of the analysis. */
  readonly at5?: (world: ModelCluster) => void;
  /** Before the push. */
  readonly before?: (world: ModelCluster) => void;
  readonly seconds?: number;
}

const metric = { name: 'request-success-rate', thresholdRange: { min: 99 } };
const hook = (type: string) => ({ name: type, type, url: `http://hooks/${type}` });
const metrics = (answer: Answer) => (question: Question) => (question.kind === 'metric' ? answer : undefined);
const hooks = (type: string, answer: Answer) => (question: Question) =>
  question.kind === 'hook' && question.hook.type === type ? answer : undefined;
const closed: Answer = { kind: 'rejected', reason: 'closed' };

function alertsOf({ analysis = {}, answer, at5, before, seconds = 300 }: Way) {
  const world = createModelCluster({
    replicas: 2,
    canarySpec: {
      provider: 'istio',
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      progressDeadlineSeconds: 60,
      analysis: { interval: '10s', threshold: 2, stepWeight: 5, maxWeight: 50, metrics: [metric], ...analysis },
    },
  });
  let isPushed = false;
  const usual = (question: Question): Answer => {
    if (question.kind === 'metric') return { kind: 'value', value: 100 };
    return question.kind === 'hook' && question.hook.type === 'rollback' ? closed : { kind: 'passed' };
  };
  const rollout = createRollout({ world, answer: (question) => (isPushed && answer?.(question)) || usual(question) });
  rollout.run(world.nowMs + 30_000);
  before?.(world);
  isPushed = true;
  const first = rollout.ticks.length;
  world.setImage('example.org/app:2.0.0');
  let isDone = false;
  for (let second = 0; second < seconds; second += 5) {
    rollout.run(world.nowMs + 5_000);
    if (!isDone && (world.split?.canaryWeight ?? 0) > 0) {
      at5?.(world);
      isDone = true;
    }
  }
  const effects = rollout.ticks
    .slice(first)
    .flatMap((tick): readonly Effect[] => [...tick.effects, ...tick.decision.afterwards]);
  const alerts = effects.flatMap((effect) => (effect.kind === 'alert' ? [effect] : []));
  return { alerts, phase: rollout.status.phase, effects };
}

/** Of what each kind of finding is, and how a release ends for it. A new kind has no line yet, so this does not compile until it has one. */
const ends: Readonly<Record<Finding['kind'], Way | { readonly never: string }>> = {
  measured: { answer: metrics({ kind: 'value', value: 42 }) },
  'no-data': { answer: metrics({ kind: 'no-data', cause: 'noSeries', reason: 'no values found' }) },
  unanswered: { answer: metrics({ kind: 'invalid', text: 'Metric query failed' }) },
  'unknown-metric': { analysis: { metrics: [{ name: 'nonsense', thresholdRange: { max: 1 } }] } },
  hook: { analysis: { webhooks: [hook('rollout')] }, answer: hooks('rollout', closed) },
  'failed-checks': { analysis: { threshold: 9, consecutive: 2 }, answer: metrics({ kind: 'value', value: 42 }) },
  'called-back': { analysis: { webhooks: [hook('rollback')] }, answer: hooks('rollback', { kind: 'passed' }) },
  'metrics-lost': { answer: metrics({ kind: 'unreachable', text: 'connection refused' }) },
  'not-ready': { before: (world) => world.brokenImages.add('example.org/app:2.0.0') },
  pods: {
    before: (world) => world.brokenImages.add('example.org/app:2.0.0'),
    answer: (question) =>
      question.kind === 'pods'
        ? {
            kind: 'pods',
            trouble: { cause: 'crash', summary: 'it crashes', text: 'it crashes', lines: ['it crashes'] },
          }
        : undefined,
  },
  unpromotable: { never: 'see holds: it is held first' },
  asked: { never: 'a person’s act: rollbackText below, and "failures alert" of the model' },
  approved: { never: 'it lets a release go on' },
  'ended-before': { never: 'its outcome stands already, and was told' },
  said: { never: 'what a former agent recorded' },
};

describe('whoever is to be woken is told', () => {
  const all = Object.entries(ends).flatMap(([kind, way]) => ('never' in way ? [] : [[kind, way] as const]));

  it.each(all)('of a release that fails: %s', (_kind, way) => {
    const { alerts, phase, effects } = alertsOf(way);
    expect(phase).toBe('Failed');
    const failing = alerts.filter(({ severity }) => severity === 'error' || severity === 'warn');
    expect(failing.length).toBeGreaterThan(0);
    // Before the outcome is recorded: an agent that dies between the two tells it twice rather than never.
    const [told, ended] = [
      effects.findIndex(
        (effect) => effect.kind === 'alert' && /fail|Rolling back|exceeded|reached/i.test(effect.message),
      ),
      effects.findIndex((effect) => effect.kind === 'end-release'),
    ];
    expect(told).toBeGreaterThanOrEqual(0);
    expect(told).toBeLessThan(ended);
  });

  it('of a promotion that fails because the primary does not come up', () => {
    const { alerts, phase } = alertsOf({
      analysis: { stepWeight: 50, maxWeight: 50 },
      at5: (world) => world.brokenDeployments.add('app-primary'),
    });
    expect(phase).toBe('Failed');
    expect(alerts.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('Promotion failed, primary not ready'),
    );
  });

  it.each(Object.keys(ends) as readonly Finding['kind'][])('in words, whatever it fails at: %s', (kind) => {
    const found = {
      kind,
      text: 't',
      reason: 'r',
      why: 'w',
      role: 'canary',
      summary: 's',
      lines: [],
      count: 1,
      forMs: 1_000,
      act: 'abort',
      by: 'ann',
      metric: 'query',
      cause: 'noSeries',
      measurement: { value: 1, unit: 'own', windowMs: 1, measuredAtMs: 1, provider: 'web', max: 0, broken: 'max' },
    } as unknown as Finding;
    const told = rollbackText({ name: 'check', found }, 'app.demo');
    expect(told.alert).toMatch(/^(?:Rolling back|Failed checks)/);
    expect(['warn', 'error']).toContain(told.severity);
  });

  /** Nobody moves these without a person. A cause that is new has no line yet, so this does not compile until it has one. */
  const holds: Readonly<Record<Hold['cause'] | 'route', readonly [way: Way, why: string]>> = {
    unknown: [
      { answer: metrics({ kind: 'unreachable', text: 'connection refused' }), seconds: 40 },
      'metrics are not known',
    ],
    unpromotable: [
      {
        analysis: { stepWeight: 50, maxWeight: 50 },
        at5: (world) => world.objects.delete('ConfigMap/app-config'),
        seconds: 90,
      },
      'it cannot be promoted',
    ],
    route: [
      { at5: (world) => void (world.routeTrouble = 'the Gateway refuses it'), seconds: 60 },
      'the Gateway refuses it',
    ],
  };
  it.each(Object.entries(holds))('of a release that is held: %s', (_cause, [way, why]) => {
    const { alerts } = alertsOf(way);
    const told = alerts.filter(({ message }) => message.startsWith('Canary is held: '));
    expect(told.length).toBeGreaterThan(0);
    expect(told[0]).toMatchObject({ severity: 'warn', message: expect.stringContaining(why) as unknown });
    // Said at each look in the same words, so that who is told hears it once.
    expect(new Set(told.map(({ message }) => message)).size).toBe(1);
  });

  it.each([
    ['confirm-rollout', 'Canary is waiting for approval.'],
    ['confirm-traffic-increase', 'Canary traffic increase is waiting for approval.'],
    ['confirm-promotion', 'Canary promotion is waiting for approval.'],
  ])('of a gate that waits for a person: %s', (type, text) => {
    const { alerts } = alertsOf({ analysis: { webhooks: [hook(type)] }, answer: hooks(type, closed) });
    expect(alerts.map(({ message }) => message)).toContain(text);
  });
});
