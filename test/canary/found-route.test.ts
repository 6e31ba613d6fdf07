import { describe, expect, it } from 'vitest';
import { routeFinder, treeWithFoundRoutes, withFoundRoutes } from '../../src/canary/found-route.ts';
import { at } from '../../src/lib/json.ts';
import type { KubeObject, Manifest } from '../../src/manifest/types.ts';

const settings = { defaultNamespace: 'prod', provider: 'istio' };
const manifest = (object: Record<string, unknown>): Manifest => ({
  object: object as unknown as KubeObject,
  origin: { renderer: 'plain', path: 'a.yaml', line: 1, document: 0 },
});
const canary = (
  service: unknown = { port: 80 },
  provider: string | undefined = 'gatewayapi:v1',
  name = 'shop',
): Manifest =>
  manifest({
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name, namespace: 'prod' },
    spec: { provider, targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, service },
  });
const route = (
  name: string,
  to: readonly string[] = ['shop'],
  kind = 'HTTPRoute',
  namespace: string | undefined = 'prod',
): Manifest =>
  manifest({
    apiVersion: `gateway.networking.k8s.io/${kind === 'TCPRoute' ? 'v1alpha2' : 'v1'}`,
    kind,
    metadata: { name, namespace },
    spec: { rules: to.map((service) => ({ backendRefs: [{ name: service, port: 80 }] })) },
  });
const refIn = (manifests: readonly Manifest[], index = 0): unknown =>
  at(manifests[index]?.object, 'spec', 'service', 'routeRef');
const foundBy = (...manifests: readonly Manifest[]): unknown => refIn(withFoundRoutes(manifests, settings));

describe('a Canary of Gateway API that names no route and no Gateway', () => {
  it('takes the one route of its namespace that leads to its Service', () => {
    const edge = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', name: 'edge' };
    expect(foundBy(canary(), route('edge'), route('other', ['cart']))).toEqual(edge);
    expect(foundBy(canary(), route('edge', ['shop-primary', 'shop-canary']))).toEqual(edge);
    expect(foundBy(canary({ port: 80, gatewayRefs: [] }), route('edge', ['cart', 'shop']))).toEqual(edge);
    expect(foundBy(canary({ port: 80, name: 'front' }), route('edge', ['front']), route('old', ['shop']))).toEqual(
      edge,
    );
    expect(foundBy(canary({ port: 80 }, 'gatewayapi'), route('edge', ['shop'], 'GRPCRoute'))).toMatchObject({
      kind: 'GRPCRoute',
    });
    expect(foundBy(canary({ port: 80 }, 'gatewayapi:v1beta1'), route('edge', ['shop'], 'TCPRoute'))).toMatchObject({
      apiVersion: 'gateway.networking.k8s.io/v1alpha2',
    });
    expect(foundBy(canary(), route('edge', ['shop'], 'HTTPRoute', undefined))).toEqual(edge);
    const ofFallback = withFoundRoutes([canary({ port: 80 }, ''), route('edge')], {
      ...settings,
      provider: 'gatewayapi:v1',
    });
    expect(refIn(ofFallback)).toEqual(edge);
  });

  it.each([
    ['none leads to it', [canary(), route('edge', ['cart'])]],
    ['several do', [canary(), route('edge'), route('inner')]],
    ['that of another namespace does', [canary(), route('edge', ['shop'], 'HTTPRoute', 'stage')]],
    ['it makes its own', [canary({ port: 80, gatewayRefs: [{ name: 'gw' }] }), route('edge')]],
    ['another provider moves its users', [canary({ port: 80 }, 'traefik'), route('edge')]],
    ['the provider is none of the family', [canary({ port: 80 }, 'gatewayapix'), route('edge')]],
    ['it cannot be understood', [canary('80'), route('edge', ['cart'])]],
  ])('takes none where %s', (_what, manifests) => {
    const found = withFoundRoutes(manifests, settings);
    expect(found).toBe(manifests);
  });

  it('keeps the one that it names, also where another leads to the app', () => {
    const manifests = [canary({ port: 80, routeRef: { name: 'inner' } }), route('edge')];
    expect(withFoundRoutes(manifests, settings)).toBe(manifests);
  });

  it('keeps the one that it had when another one comes, and gives it up when it leads elsewhere', () => {
    const [app, edge, inner] = [canary(), route('edge'), route('inner')];
    const first = withFoundRoutes([app, edge], settings);
    const second = withFoundRoutes([app, edge, inner], settings, first);
    expect(refIn(second)).toMatchObject({ name: 'edge' });
    expect(second[0]).toBe(first[0]);
    const third = withFoundRoutes([app, route('edge', ['cart']), inner], settings, second);
    expect(refIn(third)).toMatchObject({ name: 'inner' });
    expect(refIn(withFoundRoutes([app, route('a'), route('b')], settings, third))).toBeUndefined();
  });

  it('is the same object for as long as Git says the same, so that nothing is looked at again', () => {
    const manifests = [canary(), route('edge')];
    const [once, again] = [withFoundRoutes(manifests, settings), withFoundRoutes([...manifests], settings)];
    expect(once[0]).toBe(again[0]);
    expect(once[0]).not.toBe(manifests[0]);
    expect(once[1]).toBe(manifests[1]);
  });

  it('is left as it stands where several routes could be meant and nobody knows which it had', () => {
    const tree = (...manifests: readonly Manifest[]) => ({
      manifests,
      problems: [],
      unreadablePaths: new Set(['b.yaml']),
    });
    const several = treeWithFoundRoutes(
      tree(canary(), route('a'), route('b'), canary({ port: 80 }, 'istio', 'cart')),
      settings,
    );
    expect(several.manifests.map(({ object: { kind, metadata } }) => `${kind} ${metadata.name}`)).toEqual([
      'HTTPRoute a',
      'HTTPRoute b',
      'Canary cart',
    ]);
    expect([...several.unreadablePaths]).toEqual(['b.yaml', 'a.yaml']);
    expect(several.problems).toEqual([
      {
        severity: 'error',
        path: 'a.yaml',
        line: 1,
        message:
          'Canary prod/shop spec.service.routeRef: is missing, and several routes lead to the app: HTTPRoute a, HTTPRoute b; what stands of it stays',
        hint: 'name the one by which users come in',
      },
    ]);
    const one = treeWithFoundRoutes(tree(canary(), route('a')), settings);
    expect(
      refIn(treeWithFoundRoutes(tree(canary(), route('a'), route('b')), settings, one.manifests).manifests),
    ).toMatchObject({
      name: 'a',
    });
    const none = tree(canary(), route('a', ['cart']));
    expect(treeWithFoundRoutes(none, settings)).toBe(none);
  });

  it('says which routes it could mean', () => {
    const manifests = [canary(), route('edge'), route('inner', ['shop'], 'GRPCRoute')];
    const routesOf = routeFinder(manifests, settings);
    expect(routesOf(manifests[0]?.object as KubeObject)?.map(({ metadata: { name } }) => name)).toEqual([
      'edge',
      'inner',
    ]);
    expect(routesOf(canary({ port: 80, routeRef: { name: 'edge' } }).object)).toBeUndefined();
  });
});
