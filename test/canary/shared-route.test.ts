import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinRules, servicesSplitIn, sharesIn, splitRules, withLiveSplits } from '../../src/canary/shared-route.ts';
import type { Json } from '../../src/lib/json.ts';
import type { KubeObject } from '../../src/manifest/types.ts';

const shop = { namespace: 'prod', name: 'shop' };
const cart = { namespace: 'prod', name: 'cart' };
const to = (name: string, weight?: number, more: Json = {}): Json => ({
  name,
  port: 80,
  ...more,
  ...(weight === undefined ? {} : { weight }),
});
const ruleTo = (...backendRefs: readonly Json[]): Json => ({
  matches: [{ path: { type: 'PathPrefix', value: '/' } }],
  filters: [{ type: 'URLRewrite' }],
  timeouts: { request: '5s' },
  backendRefs,
});
const routeOf = (rules: readonly Json[]): KubeObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'web', namespace: 'prod' },
  spec: { hostnames: ['a.example'], rules },
});

describe("the rules of a route that stays its users' own", () => {
  it('lead to primary and canary where they led to the app, and nothing else of them changes', () => {
    const other = ruleTo(to('other'));
    const redirect = { filters: [{ type: 'RequestRedirect' }] };
    const rules = [ruleTo(to('shop', 1, { filters: [{ type: 'RequestHeaderModifier' }] })), other, redirect];
    const kept = { port: 80, filters: [{ type: 'RequestHeaderModifier' }] };
    expect(splitRules(rules, shop, 30)).toEqual([
      {
        ...rules[0],
        backendRefs: [
          { name: 'shop-primary', weight: 70, ...kept },
          { name: 'shop-canary', weight: 30, ...kept },
        ],
      },
      other,
      redirect,
    ]);
  });

  it('keep the ratio to what else a rule leads to', () => {
    const [rule] = splitRules([ruleTo(to('shop', 3), to('old-shop', 1))], shop, 10);
    expect(rule?.['backendRefs']).toEqual([to('shop-primary', 270), to('shop-canary', 30), to('old-shop', 100)]);
  });

  it.each([
    ['of another namespace', to('shop', 1, { namespace: 'stage' })],
    ['of another kind', to('shop', 1, { kind: 'ServiceImport', group: 'multicluster.x-k8s.io' })],
  ])('leave a backend of this name alone: one %s', (_what, ref) => {
    expect(splitRules([ruleTo(ref)], shop, 50)).toEqual([ruleTo(ref)]);
  });

  it('take the canary out at rest where users are kept on what they met', () => {
    const sticky = { ...ruleTo(to('shop', 1)), sessionPersistence: { sessionName: 's' } };
    const [home] = splitRules(splitRules([sticky], shop, 40), shop, 0);
    expect(home?.['backendRefs']).toEqual([to('shop-primary', 100)]);
    expect(servicesSplitIn(routeOf([home ?? {}]))).toEqual([shop]);
    expect(joinRules([home ?? {}], shop)).toEqual([sticky]);
  });

  const weight = fc.integer({ min: 0, max: 100 });
  const backend = fc.oneof(
    fc.integer({ min: 0, max: 20 }).map((share) => to('shop', share)),
    fc.integer({ min: 0, max: 20 }).map((share) => to('cart', share)),
    fc.integer({ min: 0, max: 20 }).map((share) => to('other', share)),
  );
  const anyRules = fc.array(
    fc.array(backend, { maxLength: 3 }).map((refs) => ruleTo(...refs)),
    { maxLength: 4 },
  );

  it('read what was written, and are given back as they were, with two apps in them [property]', () => {
    fc.assert(
      fc.property(anyRules, weight, weight, weight, (rules, first, second, others) => {
        const both = splitRules(splitRules(splitRules(rules, shop, first), cart, others), shop, second);
        const shares = sharesIn(both, shop);
        if (shares && shares.primary + shares.canary > 0)
          expect(Math.round((100 * shares.canary) / (shares.primary + shares.canary))).toBe(second);
        expect(splitRules(both, shop, second)).toEqual(both);
        expect(joinRules(joinRules(both, shop), cart)).toEqual(rules);
        expect(joinRules(joinRules(both, cart), shop)).toEqual(rules);
      }),
      { numRuns: 300 },
    );
  });

  it('take over what Git says of them while the canaries have their shares [property]', () => {
    fc.assert(
      fc.property(anyRules, weight, weight, (rules, first, second) => {
        const live = splitRules(splitRules(rules, shop, first), cart, second);
        const edited = rules.map((rule) => ({ ...rule, timeouts: { request: '9s' } }));
        const sent = withLiveSplits(routeOf(live), routeOf(edited));
        const wanted = live.map((rule) => ({ ...rule, timeouts: { request: '9s' } }));
        // An app without any weight has no share to be known by.
        if (servicesSplitIn(routeOf(live)).every((service) => hasShare(live, service)))
          expect(sent['spec']).toEqual({ hostnames: ['a.example'], rules: wanted });
      }),
      { numRuns: 300 },
    );
  });
});

function hasShare(rules: readonly Json[], service: typeof shop): boolean {
  const { primary, canary } = sharesIn(rules, service) ?? { primary: 0, canary: 0 };
  return primary + canary > 0;
}
