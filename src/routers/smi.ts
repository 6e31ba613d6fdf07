import type { CanarySpec } from '../canary/types.ts';
import type { About } from '../lib/about.ts';
import { jsonOf } from '../lib/json.ts';
import { own } from '../lib/own.ts';
import { apexService, canaryName, listOf, metadataOf, primaryName, splitOf, weightOf } from './objects.ts';
import type { Router } from './router.ts';

/** Meshes that people name instead of the interface. */
const abouts: Readonly<Record<string, About>> = {
  linkerd: { title: 'Linkerd', url: 'https://linkerd.io/2/features/traffic-split/' },
  osm: { title: 'Open Service Mesh', url: 'https://docs.openservicemesh.io/', notes: 'archived by its makers' },
};

/**
 * Service Mesh Interface: one TrafficSplit named after the apex service.
 * Version v1alpha1 has quantities (strings) for weights.
 */
export function smi(name: string, version: 'v1alpha1' | 'v1alpha2' | 'v1alpha3'): Router {
  const apiVersion = `split.smi-spec.io/${version}`;
  const kind = 'TrafficSplit';
  return {
    name,
    about: own(abouts, name) ?? {
      title: `Service Mesh Interface ${version}`,
      url: 'https://github.com/servicemeshinterface/smi-spec',
    },
    supports: { weights: true, mirror: false, headers: false, affinity: false },
    kinds: [{ apiVersion, kind, plural: 'trafficsplits' }],
    fields: ['spec.service.hosts'],
    refs: ({ spec }) => [{ apiVersion, kind, namespace: spec.namespace, name: spec.service.name }],
    render(context, split, [live]) {
      const { spec } = context;
      const old = jsonOf(live?.['spec']);
      const backends = listOf(old['backends']);
      const backend = (service: string, weight: number): Record<string, unknown> => ({
        ...backends.find((each) => each['service'] === service),
        service,
        weight: version === 'v1alpha1' ? String(weight) : weight,
      });
      return [
        {
          ...live,
          apiVersion,
          kind,
          metadata: metadataOf(context, spec.service.name, live, { labels: {}, annotations: gatewaysOf(spec) }),
          spec: {
            ...old,
            service: apexService(spec),
            backends: [
              backend(canaryName(spec), split.canaryWeight),
              backend(primaryName(spec), 100 - split.canaryWeight),
            ],
          },
        },
      ];
    },
    read({ spec }, [live]) {
      const backends = listOf(jsonOf(live?.['spec'])['backends']);
      return splitOf(
        weightOf(backends, 'service', primaryName(spec), 0),
        weightOf(backends, 'service', canaryName(spec), 0),
      );
    },
  };
}

/** SMI on Istio asks its adapter for these gateways; the mesh stands behind the version, as `smi:v1alpha2:istio`. */
function gatewaysOf({ provider, service: { raw } }: CanarySpec): Readonly<Record<string, string>> {
  const { gateways } = raw;
  if (!provider.endsWith(':istio') || !Array.isArray(gateways) || gateways.length === 0) return {};
  return { 'VirtualService.v1alpha3.networking.istio.io/spec.gateways': JSON.stringify(gateways) };
}
