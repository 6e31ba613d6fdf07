import type { HttpResponse } from '../lib/http.ts';
import {
  basicAuthorization,
  httpProvider,
  jsonOf,
  noValues,
  numberReading,
  onOneLine,
  refusal,
  refused,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricTarget, Reading } from './provider.ts';

const name = 'Graphite';

/** Graphite's render API. https://graphite.readthedocs.io/en/latest/render_api.html The query is written as its URL has it: `target=…&from=-2min`. */
export const graphite = httpProvider({
  name: 'graphite',
  measure: { request: (query) => requestFor(query, query.query), parse },
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
): { url: string; headers: Record<string, string> } {
  const url = urlUnder(address, '/render');
  const asked = new URLSearchParams(onOneLine(query));
  asked.set('format', 'json');
  url.search = asked.toString();
  const authorization = basicAuthorization(credentials);
  return { url: url.href, headers: { accept: 'application/json', ...(authorization ? { authorization } : {}) } };
}

interface Series {
  readonly datapoints?: readonly (readonly unknown[])[];
}

function parse(response: HttpResponse): Reading {
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
  if (points === undefined) return series.length === 0 ? noValues : unlike(name, response);
  if (!Array.isArray(points)) return unlike(name, response);
  const newest = points.findLast((point) => Array.isArray(point) && point[0] !== null);
  return newest === undefined ? noValues : numberReading(newest[0]);
}
