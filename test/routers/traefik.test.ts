import { describe, expect, it } from 'vitest';
import { jsonOf } from '../../src/lib/json.ts';
import { planRoutes, supportedSpec } from '../../src/routers/reconcile.ts';
import { routers } from '../../src/routers/registry.ts';
import { traefik } from '../../src/routers/traefik.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const context = aRouteContext(aSpec());
const service = (name: string, weight?: number) => ({
  name,
  namespace: 'prod',
  port: 80,
  ...(weight === undefined ? {} : { weight }),
});
const object = (...services: unknown[]) => ({
  apiVersion: 'traefik.io/v1alpha1',
  kind: 'TraefikService',
  metadata: { name: 'shop', namespace: 'prod' },
  spec: { weighted: { services } },
});
const read = (...services: unknown[]) => traefik.read(context, [object(...services)])?.canaryWeight;

describe('traefik', () => {
  it('names the canary only while it has weight [MX11] [MX12] [MX13]', () => {
    const services = (canaryWeight: number): unknown =>
      jsonOf(traefik.render(context, { canaryWeight, mirror: false }, [undefined])[0]?.['spec'])['weighted'];
    expect(services(0)).toEqual({ services: [service('shop-primary', 100)] });
    expect(services(40)).toEqual({ services: [service('shop-primary', 60), service('shop-canary', 40)] });
  });

  it('names a version without weight nowhere: Traefik takes a missing weight for 1, and no endpoints for an error', () => {
    const [route] = traefik.render(context, { canaryWeight: 100, mirror: false }, [undefined]);
    expect(route?.['spec']).toEqual({ weighted: { services: [service('shop-canary', 100)] } });
    expect(traefik.read(context, [route])).toEqual({ canaryWeight: 100, mirror: false });
    expect(read(service('shop-primary'), service('shop-canary', 99))).toBe(99);
  });

  it('reads shares, not numbers [MX14]', () => {
    expect(read(service('shop-primary', 100), service('shop-canary', 100))).toBe(50);
    expect(read(service('shop-primary', 3), service('shop-canary', 1))).toBe(25);
    expect(read(service('shop-canary', 7))).toBe(100);
    expect(read(service('shop-primary', 0))).toBeUndefined();
    expect(read()).toBeUndefined();
  });

  it('keeps the running weight where Flagger falls back to half and half [R10]', () => {
    const live = object(service('shop-primary', 70), service('shop-canary', 30));
    const labelled = aRouteContext(aSpec({ service: { apex: { labels: { team: 'x' }, annotations: {} } } }));
    const [plan] = planRoutes(traefik, labelled, [live], 'keep');
    expect(plan?.over).toBe(live);
    expect(plan?.object.metadata.labels).toEqual({ team: 'x' });
    expect(plan?.object['spec']).toEqual(live.spec);
  });

  it('takes foreign services out, keeps what users set on ours', () => {
    const sticky = { sticky: { cookie: { name: 'c' } } };
    const live = {
      ...object({ ...service('shop-primary', 100), passHostHeader: false }, service('intruder', 50)),
      spec: {
        weighted: {
          ...sticky,
          services: [{ ...service('shop-primary', 100), passHostHeader: false }, service('intruder', 50)],
        },
      },
    };
    const [plan] = planRoutes(traefik, context, [live], 'keep');
    expect(plan?.object['spec']).toEqual({
      weighted: { ...sticky, services: [{ ...service('shop-primary', 100), passHostHeader: false }] },
    });
  });

  it('refuses to shift everybody when only some users are meant', () => {
    const strategy = { kind: 'ab-testing', iterations: 3, match: [{ headers: { x: { exact: '1' } } }] } as const;
    const testing = aRouteContext(aSpec({ analysis: { strategy } }));
    expect(() => planRoutes(traefik, testing, [undefined], { canaryWeight: 100, mirror: false })).toThrow(
      'Canary shop.prod: provider traefik cannot tell users apart',
    );
  });

  it('does not wait for mirroring that it cannot do [R13]', () => {
    const spec = aSpec({ analysis: { mirror: true } });
    expect(supportedSpec(traefik, spec).analysis.mirror).toBe(false);
    expect(supportedSpec(routers['gatewayapi:v1'], spec)).toBe(spec);
  });

  it('refuses weights that are no percentage', () => {
    for (const canaryWeight of [-1, 101, 7.5, Number.NaN]) {
      expect(() => planRoutes(traefik, context, [undefined], { canaryWeight, mirror: false })).toThrow('no percentage');
    }
  });
});
