import { parseDuration } from './promql/lexer.ts';
import { ExecutionError, InvalidQuery } from './promql/syntax.ts';
import type { Point, Value } from './promql/values.ts';
import { numberText } from './number-text.ts';
import { MAX_POINTS, type QueryEngine } from './query.ts';

export interface ApiRequest {
  /** Without the query, for example `/api/v1/query`. */
  readonly path: string;
  /** From the URL and from a form in the body. */
  readonly parameters: URLSearchParams;
}

export interface ApiAnswer {
  readonly status: number;
  readonly json: unknown;
}

class BadRequest extends Error {}

/** Prometheus' HTTP API as far as it is spoken here; undefined for unknown paths. */
export function answerApi(request: ApiRequest, engine: QueryEngine, nowMs: number): ApiAnswer | undefined {
  try {
    const data = dataFor(request, engine, nowMs);
    return data === undefined ? undefined : { status: 200, json: { status: 'success', data } };
  } catch (error) {
    if (error instanceof InvalidQuery) return failure(400, 'bad_data', `invalid parameter "query": ${error.message}`);
    if (error instanceof BadRequest) return failure(400, 'bad_data', error.message);
    if (error instanceof ExecutionError) return failure(422, 'execution', error.message);
    throw error;
  }
}

function failure(status: number, errorType: string, error: string): ApiAnswer {
  return { status, json: { status: 'error', errorType, error } };
}

function dataFor({ path, parameters }: ApiRequest, engine: QueryEngine, nowMs: number): unknown {
  const text = parameters.get('query') ?? '';
  switch (path) {
    case '/api/v1/query': {
      const atMs = timeOf(parameters, 'time') ?? nowMs;
      return resultOf(engine.instant(text, atMs), atMs);
    }
    case '/api/v1/query_range':
      return resultOf(engine.range(text, rangeOf(parameters)), nowMs);
    case '/api/v1/series':
      return engine.series(parameters.getAll('match[]'));
    case '/api/v1/labels':
      return sortedOnce(engine.series(parameters.getAll('match[]')).flatMap(Object.keys));
    case '/api/v1/status/buildinfo':
      return { version: '3.0.0', revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' };
    default: {
      const label = /^\/api\/v1\/label\/([a-zA-Z_]\w*)\/values$/.exec(path)?.[1];
      if (label === undefined) return undefined;
      const labelSets = engine.series(parameters.getAll('match[]'));
      return sortedOnce(labelSets.flatMap((labels) => labels[label] ?? []));
    }
  }
}

function sortedOnce(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}

function rangeOf(parameters: URLSearchParams): { startMs: number; endMs: number; stepMs: number } {
  const [startMs, endMs] = [timeOf(parameters, 'start'), timeOf(parameters, 'end')];
  if (startMs === undefined) throw new BadRequest('invalid parameter "start": cannot parse "" to a valid timestamp');
  if (endMs === undefined) throw new BadRequest('invalid parameter "end": cannot parse "" to a valid timestamp');
  if (endMs < startMs) throw new BadRequest('invalid parameter "end": end timestamp must not be before start time');
  const step = parameters.get('step') ?? '';
  const stepMs = Number.isFinite(Number(step)) && step !== '' ? Number(step) * 1000 : parseDuration(step);
  if (stepMs === undefined) {
    throw new BadRequest(`invalid parameter "step": cannot parse "${step}" to a valid duration`);
  }
  if (!(stepMs >= 1)) {
    const message = 'zero or negative query resolution step widths are not accepted. Try a positive integer';
    throw new BadRequest(`invalid parameter "step": ${message}`);
  }
  if ((endMs - startMs) / stepMs > MAX_POINTS) {
    throw new BadRequest(
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  }
  return { startMs, endMs, stepMs };
}

/** Seconds since the epoch or RFC 3339, in milliseconds. */
function timeOf(parameters: URLSearchParams, name: string): number | undefined {
  const text = parameters.get(name) ?? '';
  if (text === '') return undefined;
  const seconds = Number(text);
  const timeMs = Number.isFinite(seconds) ? Math.round(seconds * 1000) : Date.parse(text);
  if (Number.isFinite(timeMs)) return timeMs;
  throw new BadRequest(`invalid parameter "${name}": cannot parse "${text}" to a valid timestamp`);
}

function resultOf(value: Value, atMs: number): { resultType: string; result: unknown } {
  switch (value.type) {
    case 'scalar':
      return { resultType: 'scalar', result: pair({ timeMs: atMs, value: value.value }) };
    case 'string':
      return { resultType: 'string', result: [atMs / 1000, value.value] };
    case 'vector':
      return {
        resultType: 'vector',
        result: value.samples.map((sample) => ({
          metric: sample.labels,
          value: pair({ timeMs: atMs, value: sample.value }),
        })),
      };
    case 'matrix':
      return {
        resultType: 'matrix',
        result: value.series.map(({ labels, points }) => ({ metric: labels, values: points.map(pair) })),
      };
  }
}

function pair({ timeMs, value }: Point): readonly [number, string] {
  return [timeMs / 1000, numberText(value)];
}
