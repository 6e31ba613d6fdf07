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

  it('has every string that Flagger knows, and both ways to name the version of those that have several', () => {
    const strings = (
      'istio linkerd smi:v1alpha1 smi:v1alpha2 smi:v1alpha3 osm appmesh appmesh:v1beta1 appmesh:v1beta2 kuma contour gloo nginx skipper ' +
      'traefik apisix gatewayapi gatewayapi:v1 gatewayapi:v1beta1 knative kubernetes'
    ).split(' ');
    expect(Object.keys(routers).sort()).toEqual([...strings].sort());
  });

  it('refuses what it does not know with an error of the agent', () => {
    expect(() => routerFor('appmesh:v1')).toThrow(AgentError);
  });

  it.each([
    ['trafik', 'traefik'],
    ['Traefik', 'traefik'],
    ['istoi', 'istio'],
    ['gatewayapi:v2', 'gatewayapi:v1'],
    ['appmesh:v1beta3', 'appmesh:v1beta1'],
    ['smi', 'smi:v1alpha1'],
    ['kubernets', 'kubernetes'],
  ])('asks whether %s means %s', (name, meant) => {
    expect(providerProblem(name)).toBe(`spec.provider: unknown provider "${name}"; did you mean "${meant}"?`);
  });

  it('lists what there is where nothing is near', () => {
    for (const name of ['haproxy', '', 'constructor'])
      expect(providerProblem(name)).toContain('; supported are apisix, appmesh, appmesh:v1beta1,');
  });
});
