/** How soon what leads users acts on what it watches. Whoever is not in the table below is given time. */
export interface Pace {
  /** It reads routes and pods together: so long after EndpointSlices tell of the pods, a route to them finds them. Absent: they do not say when. */
  readonly knowsMs?: number;
  /** Pods that users were led away from still get requests for so long. */
  readonly forgetsMs: number;
}

/** Ingresses and meshes that look every two seconds, as Traefik does, are the slowest of most. */
const usual: Pace = { forgetsMs: 2_500 };

/** A busy machine tells of pods and of routes at different times: with 0.3 s Envoy Gateway lost a request of 11,611 there, Traefik and Contour none. */
const together: Pace = { ...usual, knowsMs: 1_000 };

/**
 * By the beginning of `spec.provider`. Together: whoever makes its configuration of all that it has cached, or tells its proxies of pods before it tells
 * them of routes.
 */
const paces: ReadonlyMap<string, Pace> = new Map<string, Pace>([
  ['contour', { ...usual, knowsMs: 300 }],
  ['gatewayapi', together],
  ['istio', together],
  ['traefik', { ...usual, knowsMs: 300 }],
  // Its controller writes its configuration three times in ten seconds at most (--sync-rate-limit 0.3), all of it at once.
  ['nginx', { ...together, forgetsMs: 4_000 }],
  // It asks the API server every 3 s (-source-poll-timeout).
  ['skipper', { ...usual, forgetsMs: 4_000 }],
]);

export function paceOf(provider: string): Pace {
  const [name = ''] = provider.split(':');
  return paces.get(name) ?? usual;
}

/** Where nothing can be read, new pods are known after this. */
export const learnsMs = 2_500;
