import type { HttpResponse } from '../lib/http/http.ts';
import {
  basicAuthorization,
  httpProvider,
  jsonOf,
  noValues,
  numberReading,
  onOneLine,
  refusal,
  refused,
  type Refused,
  seriesReading,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricTarget, Reading, SeriesQuery, SeriesReading } from './provider.ts';

const name = 'Graphite';

/** Graphite's render API. The query is written as its URL has it: `target=…&from=-2min`. */
export const graphite = httpProvider({
  name: 'graphite',
  about: { title: name, url: 'https://graphite.readthedocs.io/en/stable/render_api.html' },
  measure: { request: (query) => requestFor(query, query.query), parse },
  series: { request: (query) => requestFor(query, query.query, query), parse: parseSeries },
  probe: {
    request: (target) => requestFor(target, 'target=test'),
    // A series of that name is not needed.
    parse: (response) => {
      const reading = parse(response);
      return reading.kind === 'refused' ? reading : { kind: 'value', value: 1 };
    },
  },
});

function requestFor(
  { address, credentials }: MetricTarget,
  query: string,
  time?: Pick<SeriesQuery, 'fromMs' | 'nowMs'>,
): { url: string; headers: Record<string, string> } {
  const url = urlUnder(address, '/render');
  const asked = new URLSearchParams(onOneLine(query));
  asked.set('format', 'json');
  // The query's own time is that of one value.
  const times = time ? { from: time.fromMs, until: time.nowMs } : {};
  for (const [end, ms] of Object.entries(times)) asked.set(end, `${Math.floor(ms / 1_000)}`);
  url.search = asked.toString();
  const authorization = basicAuthorization(credentials);
  return { url: url.href, headers: { accept: 'application/json', ...(authorization ? { authorization } : {}) } };
}

interface Series {
  readonly datapoints?: readonly (readonly unknown[])[];
}

function parse(response: HttpResponse): Reading {
  const points = pointsOf(response);
  if ('kind' in points) return points;
  const newest = points.findLast(([value]) => value !== null);
  return newest === undefined ? noValues : numberReading(newest[0]);
}

function parseSeries(response: HttpResponse): SeriesReading {
  const points = pointsOf(response);
  return 'kind' in points ? points : seriesReading(points.map(([value, seconds]) => [Number(seconds) * 1_000, value]));
}

/** Pairs of value and time of the one series. */
function pointsOf(response: HttpResponse): readonly (readonly unknown[])[] | Refused {
  if (response.status >= 400) return refusal(name, response);
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  if (!Array.isArray(read.json)) return unlike(name, response);
  const series = read.json as readonly Series[];
  // Flagger takes the last one, whichever that is.
  if (series.length > 1)
    return refused(
      `query returned multiple values: ${series.length} series, one is needed (sumSeries makes it one)`,
      false,
    );
  const points = series[0]?.datapoints;
  if (points === undefined) return series.length === 0 ? [] : unlike(name, response);
  return Array.isArray(points) ? points.filter((point) => Array.isArray(point)) : unlike(name, response);
}
