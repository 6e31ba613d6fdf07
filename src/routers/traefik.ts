import type { ObjectRef } from '../manifest/types.ts';
import {
  apexMetadata,
  canaryName,
  jsonOf,
  listOf,
  metadataOf,
  primaryName,
  splitOf,
  weightOf,
  type Json,
} from './objects.ts';
import type { RouteContext, Router } from './router.ts';

const API = 'traefik.io/v1alpha1';
const KIND = 'TraefikService';

/**
 * Traefik: one weighted TraefikService named after the apex service. https://doc.traefik.io/traefik/
 * A service without endpoints makes Traefik refuse the whole object, so the canary is named only while it has weight; a
 * weight that is not written counts as 1, so every weight is written.
 */
export const traefik: Router = {
  name: 'traefik',
  supports: { weights: true, mirror: false, headers: false },
  refs: ({ spec }): ObjectRef[] => [
    { apiVersion: API, kind: KIND, namespace: spec.namespace, name: spec.service.name },
  ],
  render(context, split, [live]) {
    const { spec } = context;
    const old = jsonOf(live?.['spec']);
    const services = listOf(jsonOf(old['weighted'])['services']);
    const entry = (name: string, weight: number): Json => ({
      ...services.find((service) => service['name'] === name),
      name,
      namespace: spec.namespace,
      port: spec.service.port,
      weight,
    });
    const weighted = [
      entry(primaryName(spec), 100 - split.canaryWeight),
      ...(split.canaryWeight > 0 ? [entry(canaryName(spec), split.canaryWeight)] : []),
    ];
    return [
      {
        ...live,
        apiVersion: API,
        kind: KIND,
        metadata: metadataOf(context, spec.service.name, live, apexMetadata(context)),
        spec: { ...old, weighted: { ...jsonOf(old['weighted']), services: weighted } },
      },
    ];
  },
  read({ spec }: RouteContext, [live]) {
    const services = listOf(jsonOf(jsonOf(live?.['spec'])['weighted'])['services']);
    return splitOf(weightOf(services, 'name', primaryName(spec), 1), weightOf(services, 'name', canaryName(spec), 1));
  },
};
