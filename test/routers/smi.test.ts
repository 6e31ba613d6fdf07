import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import { routers } from '../../src/routers/registry.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const context = aRouteContext(aSpec({ service: { raw: { hosts: ['shop.mesh'] } } }));
const splitOf = (canary: unknown, primary: unknown) => ({
  service: 'shop.mesh',
  backends: [
    { service: 'shop-canary', weight: canary },
    { service: 'shop-primary', weight: primary },
  ],
});

it.each([
  ['smi:v1alpha2:istio', ['edge', 'inner'], '["edge","inner"]'],
  ['smi:v1alpha2:istio', [], undefined],
  ['smi:v1alpha2:linkerd', ['edge'], undefined],
  ['smi:v1alpha2', ['edge'], undefined],
])('names gateways for the adapter of Istio: %s with %j', (provider, gateways, named) => {
  const ofMesh = aRouteContext(aSpec({ provider, service: { raw: { gateways } } }));
  const [split] = routers['smi:v1alpha2'].render(ofMesh, { canaryWeight: 0, mirror: false }, [undefined]);
  expect(split?.metadata.annotations?.['VirtualService.v1alpha3.networking.istio.io/spec.gateways']).toBe(named);
});

describe.each([
  { name: 'linkerd', text: true, ids: '[MX20] [MX21] [MX22]' },
  { name: 'smi:v1alpha1', text: true, ids: '[MX20] [MX21] [MX22]' },
  { name: 'smi:v1alpha2', text: false, ids: '[MX23] [MX24] [MX25]' },
  { name: 'smi:v1alpha3', text: false, ids: '[MX26] [MX27] [MX28]' },
] as const)('$name $ids', ({ name, text }) => {
  const router = routers[name];
  const weight = (share: number): number | string => (text ? String(share) : share);
  const render = (canaryWeight: number, live?: KubeObject) =>
    router.render(context, { canaryWeight, mirror: false }, [live])[0] as KubeObject;

  it('names the host and both services, the canary first', () => {
    expect(render(0)['spec']).toEqual(splitOf(weight(0), weight(100)));
  });

  it('moves users by weight, in numbers or texts as the version has it, and reads them', () => {
    expect(render(10)['spec']).toEqual(splitOf(weight(10), weight(90)));
    expect(router.read(context, [render(10)])).toEqual({ canaryWeight: 10, mirror: false });
    const nobody = { ...render(0), spec: splitOf(weight(0), weight(0)) };
    expect(router.read(context, [nobody])).toBeUndefined();
  });

  it('undoes what somebody else changed, but not the weights', () => {
    const live = render(30);
    const spec = { ...splitOf(weight(30), weight(70)), service: 'elsewhere' };
    const [plan] = planRoutes(router, context, [{ ...live, spec }], 'keep');
    expect(plan?.object).toEqual(live);
  });
});
