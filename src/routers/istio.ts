import { sameJson } from '../lib/same-json.ts';
import { usersUnderTest } from '../canary/strategy.ts';
import type { CanarySpec } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import { httpRules, isTcp, tcpRules } from './istio-rules.ts';
import { jsonOf } from '../lib/json.ts';
import { apexMetadata, canaryName, invalid, listOf, metadataOf, primaryName, splitOf, type Json } from './objects.ts';
import { isStale, whatOf } from './refusal.ts';
import type { Entrance, RouteContext, Router } from './router.ts';

const API = 'networking.istio.io/v1beta1';

/**
 * Istio: a VirtualService named after the apex service, and a DestinationRule for each of the two services behind it.
 * A VirtualService that users made before is taken over: its rules are replaced, what else it says stays.
 */
export const istio: Router = {
  name: 'istio',
  about: {
    title: 'Istio',
    url: 'https://istio.io/latest/docs/reference/config/networking/virtual-service/',
    notes: 'TCP by weights only',
  },
  supports: { weights: true, mirror: true, headers: true, affinity: true },
  kinds: [
    { apiVersion: API, kind: 'VirtualService', plural: 'virtualservices' },
    { apiVersion: API, kind: 'DestinationRule', plural: 'destinationrules' },
  ],
  fields: [
    'spec.service.gateways',
    'spec.service.hosts',
    'spec.service.delegation',
    'spec.service.trafficPolicy',
    'spec.service.match',
    'spec.service.rewrite',
    'spec.service.retries',
    'spec.service.headers',
    'spec.service.corsPolicy',
    'spec.service.timeout',
    'spec.analysis.mirror',
    'spec.analysis.mirrorWeight',
  ],
  entrance: 'VirtualService',
  supportsFor: (spec) =>
    isTcp(spec) ? { weights: true, mirror: false, headers: false, affinity: false } : istio.supports,
  entrances: ({ namespace, service: { raw } }) =>
    (Array.isArray(raw['gateways']) ? raw['gateways'] : []).flatMap((entry: unknown, index): readonly Entrance[] => {
      if (typeof entry !== 'string' || entry === 'mesh') return [];
      // `name`, `namespace/name`, or a host name of Istio's old way.
      const [name = '', inNamespace] = entry.includes('/') ? entry.split('/').reverse() : entry.split('.').slice(0, 2);
      const ref = { kind: 'Gateway', namespace: inNamespace ?? namespace, name };
      return [{ ref: { apiVersion: 'networking.istio.io/v1', ...ref }, field: `spec.service.gateways[${index}]` }];
    }),
  refs: ({ spec }) => {
    const { namespace } = spec;
    return [
      { apiVersion: API, kind: 'DestinationRule', namespace, name: canaryName(spec) },
      { apiVersion: API, kind: 'DestinationRule', namespace, name: primaryName(spec) },
      { apiVersion: API, kind: 'VirtualService', namespace, name: spec.service.name },
    ];
  },
  render(context, split, [canaryRule, primaryRule, live]) {
    const { spec } = context;
    const { http: _http, tcp: _tcp, hosts: _hosts, gateways: _gateways, ...standing } = jsonOf(live?.['spec']);
    return [
      destinationRule(context, canaryName(spec), canaryRule),
      destinationRule(context, primaryName(spec), primaryRule),
      {
        ...live,
        apiVersion: API,
        kind: 'VirtualService',
        metadata: metadataOf(context, spec.service.name, live, apexMetadata(context)),
        spec: {
          ...standing,
          ...reach(spec),
          ...(isTcp(spec) ? { tcp: tcpRules(context, split) } : { http: httpRules(context, split) }),
        },
      },
    ];
  },
  home({ spec }, [, , live]) {
    const old = jsonOf(live?.['spec']);
    const field = isTcp(spec) ? 'tcp' : 'http';
    const homeward = listOf(old[field]).map((rule) => {
      if (!destinationsOf(rule).some(({ host }) => host === canaryName(spec))) return rule;
      const { mirror: _mirror, mirrorPercentage: _percentage, ...kept } = rule;
      const route = listOf(rule['route']).map((to) => {
        const { host } = jsonOf(to['destination']);
        return host === primaryName(spec)
          ? { ...to, weight: 100 }
          : host === canaryName(spec)
            ? { ...to, weight: 0 }
            : to;
      });
      return { ...kept, route };
    });
    return live ? [{ ...live, spec: { ...old, [field]: homeward } }] : [];
  },
  read({ spec }, [, , live]) {
    const rules = listOf(jsonOf(live?.['spec'])[isTcp(spec) ? 'tcp' : 'http']);
    const [primary, canary] = [primaryName(spec), canaryName(spec)];
    // Users were told apart, and are no more: the weight of those who were is nobody else's.
    if (!usersUnderTest(spec) && isForOthers(spec, rules.at(-1))) return splitOf(100, 0);
    // Sticky rules come first, the one that splits is the last that knows the canary.
    const rule = rules.findLast((each) => destinationsOf(each).some(({ host }) => host === canary));
    const weightOf = (name: string): number =>
      destinationsOf(rule)
        .filter(({ host }) => host === name)
        .reduce((sum, { weight }) => sum + Math.max(0, weight), 0);
    return splitOf(weightOf(primary), weightOf(canary), jsonOf(rule?.['mirror'])['host'] === canary);
  },
  trouble(_context, live) {
    for (const object of live) {
      const { validationMessages, observedGeneration } = jsonOf(object?.['status']);
      const error = listOf(validationMessages).find(({ level }) => level === 'ERROR');
      if (!object || !error || isStale(object, observedGeneration)) continue;
      const { code, name } = jsonOf(error['type']);
      const said = [code, name, error['documentationUrl']].filter((part) => typeof part === 'string');
      return `${whatOf(object)} is refused by Istio: ${said.join(' ')}`;
    }
    return undefined;
  },
};

/** The rule for everybody who is not under test. */
function isForOthers(spec: CanarySpec, rule: Json | undefined): boolean {
  const hosts = destinationsOf(rule).map(({ host }) => host);
  if (!hosts.includes(primaryName(spec)) || hosts.includes(canaryName(spec))) return false;
  return sameJson(listOf(rule?.['match']), listOf(spec.service.raw['match']));
}

function destinationsOf(rule: Json | undefined): readonly { host: unknown; weight: number }[] {
  const route = listOf(rule?.['route']);
  // A single destination needs no weight.
  const missing = route.length === 1 ? 100 : 0;
  return route.map(({ destination, weight }) => ({
    host: jsonOf(destination)['host'],
    weight: typeof weight === 'number' ? weight : missing,
  }));
}

function destinationRule(context: RouteContext, host: string, live: KubeObject | undefined): KubeObject {
  const { trafficPolicy: _before, ...standing } = jsonOf(live?.['spec']);
  const { trafficPolicy } = context.spec.service.raw;
  return {
    ...live,
    apiVersion: API,
    kind: 'DestinationRule',
    metadata: metadataOf(context, host, live, { labels: {}, annotations: {} }),
    spec: { ...standing, host, ...(trafficPolicy === undefined ? {} : { trafficPolicy }) },
  };
}

/** Whose requests it is about. A VirtualService that another one delegates to says nothing of that itself. */
function reach(spec: CanarySpec): Json {
  const { hosts, gateways, delegation } = spec.service.raw;
  const [named, entered] = [textsOf(hosts), textsOf(gateways)];
  if (delegation === true) {
    if (named.length > 0 || entered.length > 0)
      throw invalid(spec, 'VirtualService hosts and gateways must be empty with it', 'spec.service.delegation');
    return { hosts: [] };
  }
  const isNamed = named.includes(spec.service.name) || named.includes('*');
  return {
    hosts: isNamed ? named : [...named, spec.service.name],
    gateways: entered.length > 0 ? entered : ['mesh'],
  };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item !== '') : [];
}
