/** How soon what leads users acts on what it watches. Whoever is not in the table below is given time. */
export interface Pace {
  /** It reads routes and pods together: as soon as EndpointSlices tell of the pods, a route to them finds them. */
  readonly readsPodsWithRoutes: boolean;
  /** Pods that users were led away from still get requests for so long. */
  readonly forgetsMs: number;
}

/** Ingresses and meshes that look every two seconds, as Traefik does, are the slowest of most. */
const usual: Pace = { readsPodsWithRoutes: false, forgetsMs: 2_500 };

const together: Pace = { ...usual, readsPodsWithRoutes: true };

/**
 * By the beginning of `spec.provider`. Together: whoever makes its configuration of all that it has cached, or tells its proxies of pods before it tells
 * them of routes.
 */
const paces: ReadonlyMap<string, Pace> = new Map<string, Pace>([
  ['contour', together],
  ['gatewayapi', together],
  ['istio', together],
  ['traefik', together],
  // Its controller writes its configuration three times in ten seconds at most (--sync-rate-limit 0.3), all of it at once.
  ['nginx', { readsPodsWithRoutes: true, forgetsMs: 4_000 }],
  // It asks the API server every 3 s (-source-poll-timeout).
  ['skipper', { ...usual, forgetsMs: 4_000 }],
]);

export function paceOf(provider: string): Pace {
  const [name = ''] = provider.split(':');
  return paces.get(name) ?? usual;
}

/** Where nothing can be read, new pods are known after this. */
export const learnsMs = 2_500;

/** EndpointSlices told all who watch them at once; the slowest of these gets so much more. */
export const knownMs = 300;
