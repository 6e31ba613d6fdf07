import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseStatus, renderStatus } from '../../src/canary/status.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

/** Statuses that the agent of before wrote amid releases of the Canaries below, with its marks in `iterations`. */
const former = JSON.parse(readFileSync(new URL('former-statuses.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, { readonly phase: string; readonly canaryWeight: number; readonly failedChecks: number }>
>;

const hooks = [
  { name: 'smoke', type: 'pre-rollout', url: 'http://tester/' },
  { name: 'more', type: 'confirm-traffic-increase', url: 'http://tester/gate' },
  { name: 'last', type: 'confirm-promotion', url: 'http://tester/gate' },
];
const steps = { stepWeight: 40, maxWeight: 80 };
const strategies: Readonly<Record<string, object>> = {
  'rounds of blue/green': { iterations: 5 },
  'rounds of an A/B test': { iterations: 5, match: [{ headers: { x: { exact: 'y' } } }] },
};
type Status = Readonly<Record<string, unknown>>;

/** A release in which another agent stood at this status; a new one goes on with it. */
function takenOver(
  status: Status,
  {
    analysis = steps,
    weight = 0,
    closed = [],
    seconds = 60,
    sample = { kind: 'value', value: 100 },
  }: {
    analysis?: object;
    weight?: number;
    closed?: readonly string[];
    seconds?: number;
    sample?: Answer;
  } = {},
) {
  const world = createModelCluster({
    canarySpec: {
      provider: 'traefik',
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      progressDeadlineSeconds: 60,
      analysis: {
        interval: '10s',
        threshold: 3,
        metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }],
        webhooks: hooks,
        ...analysis,
      },
    },
  });
  let isNew = false;
  const asked: Question[] = [];
  const answer = (question: Question): Answer => {
    if (isNew) asked.push(question);
    if (question.kind === 'pods') return { kind: 'pods' };
    if (question.kind === 'metric') return isNew ? sample : { kind: 'value', value: 100 };
    if (question.kind !== 'hook' || question.hook.type === 'rollback') return { kind: 'value', value: 1 };
    const isShut = isNew && closed.includes(question.hook.name);
    return isShut ? { kind: 'rejected', reason: 'Forbidden' } : { kind: 'passed' };
  };
  const before = createRollout({ world, answer });
  before.run(world.nowMs + 15_000);
  world.setImage('example.org/app:2.0.0');
  // Its pods come, and the users that the status tells of.
  before.run(world.nowMs + 9_000);
  if (weight > 0) world.apply({ kind: 'set-route', split: { canaryWeight: weight, mirror: false } });
  world.canary = { ...world.canary, status };
  isNew = true;
  const rollout = createRollout({ world, answer });
  const atStart = parseStatus(world.canary);
  rollout.run(world.nowMs + seconds * 1_000);
  const told = rollout.ticks.flatMap(({ effects }) =>
    effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : [])),
  );
  const weights = rollout.ticks.map((tick) => tick.status.canaryWeight);
  const hooksAsked = new Set(asked.flatMap((question) => (question.kind === 'hook' ? [question.hook.name] : [])));
  return { rollout, atStart, told, weights, hooksAsked, asked, kept: world.canary['status'] as Status };
}
/** The agent came to the promotion without a look at a metric in the run that is told. */
function promotesUnjudged({ rollout }: ReturnType<typeof takenOver>): boolean {
  let isJudged = false;
  for (const { asked, status, before } of rollout.ticks) {
    isJudged ||= asked.some(({ kind }) => kind === 'metric');
    if (before.phase !== 'Promoting' && status.phase === 'Promoting') return !isJudged;
  }
  return false;
}

describe('the status of an agent of before, amid a release', () => {
  it.each([
    ['halted at weight 0', { mark: 'halted', iterations: 0, failedChecks: 0 }],
    ['halted at weight 40', { mark: 'halted', iterations: 0, failedChecks: 0 }],
    ['halted with a failed check', { mark: 'halted', iterations: 0, failedChecks: 1 }],
    ['sent home, prepared', { mark: 'prepared', iterations: 0 }],
    ['held', { held: { cause: 'unknown', sinceMs: Date.parse('2026-01-01T00:00:35Z') } }],
    ['rounds of blue/green', { iterations: 4 }],
    ['rounds of an A/B test', { iterations: 4 }],
    ['three failed checks', { failedChecks: 3 }],
  ])('is read: %s', (name, state) => {
    const status = former[name] as unknown as Status;
    const read = parseStatus({ apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { name: 'a' }, status });
    expect(read.analysis).toMatchObject({ version: 1, looks: 0, ...state });
    expect(read.iterations, 'Flagger counts rounds there').toBeGreaterThanOrEqual(0);
  });

  it.each(Object.keys(former))(
    'goes on or is judged anew, and is promoted by nobody who has not looked: %s',
    (name) => {
      const status = former[name] as unknown as Status & { canaryWeight: number; phase: string };
      const analysis = strategies[name] ?? steps;
      const { canaryWeight: weight } = status;
      const gone = takenOver(status, { analysis, weight, seconds: 120 });
      expect(promotesUnjudged(gone)).toBe(false);
      const end = name === 'three failed checks' ? 'Failed' : 'Succeeded';
      expect(gone.rollout.status.phase).toBe(end);
      const broken = takenOver(status, { analysis, weight, seconds: 120, sample: { kind: 'value', value: 1 } });
      // What has been promoted by then is not judged any more.
      expect(broken.rollout.status.phase).toBe(status.phase === 'Finalising' ? 'Succeeded' : 'Failed');
    },
  );

  it('says nothing twice and tests nothing twice of what it has behind it', () => {
    for (const name of ['halted at weight 0', 'halted at weight 40']) {
      const weight = name.endsWith('40') ? 40 : 0;
      const { told, hooksAsked, weights } = takenOver(former[name] as unknown as Status, { weight, closed: ['more'] });
      expect(told.filter((text) => text.includes('waiting for traffic increase approval'))).toEqual([]);
      expect(hooksAsked).toContain('more');
      expect(hooksAsked).not.toContain('smoke');
      expect(new Set(weights)).toEqual(new Set([weight]));
    }
    const home = takenOver(former['sent home, prepared'] as unknown as Status);
    expect(home.hooksAsked).not.toContain('smoke');
  });

  it('is held no longer because another agent goes on', () => {
    const lost: Answer = { kind: 'unreachable', text: 'Prometheus query failed: connection refused' };
    const held = former['held'] as unknown as Status;
    const { rollout } = takenOver(held, { weight: 40, seconds: 90, sample: lost });
    const ended = rollout.ticks.find(({ status }) => status.phase === 'Failed');
    expect(ended?.atMs).toBeLessThanOrEqual(Date.parse('2026-01-01T00:00:35Z') + 80_000);
  });
});

describe('the state of an analysis', () => {
  const at = (seconds: number, sample?: Answer) =>
    takenOver(former['sent home, prepared'] as unknown as Status, { seconds, ...(sample ? { sample } : {}) });
  const conditionOf = (status: Status) =>
    (status['conditions'] as readonly Readonly<Record<string, string>>[]).find(({ type }) => type === 'Analysis');
  const read = (status: Status) =>
    parseStatus({ apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { name: 'a' }, status } as KubeObject);

  it('stands in the status while a release is under way, counts its looks, and is read as it was written', () => {
    const { kept, rollout } = at(25);
    expect(read(kept).analysis).toMatchObject({ version: 1, looks: 3, measured: { version: kept['lastAppliedSpec'] } });
    expect(read(kept)).toEqual(rollout.status);
    expect(read(renderStatus(read(kept)))).toEqual(read(kept));
    expect(JSON.parse(conditionOf(kept)?.['message'] ?? '')).toMatchObject({ version: 1, looks: 3, failedChecks: 0 });
    const { kept: ended } = at(120);
    expect(ended['phase']).toBe('Succeeded');
    expect(conditionOf(ended)).toBeUndefined();
  });

  it.each<[string, (status: Status) => Status]>([
    ['Flagger has counted a failed check', (status) => ({ ...status, failedChecks: 2 })],
    [
      'Flagger has made a step',
      (status) => ({ ...status, canaryWeight: 40, lastTransitionTime: '2026-01-01T09:00:00Z' }),
    ],
    ['a round was passed', (status) => ({ ...status, iterations: 3 })],
    ['another version is judged', (status) => ({ ...status, lastAppliedSpec: 'v1-other' })],
    ['a later agent wrote it', changed((state) => ({ ...state, version: 2 }))],
    ['it is no JSON', changed(() => undefined)],
    ['it is much too long', changed((state) => ({ ...state, more: 'x'.repeat(10_000) }))],
    ['its count is no number', changed((state) => ({ ...state, looks: 'many' }))],
    ['its mark is unknown', changed((state) => ({ ...state, mark: 'promoted' }))],
    ['its hold is none', changed((state) => ({ ...state, held: { cause: 'else' } }))],
    ['names of everything', changed((state) => ({ ...state, measured: { __proto__: null, constructor: 1 } }))],
  ])('is not believed where %s: the columns count', (_what, change) => {
    const kept = renderStatus(read(former['halted at weight 0'] as unknown as Status));
    expect(read(kept).analysis?.mark).toBe('halted');
    expect(kept['iterations']).toBe(0);
    const status = change(kept);
    expect(read(status).analysis).toMatchObject({
      looks: 0,
      failedChecks: status['failedChecks'],
      iterations: status['iterations'],
    });
    expect(read(status).analysis).not.toHaveProperty('mark');
  });

  it('counts anew where the Canary names other metrics, and is written no sooner for it', () => {
    const { kept } = at(5);
    expect(read(kept).analysis?.looks).toBe(1);
    const next = (metrics: readonly object[]) =>
      takenOver(kept, { analysis: { ...steps, metrics }, weight: 40, seconds: 15, closed: ['more'] }).rollout;
    const same = next([{ name: 'request-success-rate', thresholdRange: { min: 99 } }]);
    const others = next([{ name: 'request-success-rate', thresholdRange: { min: 98 } }]);
    expect(same.status.analysis).toMatchObject({ looks: 2, mark: 'halted', measured: read(kept).analysis?.measured });
    expect(others.status.analysis).toMatchObject({ looks: 1, mark: 'halted' });
    expect(others.status.analysis?.measured.metrics).not.toBe(same.status.analysis?.measured.metrics);
    const writes = ({ ticks }: typeof same) => ticks.map(({ decision }) => decision.status !== undefined);
    expect(writes(others)).toEqual(writes(same));
  });

  /** The status with what `edit` makes of the state in it. */
  function changed(edit: (state: Status) => unknown): (status: Status) => Status {
    return (status) => ({
      ...status,
      conditions: (status['conditions'] as readonly Status[]).map((condition) =>
        condition['type'] === 'Analysis'
          ? { ...condition, message: JSON.stringify(edit(JSON.parse(String(condition['message'])) as Status)) ?? '{' }
          : condition,
      ),
    });
  }
});
