import { describe, expect, it } from 'vitest';
import type { TickContext } from '../../../src/agent/effects/execute.ts';
import { createAbandonedRoutes } from '../../../src/agent/canaries/abandoned-routes.ts';
import { emptyMemory } from '../../../src/agent/canaries/memory.ts';
import type { CanarySpec, CanaryStatus, Effect, TrafficSplit } from '../../../src/canary/types.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { routerFor } from '../../../src/routers/registry.ts';
import { aRouteContext, aSpec } from '../../helpers/a-route-context.ts';
import { appKey } from '../../helpers/key.ts';

const key = appKey('prod/shop');
const canary: KubeObject = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { name: 'shop' } };
const status = { phase: 'Progressing', canaryWeight: 40 } as CanaryStatus;
const pods = (available: number): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'any' },
  spec: { replicas: 2 },
  status: { availableReplicas: available },
});
const understood = (spec: CanarySpec) => ({ spec, router: routerFor(spec.provider) });

/** Ways of a Canary whose users are shared so by its first way. */
function ways({ split, primary = 2, fails = false }: { split: TrafficSplit; primary?: number; fails?: boolean }) {
  const did: { readonly effect: Effect; readonly provider: string }[] = [];
  const told: string[] = [];
  const state = { primary };
  const created = createAbandonedRoutes({
    look: async ({ spec }) => {
      const seen = { split, primary: pods(state.primary), target: pods(2) } as unknown as TickContext['seen'];
      return { seen, route: aRouteContext(spec), liveRoutes: [] };
    },
    effects: {
      async run(effect, { spec }) {
        if (fails) throw new Error('refused');
        did.push({ effect, provider: spec.provider });
      },
      tell: (_canary, _spec, { message }) => void told.push(message),
    },
    nowMs: () => 0,
    signal: new AbortController().signal,
  });
  const leave = async (spec: CanarySpec): Promise<void> =>
    created.leave(key, { canary, status, ...understood(spec) }, emptyMemory());
  return { ...created, leave, did, told, state };
}

const traefik = aSpec({ provider: 'traefik' });
const gateway = aSpec({ provider: 'gatewayapi:v1' });
const home: Effect = { kind: 'set-route', split: { canaryWeight: 0, mirror: false } };

describe('a Canary that is given other routes in the middle of a release', () => {
  it.each<[string, CanarySpec]>([
    ['another provider', gateway],
    ['Services of another name', aSpec({ service: { name: 'web' } })],
    [
      'another Ingress',
      aSpec({ ingressRef: { apiVersion: 'v1', kind: 'IngressRoute', namespace: 'prod', name: 'b' } }),
    ],
  ])('takes its users home by those that it had: %s', async (_what, edited) => {
    const { note, leave, did, told } = ways({ split: { canaryWeight: 40, mirror: false } });
    note(key, understood(traefik));
    await leave(traefik);
    expect(did).toEqual([]);
    note(key, understood(edited));
    await leave(edited);
    expect(did).toEqual([{ effect: home, provider: 'traefik' }]);
    expect(told).toEqual(['Routing all traffic to primary, shop.prod is released by other routes from now on']);
    await leave(edited);
    expect(did).toHaveLength(1);
  });

  it('stops to copy their requests', async () => {
    const { note, leave, did } = ways({ split: { canaryWeight: 0, mirror: true } });
    note(key, understood(traefik));
    note(key, understood(gateway));
    await leave(gateway);
    expect(did).toHaveLength(1);
  });

  it('has nothing to do where they are home, or only its analysis has changed', async () => {
    const { note, leave, did } = ways({ split: { canaryWeight: 0, mirror: false } });
    note(key, understood(traefik));
    note(key, understood(gateway));
    await leave(gateway);
    const away = ways({ split: { canaryWeight: 40, mirror: false } });
    const edited = aSpec({ provider: 'traefik', analysis: { threshold: 1 } });
    away.note(key, understood(traefik));
    away.note(key, understood(edited));
    await away.leave(edited);
    expect([did, away.did]).toEqual([[], []]);
  });

  it('leaves them where somebody answers, until the primary does', async () => {
    const { note, leave, did, state } = ways({ split: { canaryWeight: 40, mirror: false }, primary: 0 });
    note(key, understood(traefik));
    note(key, understood(gateway));
    await leave(gateway);
    expect(did).toEqual([]);
    state.primary = 1;
    await leave(gateway);
    expect(did).toHaveLength(1);
  });

  it('tries again where that could not be written', async () => {
    const { note, leave } = ways({ split: { canaryWeight: 40, mirror: false }, fails: true });
    note(key, understood(traefik));
    note(key, understood(gateway));
    await expect(leave(gateway)).rejects.toThrow('refused');
    await expect(leave(gateway)).rejects.toThrow('refused');
  });
});
