import { describe, expect, it } from 'vitest';
import { recordedOf } from '../../src/canary/recorded.ts';
import {
  afterAnswer,
  afterDecision,
  afterEffects,
  afterTick,
  beforeEffect,
  beginningOf,
  isLedOn,
  nothingRemembered,
  seenOfMemory,
} from '../../src/canary/tick-memory.ts';
import type { Answer, CanaryStatus, Decision, Effect } from '../../src/canary/types.ts';
import { aSpec } from '../helpers/a-route-context.ts';

const intervalMs = 10_000;
const answers = new Map<string, Answer>([['metric/a', { kind: 'value', value: 1 }]]);
const route: Effect = { kind: 'set-route', split: { canaryWeight: 20, mirror: false } };
const decided = (given: Partial<Decision> = {}): Decision => ({
  effects: [],
  status: undefined,
  afterwards: [],
  evidence: undefined,
  isJudged: true,
  nextTickMs: intervalMs,
  ...given,
});
const status: CanaryStatus = {
  phase: 'Progressing',
  failedChecks: 0,
  canaryWeight: 10,
  iterations: 0,
  lastAppliedSpec: 'b',
  lastPromotedSpec: 'a',
};

describe('what is remembered from tick to tick', () => {
  it('is, at first, that no look has come to its end', () => {
    expect(seenOfMemory(nothingRemembered)).toEqual({ isFirstLook: true });
    expect(beginningOf(nothingRemembered, intervalMs, 0)).toEqual({ leftMs: undefined, answers: undefined });
  });

  it('makes the next check wait for an interval since users were led, and repeats no answer of a tick that ended', () => {
    const begun = afterDecision(nothingRemembered, decided(), 1_000, { judging: answers, isRepeated: false });
    const ended = afterTick(begun, decided(), 3_000);
    expect(beginningOf(ended, intervalMs, 8_000)).toEqual({ leftMs: 5_000, answers: undefined });
    expect(beginningOf(ended, intervalMs, 13_000).leftMs).toBeUndefined();
  });

  it('repeats the answers of a tick that came to no end, until they are an interval old', () => {
    const begun = afterDecision(nothingRemembered, decided(), 1_000, { judging: answers, isRepeated: false });
    expect(beginningOf(begun, intervalMs, 2_000)).toEqual({ leftMs: 9_000, answers });
    expect(beginningOf(begun, intervalMs, 11_000).answers).toBeUndefined();
    const again = afterDecision(begun, decided(), 2_000, { judging: new Map(), isRepeated: true });
    expect(beginningOf(again, intervalMs, 2_000).answers).toBe(answers);
  });

  it('counts a question that nothing came of, too', () => {
    expect(beginningOf(afterAnswer(nothingRemembered, 1_000, undefined), intervalMs, 2_000).leftMs).toBe(9_000);
  });

  it('knows of a new release that nobody has judged it', () => {
    const begin = { kind: 'begin-release', restarted: true, templateHash: 'c', configs: {}, moves: 'nothing' } as const;
    const begun = afterDecision(nothingRemembered, decided(), 1_000, { judging: answers, isRepeated: false });
    expect(afterTick(begun, decided({ effects: [begin] }), 2_000).judged).toBeUndefined();
  });

  it('is where users may be as soon as they are about to be led there, and until the status says so', () => {
    const before = beforeEffect(nothingRemembered, { kind: 'log', message: 'nothing moves' });
    expect(before.ledTo).toBeUndefined();
    const led = beforeEffect(before, route);
    expect(seenOfMemory(led)).toEqual({ isFirstLook: true, ledTo: 20 });
    expect(seenOfMemory(afterTick(led, decided(), 2_000))).toEqual({});
  });

  it('tells that the status of a step got lost only where the routes stand where it led', () => {
    const led = beforeEffect(nothingRemembered, route);
    const steps = aSpec();
    expect(isLedOn(led, steps, status, { canaryWeight: 20, mirror: false })).toBe(true);
    expect(isLedOn(led, steps, status, { canaryWeight: 10, mirror: false })).toBe(false);
    expect(isLedOn(led, steps, { ...status, canaryWeight: 20 }, { canaryWeight: 20, mirror: false })).toBe(false);
    expect(isLedOn(nothingRemembered, steps, status, { canaryWeight: 20, mirror: false })).toBe(false);
  });

  it('is told once that a canary stands still on request', () => {
    const spec = aSpec();
    expect(seenOfMemory(afterEffects(nothingRemembered, { ...spec, suspend: true })).isSuspensionTold).toBe(true);
    expect(seenOfMemory(afterEffects(nothingRemembered, spec)).isSuspensionTold).toBeUndefined();
  });
});

describe('what the record says of the release of a status', () => {
  const state = { templateHash: 'b', configs: {} };
  const ended = (verdict: string) => ({ judged: state, outcome: { verdict, atMs: 1_000, state } });
  const other = { ...status, lastAppliedSpec: 'x' };

  it.each([
    ['nothing without a record', undefined, status, undefined],
    ['nothing while it is under way', { judged: state }, status, undefined],
    ['that it was replaced, where another is under way', { judged: state }, other, 'replaced'],
    ['nothing where it is not known what is under way', {}, other, undefined],
    ['that it was rejected', ended('rolled-back'), status, 'rejected'],
    ['that it was promoted', ended('promoted'), status, 'promoted'],
    ['nothing of an outcome of another', ended('rolled-back'), other, undefined],
    [
      'nothing of a promotion that a status has followed',
      ended('promoted'),
      { ...status, lastTransitionTime: '1970-01-01T00:00:02Z' },
      undefined,
    ],
  ] as const)('is %s', (_what, last, of, expected) => expect(recordedOf(last, of)).toBe(expected));

  it('is that what runs is of another commit, except where a rejection of the very release stands or one is under way', () => {
    expect(recordedOf(undefined, status, () => true)).toBe('replaced');
    expect(recordedOf(ended('promoted'), status, () => true)).toBe('replaced');
    expect(recordedOf(ended('rolled-back'), status, () => true)).toBe('rejected');
    expect(recordedOf({ judged: state }, status, () => true)).toBeUndefined();
  });
});
