import { decideApisixRoute } from './apisix.ts';
import { decideClusterName } from './cluster-name.ts';
import { decideGloo } from './gloo.ts';
import { decideHttpRoute } from './http-route.ts';
import { decideIngress } from './ingress.ts';
import type { Decision, HostRank, RouteRequest, Surroundings } from './route.ts';
import { decideIngressRoute } from './traefik.ts';

/** Where a request goes: rules that name its host, then names inside the cluster, then rules for any host. */
export function decide(request: RouteRequest, around: Surroundings): Decision {
  return (
    decideByHost(request, 'exact', around) ??
    decideByHost(request, 'wildcard', around) ??
    decideClusterName(request, around) ??
    decideByHost(request, 'any', around) ?? { kind: 'answer', status: 404, reason: `no route for host ${request.host}` }
  );
}

export function decideByHost(request: RouteRequest, rank: HostRank, around: Surroundings): Decision | undefined {
  return (
    decideHttpRoute(request, rank, around) ??
    decideIngressRoute(request, rank, around) ??
    decideApisixRoute(request, rank, around) ??
    decideGloo(request, rank, around) ??
    decideIngress(request, rank, around)
  );
}
