import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forEveryone } from '../../src/canary/strategy.ts';
import type { CanarySpec, TrafficSplit } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';
import { planHome, planRoutes, routeDrift, supportsOf } from '../../src/routers/reconcile.ts';
import type { LiveObjects, RouteContext, Router } from '../../src/routers/router.ts';

export interface RouterCase {
  /** What kind of release it is about, for the names of the tests. */
  readonly release: string;
  readonly context: RouteContext;
  /** What users made before: in the order of `refs`. */
  readonly before: LiveObjects;
  /** Users all go to the canary or none of them; any share in between sends them home. Absent: any share is possible. */
  readonly isAllOrNothing?: boolean;
  /** How many objects have the weights. Absent: one. */
  readonly entrances?: number;
  /** Undoes what may differ of objects that say the same. Absent: nothing may. */
  readonly asOne?: (object: KubeObject | undefined) => KubeObject | undefined;
}

const runs = { numRuns: 40 };

/** Changes of `spec.service` and `spec.analysis` that people make while a release is under way. */
const edits: Readonly<Record<string, (spec: CanarySpec) => CanarySpec>> = {
  'apex labels': (spec) => withService(spec, { apex: { labels: { tier: 'back' }, annotations: {} } }),
  'apex annotations': (spec) =>
    withService(spec, { apex: { labels: {}, annotations: { 'example.org/owner': 'somebody else' } } }),
  port: (spec) => withService(spec, { port: 8080 }),
  portDiscovery: (spec) => withService(spec, { portDiscovery: true }),
  timeout: (spec) => withRaw(spec, { timeout: '7s' }),
  hosts: (spec) => withRaw(spec, { hosts: ['new.example.com', 'shop.example.com'] }),
  gateways: (spec) => withRaw(spec, { gateways: ['edge/other'], gatewayRefs: [{ name: 'other', namespace: 'infra' }] }),
  match: (spec) => withRaw(spec, { match: [{ uri: { prefix: '/new' } }, { uri: { exact: '/old' } }] }),
  headers: (spec) => withRaw(spec, { headers: { request: { add: { x: 'y' } }, response: { set: { z: 'a' } } } }),
  retries: (spec) => withRaw(spec, { retries: { attempts: 5, perTryTimeout: '1s', retryOn: 'gateway-error' } }),
  rewrite: (spec) => withRaw(spec, { rewrite: { uri: '/' } }),
  cors: (spec) => withRaw(spec, { corsPolicy: { allowOrigin: ['*'], maxAge: '1h' } }),
  trafficPolicy: (spec) => withRaw(spec, { trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } }),
  mirrorWeight: (spec) => ({ ...spec, analysis: { ...spec.analysis, mirrorWeight: 30 } }),
  steps: (spec) => ({
    ...spec,
    analysis: { ...spec.analysis, intervalMs: 20_000, threshold: 7, stepWeightPromotion: 20 },
  }),
};

/** What every routing provider must do, whatever its objects look like. */
export function describeRouter(
  router: Router,
  { release, context, before, isAllOrNothing = false, entrances = 1, asOne = (object) => object }: RouterCase,
): void {
  const keys = router.refs(context).map(refKey);
  const supports = supportsOf(router, context.spec);
  /** In the order in which the router reads them: what is written, and what stands beside it. */
  const live = (written: readonly KubeObject[], over: LiveObjects = before, within = context): LiveObjects => {
    const all = [...written, ...over].filter((object) => object !== undefined);
    return router.refs(within).map((ref) => all.find((object) => refKey(refOf(object)) === refKey(ref)));
  };
  const renderedSplit = (split: TrafficSplit, over: LiveObjects = before, within = context): LiveObjects =>
    live(router.render(within, split, over), over, within);
  const rendered = (canaryWeight: number, over: LiveObjects = before): LiveObjects =>
    renderedSplit({ canaryWeight, mirror: false }, over);
  const planned = (within: RouteContext, over: LiveObjects, split: TrafficSplit | 'keep'): LiveObjects =>
    live(
      planRoutes(router, within, over, split).map(({ object }) => object),
      over,
      within,
    );
  /** Somebody gives the canary another weight and forgets the primary's, which the API server of Knative would refuse. */
  const edited = (objects: LiveObjects, from: number, to: number): LiveObjects => {
    const change = (key: string, value: unknown): unknown => {
      if (key === 'weight' && value === `${from}`) return `${to}`;
      if (key === 'zalando.org/backend-weights')
        return String(value).replace(`"shop-canary":${from}`, `"shop-canary":${to}`);
      if (value === from && (key === 'weight' || key === 'percent')) return to;
      return key.endsWith('/canary-weight') && value === `${from}` ? `${to}` : value;
    };
    return objects.map((object) => object && (JSON.parse(JSON.stringify(object, change)) as KubeObject));
  };
  const weights = isAllOrNothing ? fc.constantFrom(0, 100) : fc.integer({ min: 0, max: 100 });
  const [some, more] = isAllOrNothing ? [100, 0] : [30, 40];
  /** Every split that a release can have. */
  const splits: fc.Arbitrary<TrafficSplit> = supports.mirror
    ? fc.oneof(
        weights.map((canaryWeight) => ({ canaryWeight, mirror: false })),
        fc.constant({ canaryWeight: 0, mirror: true }),
      )
    : weights.map((canaryWeight) => ({ canaryWeight, mirror: false }));

  describe(`router ${router.name}, ${release}`, () => {
    it('knows nothing of a split before its objects exist', () => {
      expect(router.read(context, before)).toBeUndefined();
    });

    it('renders only objects that it also reads', () => {
      for (const object of router.render(context, { canaryWeight: 10, mirror: false }, before)) {
        expect(keys).toContain(refKey(refOf(object)));
      }
    });

    it('reads every split that it renders, over whatever stood before', () => {
      fc.assert(
        fc.property(splits, splits, (first, second) => {
          expect(router.read(context, renderedSplit(first))).toEqual(first);
          expect(router.read(context, renderedSplit(second, renderedSplit(first)))).toEqual(second);
        }),
        runs,
      );
    });

    if (!isAllOrNothing)
      it.each([61, 5, 0, 1_000])(
        'sees that somebody has made %d of a weight of 23, and gives back what was judged',
        (other) => {
          const judged = rendered(23);
          const found = edited(judged, 23, other);
          expect(found).not.toEqual(judged);
          const { canaryWeight = 0 } = router.read(context, found) ?? {};
          if (other > 23) expect(canaryWeight).toBeGreaterThan(23);
          else expect(canaryWeight).toBeLessThan(23);
          expect(canaryWeight).toBeLessThanOrEqual(100);
          expect(planned(context, found, { canaryWeight: 23, mirror: false })).toEqual(judged);
        },
      );

    it('reads mirroring that it renders, where it can mirror, and plans none where it cannot [R13]', () => {
      const split = { canaryWeight: 0, mirror: true };
      expect(router.read(context, planned(context, before, split))).toEqual({
        canaryWeight: 0,
        mirror: supports.mirror,
      });
    });

    it('renders the same again over its own objects, and plans nothing then', () => {
      fc.assert(
        fc.property(splits, (split) => {
          const once = renderedSplit(split);
          expect(renderedSplit(split, once)).toEqual(once);
          expect(planRoutes(router, context, once, split)).toEqual([]);
          expect(planRoutes(router, context, once, 'keep')).toEqual([]);
          expect(routeDrift(router, context, once)).toBe(false);
        }),
        runs,
      );
    });

    it('does not depend on the path by which a split was reached', () => {
      fc.assert(
        fc.property(splits, splits, (first, second) => {
          expect(renderedSplit(second, renderedSplit(first)).map(asOne)).toEqual(renderedSplit(second).map(asOne));
        }),
        runs,
      );
    });

    it('leaves what it does not own', () => {
      const objects = rendered(some).map((object, at) =>
        object === before[at] || object === undefined ? object : touched(object),
      );
      const written = planRoutes(router, context, objects, { canaryWeight: more, mirror: false });
      expect(written).toHaveLength(entrances);
      const [{ object } = { object: undefined }] = written;
      expect(object?.metadata).toMatchObject({ uid: 'u', resourceVersion: '7', finalizers: ['example.org/wait'] });
      expect(object?.metadata.labels).toMatchObject({ foreign: 'label' });
      expect(object?.metadata.annotations).toMatchObject({ 'example.org/foreign': 'annotation' });
      expect(object?.['status']).toEqual({ seen: true });
    });

    it('leaves fields of a spec that are not its own, and takes those of its users into a copy', () => {
      const foreign = { kept: ['by', { its: 'users' }] };
      const withForeign = (object: KubeObject): KubeObject => ({
        ...object,
        spec: { ...(object['spec'] as object), foreign },
      });
      const sources = before.map((object) => object && withForeign(object));
      const stand = rendered(some, sources).map((object, at) =>
        object === undefined || object === sources[at] ? object : withForeign(object),
      );
      expect(planRoutes(router, context, stand, 'keep')).toEqual([]);
      const written = planRoutes(router, context, stand, { canaryWeight: more, mirror: false });
      expect(written).toHaveLength(entrances);
      for (const { object } of written) expect(object['spec']).toMatchObject({ foreign });
    });

    it('writes nothing for labels and annotations of others, at any weight [R10]', () => {
      fc.assert(
        fc.property(splits, (split) => {
          const objects = renderedSplit(split).map((object, at) =>
            object === before[at] || object === undefined ? object : touched(object),
          );
          expect(planRoutes(router, context, objects, 'keep')).toEqual([]);
          expect(router.read(context, objects)).toEqual(split);
        }),
        runs,
      );
    });

    it('keeps weights, mirror and sticky rules through every edit of the Canary [R10]', () => {
      const names = fc.uniqueArray(fc.constantFrom(...Object.keys(edits)), { minLength: 1, maxLength: 4 });
      fc.assert(
        fc.property(splits, names, (split, changes) => {
          const spec = changes.reduce((edited, name) => edits[name]?.(edited) ?? edited, context.spec);
          const edited = { ...context, spec };
          const running = renderedSplit(split);
          const repaired = planned(edited, live([], running, edited), 'keep');
          expect(router.read(edited, repaired)).toEqual(split);
          // The same as if it had always been so, but for metadata that nobody takes away.
          expect(repaired.map(specOf)).toEqual(renderedSplit(split, before, edited).map(specOf));
          expect(planRoutes(router, edited, repaired, 'keep')).toEqual([]);
        }),
        { numRuns: 80 },
      );
    });

    it('keeps running weights when it repairs something else [R10]', () => {
      const objects = rendered(some).map((object, at) =>
        object === before[at] || object === undefined
          ? object
          : { ...object, spec: undefined, metadata: object.metadata },
      );
      const broken = rendered(some).map((object, at) =>
        object === before[at] || object === undefined
          ? object
          : {
              ...object,
              metadata: {
                ...object.metadata,
                ...(router.isClusterScoped
                  ? { annotations: {} }
                  : { ownerReferences: [{ ...context.owner, uid: 'of a Canary that is gone' }] }),
              },
            },
      );
      expect(routeDrift(router, context, broken)).toBe(true);
      expect(planned(context, broken, 'keep')).toEqual(rendered(some));
      // Nothing readable is left: everything goes to the primary.
      const rebuilt = planned(context, objects, 'keep');
      expect(router.read(context, rebuilt)?.canaryWeight).toSatisfy((weight) => weight === 0 || weight === some);
    });

    it('makes an object anew that somebody deleted beside others, and leaves the weights', () => {
      const objects = rendered(some);
      for (const [gone, object] of objects.entries()) {
        if (object === before[gone]) continue;
        const lacking = objects.map((each, at) => (at === gone ? undefined : each));
        const split = router.read(context, lacking);
        // Nobody knows what it was.
        if (split === undefined) continue;
        expect(routeDrift(router, context, lacking)).toBe(true);
        const repaired = planned(context, lacking, 'keep');
        expect(repaired[gone]).toBeDefined();
        expect(router.read(context, repaired)).toEqual(split);
        expect(planRoutes(router, context, repaired, 'keep')).toEqual([]);
      }
    });

    it('goes with its Canary, in its namespace and under its name [R42]', () => {
      const { namespace } = context.spec;
      const written = router.render(context, { canaryWeight: 0, mirror: false }, before);
      expect(written.length).toBeGreaterThan(0);
      const isClusterScoped = router.isClusterScoped === true;
      for (const object of written) {
        // The API server takes an object of the whole cluster away that something of a namespace owns.
        expect(object.metadata.ownerReferences).toEqual(isClusterScoped ? undefined : [context.owner]);
        expect(object.metadata.namespace).toBe(isClusterScoped ? undefined : namespace);
        expect(object.metadata.name).toMatch(
          /^(prod-)?(shop|web|api)(-shop)?(-primary|-canary)?(upstream-\d+|\.prod)?$/,
        );
      }
    });

    it('takes all users to the canary when the primary is down, whoever is under test, and home again', () => {
      const all = { ...context, spec: forEveryone(context.spec) };
      for (const start of [before, rendered(100), rendered(0)]) {
        const away = planned(all, start, { canaryWeight: 100, mirror: false });
        expect(router.read(all, away)).toEqual({ canaryWeight: 100, mirror: false });
        expect(planRoutes(router, all, away, 'keep')).toEqual([]);
        // Every rule that splits leads to the canary, and there is none for the primary alone.
        expect(primaryShares(away)).toEqual([]);
        expect(planned(context, away, { canaryWeight: 0, mirror: false }).map(specOf)).toEqual(
          rendered(0, start).map(specOf),
        );
      }
    });

    it('takes users home whatever has become of the Canary and its surroundings meanwhile', () => {
      const { analysis } = context.spec;
      const strategy = { kind: 'ab-testing' as const, iterations: 3, match: [{ sourceLabels: {} }] };
      const raw = { match: [{ uri: { suffix: '/x' } }], gatewayRefs: [], hosts: ['a.example'], delegation: true };
      for (const spec of [{ ...context.spec, analysis: { ...analysis, strategy } }, withRaw(context.spec, raw)]) {
        const away = rendered(100).map((object, at) => (object === before[at] ? undefined : object));
        const home = planned({ ...context, spec }, away, { canaryWeight: 0, mirror: false });
        expect(router.read(context, home)).toEqual({ canaryWeight: 0, mirror: false });
      }
    });

    it.skipIf(router.home === undefined)('takes users home on the routes as they stand, and nothing else moves', () => {
      const away = rendered(100);
      const edited = { ...context, spec: withRaw(context.spec, { timeout: '1.5s' }) };
      const home = live(
        planHome(router, edited, away).map(({ object }) => object),
        away,
      );
      expect(router.read(context, home)).toEqual({ canaryWeight: 0, mirror: false });
      expect(JSON.stringify(home)).not.toContain('1.5s');
      expect(planHome(router, edited, home)).toEqual([]);
    });
  });
}

function withService(spec: CanarySpec, change: Partial<CanarySpec['service']>): CanarySpec {
  return { ...spec, service: { ...spec.service, ...change } };
}

function withRaw(spec: CanarySpec, change: Readonly<Record<string, unknown>>): CanarySpec {
  return withService(spec, { raw: { ...spec.service.raw, ...change } });
}

/** Every place in which the primary has a share, whatever the router calls things. */
function primaryShares(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const { name, service, destination, weight, virtualNodeName, virtualNodeRef } = value as Readonly<
    Record<string, unknown>
  >;
  const host = (destination as { host?: unknown } | undefined)?.host;
  const node = (virtualNodeRef as { name?: unknown } | undefined)?.name ?? virtualNodeName;
  const isPrimarys = [name, service, host, node].includes('shop-primary') && Number(weight) > 0;
  return [...(isPrimarys ? [value] : []), ...Object.values(value).flatMap(primaryShares)];
}

function specOf(object: KubeObject | undefined): unknown {
  return object?.['spec'];
}

function touched(object: KubeObject): KubeObject {
  return {
    ...object,
    status: { seen: true },
    metadata: {
      ...object.metadata,
      uid: 'u',
      resourceVersion: '7',
      finalizers: ['example.org/wait'],
      labels: { ...object.metadata.labels, foreign: 'label' },
      annotations: { ...object.metadata.annotations, 'example.org/foreign': 'annotation' },
    },
  };
}
