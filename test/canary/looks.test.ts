import { describe, expect, it } from 'vitest';
import { deciding } from '../../src/canary/decide.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import type { Answer, Decision, Question, Seen } from '../../src/canary/types.ts';
import { questionKey } from '../../src/canary/types.ts';
import { createStory } from '../faults/a-story.ts';
import { decideSettings } from '../helpers/rollout.ts';

/** A look at a release at weight 20 that comes 4 s before the next check is due. */
function lookEarly(
  rate: number,
  more: Partial<Seen> = {},
): { readonly asked: readonly string[]; readonly decision: Decision } {
  const webhooks = [
    { name: 'load', type: 'rollout', url: 'http://hooks/load' },
    { name: 'recall', type: 'rollback', url: 'http://hooks/recall' },
    { name: 'more', type: 'confirm-traffic-increase', url: 'http://hooks/more' },
  ];
  const story = createStory({ analysis: { stepWeight: 20, maxWeight: 60, threshold: 3, webhooks } });
  story.closed.add('recall');
  story.push('2.0.0');
  story.until(({ weight }) => weight === 20);
  const answers = new Map<string, Answer>();
  const answer = (question: Question): Answer => {
    if (question.kind === 'metric') return { kind: 'value', value: rate };
    return question.kind === 'hook' && question.hook.name === 'recall'
      ? { kind: 'rejected', reason: 'closed' }
      : { kind: 'passed' };
  };
  const spec = parseCanary(story.world.canary, { provider: 'istio', minIntervalMs: 1_000 });
  const seen = { ...story.world.see(), restMs: 4_000, ...more, answers };
  const asked: string[] = [];
  for (const goOn = deciding(spec, story.status, seen, decideSettings); ; ) {
    const step = goOn();
    if (step.kind === 'done') return { asked, decision: step.decision };
    asked.push(step.question.kind === 'hook' ? step.question.hook.name : step.question.kind);
    answers.set(questionKey(step.question), answer(step.question));
  }
}

describe('a look that comes before an interval has passed since the last check', () => {
  it('asks whether the release is called back, and judges nothing', () => {
    const { asked, decision } = lookEarly(42);
    expect(asked).toEqual(['recall']);
    expect(decision).toMatchObject({ isJudged: false, nextTickMs: 4_000, status: undefined, evidence: undefined });
  });

  it('takes the next step where a gate has opened, after a check of its own', () => {
    const { asked, decision } = lookEarly(100, { isGateOpened: true });
    expect(asked).toEqual(['recall', 'load', 'metric', 'more']);
    expect(decision).toMatchObject({ isJudged: true, nextTickMs: 10_000, status: { canaryWeight: 40 } });
  });

  it('takes no step where that check fails, and does not count it: it has its time yet', () => {
    const { asked, decision } = lookEarly(42, { isGateOpened: true });
    expect(asked).toEqual(['recall', 'load', 'metric']);
    expect(decision).toMatchObject({ isJudged: false, nextTickMs: 4_000, status: undefined });
    expect(decision.effects).toContainEqual({
      kind: 'event',
      event: expect.objectContaining({ message: 'Halt app.demo advancement success rate 42.00% < 99%' }) as unknown,
      moves: 'nothing',
    });
  });
});
