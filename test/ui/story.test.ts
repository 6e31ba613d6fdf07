import { describe, expect, it } from 'vitest';
import { createFleetModel } from '../../src/ui/model/model.ts';
import { createSeriesRing } from '../../src/ui/model/series.ts';
import { factsOf, looksOf, nowMs } from './fleet-fixture.ts';
import { modelOf } from './stand-in.ts';

const storyOf = (made: Parameters<typeof factsOf>[0]) => {
  const one = factsOf(made);
  return modelOf([one]).story(one.app, nowMs);
};
const moving = { name: 'cart', phase: 'Progressing', weight: 50, candidate: '2.1.2' } as const;

describe('a release on one time axis', () => {
  it('has a step for each share of users, from the beginning to now', () => {
    const story = storyOf({ ...moving, looks: looksOf({ count: 6 }) });
    expect(story?.weight.map(([, value]) => value)).toEqual([0, 10, 20, 30, 40, 50, 50]);
    expect(story?.toMs).toBe(nowMs);
    expect(story?.markers.map(({ kind }) => kind)).toEqual(['began', 'step', 'step', 'step', 'step', 'step']);
  });

  it.each([
    ['in the middle', [2, 3]],
    ['at the beginning', [0]],
    ['at the end', [5]],
  ])('tells data that is missing %s as missing, with its cause, and draws no line over it', (_, missing) => {
    const [panel] = storyOf({ ...moving, looks: looksOf({ count: 6, missing }) })?.panels ?? [];
    expect(panel?.name).toBe('request-success-rate');
    expect(panel?.gaps.map(({ cause }) => cause)).toEqual(['no values found']);
    expect(panel?.canary.filter(([, value]) => value !== null)).toHaveLength(6 - missing.length);
    const [gap] = panel?.gaps ?? [];
    const within = panel?.canary.filter(([ms, value]) => value !== null && gap && ms > gap.fromMs && ms < gap.toMs);
    expect(within).toEqual([]);
    // Between a value before and one after stands a missing one.
    const values = panel?.canary.map(([, value]) => value !== null) ?? [];
    if (missing[0] === 2) expect(values).toEqual([true, true, false, true, true]);
  });

  it('tells a silence as missing, too, when nothing was measured for longer than two looks', () => {
    const looks = looksOf({ count: 9 }).filter((_, index) => index < 3 || index > 6);
    const [panel] = storyOf({ ...moving, looks })?.panels ?? [];
    expect(panel?.gaps.map(({ cause }) => cause)).toEqual(['not measured']);
    const stopped = storyOf({ ...moving, looks: looksOf({ count: 9 }).slice(0, 4) });
    expect(stopped?.panels[0]?.gaps.map(({ cause }) => cause)).toEqual(['not measured since']);
  });

  it('marks failed checks, the verdict and its commit', () => {
    const story = storyOf({
      ...moving,
      phase: 'Failed',
      weight: 0,
      outcome: 'rolled-back',
      since: 5,
      looks: looksOf({ count: 4, bad: [2, 3] }),
    });
    expect(story?.markers.map(({ kind }) => kind)).toEqual([
      'began',
      'step',
      'step',
      'step',
      'failed',
      'step',
      'failed',
      'rolled-back',
      'commit',
    ]);
    expect(story?.weight.at(-1)).toEqual([nowMs - 5_000, 0]);
  });

  it('shows what was measured although no look tells of it yet, and the old version beside it', () => {
    const one = factsOf({ ...moving, looks: looksOf({ count: 2 }) });
    const model = modelOf([one]);
    const base = { kind: 'measured', app: one.app, releaseId: undefined, metric: 'request-success-rate' } as const;
    model.take({ ...base, atMs: nowMs - 19_990, value: 99.7, baseline: 99.9 });
    model.take({ ...base, atMs: nowMs - 500, value: 98.2, baseline: 99.8 });
    const [panel] = model.story(one.app, nowMs)?.panels ?? [];
    expect(panel?.canary.at(-1)).toEqual([nowMs - 500, 98.2]);
    // The one beside a look is that look.
    expect(panel?.canary).toHaveLength(3);
    expect(panel?.primary.map(([, value]) => value)).toEqual([99.9, 99.8]);
  });

  it('is not there where nothing is known of a release', () => {
    expect(storyOf({ name: 'cart', phase: 'Initialized' })).toBeUndefined();
  });

  it('keeps so many points of so many metrics, whatever is told', () => {
    const ring = createSeriesRing();
    for (let index = 0; index < 20_000; index += 1) {
      ring.take({
        kind: 'looked',
        app: factsOf(moving).app,
        atMs: index,
        releaseId: undefined,
        phase: 'Progressing',
        weight: 1,
      });
      ring.take({
        kind: 'measured',
        app: factsOf(moving).app,
        atMs: index,
        releaseId: undefined,
        metric: `m${index % 100}`,
        value: 1,
      });
    }
    expect(ring.series.weight.length).toBeLessThan(1_000);
    expect(ring.series.weight.at(-1)?.[0]).toBe(19_999);
    expect(ring.series.canary.size).toBe(12);
  });
});

describe('what the dashboard remembers', () => {
  it('forgets apps that a comparison does not tell, and those that have gone', () => {
    const model = createFleetModel();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => factsOf({ name, phase: 'Succeeded' })) as [
      ReturnType<typeof factsOf>,
      ReturnType<typeof factsOf>,
      ReturnType<typeof factsOf>,
    ];
    const seen: string[] = [];
    for (const one of [a, b, c]) model.take({ kind: 'app', ...one });
    model.subscribe((app) => void seen.push(app));
    model.take({ kind: 'begin' });
    model.take({ kind: 'app', ...a });
    model.take({ kind: 'app', ...b });
    model.take({ kind: 'end' });
    model.take({ kind: 'gone', app: b.app });
    expect([...model.apps().keys()]).toEqual(['shop/a']);
    expect(seen).toEqual(['shop/a', 'shop/b', 'shop/c', 'shop/b']);
  });

  it('takes nothing of an app that it does not know', () => {
    const model = createFleetModel();
    const { app } = factsOf({ name: 'a', phase: 'Succeeded' });
    model.take({ kind: 'measured', app, atMs: 1, releaseId: undefined, metric: 'm', value: 1 });
    model.take({ kind: 'said', app, atMs: 1, releaseId: undefined, type: 'Normal', message: 'hello' });
    expect(model.rows(nowMs)).toEqual([]);
    expect(model.story(app, nowMs)).toBeUndefined();
  });
});
