import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/lib/errors.ts';
import { providerProblem, routerFor, routers } from '../../src/routers/registry.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

describe('routerFor', () => {
  it('finds every router under its own name', () => {
    for (const [name, router] of Object.entries(routers)) {
      expect(router.name).toBe(name);
      expect(routerFor(name)).toBe(router);
      expect(providerProblem(name)).toBeUndefined();
    }
    expect(routerFor('smi:v1alpha2:istio')).toBe(routers['smi:v1alpha2']);
  });

  it.each(['gloo', 'skipper', 'appmesh', 'appmesh:v1beta2', 'kuma', 'osm', 'apisix'])(
    'says that %s comes later',
    (name) => {
      expect(() => routerFor(name)).toThrow(`spec.provider: ${name} is not supported in this release; supported are`);
      expect(() => routerFor(name)).toThrow(AgentError);
    },
  );

  it.each([
    ['trafik', 'traefik'],
    ['Traefik', 'traefik'],
    ['istoi', 'istio'],
    ['gatewayapi', 'gatewayapi:v1'],
    ['gatewayapi:v2', 'gatewayapi:v1'],
    ['smi', 'smi:v1alpha1'],
    ['kubernets', 'kubernetes'],
  ])('asks whether %s means %s', (name, meant) => {
    expect(providerProblem(name)).toBe(`spec.provider: unknown provider "${name}"; did you mean "${meant}"?`);
  });

  it('lists what there is where nothing is near', () => {
    for (const name of ['haproxy', '', 'constructor'])
      expect(providerProblem(name)).toContain('; supported are contour, gatewayapi:v1,');
  });
});

describe('smi', () => {
  it('writes strings for v1alpha1, numbers for later versions, canary first', () => {
    const backends = (name: keyof typeof routers): unknown => {
      const context = aRouteContext(aSpec({ service: { raw: { hosts: ['shop.mesh'] } } }));
      return routers[name].render(context, { canaryWeight: 10, mirror: false }, [undefined])[0]?.['spec'];
    };
    const spec = (canary: unknown, primary: unknown) => ({
      service: 'shop.mesh',
      backends: [
        { service: 'shop-canary', weight: canary },
        { service: 'shop-primary', weight: primary },
      ],
    });
    expect(backends('linkerd')).toEqual(spec('10', '90'));
    expect(backends('smi:v1alpha1')).toEqual(spec('10', '90'));
    expect(backends('smi:v1alpha2')).toEqual(spec(10, 90));
    expect(backends('smi:v1alpha3')).toEqual(spec(10, 90));
  });
});
