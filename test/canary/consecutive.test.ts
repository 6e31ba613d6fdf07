import { describe, expect, it } from 'vitest';
import { analysisOf, formerAnalysis, parseAnalysis, renderAnalysis } from '../../src/canary/analysis-state.ts';
import { rollbackText } from '../../src/canary/evidence-text.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { warningsOf } from '../../src/canary/warnings.ts';
import { alertFields } from '../../src/notifiers/fields.ts';
import { createStory, type Story } from '../faults/a-story.ts';

/** A release whose checks come out as told, from the first that is judged on. */
function release(analysis: Readonly<Record<string, unknown>>, results: string): Story {
  const story = createStory({ analysis: { stepWeight: 5, maxWeight: 50, threshold: 10, ...analysis } });
  story.push('2.0.0');
  story.until(({ weight }) => weight === 5);
  for (const result of results) {
    story.successRate = result === '-' ? 42 : 100;
    story.wait(10);
  }
  return story;
}
const rolledBack = 'Rolling back app.demo failed checks in a row reached';

describe('failed checks in a row', () => {
  it('roll back at their own bound, and say so', () => {
    const story = release({ consecutive: 3 }, '---');
    story.successRate = 100;
    story.wait(10);
    expect(story.status).toMatchObject({ phase: 'Failed' });
    expect(story.weight).toBe(0);
    expect(story.events).toContain(`${rolledBack} 3`);
    expect(story.alerts).toContain('Failed checks in a row reached 3');
  });

  it.each(['--+--+--+--', '-+-+-+-+-', '+--+'])('begin anew with each check that passes: %s', (results) => {
    const story = release({ consecutive: 3, threshold: 20 }, results);
    expect(story.status.phase).toBe('Progressing');
    expect(story.events.filter((event) => event.startsWith('Rolling back'))).toEqual([]);
  });

  it('are counted beside the sum, which rolls back as without them', () => {
    const story = release({ consecutive: 3, threshold: 4 }, '--+--+');
    story.wait(10);
    expect(story.status.phase).toBe('Failed');
    expect(story.events).toContain('Rolling back app.demo failed checks threshold reached 4');
  });

  it('are not counted where a Canary sets no bound to them, so its status is as before', () => {
    const story = release({}, '--');
    expect(story.status.failedChecks).toBeGreaterThan(0);
    expect(renderAnalysis(analysisOf(story.status))).not.toContain('consecutive');
  });

  it('survive a restart of the agent with the status, and are none in what a former agent wrote', () => {
    const state = analysisOf(release({ consecutive: 5 }, '--').status);
    expect(state.consecutive).toBe(2);
    const { failedChecks, iterations, measured } = state;
    const columns = { failedChecks, iterations, lastAppliedSpec: measured.version };
    expect(parseAnalysis(renderAnalysis(state), columns)).toEqual(state);
    const { consecutive: _new, ...former } = state;
    expect(parseAnalysis(renderAnalysis(former), columns)).toEqual(former);
    expect(formerAnalysis(columns, undefined, 0)).not.toHaveProperty('consecutive');
    for (const hostile of [-1, 1.5, '2', null, {}])
      expect(
        parseAnalysis(JSON.stringify({ ...JSON.parse(renderAnalysis(state)), consecutive: hostile }), columns),
      ).toBe(undefined);
  });

  it('begin anew with a newer revision', () => {
    const story = release({ consecutive: 5 }, '--');
    story.push('3.0.0');
    story.wait(10);
    expect(analysisOf(story.status)).not.toHaveProperty('consecutive');
  });

  it('may be bounded in the middle of a release', () => {
    const story = release({}, '--');
    story.editAnalysis({ consecutive: 2 });
    story.wait(10);
    expect(story.status.phase).toBe('Progressing');
    story.wait(20);
    expect(story.events.filter((event) => event.startsWith(rolledBack))).toEqual([`${rolledBack} 2`]);
  });
});

describe('spec.analysis.consecutive', () => {
  const canary = (analysis: Readonly<Record<string, unknown>>) => ({
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { namespace: 'demo', name: 'app' },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
      service: { port: 80 },
      analysis: { interval: '1m', threshold: 5, stepWeight: 10, ...analysis },
    },
  });
  const parse = (analysis: Readonly<Record<string, unknown>>) =>
    parseCanary(canary(analysis), { provider: 'istio', minIntervalMs: 10_000 });

  it('is a whole number of at least 1', () => {
    expect(parse({ consecutive: 2 }).analysis.consecutive).toBe(2);
    expect(parse({}).analysis).not.toHaveProperty('consecutive');
    for (const wrong of [0, -1, 1.5, 'two', []])
      expect(() => parse({ consecutive: wrong })).toThrow('spec.analysis.consecutive');
  });

  it('has no effect where the sum comes first, which is told', () => {
    const told = (analysis: Readonly<Record<string, unknown>>) =>
      warningsOf(canary(analysis)).filter(({ field }) => field === 'spec.analysis.consecutive');
    expect(told({ consecutive: 4 })).toEqual([]);
    for (const analysis of [{ consecutive: 5 }, { consecutive: 9 }, { consecutive: 1, threshold: 0 }])
      expect(told(analysis)).toMatchObject([{ message: expect.stringContaining('has no effect') as unknown }]);
  });

  it('stands in alerts beside the threshold, and reads as what it is', () => {
    const object = canary({ consecutive: 2 });
    expect(alertFields(parse({ consecutive: 2 }), object, { clusterName: '', withDetails: true })).toContainEqual({
      name: 'Failed checks in a row',
      value: '2',
    });
    expect(
      rollbackText({ name: 'analysis', found: { kind: 'failed-checks', count: 7, consecutive: 3 } }, 'app.demo'),
    ).toEqual({
      event: 'Rolling back app.demo failed checks in a row reached 3',
      alert: 'Failed checks in a row reached 3',
      severity: 'error',
    });
  });
});
