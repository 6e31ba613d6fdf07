import { fieldsOf, type Fields, listOf, numberOf, textOf } from './read.ts';
import type { ServicePort } from './service-port.ts';
import { type Decision, type HostRank, noEdits, type RouteRequest, type Surroundings } from './route.ts';
import { nameKey } from './routing-objects.ts';
import { parseTraefikRule } from './traefik-rule.ts';

/** IngressRoutes, the one with the highest priority first; a rule's length is its priority where none is given. */
export function decideIngressRoute(request: RouteRequest, rank: HostRank, around: Surroundings): Decision | undefined {
  const routes = around.objects.ingressRoutes.flatMap(({ metadata, spec }) =>
    listOf(fieldsOf(spec).routes).map((route, index) => {
      const rule = textOf(route.match);
      const priority = numberOf(route.priority) || rule.length;
      return { route, rule, priority, namespace: metadata.namespace ?? '', key: `${metadata.uid}/${index}` };
    }),
  );
  const found = routes
    .filter(({ rule }) => rankOf(rule) === rank)
    .sort((a, b) => b.priority - a.priority)
    .find(({ rule }) => parseTraefikRule(rule)?.(request));
  return found && decideWeighted(listOf(found.route.services), found, around);
}

function rankOf(rule: string): HostRank {
  if (/\bHost\(/.test(rule)) return 'exact';
  return /\bHostRegexp\(/.test(rule) ? 'wildcard' : 'any';
}

interface Place {
  /** Where references without a namespace lead. */
  readonly namespace: string;
  readonly key: string;
}

/** TraefikServices may contain TraefikServices; deeper than this they go in a circle. */
const MAX_DEPTH = 8;

/** Undefined when there is no such TraefikService. */
export function decideTraefikService(
  namespace: string,
  name: string,
  around: Surroundings,
  depth = 0,
): Decision | undefined {
  const { traefikServices } = around.objects;
  const object = traefikServices.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  if (!object || depth > MAX_DEPTH) return undefined;
  const { weighted, mirroring } = fieldsOf(object.spec);
  const place = { namespace, key: object.metadata.uid };
  if (mirroring !== undefined) return decideMirroring(fieldsOf(mirroring), place, around, depth);
  return decideWeighted(listOf(fieldsOf(weighted).services), place, around, depth);
}

function decideWeighted(
  services: readonly Fields[],
  { namespace, key }: Place,
  around: Surroundings,
  depth = 0,
): Decision {
  const choices = services.map((service, index) => ({
    id: `${index}:${nameKey(textOf(service.namespace) || namespace, textOf(service.name))}`,
    weight: numberOf(service.weight) ?? 1,
    service,
  }));
  // Traefik drops a router of which one service cannot be found.
  const missing = choices.find(({ service }) => !exists(service, namespace, around));
  if (missing) return { kind: 'answer', status: 404, reason: `service ${missing.id} does not exist` };
  const chosen = around.pick(key, choices);
  if (!chosen) return { kind: 'answer', status: 503, reason: 'no service has a weight' };
  return decideService(chosen.service, namespace, around, depth);
}

function decideService(service: Fields, namespace: string, around: Surroundings, depth: number): Decision {
  const own = textOf(service.namespace) || namespace;
  if (service.kind === 'TraefikService') {
    return (
      decideTraefikService(own, textOf(service.name), around, depth + 1) ?? {
        kind: 'answer',
        status: 404,
        reason: `TraefikService ${textOf(service.name)} cannot be followed`,
      }
    );
  }
  const to = targetOf(service, own);
  const account = { proxy: 'traefik', service: `${own}-${to.service}-${to.port}@kubernetescrd` } as const;
  return { kind: 'forward', to, edits: noEdits, account };
}

function decideMirroring(mirroring: Fields, place: Place, around: Surroundings, depth: number): Decision {
  const decision = decideService(mirroring, place.namespace, around, depth);
  if (decision.kind === 'answer') return decision;
  const mirrors = listOf(mirroring.mirrors).flatMap((mirror, index) => {
    const percent = numberOf(mirror.percent) ?? 0;
    const choices = [
      { id: 'mirror', weight: percent },
      { id: 'none', weight: 100 - percent },
    ];
    const taken = around.pick(`${place.key}/mirror/${index}`, choices)?.id === 'mirror';
    return taken ? [targetOf(mirror, textOf(mirror.namespace) || place.namespace)] : [];
  });
  return { ...decision, edits: { ...decision.edits, mirrors } };
}

function exists(service: Fields, namespace: string, { objects }: Surroundings): boolean {
  const own = textOf(service.namespace) || namespace;
  const name = textOf(service.name);
  if (service.kind !== 'TraefikService') return objects.services.has(nameKey(own, name));
  return objects.traefikServices.some(({ metadata }) => metadata.name === name && metadata.namespace === own);
}

function targetOf(service: Fields, namespace: string): ServicePort {
  const port = numberOf(service.port) ?? textOf(service.port);
  return { namespace, service: textOf(service.name), port: port === '' ? 80 : port };
}
