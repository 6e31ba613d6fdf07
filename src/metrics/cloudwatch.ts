import { AwsV4Signer } from 'aws4fetch';
import { messageOf } from '../lib/errors.ts';
import type { HttpRequest, HttpResponse } from '../lib/http/http.ts';
import {
  httpProvider,
  invalid,
  noValues,
  numberReading,
  refusal,
  refused,
  type Refused,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { AwsSession, MetricProvider, MetricQuery, MetricTarget, ProviderIo, Reading } from './provider.ts';

const name = 'CloudWatch';
const [accessKey, secretKey, sessionKey] = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'] as const;
/** AWS takes no more in one request. */
const maxQueries = 500;

/** What CloudWatch says of a request that it refuses, and whether it may pass; nothing else of an answer is told. */
const faults = new Map<string, 'passes' | 'lasts' | 'query'>([
  ['Throttling', 'passes'],
  ['ThrottlingException', 'passes'],
  ['RequestLimitExceeded', 'passes'],
  ['InternalFailure', 'passes'],
  ['InternalServiceFault', 'passes'],
  ['ServiceUnavailable', 'passes'],
  ['RequestExpired', 'passes'],
  ['AccessDenied', 'lasts'],
  ['AccessDeniedException', 'lasts'],
  ['ExpiredToken', 'lasts'],
  ['InvalidClientTokenId', 'lasts'],
  ['MissingAuthenticationToken', 'lasts'],
  ['OptInRequired', 'lasts'],
  ['SignatureDoesNotMatch', 'lasts'],
  ['UnrecognizedClientException', 'lasts'],
  ['InvalidParameterCombination', 'query'],
  ['InvalidParameterValue', 'query'],
  ['MissingParameter', 'query'],
  ['MissingRequiredParameterException', 'query'],
  ['ValidationError', 'query'],
]);

/**
 * Amazon CloudWatch by GetMetricData; the query is its list of MetricDataQuery, as JSON. Signed as whom the Secret names, else as whom the platform makes the
 * agent (see `CloudIdentity`); an address counts only with a Secret, so that nothing of the agent's own goes where others say.
 */
export const cloudwatch: MetricProvider = {
  ...httpProvider({
    name: 'cloudwatch',
    about: {
      title: 'Amazon CloudWatch',
      url: 'https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html',
      notes: `region; ${accessKey} and ${secretKey} in its Secret, else the agent's role (IRSA, Pod Identity) or environment`,
    },
    hasOwnAddress: true,
    measure: {
      request(query) {
        // Ten intervals, as Flagger.
        const [from, to] = [query.nowMs - 10 * query.windowMs, query.nowMs].map((ms) => timeOf(ms));
        return requestFor(query, {
          StartTime: from,
          EndTime: to,
          MaxDatapoints: 20,
          MetricDataQueries: queriesOf(query.query),
        });
      },
      parse,
    },
    probe: {
      // Nothing is asked for, and whoever may not ask is told so first.
      request: (target) => requestFor(target, { StartTime: timeOf(0), EndTime: timeOf(60_000) }),
      parse(response) {
        const reading = response.status === 200 ? undefined : refusedBy(response);
        const isOnline = reading === undefined || faults.get(codeOf(response) ?? '') === 'query';
        return isOnline ? { kind: 'value', value: 1 } : reading;
      },
    },
    sign,
  }),
  queryProblem(query) {
    // What a template fills in is not known yet.
    if (query.includes('{{')) return undefined;
    try {
      queriesOf(query);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  },
};

const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}/, '');

function requestFor(target: MetricTarget, asked: Readonly<Record<string, unknown>>) {
  const region = regionOf(target);
  staticSession(target);
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const own = `https://monitoring.${region}.${domain}`;
  const address = target.credentials === undefined || target.address === '' ? own : target.address;
  const form = new URLSearchParams({ Action: 'GetMetricData', Version: '2010-08-01' });
  flatten('', asked, form);
  return {
    method: 'POST' as const,
    url: urlUnder(address, '/').href,
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: form.toString(),
  };
}

function regionOf({ region = '' }: MetricTarget): string {
  if (region === '') throw invalid('region is missing: CloudWatch is asked in one, as eu-west-1');
  if (!/^[a-z]{2}(?:-[a-z]{1,12}){1,3}-\d{1,2}$/.test(region))
    throw invalid('region is none of AWS: write it as eu-west-1');
  return region;
}

/** Whom the Secret names. Throws AgentError CANARY_INVALID of half of it. */
function staticSession({ credentials }: MetricTarget): AwsSession | undefined {
  if (credentials === undefined) return undefined;
  const [accessKeyId = '', secretAccessKey = '', sessionToken = ''] = [accessKey, secretKey, sessionKey].map((key) =>
    credentials[key]?.trim(),
  );
  if (accessKeyId === '' || secretAccessKey === '')
    throw invalid(`the secret needs ${accessKey} and ${secretKey}; without secretRef the agent's own role is used`);
  return { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) };
}

async function sign(
  request: HttpRequest,
  target: MetricTarget,
  { clouds, clock }: ProviderIo,
  signal: AbortSignal,
): Promise<HttpRequest> {
  const region = regionOf(target);
  const session = staticSession(target) ?? (await clouds?.aws(region, signal));
  if (!session) throw invalid('nothing says who the agent is to AWS: name a Secret by secretRef');
  const { endpoint, ...keys } = session;
  const url = endpoint === undefined ? request.url : urlUnder(endpoint, '/').href;
  const signed = await new AwsV4Signer({
    ...keys,
    method: request.method,
    url,
    service: 'monitoring',
    region,
    datetime: new Date(clock.now()).toISOString().replaceAll(/[:-]|\.\d{3}/g, ''),
    headers: { ...request.headers },
    body: request.body ?? '',
    // The default leaves content-type out.
    allHeaders: true,
  }).sign();
  return { ...request, url: signed.url.href, headers: Object.fromEntries(signed.headers) };
}

/** The fields of a MetricDataQuery, by their names in lower case: Go reads them however they are written. Others are left out, as there. */
const fields = new Map(
  [
    'Id',
    'MetricStat',
    'Metric',
    'Namespace',
    'MetricName',
    'Dimensions',
    'Name',
    'Value',
    'Period',
    'Stat',
    'Unit',
    'Expression',
    'Label',
    'ReturnData',
    'AccountId',
  ].map((field) => [field.toLowerCase(), field]),
);

/** Throws AgentError CANARY_INVALID of what is no list of queries. */
function queriesOf(text: string): readonly Readonly<Record<string, unknown>>[] {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw invalid('the query is no JSON; CloudWatch takes a list of MetricDataQuery');
  }
  if (!Array.isArray(given) || given.length === 0 || given.length > maxQueries)
    throw invalid(`the query has to be a list of MetricDataQuery, at most ${maxQueries}`);
  return given.map((query: unknown) => {
    if (typeof query !== 'object' || query === null || Array.isArray(query))
      throw invalid('the query has to be a list of MetricDataQuery');
    return withKnownFields(query, 0) as Readonly<Record<string, unknown>>;
  });
}

/** Deeper than this no field is. */
const maxDepth = 6;

function withKnownFields(value: unknown, depth: number): unknown {
  if (depth > maxDepth) throw invalid('the query is nested too deep for a MetricDataQuery');
  if (Array.isArray(value)) return value.map((one: unknown) => withKnownFields(one, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const known = Object.entries(value).flatMap(([key, one]) => {
    const field = fields.get(key.toLowerCase());
    return field === undefined || one === null ? [] : [[field, withKnownFields(one, depth + 1)] as const];
  });
  return Object.fromEntries(known);
}

/** As AWS's query protocol writes it: `A.member.1.B=c`. */
function flatten(prefix: string, value: unknown, form: URLSearchParams): void {
  if (Array.isArray(value)) {
    for (const [at, one] of value.entries()) flatten(`${prefix}.member.${at + 1}`, one, form);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, one] of Object.entries(value)) flatten(prefix === '' ? key : `${prefix}.${key}`, one, form);
  } else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    form.set(prefix, `${value}`);
  }
}

function parse(response: HttpResponse, { query }: MetricQuery): Reading {
  if (response.status !== 200) return refusedBy(response);
  const results = elementIn(response.body, 'MetricDataResults');
  if (results === undefined) return unlike(name, response);
  const all = membersOf(results);
  // Flagger takes the first one: the answers come in the order of the queries, and those that are only steps to it are often left in.
  const wanted = queriesOf(query).find(({ ReturnData: isReturned }) => isReturned !== false)?.['Id'];
  const own = all.filter((one) => elementIn(one, 'Id') === wanted);
  const [first, ...others] = own.length > 0 ? own : all;
  if (others.length > 0)
    return refused(`query returned multiple values: ${others.length + 1} series, one is needed`, false);
  if (first === undefined) return noValues;
  const status = elementIn(first, 'StatusCode');
  if (status === 'InternalError') return refused('the server could not finish the query', true);
  if (status === 'Forbidden') return refused('the server does not let us read this metric', false);
  // The newest comes first.
  const [value] = membersOf(elementIn(first, 'Values') ?? '');
  return value === undefined ? noValues : numberReading(value.trim());
}

function refusedBy(response: HttpResponse): Refused {
  const code = codeOf(response);
  const plain = refusal(name, response, code);
  // Whoever asks too often is told so with 400.
  return code !== undefined && faults.get(code) === 'passes' ? { ...plain, passing: true } : plain;
}

function codeOf({ body }: HttpResponse): string | undefined {
  const code = elementIn(body, 'Code')?.trim() ?? '';
  return faults.has(code) ? code : undefined;
}

/** What the first element of this name holds, as it is written; undefined where there is none. Texts in it have no angle brackets. */
function elementIn(xml: string, tag: string): string | undefined {
  const [open, close] = [`<${tag}>`, `</${tag}>`];
  const begin = xml.indexOf(open);
  if (begin < 0) return xml.includes(`<${tag}/>`) ? '' : undefined;
  const end = xml.indexOf(close, begin);
  return end < 0 ? undefined : xml.slice(begin + open.length, end);
}

/** What each `member` directly in a list holds. */
function membersOf(xml: string): readonly string[] {
  const found: string[] = [];
  let [depth, begin] = [0, 0];
  for (const { 0: tag, index } of xml.matchAll(/<\/?member>/g)) {
    if (tag === '<member>') {
      if (depth === 0) begin = index + tag.length;
      depth += 1;
    } else {
      depth -= 1;
      if (depth === 0) found.push(xml.slice(begin, index));
    }
  }
  return found;
}
