import { usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec } from '../canary/types.ts';
import { escapeRegex } from './affinity.ts';
import { jsonOf } from '../lib/json.ts';
import {
  apexMetadata,
  canaryName,
  invalid,
  listOf,
  metadataOf,
  primaryName,
  splitOf,
  weightOf,
  type Json,
} from './objects.ts';
import { isStale, reasonOf, whatOf } from './refusal.ts';
import type { Router } from './router.ts';

const API = 'projectcontour.io/v1';
const KIND = 'HTTPProxy';
const classSetting = 'ingress-class';
const OWNED = ['conditions', 'services', 'timeoutPolicy', 'retryPolicy'];

/**
 * Contour: an HTTPProxy named after the apex service, which the user's own root HTTPProxy includes.
 */
export const contour: Router = {
  name: 'contour',
  about: { title: 'Contour', url: 'https://projectcontour.io/docs/main/config/request-routing/' },
  supports: { weights: true, mirror: false, headers: true, affinity: false },
  kinds: [{ apiVersion: API, kind: KIND, plural: 'httpproxies' }],
  fields: ['spec.service.match', 'spec.service.retries', 'spec.service.timeout'],
  // Of generated HTTPProxies (Flagger's `-ingress-class`).
  settings: { [classSetting]: '' },
  entrance: KIND,
  refs: ({ spec }) => [{ apiVersion: API, kind: KIND, namespace: spec.namespace, name: spec.service.name }],
  render(context, split, [live]) {
    const { spec, settings } = context;
    const ingressClassName = settings[classSetting] ?? '';
    const users = usersUnderTest(spec);
    const old = jsonOf(live?.['spec']);
    const oldRoutes = listOf(old['routes']);
    const paths = pathsOf(spec);
    const home = paths.map((path) => route(spec, [path], 0));
    const routes =
      users === undefined
        ? paths.map((path) => route(spec, [path], split.canaryWeight))
        : [...usersOf(spec, users, paths).map((group) => route(spec, group, split.canaryWeight)), ...home];
    return [
      {
        ...live,
        apiVersion: API,
        kind: KIND,
        metadata: metadataOf(context, spec.service.name, live, apexMetadata(context)),
        spec: {
          ...old,
          ...(ingressClassName === '' ? {} : { ingressClassName }),
          routes: routes.map((wanted, at) => ({
            ...Object.fromEntries(Object.entries(oldRoutes[at] ?? {}).filter(([field]) => !OWNED.includes(field))),
            ...wanted,
          })),
        },
      },
    ];
  },
  home({ spec }, [live]) {
    const old = jsonOf(live?.['spec']);
    const routes = listOf(old['routes']).map((route) => ({
      ...route,
      services: listOf(route['services']).map(({ weight, ...service }) => {
        if (service['name'] === primaryName(spec)) return { ...service, weight: 100 };
        return service['name'] === canaryName(spec) || weight === undefined ? service : { ...service, weight };
      }),
    }));
    return live ? [{ ...live, spec: { ...old, routes } }] : [];
  },
  read({ spec }, [live]) {
    const routes = listOf(jsonOf(live?.['spec'])['routes']);
    // Those under test come first, and their weight is nobody else's, also when they are told apart no more.
    const services = listOf((usersUnderTest(spec) ? routes[0] : routes.at(-1))?.['services']);
    const names = services.map((service) => service['name']);
    if (!names.includes(primaryName(spec)) || !names.includes(canaryName(spec))) return undefined;
    // A weight that is not written counts as none as soon as another one is.
    return splitOf(weightOf(services, 'name', primaryName(spec), 0), weightOf(services, 'name', canaryName(spec), 0));
  },
  trouble(_context, [live]) {
    if (!live) return undefined;
    const { conditions, currentStatus, description } = jsonOf(live['status']);
    const valid = listOf(conditions).find(({ type }) => type === 'Valid');
    if (valid && isStale(live, valid['observedGeneration'])) return `${whatOf(live)} is not yet taken over by Contour`;
    if (valid ? valid['status'] !== 'False' : currentStatus !== 'invalid' && currentStatus !== 'orphaned')
      return undefined;
    const said = listOf(valid?.['errors'])[0] ?? valid ?? { message: description };
    return `${whatOf(live)} is not taken by Contour: ${reasonOf(said)}`;
  },
};

function route(spec: CanarySpec, conditions: readonly Json[], canaryWeight: number): Json {
  const { timeout, retries } = spec.service.raw;
  const { attempts, perTryTimeout, retryOn } = jsonOf(retries);
  const service = (name: string, weight: number): Json => {
    const { port } = spec.service;
    const value = `${name}.${spec.namespace}.svc.cluster.local:${port}`;
    return {
      name,
      port,
      ...(weight > 0 ? { weight } : {}),
      // Lets Linkerd's sidecar of the proxy tell the two apart.
      requestHeadersPolicy: { set: [{ name: 'l5d-dst-override', value }] },
    };
  };
  return {
    conditions,
    ...(typeof timeout === 'string' && timeout !== '' ? { timeoutPolicy: { response: timeout, idle: '5m' } } : {}),
    ...(retries === undefined
      ? {}
      : {
          retryPolicy: {
            ...(attempts === undefined ? {} : { count: attempts }),
            ...(perTryTimeout === undefined ? {} : { perTryTimeout }),
            ...(typeof retryOn === 'string' && retryOn !== ''
              ? { retryOn: retryOn.split(',').map((reason) => reason.trim()) }
              : {}),
          },
        }),
    services: [service(primaryName(spec), 100 - canaryWeight), service(canaryName(spec), canaryWeight)],
  };
}

/** Each path of `spec.service.match`; other fields of it mean nothing to Contour. */
function pathsOf(spec: CanarySpec): readonly Json[] {
  const paths = listOf(spec.service.raw['match']).flatMap(({ uri }): Json[] => {
    const { prefix, exact, regex } = jsonOf(uri);
    if (typeof exact === 'string') return [{ exact }];
    if (typeof regex === 'string') return [{ regex }];
    return typeof prefix === 'string' ? [{ prefix }] : [];
  });
  return paths.length > 0 ? paths : [{ prefix: '/' }];
}

/** One list of conditions for each group of users and path; the conditions of a list hold together. */
function usersOf(spec: CanarySpec, match: readonly unknown[], paths: readonly Json[]): readonly (readonly Json[])[] {
  const groups = match.map((item) => {
    const { headers, queryParams } = jsonOf(item);
    const conditions: readonly Json[] = [
      ...Object.entries(jsonOf(headers)).map(([name, value]) => ({ header: { name, ...headerMatch(value) } })),
      ...Object.entries(jsonOf(queryParams)).map(([name, value]) => ({
        queryParameter: { name, ...queryMatch(value) },
      })),
    ];
    if (conditions.length === 0) throw invalid(spec, 'Contour needs headers or queryParams', 'spec.analysis.match');
    return conditions;
  });
  if (groups.length === 0) throw invalid(spec, 'Contour needs headers or queryParams', 'spec.analysis.match');
  return groups.flatMap(([first, ...rest]) => paths.map((path) => [{ ...path, ...first }, ...rest]));
}

/** Contour has no prefixes and suffixes of headers; Flagger's `contains` would let in more users than are meant. */
function headerMatch(value: unknown): Json {
  const { exact, prefix, suffix, regex } = jsonOf(value);
  if (typeof exact === 'string') return { exact };
  if (typeof prefix === 'string') return { regex: `${escapeRegex(prefix)}.*` };
  if (typeof suffix === 'string') return { regex: `.*${escapeRegex(suffix)}` };
  return typeof regex === 'string' ? { regex } : { present: true };
}

function queryMatch(value: unknown): Json {
  const { exact, prefix, suffix, regex } = jsonOf(value);
  const [found] = Object.entries({ exact, prefix, suffix, regex }).filter(([, text]) => typeof text === 'string');
  return found ? { [found[0]]: found[1] } : { present: true };
}
