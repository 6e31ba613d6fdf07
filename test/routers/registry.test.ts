import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/lib/errors.ts';
import { providerProblem, routerFor, routers } from '../../src/routers/registry.ts';

describe('routerFor', () => {
  it('finds every router under its own name', () => {
    for (const [name, router] of Object.entries(routers)) {
      expect(router.name).toBe(name);
      expect(routerFor(name)).toBe(router);
      expect(providerProblem(name)).toBeUndefined();
    }
    expect(routerFor('smi:v1alpha2:istio')).toBe(routers['smi:v1alpha2']);
  });

  it.each(['appmesh', 'appmesh:v1beta2'])('says that %s comes later', (name) => {
    expect(() => routerFor(name)).toThrow(`spec.provider: ${name} is not supported in this release; supported are`);
    expect(() => routerFor(name)).toThrow(AgentError);
  });

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
      expect(providerProblem(name)).toContain('; supported are apisix, contour, gatewayapi:v1,');
  });
});
