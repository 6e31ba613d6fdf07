import { usersUnderTest } from '../canary/strategy.ts';
import type { ObjectRef } from '../manifest/types.ts';
import { jsonOf } from '../lib/json.ts';
import { apexMetadata, canaryName, listOf, metadataOf, primaryName, splitOf, weightOf, type Json } from './objects.ts';
import type { RouteContext, Router } from './router.ts';
import { isIngressRoute, usersRoute, usersShare } from './traefik-users.ts';

const API = 'traefik.io/v1alpha1';
const KIND = 'TraefikService';

/**
 * Traefik: one weighted TraefikService named after the apex service.
 * A service without endpoints makes Traefik refuse the whole object, so each version is named only while it has weight; a
 * weight that is not written counts as 1, so every weight is written. A/B tests need the IngressRoute by which users come in.
 */
export const traefik: Router = {
  name: 'traefik',
  about: {
    title: 'Traefik',
    url: 'https://doc.traefik.io/traefik/',
    notes: 'headers and cookies where `spec.ingressRef` names an IngressRoute',
  },
  supports: { weights: true, mirror: false, headers: false, affinity: false },
  kinds: [
    { apiVersion: API, kind: KIND, plural: 'traefikservices' },
    { apiVersion: API, kind: 'IngressRoute', plural: 'ingressroutes' },
  ],
  fields: ['spec.ingressRef', 'spec.ingressRefs'],
  usersHint: ' unless spec.ingressRef names the IngressRoute (traefik.io/v1alpha1) by which users come in',
  entrance: KIND,
  supportsFor: ({ ingressRef }) => ({ ...traefik.supports, headers: isIngressRoute(ingressRef) }),
  refs: ({ spec: { namespace, service, ingressRef } }): ObjectRef[] => [
    { apiVersion: API, kind: KIND, namespace, name: service.name },
    ...(isIngressRoute(ingressRef)
      ? [
          { apiVersion: API, kind: 'IngressRoute', namespace, name: ingressRef.name },
          { apiVersion: API, kind: 'IngressRoute', namespace, name: `${ingressRef.name}-canary` },
        ]
      : []),
  ],
  render(context, split, [live, source, users]) {
    const { spec } = context;
    // While users are told apart, all others stay with the primary.
    const everybodysShare = usersUnderTest(spec) ? 0 : split.canaryWeight;
    const forUsers = isIngressRoute(spec.ingressRef)
      ? usersRoute(context, source, users, split.canaryWeight)
      : undefined;
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
      ...(everybodysShare < 100 ? [entry(primaryName(spec), 100 - everybodysShare)] : []),
      ...(everybodysShare > 0 ? [entry(canaryName(spec), everybodysShare)] : []),
    ];
    return [
      {
        ...live,
        apiVersion: API,
        kind: KIND,
        metadata: metadataOf(context, spec.service.name, live, apexMetadata(context)),
        spec: { ...old, weighted: { ...jsonOf(old['weighted']), services: weighted } },
      },
      ...(forUsers ? [forUsers] : []),
    ];
  },
  read({ spec }: RouteContext, [live, , users]) {
    const services = listOf(jsonOf(jsonOf(live?.['spec'])['weighted'])['services']);
    if (services.length > 0 && users && usersUnderTest(spec))
      return { canaryWeight: usersShare(spec, users), mirror: false };
    return splitOf(weightOf(services, 'name', primaryName(spec), 1), weightOf(services, 'name', canaryName(spec), 1));
  },
};
