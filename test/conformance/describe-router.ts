import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';
import { planRoutes, routeDrift } from '../../src/routers/reconcile.ts';
import type { LiveObjects, RouteContext, Router } from '../../src/routers/router.ts';

export interface RouterCase {
  readonly context: RouteContext;
  /** What users made before: in the order of `refs`. */
  readonly before: LiveObjects;
}

const weights = fc.integer({ min: 0, max: 100 });

/** What every routing provider must do, whatever its objects look like. */
export function describeRouter(router: Router, { context, before }: RouterCase): void {
  const keys = router.refs(context).map(refKey);
  const live = (written: readonly KubeObject[], over: LiveObjects = before): LiveObjects =>
    keys.map((key, at) => written.find((object) => refKey(refOf(object)) === key) ?? over[at]);
  const rendered = (canaryWeight: number, over: LiveObjects = before): LiveObjects =>
    live(router.render(context, { canaryWeight, mirror: false }, over), over);

  describe(`router ${router.name}`, () => {
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
        fc.property(weights, weights, (first, second) => {
          expect(router.read(context, rendered(first))).toEqual({ canaryWeight: first, mirror: false });
          expect(router.read(context, rendered(second, rendered(first)))).toEqual({
            canaryWeight: second,
            mirror: false,
          });
        }),
      );
    });

    it('reads mirroring that it renders, where it can mirror', () => {
      const split = { canaryWeight: 0, mirror: true };
      const after = live(planRoutes(router, context, before, split).map(({ object }) => object));
      expect(router.read(context, after)).toEqual({ canaryWeight: 0, mirror: router.supports.mirror });
    });

    it('renders the same again over its own objects, and plans nothing then', () => {
      fc.assert(
        fc.property(weights, (weight) => {
          const once = rendered(weight);
          expect(rendered(weight, once)).toEqual(once);
          expect(planRoutes(router, context, once, { canaryWeight: weight, mirror: false })).toEqual([]);
          expect(planRoutes(router, context, once, 'keep')).toEqual([]);
          expect(routeDrift(router, context, once)).toBe(false);
        }),
      );
    });

    it('does not depend on the path by which a split was reached', () => {
      fc.assert(
        fc.property(weights, weights, (first, second) => {
          expect(rendered(second, rendered(first))).toEqual(rendered(second));
        }),
      );
    });

    it('leaves what it does not own', () => {
      const objects = rendered(30).map((object, at) =>
        object === before[at] || object === undefined ? object : touched(object),
      );
      const written = planRoutes(router, context, objects, { canaryWeight: 40, mirror: false });
      expect(written).toHaveLength(1);
      const [{ object } = { object: undefined }] = written;
      expect(object?.metadata).toMatchObject({ uid: 'u', resourceVersion: '7', finalizers: ['example.org/wait'] });
      expect(object?.metadata.labels).toMatchObject({ foreign: 'label' });
      expect(object?.metadata.annotations).toMatchObject({ 'example.org/foreign': 'annotation' });
      expect(object?.['status']).toEqual({ seen: true });
    });

    it('keeps running weights when it repairs something else', () => {
      const objects = rendered(30).map((object, at) =>
        object === before[at] || object === undefined
          ? object
          : { ...object, spec: undefined, metadata: object.metadata },
      );
      const broken = rendered(30).map((object, at) =>
        object === before[at] || object === undefined
          ? object
          : {
              ...object,
              metadata: {
                ...object.metadata,
                ownerReferences: [{ ...context.owner, uid: 'of a Canary that is gone' }],
              },
            },
      );
      expect(routeDrift(router, context, broken)).toBe(true);
      const repaired = live(
        planRoutes(router, context, broken, 'keep').map(({ object }) => object),
        broken,
      );
      expect(repaired).toEqual(rendered(30));
      // Nothing readable is left: everything goes to the primary.
      const rebuilt = live(
        planRoutes(router, context, objects, 'keep').map(({ object }) => object),
        objects,
      );
      expect(router.read(context, rebuilt)?.canaryWeight).toSatisfy((weight) => weight === 0 || weight === 30);
    });

    it('goes with its Canary', () => {
      for (const object of router.render(context, { canaryWeight: 0, mirror: false }, before)) {
        expect(object.metadata.ownerReferences).toEqual([context.owner]);
      }
    });
  });
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
