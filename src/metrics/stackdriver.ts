import type { HttpRequest, HttpResponse } from '../lib/http/http.ts';
import {
  httpProvider,
  invalid,
  jsonOf,
  noValues,
  numberReading,
  refusal,
  refused,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricTarget, ProviderIo, Reading } from './provider.ts';

const name = 'Google Cloud Monitoring';
const scope = 'https://www.googleapis.com/auth/monitoring.read';
const ownAddress = 'https://monitoring.googleapis.com';
const [project, accountKey] = ['project', 'serviceAccountKey'] as const;

/** What Google calls a request that it refuses: https://cloud.google.com/apis/design/errors */
const statuses = [
  'DEADLINE_EXCEEDED',
  'INTERNAL',
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'UNAUTHENTICATED',
  'UNAVAILABLE',
] as const;

/**
 * Google Cloud Monitoring by its query language (MQL). The token is of the service account whose key the Secret holds, else of the agent's own; an
 * address counts only with such a key, so that nothing of the agent's own goes where others say.
 */
export const stackdriver = httpProvider({
  name: 'stackdriver',
  about: {
    title: name,
    url: 'https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/query',
    notes: `${accountKey} in its Secret, else the agent's own service account (workload identity)`,
  },
  address: ownAddress,
  secretKeys: [project],
  measure: { request: ({ query, ...target }) => requestFor(target, query), parse },
  probe: {
    // Nobody may ask nothing, and whoever may not ask at all is told so first.
    request: (target) => requestFor(target, ''),
    parse(response) {
      const isOnline =
        response.status === 200 || (response.status === 400 && statusOf(response) === 'INVALID_ARGUMENT');
      return isOnline ? { kind: 'value', value: 1 } : refusal(name, response, statusOf(response));
    },
  },
  sign,
});

function requestFor({ address, credentials }: MetricTarget, query: string) {
  const id = credentials?.[project]?.trim() ?? '';
  if (credentials !== undefined && !/^[a-z0-9][a-z0-9.:-]{0,98}$/.test(id))
    throw invalid(`the key ${project} of the secret is no id of a project`);
  const isOwn = credentials?.[accountKey] === undefined;
  return {
    method: 'POST' as const,
    url: urlUnder(isOwn ? ownAddress : address, `/v3/projects/${id}/timeSeries:query`).href,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({ query: query.trim() }),
  };
}

async function sign(
  request: HttpRequest,
  { credentials }: MetricTarget,
  { clouds }: ProviderIo,
  signal: AbortSignal,
): Promise<HttpRequest> {
  const token = await clouds?.google(scope, credentials?.[accountKey], signal);
  if (token === undefined) throw invalid(`nothing says who the agent is to Google: give the secret a ${accountKey}`);
  return { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } };
}

interface Answer {
  readonly timeSeriesData?: unknown;
  readonly timeSeriesDescriptor?: unknown;
  readonly partialErrors?: unknown;
  readonly error?: { readonly status?: unknown } | null;
}
interface Series {
  readonly pointData?: readonly { readonly values?: readonly Readonly<Record<string, unknown>>[] }[];
}

function parse(response: HttpResponse): Reading {
  if (response.status !== 200) return refusal(name, response, statusOf(response));
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  const answer = read.json as Answer | null;
  // Of nothing it says nothing but what the columns would be.
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return unlike(name, response);
  const isOne = Object.keys(answer).length === 0 || 'timeSeriesDescriptor' in answer || 'timeSeriesData' in answer;
  const all = answer.timeSeriesData ?? [];
  if (!isOne || !Array.isArray(all)) return unlike(name, response);
  // Flagger takes the first one, whichever that is.
  if (all.length > 1)
    return refused(
      `query returned multiple values: ${all.length} series, one is needed (group_by makes it one)`,
      false,
    );
  const [point] = ((all[0] ?? {}) as Series).pointData ?? [];
  const [value] = Array.isArray(point?.values) ? point.values : [];
  if (value === undefined || value === null) return noValues;
  return numberReading(value['doubleValue'] ?? value['int64Value'] ?? value['boolValue']);
}

function statusOf(response: HttpResponse): string | undefined {
  const read = jsonOf(name, response);
  // An error of a stream comes in a list.
  const said: unknown = 'json' in read ? (Array.isArray(read.json) ? read.json[0] : read.json) : undefined;
  const status = (said as Answer | null | undefined)?.error?.status;
  return statuses.find((known) => known === status);
}
