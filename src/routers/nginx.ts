import type { CanarySpec } from '../canary/types.ts';
import type { KubeObject } from '../manifest/types.ts';
import { escapeRegex } from './affinity.ts';
import { jsonOf } from '../lib/json.ts';
import {
  canaryName,
  invalid,
  LAST_APPLIED,
  listOf,
  metadataOf,
  splitOf,
  TOOLKIT_ANNOTATIONS,
  type Json,
} from './objects.ts';
import type { RouteContext, Router, RouterSettings } from './router.ts';

const API = 'networking.k8s.io/v1';
const prefixSetting = 'ingress-annotations-prefix';

/**
 * ingress-nginx: a copy of the user's Ingress with canary annotations.
 * The copy stays at rest with weight 0, or the admission webhook would refuse edits of the user's Ingress.
 */
export const nginx: Router = {
  name: 'nginx',
  about: {
    title: 'ingress-nginx',
    url: 'https://kubernetes.github.io/ingress-nginx/',
    notes: 'headers and cookies with `iterations` only',
  },
  supports: { weights: true, mirror: false, headers: true, affinity: false },
  kinds: [{ apiVersion: API, kind: 'Ingress', plural: 'ingresses' }],
  fields: ['spec.ingressRef', 'spec.ingressRefs'],
  settings: { [prefixSetting]: 'nginx.ingress.kubernetes.io' },
  usersHint: ' but with iterations: it moves all of these users or none',
  // Of users that are told apart all go or none, so there are no steps for them.
  supportsFor: ({ analysis: { strategy } }) => ({
    ...nginx.supports,
    headers: strategy.kind === 'ab-testing' || strategy.kind === 'blue-green' || !strategy.match,
  }),
  refs: ({ spec }) => {
    const { namespace } = spec;
    const name = ingressName(spec);
    return [
      { apiVersion: API, kind: 'Ingress', namespace, name },
      { apiVersion: API, kind: 'Ingress', namespace, name: `${name}-canary` },
    ];
  },
  render(context, split, [source, live]) {
    const { spec, settings } = context;
    const name = ingressName(spec);
    if (!source) throw invalid(spec, `Ingress ${name}.${spec.namespace}, named by spec.ingressRef, does not exist`);
    const prefix = prefixOf(settings);
    const inherited = keep(source.metadata.annotations, (key) => key !== LAST_APPLIED && !isCanaryKey(key, prefix));
    const foreign = keep(live?.metadata.annotations, (key) => !key.startsWith(`${prefix}/`));
    const standing = live && { ...live, metadata: { ...live.metadata, annotations: foreign } };
    return [
      {
        ...live,
        apiVersion: API,
        kind: 'Ingress',
        metadata: metadataOf(context, `${name}-canary`, standing, {
          labels: source.metadata.labels ?? {},
          annotations: { ...inherited, ...TOOLKIT_ANNOTATIONS, ...canaryAnnotations(context, split.canaryWeight) },
        }),
        spec: canarySpecOf(spec, source),
      },
    ];
  },
  home({ settings }, [, live]) {
    if (!live) return [];
    const prefix = prefixOf(settings);
    const others = keep(live.metadata.annotations, (key) => !isCanaryKey(key, prefix));
    const annotations = { ...others, [`${prefix}/canary`]: 'true', [`${prefix}/canary-weight`]: '0' };
    return [{ ...live, metadata: { ...live.metadata, annotations } }];
  },
  read({ spec, settings }, [, live]) {
    const annotations = live?.metadata.annotations ?? {};
    const prefix = prefixOf(settings);
    if (annotations[`${prefix}/canary`] !== 'true') return undefined;
    const byMatch = `${prefix}/canary-by-header` in annotations || `${prefix}/canary-by-cookie` in annotations;
    if (spec.analysis.strategy.kind === 'ab-testing' && byMatch) return { canaryWeight: 100, mirror: false };
    const weight = Number(annotations[`${prefix}/canary-weight`] ?? 0);
    const total = Number(annotations[`${prefix}/canary-weight-total`] ?? 100);
    return Number.isFinite(weight) && total > 0
      ? splitOf(Math.max(0, total - weight), Math.min(weight, total))
      : undefined;
  },
};

function prefixOf(settings: RouterSettings): string {
  return settings[prefixSetting] ?? '';
}

function ingressName(spec: CanarySpec): string {
  if (!spec.ingressRef?.name) throw invalid(spec, 'provider nginx needs the name of an Ingress', 'spec.ingressRef');
  return spec.ingressRef.name;
}

function isCanaryKey(key: string, prefix: string): boolean {
  return key.startsWith(`${prefix}/canary`);
}

function keep(entries: Readonly<Record<string, string>> | undefined, wanted: (key: string) => boolean) {
  return Object.fromEntries(Object.entries(entries ?? {}).filter(([key]) => wanted(key)));
}

function canaryAnnotations({ spec, settings }: RouteContext, weight: number): Record<string, string> {
  const key = (name: string): string => `${prefixOf(settings)}/${name}`;
  const { strategy } = spec.analysis;
  const atRest = { [key('canary')]: 'true', [key('canary-weight')]: '0' };
  if (strategy.kind !== 'ab-testing') return { ...atRest, [key('canary-weight')]: String(weight) };
  // With the first step home they are home.
  if (weight < 100) return atRest;
  const annotations: Record<string, string> = { ...atRest };
  for (const [header, value] of strategy.match.flatMap((match) => Object.entries(jsonOf(jsonOf(match)['headers'])))) {
    const { exact, prefix, suffix, regex: pattern } = jsonOf(value);
    const regex = patternOf(prefix, suffix) ?? pattern;
    if (header.toLowerCase() === 'cookie') {
      if (typeof exact === 'string') annotations[key('canary-by-cookie')] = exact;
      continue;
    }
    // One header only: the last one wins, whole.
    delete annotations[key('canary-by-header-value')];
    delete annotations[key('canary-by-header-pattern')];
    annotations[key('canary-by-header')] = header;
    if (typeof exact === 'string') annotations[key('canary-by-header-value')] = exact;
    if (typeof regex === 'string') annotations[key('canary-by-header-pattern')] = regex;
  }
  if (Object.keys(annotations).length === 2) {
    throw invalid(spec, 'provider nginx needs a header, or the name of a cookie', 'spec.analysis.match');
  }
  return annotations;
}

function patternOf(prefix: unknown, suffix: unknown): string | undefined {
  if (typeof prefix === 'string') return `^${escapeRegex(prefix)}`;
  return typeof suffix === 'string' ? `${escapeRegex(suffix)}$` : undefined;
}

/** The user's rules with the apex service replaced by the canary's. */
function canarySpecOf(spec: CanarySpec, source: KubeObject): Json {
  const old = jsonOf(source['spec']);
  let found = false;
  const renamed = (backend: unknown): Json => {
    const service = jsonOf(jsonOf(backend)['service']);
    if (service['name'] !== spec.service.name) return jsonOf(backend);
    found = true;
    return { ...jsonOf(backend), service: { ...service, name: canaryName(spec) } };
  };
  const rules = listOf(old['rules']).map((rule) => {
    // Rules without http send everything to the default backend.
    if (rule['http'] === undefined) return rule;
    const http = jsonOf(rule['http']);
    return {
      ...rule,
      http: { ...http, paths: listOf(http['paths']).map((path) => ({ ...path, backend: renamed(path['backend']) })) },
    };
  });
  if (!found) {
    const name = `${source.metadata.name}.${spec.namespace}`;
    throw invalid(spec, `Ingress ${name} has no path with the backend ${spec.service.name}`);
  }
  return {
    ...old,
    rules,
    ...(old['defaultBackend'] === undefined ? {} : { defaultBackend: renamed(old['defaultBackend']) }),
  };
}
