import { AgentError } from '../lib/errors.ts';
import type { HttpRequest, HttpResponse } from '../lib/http/http.ts';
import {
  basicAuthorization,
  httpProvider,
  jsonOf,
  noValues,
  numberReading,
  onOneLine,
  parseOnline,
  refusal,
  refused,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricTarget, Reading } from './provider.ts';

const name = 'InfluxDB';

/**
 * InfluxDB. With `token` and `org` in its Secret the query is Flux (2.x); with `database`, and `username` and `password` where it asks for
 * them, InfluxQL (1.x).
 */
export const influxdb = httpProvider({
  name: 'influxdb',
  about: { title: name, url: 'https://docs.influxdata.com/influxdb/v2/api-guide/' },
  timeoutMs: 15_000,
  measure: {
    request: ({ query, ...target }) =>
      database(target) === undefined ? fluxRequest(target, query.trim()) : influxQlRequest(target, query),
    parse: (response) => (isJson(response) ? parseInfluxQl(response) : parseFlux(response)),
  },
  probe: {
    request: (target) => ({ ...signedIn(target), url: urlUnder(target.address, '/health').href }),
    parse: parseOnline(name),
  },
});

type Sent = Omit<HttpRequest, 'method' | 'timeoutMs'> & Partial<Pick<HttpRequest, 'method'>>;

function fluxRequest(target: MetricTarget, query: string): Sent {
  const { url, headers } = signedIn(target);
  const dialect = { annotations: ['datatype', 'group', 'default'], delimiter: ',', header: true };
  return {
    method: 'POST',
    url,
    headers: { ...headers, accept: 'text/csv', 'content-type': 'application/json' },
    body: JSON.stringify({ query, type: 'flux', dialect }),
  };
}

function influxQlRequest(target: MetricTarget, query: string): Sent {
  const search = { db: database(target) ?? '', epoch: 'ms', q: onOneLine(query) };
  return { url: urlUnder(target.address, '/query', search).href, headers: signedIn(target).headers };
}

function database({ credentials }: MetricTarget): string | undefined {
  return credentials?.['database']?.trim();
}

/** Where Flux is asked, and who asks. Throws AgentError CANARY_INVALID of a Secret that is for neither version. */
function signedIn({ address, credentials }: MetricTarget): { url: string; headers: Record<string, string> } {
  const org = credentials?.['org']?.trim() ?? '';
  const url = urlUnder(address, '/api/v2/query', { org }).href;
  if (credentials === undefined) return { url, headers: {} };
  if (credentials['database'] !== undefined) {
    const isOpen = credentials['username'] === undefined && credentials['password'] === undefined;
    const authorization = isOpen ? undefined : basicAuthorization(credentials);
    return { url, headers: { accept: 'application/json', ...(authorization ? { authorization } : {}) } };
  }
  const token = credentials['token']?.trim();
  if (token === undefined || org === '') {
    const wanted = 'token and org (InfluxDB 2, Flux) or database (InfluxDB 1, InfluxQL)';
    throw new AgentError('CANARY_INVALID', `the secret needs ${wanted}`);
  }
  return { url, headers: { authorization: `Token ${token}` } };
}

function isJson({ headers, body }: HttpResponse): boolean {
  return /^application\/json\b/i.test(headers['content-type'] ?? '') || /^\s{0,100}[{[]/.test(body);
}

/** The first value, as Flagger; but where there are no records there is no value, which Flagger takes for 0. */
function parseFlux(response: HttpResponse): Reading {
  if (response.status !== 200) return refusal(name, response);
  const isCsv = /^text\/csv\b/i.test(response.headers['content-type'] ?? '');
  const rows = response.body.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'));
  if (rows.length === 0) return isCsv ? noValues : unlike(name, response);
  const columns = fieldsOf(rows[0] ?? '');
  const [value, table, error] = ['_value', 'table', 'error'].map((column) => columns.indexOf(column));
  // A query that fails after its first rows is told so with 200.
  if (error !== undefined && error >= 0) return refused('the server refuses the query', false);
  if (value === undefined || value < 0) return unlike(name, response);
  // Each yield and each change of columns begins with names again.
  const records = rows
    .slice(1)
    .map(fieldsOf)
    .filter((fields) => fields[value] !== '_value');
  const tables = new Set(records.map((fields) => fields[table ?? -1]));
  if (tables.size > 1) return severalSeries(tables.size);
  const [first] = records;
  if (!first) return noValues;
  const given = first[value];
  return given === undefined || given === '' ? noValues : numberReading(given);
}

function parseInfluxQl(response: HttpResponse): Reading {
  if (response.status !== 200) return refusal(name, response);
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  const { results } = (read.json ?? {}) as { readonly results?: unknown };
  if (!Array.isArray(results)) return unlike(name, response);
  const [result] = results as readonly ({ readonly error?: unknown; readonly series?: unknown } | null)[];
  // It says so of a wrong query, with 200.
  if (result?.error !== undefined) return refused('the server refuses the query', false);
  const series = result?.series ?? [];
  if (!Array.isArray(series)) return unlike(name, response);
  if (series.length > 1) return severalSeries(series.length);
  const { values } = (series[0] ?? {}) as { readonly values?: unknown };
  if (values === undefined) return series.length === 0 ? noValues : unlike(name, response);
  // A row is its time and what was selected.
  const newest = Array.isArray(values) ? (values as readonly unknown[]).findLast(hasValue) : undefined;
  return Array.isArray(newest) ? numberReading(newest[1]) : noValues;
}

function hasValue(row: unknown): boolean {
  return Array.isArray(row) && row[1] !== null && row[1] !== undefined;
}

function severalSeries(count: number): Reading {
  return refused(`query returned multiple values: ${count} series, one is needed`, false);
}

/** Of a line of CSV; a quote within quotes is doubled. */
function fieldsOf(line: string): readonly string[] {
  if (!line.includes('"')) return line.split(',');
  const fields: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^,"]*))(?:,|$)/y;
  while (pattern.lastIndex < line.length) {
    const match = pattern.exec(line);
    if (!match) break;
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
  }
  return fields;
}
