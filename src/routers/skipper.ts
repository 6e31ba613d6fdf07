import type { CanarySpec } from '../canary/types.ts';
import { jsonOf } from '../lib/json.ts';
import { own } from '../lib/own.ts';
import type { KubeObject } from '../manifest/types.ts';
import { canaryName, invalid, LAST_APPLIED, listOf, metadataOf, primaryName, splitOf, type Json } from './objects.ts';
import type { Router } from './router.ts';

const API = 'networking.k8s.io/v1';
const KIND = 'Ingress';
const WEIGHTS = 'zalando.org/backend-weights';
const PREDICATE = 'zalando.org/skipper-predicate';
/** More conditions than the user's own route has, so that this one is taken. */
const ACTIVE = 'Weight(100)';
/** Taken by nobody: the user's own Ingress, which leads to the apex service, answers. */
const INACTIVE = 'False()';

/**
 * Skipper: a copy of the user's Ingress whose paths have both versions, with their weights in an annotation.
 */
export const skipper: Router = {
  name: 'skipper',
  about: {
    title: 'Skipper',
    url: 'https://opensource.zalando.com/skipper/kubernetes/ingress-usage/',
    notes: 'needs `spec.ingressRef`, an Ingress',
  },
  supports: { weights: true, mirror: false, headers: false, affinity: false },
  kinds: [{ apiVersion: API, kind: KIND, plural: 'ingresses' }],
  fields: ['spec.ingressRef', 'spec.ingressRefs'],
  refs: ({ spec }) => {
    const { namespace } = spec;
    const name = ingressName(spec);
    return [
      { apiVersion: API, kind: KIND, namespace, name },
      { apiVersion: API, kind: KIND, namespace, name: `${name}-canary` },
    ];
  },
  render(context, { canaryWeight }, [source, live]) {
    const { spec } = context;
    const name = ingressName(spec);
    if (!source) throw invalid(spec, `Ingress ${name}.${spec.namespace}, named by spec.ingressRef, does not exist`);
    const { [LAST_APPLIED]: _applied, ...inherited } = source.metadata.annotations ?? {};
    const annotations = {
      ...inherited,
      [WEIGHTS]: weightsOf(spec, canaryWeight),
      [PREDICATE]: predicateOf(own(inherited, PREDICATE), isActive(spec, canaryWeight, live)),
    };
    return [
      {
        ...live,
        apiVersion: API,
        kind: KIND,
        metadata: metadataOf(context, `${name}-canary`, live, { labels: source.metadata.labels ?? {}, annotations }),
        spec: splitSpecOf(spec, source),
      },
    ];
  },
  home({ spec }, [, live]) {
    if (!live) return [];
    const annotations = live.metadata.annotations ?? {};
    const predicate = predicateOf(own(annotations, PREDICATE), isActive(spec, 0, live));
    const home = { ...annotations, [WEIGHTS]: weightsOf(spec, 0), [PREDICATE]: predicate };
    return [{ ...live, metadata: { ...live.metadata, annotations: home } }];
  },
  read({ spec }, [, live]) {
    const weights = readWeights(own(live?.metadata.annotations ?? {}, WEIGHTS));
    const primary = own(weights, primaryName(spec));
    const canary = own(weights, canaryName(spec));
    if (typeof primary !== 'number' || typeof canary !== 'number') return undefined;
    return splitOf(Math.max(0, primary), Math.max(0, canary));
  },
};

function ingressName(spec: CanarySpec): string {
  if (!spec.ingressRef?.name) throw invalid(spec, 'provider skipper needs the name of an Ingress', 'spec.ingressRef');
  return spec.ingressRef.name;
}

/** As Flagger has it: the copy answers from its first day, and rests after a release. Users are at the primary both ways. */
function isActive(spec: CanarySpec, canaryWeight: number, live: KubeObject | undefined): boolean {
  if (canaryWeight > 0 || !live) return true;
  const annotations = live.metadata.annotations ?? {};
  const stands = readWeights(own(annotations, WEIGHTS));
  if (own(stands, canaryName(spec)) !== 0) return false;
  return !(own(annotations, PREDICATE) ?? '').startsWith(INACTIVE);
}

function weightsOf(spec: CanarySpec, canaryWeight: number): string {
  return JSON.stringify({ [canaryName(spec)]: canaryWeight, [primaryName(spec)]: 100 - canaryWeight });
}

function readWeights(text: string | undefined): Json {
  try {
    return jsonOf(JSON.parse(text ?? '{}'));
  } catch {
    return {};
  }
}

/** Ours first, then the user's. */
function predicateOf(users: string | undefined, active: boolean): string {
  const rest = (users ?? '').split('&&').map((term) => term.trim());
  const others = rest.filter((term) => term !== '' && term !== ACTIVE && term !== INACTIVE);
  return [active ? ACTIVE : INACTIVE, ...others].join(' && ');
}

/** The user's rules: each path to the apex service leads to the primary, and once more, behind the others, to the canary. */
function splitSpecOf(spec: CanarySpec, source: KubeObject): Json {
  const old = jsonOf(source['spec']);
  let found = false;
  const withService = (path: Json, name: string): Json => {
    const backend = jsonOf(path['backend']);
    return { ...path, backend: { ...backend, service: { ...jsonOf(backend['service']), name } } };
  };
  const rules = listOf(old['rules']).map((rule) => {
    if (rule['http'] === undefined) return rule;
    const http = jsonOf(rule['http']);
    const paths = listOf(http['paths']);
    const isOurs = (path: Json): boolean => jsonOf(jsonOf(path['backend'])['service'])['name'] === spec.service.name;
    found ||= paths.some(isOurs);
    const primary = paths.map((path) => (isOurs(path) ? withService(path, primaryName(spec)) : path));
    const canary = paths.filter(isOurs).map((path) => withService(path, canaryName(spec)));
    return { ...rule, http: { ...http, paths: [...primary, ...canary] } };
  });
  if (!found) {
    const name = `${source.metadata.name}.${spec.namespace}`;
    throw invalid(spec, `Ingress ${name} has no path with the backend ${spec.service.name}`);
  }
  return { ...old, rules };
}
