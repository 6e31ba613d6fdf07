import { describe, expect, it } from 'vitest';
import { hasDrifted } from '../../src/routers/drift.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import { invalid } from '../../src/routers/objects.ts';
import type { RouteContext, Router } from '../../src/routers/router.ts';
import { traefik } from '../../src/routers/traefik.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const context = aRouteContext(aSpec());
const [made] = planRoutes(traefik, context, [undefined], { canaryWeight: 20, mirror: false });
if (!made) throw new Error('nothing was planned');

describe('the drift of routing objects', () => {
  it('is found in an object that somebody changed, however often the one before was looked at', () => {
    const live = made.object;
    expect([hasDrifted(traefik, context, [live]), hasDrifted(traefik, context, [live])]).toEqual([false, false]);
    const changed = { ...live, spec: { weighted: { services: [] } } };
    expect(hasDrifted(traefik, context, [changed])).toBe(true);
    expect(hasDrifted(traefik, context, [changed])).toBe(true);
    expect(hasDrifted(traefik, context, [live])).toBe(false);
  });

  it('is looked for again when the Canary is another one', () => {
    const live = made.object;
    expect(hasDrifted(traefik, context, [live])).toBe(false);
    const spec = { ...context.spec, service: { ...context.spec.service, port: 8_080 } };
    const other: RouteContext = { ...context, spec };
    expect(hasDrifted(traefik, other, [live])).toBe(true);
    expect(hasDrifted(traefik, context, [live])).toBe(false);
  });

  it('stands where nothing can be rendered: the effect that tries tells why', () => {
    const router: Router = {
      ...traefik,
      render: () => {
        throw invalid(context.spec, 'the Ingress is missing');
      },
    };
    expect(hasDrifted(router, context, [made.object])).toBe(true);
  });
});
