import { joinRules, leadsTo, type RouteService, rulesOf, sharesIn, splitRules } from '../canary/shared-route.ts';
import type { CanarySpec } from '../canary/types.ts';
import { jsonOf } from '../lib/json.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';
import { notAccepted } from './gatewayapi-status.ts';
import { invalid, listOf, splitOf } from './objects.ts';
import type { RouteWarning, Router } from './router.ts';

const field = 'spec.service.routeRef';
/** Of a backend, as Gateway API has it. */
const greatestWeight = 1_000_000;

/**
 * A route of Gateway API that stays its users' own: in the rules that lead to the app, primary and canary stand in the place of the apex
 * service, and nothing else changes. https://gateway-api.sigs.k8s.io/
 */
export const adoptedRoute = {
  refs: ({ spec }) => [refOf(spec)],
  render({ spec }, { canaryWeight }, [live]) {
    const { kind, name, namespace } = refOf(spec);
    const what = `${kind} ${name}.${namespace ?? ''}`;
    if (!live) throw invalid(spec, `${what} does not exist`, field);
    const rules = rulesOf(live);
    if (!leadsTo(rules, serviceOf(spec))) {
      throw invalid(spec, `${what} has no rule with the backend ${spec.service.name}`, field);
    }
    const split = splitRules(rules, serviceOf(spec), canaryWeight);
    const weights = split.flatMap((rule) => listOf(rule['backendRefs']).map(({ weight }) => Number(weight ?? 1)));
    if (Math.max(...weights) > greatestWeight) {
      const message = `${what} has weights that cannot be divided by hundred parts: write smaller ones of the same ratio`;
      throw invalid(spec, message, field);
    }
    return [{ ...live, spec: { ...jsonOf(live['spec']), rules: split } }];
  },
  home({ spec }, [live]) {
    if (!live) return [];
    return [{ ...live, spec: { ...jsonOf(live['spec']), rules: splitRules(rulesOf(live), serviceOf(spec), 0) } }];
  },
  leave({ spec }, [live]) {
    if (!live) return undefined;
    return { ...live, spec: { ...jsonOf(live['spec']), rules: joinRules(rulesOf(live), serviceOf(spec)) } };
  },
  read({ spec }, [live]) {
    const shares = live && sharesIn(rulesOf(live), serviceOf(spec));
    return shares && (splitOf(shares.primary, shares.canary) ?? { canaryWeight: 0, mirror: false });
  },
  trouble: ({ spec }, [live]) => (live ? notAccepted(spec, live, parentsOf(live)) : undefined),
} satisfies Partial<Router>;

function refOf({ service: { routeRef } }: CanarySpec): ObjectRef {
  if (!routeRef) throw new Error('a Canary without spec.service.routeRef makes its own route');
  return routeRef;
}

function serviceOf({ namespace, service: { name } }: CanarySpec): RouteService {
  return { namespace, name };
}

function parentsOf(live: KubeObject): ReturnType<typeof listOf> {
  return listOf(jsonOf(live['spec'])['parentRefs']);
}

/** A second try of the Gateway makes good what the canary did badly, and what it counts does not show that. */
export function retryWarnings(spec: CanarySpec, live: KubeObject): readonly RouteWarning[] {
  const retrying = rulesOf(live).flatMap((rule, index) =>
    (rule['retry'] ?? undefined) !== undefined && leadsTo([rule], serviceOf(spec)) ? [index] : [],
  );
  if (retrying.length === 0) return [];
  const rules = retrying.map((index) => `spec.rules[${index}]`).join(', ');
  const message = `${live.kind} ${live.metadata.name} tries requests again (${rules}): errors of the canary that a second try makes good are not counted by its Gateway`;
  return [{ field, message, hint: 'judge by metrics of the app itself' }];
}
