import type { CanarySpec } from '../canary/types.ts';
import { jsonOf, textOf } from '../lib/json.ts';
import type { KubeObject } from '../manifest/types.ts';
import {
  canaryName,
  invalid,
  LAST_APPLIED,
  listOf,
  metadataOf,
  primaryName,
  splitOf,
  weightOf,
  type Json,
} from './objects.ts';
import { falseCondition, reasonOf } from './refusal.ts';
import type { Router } from './router.ts';

const API = 'apisix.apache.org/v2';
const KIND = 'ApisixRoute';
/** Above the user's own routes. */
const PRIORITY = 10_000;

/**
 * Apache APISIX: a copy of that rule of the user's ApisixRoute which leads to the apex service, with both versions behind it and a
 * priority above the user's.
 */
export const apisix: Router = {
  name: 'apisix',
  about: {
    title: 'Apache APISIX',
    url: 'https://apisix.apache.org/docs/ingress-controller/reference/api-reference/#apisixroute',
    notes: 'needs `spec.routeRef`, an ApisixRoute',
  },
  supports: { weights: true, mirror: false, headers: false, affinity: false },
  kinds: [{ apiVersion: API, kind: KIND, plural: 'apisixroutes' }],
  fields: ['spec.routeRef', 'spec.ingressRefs'],
  refs: ({ spec }) => {
    const { namespace } = spec;
    const name = routeName(spec);
    return [
      { apiVersion: API, kind: KIND, namespace, name },
      { apiVersion: API, kind: KIND, namespace, name: ownName(spec) },
    ];
  },
  render(context, { canaryWeight }, [source, live]) {
    const { spec } = context;
    const name = routeName(spec);
    if (!source) throw invalid(spec, `ApisixRoute ${name}.${spec.namespace}, named by spec.routeRef, does not exist`);
    const { [LAST_APPLIED]: _applied, ...annotations } = source.metadata.annotations ?? {};
    const labels = source.metadata.labels ?? {};
    const { rule, backend } = ruleOf(spec, source);
    const entry = (serviceName: string, weight: number): Json => ({ ...backend, serviceName, weight });
    const backends = [entry(primaryName(spec), 100 - canaryWeight), entry(canaryName(spec), canaryWeight)];
    const { stream } = jsonOf(source['spec']);
    const old = jsonOf(live?.['spec']);
    return [
      {
        ...live,
        apiVersion: API,
        kind: KIND,
        metadata: metadataOf(context, ownName(spec), live, { labels, annotations }),
        spec: {
          ...old,
          http: [{ ...rule, priority: PRIORITY, backends }],
          ...(stream === undefined ? {} : { stream }),
        },
      },
    ];
  },
  home({ spec }, [, live]) {
    if (!live) return [];
    const old = jsonOf(live['spec']);
    const weights = new Map([
      [primaryName(spec), 100],
      [canaryName(spec), 0],
    ]);
    const http = listOf(old['http']).map((rule) => ({
      ...rule,
      backends: listOf(rule['backends']).map((backend) => {
        const weight = weights.get(String(backend['serviceName']));
        return weight === undefined ? backend : { ...backend, weight };
      }),
    }));
    return [{ ...live, spec: { ...old, http } }];
  },
  read({ spec }, [, live]) {
    const rules = listOf(jsonOf(live?.['spec'])['http']).map((rule) => listOf(rule['backends']));
    const backends = rules.find((found) => found.some(({ serviceName }) => serviceName === primaryName(spec))) ?? [];
    return splitOf(
      weightOf(backends, 'serviceName', primaryName(spec), 0),
      weightOf(backends, 'serviceName', canaryName(spec), 0),
    );
  },
  trouble(_context, [, live]) {
    const refusal = falseCondition(live, ['ResourcesAvailable', 'Accepted']);
    return refusal && `${KIND} ${live?.metadata.name ?? ''} is not accepted: ${reasonOf(refusal)}`;
  },
};

function routeName(spec: CanarySpec): string {
  if (!spec.routeRef?.name) throw invalid(spec, 'provider apisix needs the name of an ApisixRoute', 'spec.routeRef');
  return spec.routeRef.name;
}

function ownName(spec: CanarySpec): string {
  return `${routeName(spec)}-${canaryName(spec)}`;
}

/** The first rule by which users reach the apex service. */
function ruleOf(spec: CanarySpec, source: KubeObject): { readonly rule: Json; readonly backend: Json } {
  const rule = listOf(jsonOf(source['spec'])['http']).find(({ backends }) =>
    listOf(backends).some(({ serviceName }) => serviceName === spec.service.name),
  );
  const name = `ApisixRoute ${source.metadata.name}.${spec.namespace}`;
  if (!rule) throw invalid(spec, `${name} has no rule with the backend ${spec.service.name}`, 'spec.routeRef');
  const [backend, ...others] = listOf(rule['backends']);
  if (!backend || others.length > 0) {
    const shown = textOf(rule['name']) ?? '';
    const message = `rule ${shown} of ${name} has ${others.length + 1} backends, and only one can be split`;
    throw invalid(spec, message, 'spec.routeRef');
  }
  return { rule, backend };
}
