import type { CanarySpec } from '../canary/types.ts';
import { parseGoDuration } from '../lib/duration.ts';
import { cookiePattern } from './affinity.ts';
import { jsonOf } from '../lib/json.ts';
import { canaryName, invalid, listOf, type Json } from './objects.ts';

const ANY_PATH: Json = { path: { type: 'PathPrefix', value: '/' } };

/** `spec.service.match` in Gateway API's words. What the API server would default is written out, so that comparing works. */
export function serviceMatches(spec: CanarySpec): readonly Json[] {
  const mapped = listOf(spec.service.raw['match']).flatMap((match) => mapMatch(spec, 'spec.service.match', match));
  return mapped.length > 0 ? mapped.map((match) => ({ ...ANY_PATH, ...match })) : [ANY_PATH];
}

/** Every pair of a service match and an analysis match: who matches both. */
export function analysisMatches(spec: CanarySpec, match: readonly unknown[]): readonly Json[] {
  const mapped = match.flatMap((item) => mapMatch(spec, 'spec.analysis.match', jsonOf(item)));
  // Nothing left would send everybody to the canary.
  if (mapped.length === 0) throw invalid(spec, 'Gateway API needs headers or queryParams', 'spec.analysis.match');
  return mapped.flatMap(({ headers, queryParams }) =>
    serviceMatches(spec).map((base) => ({
      ...base,
      ...named('headers', base['headers'], headers),
      ...named('queryParams', base['queryParams'], queryParams),
    })),
  );
}

/** Who carries this cookie, on every path of the service. */
export function cookieMatches(spec: CanarySpec, cookie: string): readonly Json[] {
  const header = { type: 'RegularExpression', name: 'Cookie', value: cookiePattern(cookie) };
  return serviceMatches(spec).map((base) => ({ ...base, ...named('headers', base['headers'], [header]) }));
}

/** Both have to match; where they speak of the same name, the analysis wins. */
function named(field: string, base: unknown, own: unknown): Json {
  const mine = listOf(own);
  const isMine = ({ name }: Json): boolean => mine.some((each) => sameName(each['name'], name));
  const all = [...listOf(base).filter((each) => !isMine(each)), ...mine];
  return all.length === 0 ? {} : { [field]: all };
}

function sameName(a: unknown, b: unknown): boolean {
  return String(a).toLowerCase() === String(b).toLowerCase();
}

function mapMatch(spec: CanarySpec, field: string, match: Json): readonly Json[] {
  const uri = match['uri'];
  const method = match['method'];
  const headers = listMatch(spec, `${field}.headers`, match['headers']);
  const queryParams = listMatch(spec, `${field}.queryParams`, match['queryParams']);
  const mapped: Record<string, unknown> = {};
  if (uri !== undefined) mapped['path'] = stringMatch(spec, `${field}.uri`, uri, 'PathPrefix');
  if (headers.length > 0) mapped['headers'] = headers;
  if (queryParams.length > 0) mapped['queryParams'] = queryParams;
  if (method !== undefined) {
    const { exact } = jsonOf(method) as { exact?: unknown };
    if (typeof exact !== 'string') throw invalid(spec, 'Gateway API matches exact methods only', `${field}.method`);
    mapped['method'] = exact;
  }
  return Object.keys(mapped).length > 0 ? [mapped] : [];
}

function listMatch(spec: CanarySpec, field: string, matchers: unknown): readonly Json[] {
  return Object.entries(jsonOf(matchers)).map(([name, matcher]) => {
    const { type, value } = stringMatch(spec, `${field}.${name}`, matcher, undefined);
    return { type, name, value };
  });
}

function stringMatch(spec: CanarySpec, field: string, matcher: unknown, prefixType: string | undefined) {
  const { regex, exact, prefix } = jsonOf(matcher) as { regex?: unknown; exact?: unknown; prefix?: unknown };
  if (typeof regex === 'string') return { type: 'RegularExpression', value: regex };
  if (typeof exact === 'string') return { type: 'Exact', value: exact };
  if (typeof prefix === 'string' && prefixType !== undefined) return { type: prefixType, value: prefix };
  throw invalid(spec, `Gateway API knows exact${prefixType ? ', prefix' : ''} and regex here`, field);
}

/** The rule's filters, in Flagger's order. */
export function filtersOf(
  spec: CanarySpec,
  options: { mirror: boolean; cors: boolean; setCookie?: string | undefined },
): readonly Json[] {
  const { headers, rewrite, mirror, corsPolicy } = spec.service.raw;
  const { request, response: asked } = jsonOf(headers) as { request?: unknown; response?: unknown };
  // A rule may have one filter of a kind only.
  const response = options.setCookie === undefined ? asked : adding(asked, options.setCookie);
  return [
    ...(request === undefined ? [] : [{ type: 'RequestHeaderModifier', requestHeaderModifier: modifier(request) }]),
    ...(response === undefined ? [] : [{ type: 'ResponseHeaderModifier', responseHeaderModifier: modifier(response) }]),
    ...(rewrite === undefined ? [] : [{ type: 'URLRewrite', urlRewrite: urlRewrite(jsonOf(rewrite)) }]),
    ...listOf(mirror).map((each) => mirrorTo(jsonOf(each['backendRef']))),
    ...(corsPolicy === undefined || !options.cors ? [] : [{ type: 'CORS', cors: cors(jsonOf(corsPolicy)) }]),
    ...(options.mirror ? [mirrorTo({ name: canaryName(spec), port: spec.service.port })] : []),
  ];
}

function mirrorTo(backend: Json): Json {
  return { type: 'RequestMirror', requestMirror: { backendRef: { group: '', kind: 'Service', ...backend } } };
}

/** Does a rule copy requests to this service? */
export function mirrorsTo(rule: Json, service: string): boolean {
  return listOf(rule['filters']).some((filter) => isMirror(filter, service));
}

export function withoutMirror(rule: Json, service: string): readonly Json[] {
  return listOf(rule['filters']).filter((filter) => !isMirror(filter, service));
}

function isMirror(filter: Json, service: string): boolean {
  return jsonOf(jsonOf(filter['requestMirror'])['backendRef'])['name'] === service;
}

/** The filter of a single backend by which it gives users their cookie. */
export function setsCookie(setCookie: string): Json {
  return { type: 'ResponseHeaderModifier', responseHeaderModifier: modifier(adding(undefined, setCookie)) };
}

function adding(headers: unknown, setCookie: string): Json {
  const response = jsonOf(headers);
  return { ...response, add: { ...jsonOf(response['add']), 'Set-Cookie': setCookie } };
}

function modifier(headers: unknown): Json {
  const { add, set, remove } = jsonOf(headers) as { add?: unknown; set?: unknown; remove?: unknown };
  const pairs = (values: unknown): Json[] =>
    Object.entries(jsonOf(values))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value }));
  return {
    ...(add === undefined ? {} : { add: pairs(add) }),
    ...(set === undefined ? {} : { set: pairs(set) }),
    ...(Array.isArray(remove) && remove.length > 0 ? { remove } : {}),
  };
}

function urlRewrite({ authority, uri, type }: Json): Json {
  const prefix = type === 'ReplacePrefixMatch';
  const path = prefix ? { type, replacePrefixMatch: uri } : { type: 'ReplaceFullPath', replaceFullPath: uri };
  return {
    ...(authority === undefined || authority === '' ? {} : { hostname: authority }),
    ...(uri === undefined || uri === '' ? {} : { path }),
  };
}

function cors(policy: Json): Json {
  const exact = listOf(policy['allowOrigins']).flatMap((origin) =>
    origin['exact'] === undefined ? [] : [origin['exact']],
  );
  const lists = { allowOrigins: 'allowOrigin', allowMethods: 'allowMethods', allowHeaders: 'allowHeaders' } as const;
  const copied: Record<string, unknown> = exact.length > 0 ? { allowOrigins: exact } : {};
  for (const [to, from] of Object.entries({ ...lists, exposeHeaders: 'exposeHeaders' })) {
    if (Array.isArray(policy[from])) copied[to] = policy[from];
  }
  return {
    ...copied,
    ...(policy['allowCredentials'] === true ? { allowCredentials: true } : {}),
    // The API's own default, written out so that comparing works.
    maxAge: wholeSeconds(policy['maxAge']) || 5,
  };
}

function wholeSeconds(duration: unknown): number {
  return typeof duration === 'string' ? Math.trunc((parseGoDuration(duration) ?? 0) / 1_000) : 0;
}
