import { describe, expect, it } from 'vitest';
import { linesOf, textOf } from '../../src/canary/evidence-text.ts';
import { toldTrouble } from '../../src/canary/trouble/trouble.ts';
import type { Answer, FailedCheck, Question } from '../../src/canary/types.ts';
import { subjectOf } from '../../src/release/subject.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';
import { anOutcome } from '../release/an-outcome.ts';

const value = (number: number): Answer => ({ kind: 'value', value: number });
const image = toldTrouble(
  {
    cause: 'image',
    summary: 'image cannot be pulled (not found)',
    about: 'example.org/app:2.0.0',
    detail: 'pod app-1, container app: ImagePullBackOff',
  },
  [],
);
const crash = toldTrouble(
  { cause: 'crash', summary: 'container crashes (exit 1)', detail: 'pod app-1, container app: ended with exit code 1' },
  ['panic: no database'],
);

/** A release that fails, and what everybody is told of it. */
function failed(answerOf: (question: Question) => Answer | undefined, { isBroken = false, isSilent = false } = {}) {
  const world = createModelCluster({
    canarySpec: {
      provider: 'traefik',
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      progressDeadlineSeconds: 60,
      analysis: {
        interval: '10s',
        threshold: 2,
        stepWeight: 10,
        metrics: [
          { name: 'request-success-rate', thresholdRange: { min: 99 } },
          { name: 'request-duration', thresholdRange: { max: 500 } },
        ],
        webhooks: [{ name: 'load-test', url: 'http://tester/', type: 'rollout' }],
      },
    },
  });
  const good = (question: Question): Answer => {
    if (question.kind === 'hook') return { kind: 'passed' };
    if (question.kind === 'pods') return { kind: 'pods' };
    return value(question.kind === 'metric' && question.metric.name === 'request-duration' ? 20 : 100);
  };
  let isReleased = false;
  const rollout = createRollout({ world, answer: (question) => (isReleased && answerOf(question)) || good(question) });
  rollout.run(world.nowMs + 15_000);
  isReleased = true;
  if (isSilent) {
    const see = world.see.bind(world);
    world.see = () => {
      const seen = see();
      const conditions = [
        { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
      ];
      const status = { ...(seen.target?.['status'] as object), conditions };
      return { ...seen, ...(seen.target ? { target: { ...seen.target, status } } : {}) };
    };
  }
  if (isBroken) world.brokenImages.add('example.org/app:2.0.0');
  world.setImage('example.org/app:2.0.0');
  rollout.run(world.nowMs + 200_000);
  const effects = rollout.ticks.flatMap((tick) => tick.effects);
  const ends = effects.flatMap((effect) => (effect.kind === 'end-release' ? [effect.failedCheck] : []));
  expect(ends).toHaveLength(1);
  const alerts = effects.flatMap((effect) => (effect.kind === 'alert' ? [effect.message] : []));
  const events = effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : []));
  return { check: ends[0] as FailedCheck, alerts, events };
}

const ofMetric =
  (name: string, answer: Answer) =>
  (question: Question): Answer | undefined =>
    question.kind === 'metric' && question.metric.name === name ? answer : undefined;
const pods =
  (trouble: typeof image) =>
  (question: Question): Answer | undefined =>
    question.kind === 'pods' ? { kind: 'pods', trouble } : undefined;

const reasons = {
  'the image cannot be pulled': () => failed(pods(image), { isBroken: true }),
  'its pods crash': () => failed(pods(crash), { isBroken: true }),
  'a webhook says no': () =>
    failed((question) => (question.kind === 'hook' ? { kind: 'rejected', reason: 'status 500: no' } : undefined)),
  'requests fail': () => failed(ofMetric('request-success-rate', value(53.42))),
  'requests are slow': () => failed(ofMetric('request-duration', value(750))),
  'there is no telemetry': () =>
    failed(ofMetric('request-success-rate', { kind: 'no-data', cause: 'noSeries', reason: 'no values found' })),
  'Prometheus cannot be reached': () =>
    failed((question) =>
      question.kind === 'metric'
        ? { kind: 'unreachable', text: 'Prometheus query failed: connection refused' }
        : undefined,
    ),
} as const;

describe('the seven reasons for which a canary fails', () => {
  it.each([
    ['the image cannot be pulled', 'readiness', 'image cannot be pulled (not found)'],
    ['its pods crash', 'readiness', 'container crashes (exit 1)'],
    ['a webhook says no', 'load-test', 'check load-test failed: status 500: no'],
    ['requests fail', 'request-success-rate', 'success rate 53.42% < 99%'],
    ['requests are slow', 'request-duration', 'request duration 750ms > 500ms'],
    ['there is no telemetry', 'request-success-rate', 'no values found for request-success-rate'],
    ['Prometheus cannot be reached', 'metrics', expect.stringMatching(/^metrics unreachable for \d+/) as string],
  ] as const)('%s: is told by check and reason', (name, check, reason) => {
    const found = reasons[name]().check;
    expect({ name: found.name, reason: textOf(found) }).toMatchObject({ name: check, reason });
  });

  it('have seven subjects', () => {
    const context = { previousImages: { podinfod: 'p:1' }, previousConfigs: {}, change: 'reverted' } as const;
    const subjects = Object.values(reasons).map((release) =>
      subjectOf(anOutcome({ verdict: 'rolled-back', failedCheck: release().check }), context),
    );
    expect(new Set(subjects).size).toBe(7);
    expect(subjects.filter((subject) => subject.length > 72)).toEqual([]);
  });
});

describe('pods that do not start', () => {
  it('are told behind the words of Flagger, in every event and in the alert, with the log in the detail', () => {
    const { check, alerts, events } = failed(pods(crash), { isBroken: true });
    const told = events.filter((event) =>
      event.startsWith('canary deployment app.demo not ready: waiting for rollout to finish: '),
    );
    expect(told.length).toBeGreaterThan(2);
    // The first look comes too early for pods to say anything.
    for (const event of told.slice(1)) expect(event).toMatch(/: container crashes \(exit 1\): panic: no database$/);
    expect(
      alerts.find((alert) => alert.startsWith('Progress deadline exceeded canary deployment app.demo not ready: ')),
    ).toMatch(/: container crashes \(exit 1\): panic: no database$/);
    expect(linesOf(check.found)).toEqual([
      'pod app-1, container app: ended with exit code 1',
      'last log lines:',
      '  panic: no database',
    ]);
  });

  it('end the release too where the Deployment may miss all of them, and so never says that its deadline is over', () => {
    const { check, alerts } = failed(pods(crash), { isBroken: true, isSilent: true });
    expect(check).toMatchObject({ name: 'readiness' });
    expect(textOf(check)).toBe('container crashes (exit 1)');
    expect(alerts.some((alert) => alert.startsWith('Progress deadline exceeded '))).toBe(true);
  });

  it('are told as Flagger does where nothing is known of them', () => {
    const { check, events } = failed(() => undefined, { isBroken: true });
    expect(textOf(check)).toMatch(/^canary not ready: /);
    expect(linesOf(check.found)).toEqual([]);
    expect(events.some((event) => event.endsWith('updated replicas are available'))).toBe(true);
  });
});
