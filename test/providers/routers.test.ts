import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { routers } from '../../src/routers/registry.ts';
import { describeRouter, type RouterCase } from '../conformance/describe-router.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const ingress: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: {
    name: 'web',
    namespace: 'prod',
    labels: { team: 'shop' },
    annotations: { 'kubernetes.io/ingress.class': 'nginx', 'nginx.ingress.kubernetes.io/proxy-body-size': '8m' },
  },
  spec: {
    rules: [
      {
        host: 'shop.example.com',
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'shop', port: { number: 80 } } } }],
        },
      },
    ],
  },
};

const spec = aSpec({
  ingressRef: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace: 'prod', name: 'web' },
  service: {
    apex: { labels: { tier: 'front' }, annotations: { 'example.org/owner': 'shop' } },
    raw: { hosts: ['shop.example.com'], gatewayRefs: [{ name: 'gw', namespace: 'infra' }], timeout: '5s' },
  },
});

for (const router of Object.values(routers)) {
  const context = aRouteContext({ ...spec, provider: router.name });
  const before = router
    .refs(context)
    .map((ref) => (ref.kind === 'Ingress' && ref.name === 'web' ? ingress : undefined));
  const routerCase: RouterCase = { context, before };
  // Without weights there is nothing to conform to.
  if (!router.supports.weights) continue;
  describeRouter(router, routerCase);

  describe(`router ${router.name}`, () => {
    it('renders what its golden file shows', async () => {
      const at = (canaryWeight: number): unknown => router.render(context, { canaryWeight, mirror: false }, before);
      const golden = { 'at rest': at(0), 'at 30 percent': at(30), 'at 100 percent': at(100) };
      const file = `../../fixtures/routers/${router.name.replace(':', '-')}.json`;
      await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(file);
    });
  });
}

it('renders nothing where only Services exist', () => {
  const context = aRouteContext({ ...spec, provider: 'kubernetes' });
  expect(routers.kubernetes.refs(context)).toEqual([]);
  expect(routers.kubernetes.render(context, { canaryWeight: 50, mirror: false }, [])).toEqual([]);
  expect(routers.kubernetes.read(context, [])).toEqual({ canaryWeight: 0, mirror: false });
});
