import { describe, expect, it } from 'vitest';
import { decide } from '../../src/canary/decide.ts';
import { type RequestName, requestAnnotations } from '../../src/canary/requests.ts';
import type { Decision, Effect } from '../../src/canary/types.ts';
import { brokenBy, check, shrink, timelineOf } from '../model/check.ts';
import { planOf } from '../model/history.ts';
import type { Invariant } from '../model/invariants.ts';
import type { Decide } from '../model/shell.ts';

/** `npm run check:model` plays a million, of other seeds each time. */
const histories = 10_000;

describe('any history of a canary', () => {
  it('keeps every invariant', { timeout: 180_000 }, () => {
    const failure = check(1, histories);
    if (failure) expect.fail(`seed ${failure.seed}\n${timelineOf(shrink(planOf(failure.seed), failure.broken))}`);
  });
});

/** A core with a fault: `change` spoils what the right one decides. */
const spoiled =
  (change: (decision: Decision) => Decision): Decide =>
  (...input) => {
    const step = decide(...input);
    return step.kind === 'done' ? { kind: 'done', decision: change(step.decision) } : step;
  };
const without = (kind: Effect['kind']): Decide =>
  spoiled((decision) => ({ ...decision, effects: decision.effects.filter((effect) => effect.kind !== kind) }));
const first = (kind: Effect['kind']): Decide =>
  spoiled((decision) => ({
    ...decision,
    effects: decision.effects.toSorted((a, b) => Number(b.kind === kind) - Number(a.kind === kind)),
  }));
/** A core that is told something else. */
const deceived =
  (change: (...input: Parameters<Decide>) => Parameters<Decide>): Decide =>
  (...input) =>
    decide(...change(...input));
/** A core that does not see what people ask for. */
const deafTo = (name: RequestName): Decide =>
  deceived((spec, status, seen, settings) => {
    const { annotations = {}, ...metadata } = seen.canary.metadata;
    const { [requestAnnotations[name]]: _unseen, ...others } = annotations;
    return [
      spec,
      status,
      { ...seen, canary: { ...seen.canary, metadata: { ...metadata, annotations: others } } },
      settings,
    ];
  });
const faults: readonly (readonly [string, Decide, Invariant])[] = [
  ['takes pods before their users have left', first('scale-target'), 'pods with users'],
  ['forgets to record an outcome', without('end-release'), 'one outcome'],
  ['tells of weights that it does not write', without('set-route'), 'status tells the truth'],
  [
    'begins a release that has been rolled back',
    spoiled((decision) =>
      decision.status?.phase === 'Failed'
        ? { ...decision, status: { ...decision.status, lastAppliedSpec: '' } }
        : decision,
    ),
    'no retry by itself',
  ],
  [
    'leaves users of a suspended canary with whatever is pushed',
    (...input) => {
      const step = decide(...input);
      if (step.kind === 'ask' || !input[0].suspend) return step;
      return { kind: 'done', decision: { ...step.decision, effects: [], status: undefined } };
    },
    'users judged',
  ],
  [
    'believes weights that somebody gives the routes',
    deceived((spec, status, seen, settings) => [
      spec,
      status,
      seen.split ? { ...seen, ledTo: seen.split.canaryWeight } : seen,
      settings,
    ]),
    'weight judged',
  ],
  [
    'judges whenever something wakes it',
    deceived((spec, status, { restMs: _rest, ...seen }, settings) => [spec, status, seen, settings]),
    'once an interval',
  ],
  ['goes on with what a person holds', deafTo('hold'), 'held'],
  ['does not hear who wants a release back', deafTo('abort'), 'aborted'],
  [
    'writes a status at rest',
    spoiled((decision) =>
      decision.effects.length > 0
        ? decision
        : { ...decision, effects: [{ kind: 'log', message: '-', moves: 'nothing' }] },
    ),
    'it ends',
  ],
];

describe('the check', () => {
  it.each(faults)('notices a core that %s', (_name, faulty, invariant) => {
    const found = new Set<Invariant>();
    for (let seed = 1; seed <= 400 && !found.has(invariant); seed += 1) {
      const broken = brokenBy(planOf(seed), { decide: faulty });
      if (broken) found.add(broken.invariant);
    }
    expect([...found]).toContain(invariant);
  });

  it('plays the same seed the same way', () => {
    expect(timelineOf(planOf(7))).toBe(timelineOf(planOf(7)));
  });
});
