import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { knative } from '../../src/routers/knative.ts';
import { planRestore, planRoutes, routeDrift } from '../../src/routers/reconcile.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const target = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', namespace: 'prod', name: 'shop' };
const context = aRouteContext(aSpec({ provider: 'knative', target, targetKind: 'Knative' }));

function aService(traffic: unknown, primary: string | undefined = 'shop-00001'): KubeObject {
  return {
    ...target,
    metadata: {
      name: 'shop',
      namespace: 'prod',
      annotations: {
        'serving.knative.dev/creator': 'ann',
        ...(primary === undefined ? {} : { 'flagger.app/primary-revision': primary }),
      },
    },
    spec: { template: { spec: { containers: [{ image: 'shop:2' }] } }, ...(traffic === undefined ? {} : { traffic }) },
    status: { latestCreatedRevisionName: 'shop-00002' },
  };
}
const traffic = (latest: number, primary = 'shop-00001'): unknown[] => [
  { latestRevision: true, percent: latest },
  { revisionName: primary, percent: 100 - latest },
];
const trafficOf = (object: KubeObject | undefined): unknown =>
  (object?.['spec'] as { traffic?: unknown } | undefined)?.traffic;

describe('the Knative router', () => {
  it('pins the primary and leaves the rest of the Service alone [MX37]', () => {
    const [planned] = planRoutes(knative, context, [aService(undefined)], 'keep');
    expect(planned?.object).toEqual(aService(traffic(0)));
  });

  it('divides the traffic between the latest Revision and the pinned one [MX38]', () => {
    const [planned] = planRoutes(knative, context, [aService(traffic(0))], { canaryWeight: 20, mirror: false });
    expect(trafficOf(planned?.object)).toEqual(traffic(20));
    const [promoted] = planRoutes(knative, context, [aService(traffic(50), 'shop-00002')], {
      canaryWeight: 0,
      mirror: false,
    });
    expect(trafficOf(promoted?.object)).toEqual(traffic(0, 'shop-00002'));
  });

  it('reads the shares, and nothing before a primary is pinned [MX39]', () => {
    expect(knative.read(context, [aService(traffic(20))])).toEqual({ canaryWeight: 20, mirror: false });
    expect(knative.read(context, [aService(traffic(20), '')])).toBeUndefined();
    expect(knative.read(context, [undefined])).toBeUndefined();
    expect(() => planRoutes(knative, context, [aService(undefined, '')], { canaryWeight: 10, mirror: false })).toThrow(
      'has no annotation flagger.app/primary-revision',
    );
    expect(planRoutes(knative, context, [aService(undefined, '')], 'keep')).toEqual([]);
  });

  it('understands entries that leave out whether they mean the latest Revision [R84]', () => {
    const live = aService([{ percent: 30 }, { revisionName: 'shop-00001', latestRevision: false, percent: 70 }]);
    expect(knative.read(context, [live])).toEqual({ canaryWeight: 30, mirror: false });
    expect(routeDrift(knative, context, [aService(traffic(30))])).toBe(false);
    const [planned] = planRoutes(knative, context, [live], { canaryWeight: 40, mirror: false });
    expect(trafficOf(planned?.object)).toEqual([
      { latestRevision: true, percent: 40 },
      { revisionName: 'shop-00001', latestRevision: false, percent: 60 },
    ]);
  });

  it('counts a Revision that is neither as the primary: it is nothing that is judged now', () => {
    const live = aService([
      { latestRevision: true, percent: 20 },
      { revisionName: 'shop-00000', percent: 80 },
    ]);
    expect(knative.read(context, [live])).toEqual({ canaryWeight: 20, mirror: false });
    const [planned] = planRoutes(knative, context, [live], 'keep');
    expect(trafficOf(planned?.object)).toEqual(traffic(20));
  });

  it('keeps names for single Revisions, without a share', () => {
    const live = aService([...traffic(0), { revisionName: 'shop-00000', tag: 'old', percent: 0 }]);
    const [planned] = planRoutes(knative, context, [live], { canaryWeight: 10, mirror: false });
    expect(trafficOf(planned?.object)).toEqual([...traffic(10), { revisionName: 'shop-00000', tag: 'old' }]);
  });

  it('never takes the Service back to how it was, which would be another release', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{}}' };
    const live = aService(traffic(0));
    const applied = {
      ...live,
      metadata: { ...live.metadata, annotations: { ...live.metadata.annotations, ...annotations } },
    };
    expect(planRestore(knative, context, [applied])).toEqual([]);
  });

  it('says why Knative does not route', () => {
    const conditions = [{ type: 'RoutesReady', status: 'False', message: 'no such Revision' }];
    const live = { ...aService(traffic(0)), status: { conditions } };
    expect(knative.trouble?.(context, [live])).toBe('Knative Service shop.prod cannot route: no such Revision');
    expect(knative.trouble?.(context, [aService(traffic(0))])).toBeUndefined();
  });
});
