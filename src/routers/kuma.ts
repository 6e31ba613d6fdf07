import type { CanarySpec } from '../canary/types.ts';
import { jsonOf } from '../lib/json.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { givenAway } from './adoption.ts';
import { apexMetadata, canaryName, invalid, listOf, primaryName, splitOf, type Json } from './objects.ts';
import type { RouteContext, Router } from './router.ts';

const API = 'kuma.io/v1alpha1';
const KIND = 'TrafficRoute';
const TAG = 'kuma.io/service';

/**
 * Kuma: a TrafficRoute named after the apex service. It belongs to the whole cluster, so it cannot be owned by a Canary: `leave` gives
 * users back to the apex service.
 */
export const kuma: Router = {
  name: 'kuma',
  about: {
    title: 'Kuma',
    url: 'https://kuma.io/docs/latest/policies/traffic-route/',
    notes: 'its route belongs to the whole cluster',
  },
  supports: { weights: true, mirror: false, headers: false, affinity: false },
  kinds: [{ apiVersion: API, kind: KIND, plural: 'trafficroutes' }],
  entrance: KIND,
  isClusterScoped: true,
  refs: ({ spec }): ObjectRef[] => [{ apiVersion: API, kind: KIND, name: spec.service.name }],
  render(context, { canaryWeight }, [live]) {
    const { spec } = context;
    refuseOthers(spec, live);
    const old = jsonOf(live?.['spec']);
    const { destination: _given, ...conf } = jsonOf(old['conf']);
    const entries = listOf(conf['split']);
    const entry = (service: string, weight: number): Json => ({
      ...entries.find((each) => tagOf(each) === tag(spec, service)),
      weight,
      destination: { [TAG]: tag(spec, service) },
    });
    const split = [entry(primaryName(spec), 100 - canaryWeight), entry(canaryName(spec), canaryWeight)];
    const match = (service: string): Json => ({ match: { [TAG]: service } });
    return [
      {
        ...live,
        apiVersion: API,
        kind: KIND,
        mesh: live?.['mesh'] ?? spec.mesh ?? 'default',
        metadata: metadata(context, live),
        spec: {
          ...old,
          sources: old['sources'] ?? [match('*')],
          destinations: [match(tag(spec, spec.service.name))],
          conf: { ...conf, split },
        },
      },
    ];
  },
  home({ spec }, [live]) {
    if (!live) return [];
    const old = jsonOf(live['spec']);
    const conf = jsonOf(old['conf']);
    const split = listOf(conf['split']).map((entry) => {
      if (isOf(tagOf(entry), primaryName(spec), spec.namespace)) return { ...entry, weight: 100 };
      return isOf(tagOf(entry), canaryName(spec), spec.namespace) ? { ...entry, weight: 0 } : entry;
    });
    return [{ ...live, spec: { ...old, conf: { ...conf, split } } }];
  },
  leave(context, [live]) {
    const { spec } = context;
    if (!live || !isOurs(spec, live)) return undefined;
    const old = jsonOf(live['spec']);
    const split = [{ weight: 100, destination: { [TAG]: tag(spec, spec.service.name) } }];
    return givenAway({ ...live, spec: { ...old, conf: { ...jsonOf(old['conf']), split } } }, context);
  },
  read({ spec }, [live]) {
    if (!live || !isOurs(spec, live)) return undefined;
    const split = listOf(jsonOf(jsonOf(live['spec'])['conf'])['split']);
    const weight = (service: string): number =>
      split
        .filter((entry) => isOf(tagOf(entry), service, spec.namespace))
        .reduce((sum, entry) => sum + Math.max(0, Number(entry['weight']) || 0), 0);
    return splitOf(weight(primaryName(spec)), weight(canaryName(spec)));
  },
};

/** What Kuma calls a Service of Kubernetes. */
function tag({ namespace, service }: CanarySpec, name: string): string {
  return `${name}_${namespace}_svc_${service.port}`;
}

/** Of any port: that of the Canary may be edited in the middle of a release. */
function isOf(text: unknown, name: string, namespace: string): boolean {
  const [service, inside, kind] = String(text).split('_');
  return service === name && inside === namespace && kind === 'svc';
}

function tagOf(entry: Json): unknown {
  return jsonOf(entry['destination'])[TAG];
}

/** Names of the cluster are everybody's: another namespace may have an app of the same name. */
function isOurs({ namespace, service }: CanarySpec, live: KubeObject): boolean {
  const destinations = listOf(jsonOf(live['spec'])['destinations']);
  return (
    destinations.length > 0 &&
    destinations.every(({ match }) => isOf(String(jsonOf(match)[TAG]), service.name, namespace))
  );
}

function refuseOthers(spec: CanarySpec, live: KubeObject | undefined): void {
  if (!live || live['spec'] === undefined || isOurs(spec, live)) return;
  const message =
    `TrafficRoute ${spec.service.name} leads to something else: it is of the whole cluster, and ` +
    'another namespace has the same name; give this Canary another spec.service.name';
  throw invalid(spec, message, 'spec.service.name');
}

function metadata(context: RouteContext, live: KubeObject | undefined): KubeObject['metadata'] {
  const own = apexMetadata(context);
  const labels = { ...live?.metadata.labels, ...own.labels };
  return {
    ...live?.metadata,
    name: context.spec.service.name,
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    annotations: { ...live?.metadata.annotations, ...own.annotations },
  };
}
