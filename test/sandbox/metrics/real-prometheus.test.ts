import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerApi } from '../../../src/sandbox/metrics/api.ts';
import type { Rules } from '../../../src/sandbox/metrics/promql/evaluate.ts';
import { createQueryEngine } from '../../../src/sandbox/metrics/query.ts';
import { type Answered, canonical, rounded } from './canonical.ts';
import { builtin, others, refused, template404, times } from './queries.ts';
import { recordedTraffic, startMs } from './recorded-traffic.ts';
import { noPrometheus, openMetrics, startStoredPrometheus, type StoredPrometheus } from './stored-prometheus.ts';

const store = recordedTraffic();

function own(path: string, parameters: Record<string, string>, rules: Rules): Answered {
  const engine = createQueryEngine(store, rules);
  return answerApi({ path, parameters: new URLSearchParams(parameters) }, engine, startMs)?.json as Answered;
}

describe.skipIf(noPrometheus !== undefined)(
  `against a real Prometheus${noPrometheus ? `: ${noPrometheus}` : ''}`,
  () => {
    let real: StoredPrometheus;
    beforeAll(async () => {
      real = await startStoredPrometheus(openMetrics(store.named(undefined)));
    });
    afterAll(() => real.stop());

    const ask = async (path: string, parameters: Record<string, string>): Promise<Answered> => {
      const answer = await fetch(`${real.url}${path}`, { method: 'POST', body: new URLSearchParams(parameters) });
      return (await answer.json()) as Answered;
    };
    const compare = async (query: string, status: 'success' | 'error'): Promise<void> => {
      for (const timeMs of times) {
        const parameters = { query, time: String(timeMs / 1000) };
        const theirs = await ask('/api/v1/query', parameters);
        const ours = own('/api/v1/query', parameters, real.rules);
        expect(rounded(canonical(ours)), `${query} at ${timeMs}`).toEqual(rounded(canonical(theirs)));
        if (timeMs === times.at(-1)) expect(theirs.status, query).toBe(status);
      }
    };

    it('gives the same answers to the built-in queries and the 404 template', async () => {
      await Promise.all([...builtin, template404].map((query) => compare(query, 'success')));
    });

    it('gives the same answers to everything else it understands', async () => {
      await Promise.all(others.map((query) => compare(query, 'success')));
    });

    it('refuses the same queries with the same type of error', async () => {
      await Promise.all(refused.map((query) => compare(query, 'error')));
    });

    it('gives the same answers over a range', async () => {
      const [start, end] = [times[0], times.at(-1)].map((timeMs) => String((timeMs ?? 0) / 1000));
      for (const query of [
        builtin[0] ?? '',
        builtin.at(-1) ?? '',
        'sum by (app) (http_requests_total)',
        '1',
        'x[1m]',
      ]) {
        const parameters = { query, start: start ?? '', end: end ?? '', step: '5.5' };
        const theirs = canonical(await ask('/api/v1/query_range', parameters));
        expect(rounded(canonical(own('/api/v1/query_range', parameters, real.rules))), query).toEqual(rounded(theirs));
      }
    });
  },
);

interface Recording {
  readonly rules: Rules;
  /** By query, then by time. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

describe('against what a real Prometheus has answered', () => {
  const path = new URL('../../../fixtures/promql/answers.json', import.meta.url);
  const { rules, answers } = JSON.parse(readFileSync(path, 'utf8')) as Recording;

  it('gives the same answers', () => {
    expect(Object.keys(answers)).toEqual(expect.arrayContaining([...builtin, template404]));
    for (const [query, byTime] of Object.entries(answers)) {
      for (const [time, theirs] of Object.entries(byTime)) {
        const ours = rounded(canonical(own('/api/v1/query', { query, time }, rules)));
        expect(ours, `${query} at ${time}`).toEqual(theirs);
      }
    }
  });
});
