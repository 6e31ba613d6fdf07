import { fieldsOf, type Fields, listOf, numberOf, textOf, textsOf } from './read.ts';
import type { ServicePort } from './service-port.ts';
import type { Edits, HeaderEdit, RouteRequest, Surroundings } from './route.ts';

/** What a filter needs to know of where it stands. */
export interface FilterPlace {
  readonly key: string;
  readonly namespace: string;
  /** The matched path prefix; empty when the rule matched otherwise. */
  readonly prefix: string;
  readonly request: RouteRequest;
  readonly pick: Surroundings['pick'];
}

export type Filtered =
  | Edits
  | { readonly redirect: { status: number; location: string } }
  | { readonly unsupported: string };

/** Filters of the Gateway API in their order. */
export function applyFilters(filters: readonly Fields[], place: FilterPlace): Filtered {
  const request: HeaderEdit[] = [];
  const response: HeaderEdit[] = [];
  const mirrors: ServicePort[] = [];
  let rewrite: { host?: string; path?: string } = {};
  for (const [index, filter] of filters.entries()) {
    switch (filter.type) {
      case 'RequestHeaderModifier':
        request.push(headerEdit(filter.requestHeaderModifier));
        break;
      case 'ResponseHeaderModifier':
        response.push(headerEdit(filter.responseHeaderModifier));
        break;
      case 'RequestMirror':
        mirrors.push(...mirrorsOf(fieldsOf(filter.requestMirror), `${place.key}/mirror/${index}`, place));
        break;
      case 'URLRewrite':
        rewrite = { ...rewrite, ...rewriteOf(fieldsOf(filter.urlRewrite), place) };
        break;
      case 'RequestRedirect':
        return { redirect: redirectOf(fieldsOf(filter.requestRedirect), place) };
      case 'CORS':
        response.push(corsOf(fieldsOf(filter.cors), place.request));
        break;
      default:
        return { unsupported: textOf(filter.type) };
    }
  }
  return { request, response, mirrors, ...rewrite };
}

function headerEdit(modifier: unknown): HeaderEdit {
  const { set, add, remove } = fieldsOf(modifier);
  const pairs = (list: unknown): (readonly [string, string])[] =>
    listOf(list).map(({ name, value }) => [textOf(name), textOf(value)] as const);
  return { set: pairs(set), add: pairs(add), remove: textsOf(remove) };
}

function mirrorsOf(mirror: Fields, key: string, { namespace, pick }: FilterPlace): readonly ServicePort[] {
  const { name, port, namespace: other } = fieldsOf(mirror.backendRef);
  const fraction = fieldsOf(mirror.fraction);
  const share = numberOf(mirror.percent) ?? numberOf(fraction.numerator) ?? 100;
  const whole = numberOf(fraction.denominator) ?? 100;
  const choices = [
    { id: 'mirror', weight: share },
    { id: 'none', weight: Math.max(0, whole - share) },
  ];
  if (pick(key, choices)?.id !== 'mirror') return [];
  return [{ namespace: textOf(other) || namespace, service: textOf(name), port: numberOf(port) ?? 80 }];
}

function rewriteOf(rewrite: Fields, place: FilterPlace): { host?: string; path?: string } {
  const host = textOf(rewrite.hostname);
  const path = newPath(fieldsOf(rewrite.path), place);
  return { ...(host === '' ? {} : { host }), ...(path === undefined ? {} : { path }) };
}

function newPath(path: Fields, { prefix, request }: FilterPlace): string | undefined {
  if (path.type === 'ReplaceFullPath') return textOf(path.replaceFullPath) || '/';
  if (path.type !== 'ReplacePrefixMatch') return undefined;
  const rest = request.path.slice(prefix.replace(/\/+$/, '').length);
  return `${textOf(path.replacePrefixMatch).replace(/\/+$/, '')}/${rest.replace(/^\/+/, '')}`;
}

function redirectOf(redirect: Fields, place: FilterPlace): { status: number; location: string } {
  const scheme = textOf(redirect.scheme) || 'http';
  const host = textOf(redirect.hostname) || place.request.host;
  const port = numberOf(redirect.port);
  const path = newPath(fieldsOf(redirect.path), place) ?? place.request.path;
  const authority = port === undefined ? host : `${host}:${port}`;
  return { status: numberOf(redirect.statusCode) ?? 302, location: `${scheme}://${authority}${path}` };
}

function corsOf(cors: Fields, { headers }: RouteRequest): HeaderEdit {
  const origin = headers.origin ?? '';
  const allowed = textsOf(cors.allowOrigins);
  const set: [string, string][] = [];
  if (origin !== '' && (allowed.includes('*') || allowed.includes(origin))) {
    const lists = { methods: cors.allowMethods, headers: cors.allowHeaders };
    set.push(['access-control-allow-origin', origin]);
    for (const [name, values] of Object.entries(lists)) {
      if (textsOf(values).length > 0) set.push([`access-control-allow-${name}`, textsOf(values).join(', ')]);
    }
    const exposed = textsOf(cors.exposeHeaders);
    if (exposed.length > 0) set.push(['access-control-expose-headers', exposed.join(', ')]);
    if (cors.allowCredentials === true) set.push(['access-control-allow-credentials', 'true']);
    const maxAgeS = numberOf(cors.maxAge);
    if (maxAgeS !== undefined) set.push(['access-control-max-age', String(maxAgeS)]);
  }
  return { set, add: [], remove: [] };
}
