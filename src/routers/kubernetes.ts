import type { Router } from './router.ts';

/**
 * No mesh and no ingress: the Services alone. The apex Service selects the primary throughout, so no user ever reaches the
 * canary by it and there is nothing to render.
 */
export const kubernetes: Router = {
  name: 'kubernetes',
  about: {
    title: 'Kubernetes alone',
    url: 'https://kubernetes.io/docs/concepts/services-networking/service/',
    notes: 'blue/green',
  },
  supports: { weights: false, mirror: false, headers: false, affinity: false },
  kinds: [],
  refs: () => [],
  render: () => [],
  read: () => ({ canaryWeight: 0, mirror: false }),
};
