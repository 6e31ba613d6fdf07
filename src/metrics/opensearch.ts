import type { HttpResponse } from '../lib/http/http.ts';
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
import type { MetricQuery, MetricTarget, Reading } from './provider.ts';

const name = 'OpenSearch';

/** What its plug-in calls queries that are wrong; nothing else that it says is told. */
const faults = [
  'IndexNotFoundException',
  'ParsingException',
  'SemanticCheckException',
  'SqlParseException',
  'SyntaxCheckException',
] as const;

/** OpenSearch by its SQL plug-in. A query that begins with `source=` or `search` is PPL, any other one SQL; the answer is one number. */
export const opensearch = httpProvider({
  name: 'opensearch',
  about: {
    title: name,
    url: 'https://docs.opensearch.org/latest/search-plugins/sql/sql-ppl-api/',
    notes: 'SQL or PPL; `token`, or `username` and `password` in its Secret',
  },
  timeoutMs: 15_000,
  measure: { request: requestFor, parse },
  probe: {
    request: (target) => ({ url: urlUnder(target.address, '/').href, headers: headersFor(target) }),
    parse: parseOnline(name),
  },
});

function requestFor(asked: MetricQuery) {
  const query = onOneLine(asked.query);
  const language = /^(?:search\s|source\s*=)/i.test(query) ? 'ppl' : 'sql';
  return {
    method: 'POST' as const,
    url: urlUnder(asked.address, `/_plugins/_${language}`).href,
    headers: { ...headersFor(asked), 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  };
}

function headersFor({ credentials }: MetricTarget): Record<string, string> {
  const token = credentials?.['token']?.trim();
  const signed = token === undefined ? basicAuthorization(credentials) : `Bearer ${token}`;
  return { accept: 'application/json', ...(signed === undefined ? {} : { authorization: signed }) };
}

interface Answer {
  readonly datarows?: unknown;
  readonly error?: { readonly type?: unknown };
}

function parse(response: HttpResponse): Reading {
  const read = jsonOf(name, response);
  if (response.status !== 200) {
    const type = 'json' in read ? (read.json as Answer | null)?.error?.type : undefined;
    return refusal(
      name,
      response,
      faults.find((fault) => fault === type),
    );
  }
  if ('unlike' in read) return read.unlike;
  const { datarows } = (read.json ?? {}) as Answer;
  if (!Array.isArray(datarows)) return unlike(name, response);
  if (datarows.length > 1)
    return refused(`query returned multiple values: ${datarows.length} rows, one is needed`, false);
  const row: unknown = datarows[0] ?? [];
  if (!Array.isArray(row)) return unlike(name, response);
  if (row.length > 1) return refused(`query returned multiple values: ${row.length} columns, one is needed`, false);
  const value: unknown = row[0];
  return value === undefined || value === null ? noValues : numberReading(value);
}
